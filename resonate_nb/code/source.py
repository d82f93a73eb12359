"""The source of code that runs: where the text is, and whether it is the text of this very code."""

from __future__ import annotations
import __future__

import ast
import linecache
import os
import re
import textwrap
import threading
import tokenize
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from resonate_nb.code.by_identity import ByIdentity
from resonate_nb.code.literals import literal_text
from resonate_nb.code.objects import same_code
from resonate_nb.code.references import nested_code

if TYPE_CHECKING:
    import types
    from collections.abc import Iterator, Mapping, Sequence

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
Stamp = tuple[str, int, int]  # a file's path, its time in nanoseconds, its size in bytes

NAMED_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
FUTURES = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
_MAGIC = re.compile(r"(?m)^([ \t]*)(?:[%!].*|[\w., \t]+=[ \t]*[%!].*)$")
_OWN_LOADERS = frozenset({"importlib.machinery", "_frozen_importlib_external", "_frozen_importlib"})


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of the source of a function or class."""

    tree: Definition | None = None  # None: there is no text from which it was compiled
    text: str = ""  # for people, dedented
    stamp: Stamp | None = None  # of the file, where the code could be loaded anew from it
    stale: bool = False  # the file is not, or no longer, the code that runs


def source_of_function(function: types.FunctionType) -> Source:
    """Return the source from which a function's very code object was compiled."""
    code = function.__code__
    known = _known.get(code)
    if known is not None and (known.stamp is None or is_current(known.stamp)):
        return known
    found = _search_function(code, function.__globals__)
    if known is not None and known.tree is not None:
        found = replace(known, stamp=found.stamp, stale=found.tree is None)
    _known.set(code, found)
    return found


def is_current(stamp: Stamp) -> bool:
    """Return whether a file is as it was when it was read."""
    return _stamp(stamp[0]) == stamp


_known: ByIdentity[Source] = ByIdentity()
_compiling = threading.Lock()  # the warning filters belong to all threads


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A text, its tree and the code objects that it compiles to."""

    text: str
    tree: ast.Module
    codes: tuple[types.CodeType, ...]

    def cut(self, node: Definition) -> str:
        """Return the lines of a definition, or the exact text of a lambda."""
        if isinstance(node, ast.Lambda):
            return ast.get_source_segment(self.text, node) or ""
        lines = self.text.splitlines(keepends=True)[first_line(node) - 1 : node.end_lineno]
        return textwrap.dedent("".join(lines))


def _search_function(code: types.CodeType, namespace: Mapping[str, Any]) -> Source:
    text, stamp = read_text(code.co_filename, namespace)
    parsed = parsed_text(text, code.co_filename, code.co_flags & FUTURES)
    for twin in _twins(code, parsed.codes if parsed else ()):
        node = _definition(parsed.tree, twin) if parsed else None
        if parsed and node is not None:
            return Source(node, parsed.cut(node), reloadable(stamp, namespace))
    return Source(stamp=reloadable(stamp, namespace), stale=bool(stamp) and is_plainly_loaded(namespace))


def read_text(filename: str, namespace: Mapping[str, Any]) -> tuple[str, Stamp | None]:
    """Return the text of a cell or file, and the file's stamp where it comes from the disk."""
    cell = text_of_cell(filename)
    if cell is not None:
        return cell, None
    stamp = _stamp(filename)
    try:
        if stamp is not None:
            with tokenize.open(filename) as file:
                return file.read(), stamp
    except (OSError, SyntaxError, UnicodeDecodeError):
        return "", stamp
    return "".join(linecache.getlines(filename, dict(namespace))), None


def text_of_cell(filename: str) -> str | None:
    """Return the text of a cell: it has no time, because it never was a file."""
    entry: Any = linecache.cache.get(filename)
    return "".join(entry[2]) if entry is not None and len(entry) == 4 and entry[1] is None else None


def _stamp(filename: str) -> Stamp | None:
    try:
        found = os.stat(filename)  # noqa: PTH116 (twice as fast, and done at every call)
    except (OSError, ValueError):
        return None
    return filename, found.st_mtime_ns, found.st_size


def reloadable(stamp: Stamp | None, namespace: Mapping[str, Any]) -> Stamp | None:
    """Return the stamp unless the file is a script: that can't be loaded anew, so edits are no matter."""
    return None if namespace.get("__name__") in ("__main__", "__mp_main__") else stamp


def is_plainly_loaded(namespace: Mapping[str, Any]) -> bool:
    """Return whether a module is compiled from its text as it stands, and not rewritten on import."""
    loader = namespace.get("__loader__")
    return loader is None or type(loader).__module__ in _OWN_LOADERS


@lru_cache(maxsize=64)
def parsed_text(text: str, filename: str, futures: int) -> ParsedText | None:
    """Return the text compiled as a cell or module; magics that are still in it stand for nothing."""
    flags = futures | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for each in (text, _MAGIC.sub(r"\1pass", text)):
        try:
            with _compiling, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they were shown when the code was compiled to run
                tree = ast.parse(each, filename)
                code = compile(tree, filename, "exec", flags=flags, dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
        return ParsedText(text, tree, tuple(nested_code(code))[1:])
    return None


def _twins(code: types.CodeType, codes: Sequence[types.CodeType]) -> Iterator[types.CodeType]:
    """Yield the code objects that do the same, those first that stand at the same place."""
    twins = [each for each in codes if same_code(each, code)]
    place = list(code.co_positions())
    twins.sort(key=lambda each: (list(each.co_positions()) != place, each.co_firstlineno))
    yield from twins


def _definition(tree: ast.Module, code: types.CodeType) -> Definition | None:
    """Return the definition that a code object compiled from this very tree belongs to."""
    first = code.co_firstlineno
    if code.co_name == "<lambda>":
        lambdas = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda) and node.lineno == first]
        return _innermost(lambdas, code) if len(lambdas) > 1 else next(iter(lambdas), None)
    for node in ast.walk(tree):
        if isinstance(node, NAMED_FUNCTIONS) and node.name == code.co_name and first_line(node) == first:
            return node
    return None


def _innermost(lambdas: Sequence[ast.Lambda], code: types.CodeType) -> ast.Lambda | None:
    """Return the one of several lambdas on a line whose body holds all that the code does."""
    places = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in code.co_positions()
        if line is not None and end_line is not None and column is not None and end_column
    ]
    holding = [
        node
        for node in lambdas
        if all(_start(node.body) <= start and end <= _end(node.body) for start, end in places)
    ]
    if not places:  # in Python 3.12 a lambda that returns a constant says nothing of its place
        holding = [node for node in lambdas if _returns(node, code)]
    return min(holding, key=lambda node: len(ast.dump(node)), default=None)


def _returns(node: ast.Lambda, code: types.CodeType) -> bool:
    if not isinstance(node.body, ast.Constant):
        return False
    return any(literal_text(each) == literal_text(node.body.value) for each in code.co_consts)


def _start(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or 0


def first_line(node: ast.AST) -> int:
    """Return the line where a definition begins, which is its first decorator's."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    line: int = node.lineno  # type: ignore[attr-defined]
    return min([line, *(each.lineno for each in decorators)])
