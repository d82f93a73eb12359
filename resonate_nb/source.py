"""The source of code that runs, checked against the running code object."""

from __future__ import annotations

import ast
import functools
import linecache
import os
import sys
import textwrap
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonate_nb.syntax import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of a code object's source."""

    meaning: str  # canonical: equal for equal code
    text: str  # for people; empty where there is none
    stale: bool = False  # a file that no longer compiles to the code that runs


def source_of(code: types.CodeType) -> Source:
    """Return the source from which this very code object was compiled.

    Code without source (made by `exec`, or loaded by value) is described by its bytecode, so it counts
    as changed when Python's minor version does.
    """
    is_file = os.path.exists(code.co_filename)  # noqa: PTH110 (the name need not be a path)
    if is_file:
        linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename))
    node = _find(code, text, code.co_filename) if text else None
    if node is None:
        return Source(_bytecode(code), "", stale=is_file)
    lines = text.splitlines(keepends=True)[_first_line(node) - 1 : node.end_lineno]
    return Source(canonical(node), textwrap.dedent("".join(lines)))


def _find(
    code: types.CodeType, text: str, filename: str
) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None:
    try:
        tree, compiled = _parsed(text, filename)
    except SyntaxError:
        return None
    twins = [each for each in _nested(compiled) if each.co_name == code.co_name and same_code(each, code)]
    twins.sort(key=lambda each: abs(each.co_firstlineno - code.co_firstlineno))
    lines = {twins[0].co_firstlineno} if twins else set()
    nodes = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        and _first_line(node) in lines
    ]
    named = [node for node in nodes if getattr(node, "name", "<lambda>") == code.co_name]
    return named[0] if len(named) == 1 else None  # several lambdas on a line can't be told apart by it


def _first_line(node: _Definition) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


@functools.lru_cache(maxsize=64)
def _parsed(text: str, filename: str) -> tuple[ast.Module, types.CodeType]:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = ast.parse(text)
    return tree, compile(text, filename, "exec", flags=flags, dont_inherit=True)


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _nested(constant)


def same_code(one: types.CodeType, other: types.CodeType) -> bool:
    """Return whether two code objects do the same, wherever they stand."""
    return _bytecode(one) == _bytecode(other)


def _bytecode(code: types.CodeType) -> str:
    constants = ",".join(
        _bytecode(each) if isinstance(each, types.CodeType) else f"{type(each).__name__}:{_stable(each)}"
        for each in code.co_consts
    )
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    head = f"{sys.version_info.major}.{sys.version_info.minor}:{code.co_name}:{code.co_argcount}"
    counts = f"{code.co_posonlyargcount}:{code.co_kwonlyargcount}"
    return f"{head}:{counts}:{code.co_code.hex()}:{names}:({constants})"


def _stable(constant: object) -> str:
    return str(sorted(map(repr, constant))) if isinstance(constant, frozenset) else repr(constant)
