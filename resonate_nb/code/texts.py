"""Texts of cells and modules, compiled again: which definition of a text a code object belongs to."""

from __future__ import annotations
import __future__

import ast
import re
import textwrap
import threading
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from resonate_nb.code.literals import literal_text
from resonate_nb.code.objects import same_code
from resonate_nb.code.references import nested_code

if TYPE_CHECKING:
    import types
    from collections.abc import Iterator, Mapping, Sequence

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
_NAMED_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

FUTURES = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
_MAGIC = re.compile(r"(?m)^([ \t]*)(?:[%!].*|[\w., \t]+=[ \t]*[%!].*)$")
_compiling = threading.Lock()  # the warning filters belong to all threads


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A text, what is defined in it and the code objects that it compiles to."""

    text: str
    functions: Mapping[tuple[str, int], Sequence[Definition]]  # by name and first line
    classes: Mapping[str, Sequence[ast.ClassDef]]  # by qualified name
    codes: Mapping[str, Sequence[types.CodeType]]  # by name

    def definitions_of(self, code: types.CodeType) -> Iterator[Definition]:
        """Yield the functions and lambdas that compile to a code object, those at its place first."""
        twins = [each for each in self.codes.get(code.co_name, ()) if same_code(each, code)]
        place = list(code.co_positions())
        twins.sort(key=lambda each: (list(each.co_positions()) != place, each.co_firstlineno))
        for twin in twins:
            found = self.functions.get((twin.co_name, twin.co_firstlineno), ())
            node = found[0] if len(found) == 1 else _innermost(found, twin)
            if node is not None:
                yield node

    def codes_inside(self, node: ast.ClassDef) -> list[types.CodeType]:
        """Return the code objects of all that is defined in a class."""
        bodies = [each for each in self.codes.get(node.name, ()) if each.co_firstlineno == _first_line(node)]
        return [code for body in bodies for code in nested_code(body)]

    def cut(self, node: Definition) -> str:
        """Return the lines of a definition, dedented, or the exact text of a lambda."""
        if isinstance(node, ast.Lambda):
            return ast.get_source_segment(self.text, node) or ""
        lines = self.text.splitlines(keepends=True)[_first_line(node) - 1 : node.end_lineno]
        return textwrap.dedent("".join(lines))


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
        return _indexed(text, tree, code)
    return None


def _indexed(text: str, tree: ast.Module, code: types.CodeType) -> ParsedText:
    functions: dict[tuple[str, int], list[Definition]] = {}
    classes: dict[str, list[ast.ClassDef]] = {}
    codes: dict[str, list[types.CodeType]] = {}
    for each in nested_code(code):
        codes.setdefault(each.co_name, []).append(each)
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, path = waiting.pop()
        inside = path
        if isinstance(node, ast.Lambda):
            functions.setdefault(("<lambda>", node.lineno), []).append(node)
        elif isinstance(node, _NAMED_FUNCTIONS):
            functions.setdefault((node.name, _first_line(node)), []).append(node)
            inside = f"{path}{node.name}.<locals>."
        elif isinstance(node, ast.ClassDef):
            classes.setdefault(f"{path}{node.name}", []).append(node)
            inside = f"{path}{node.name}."
        waiting += [(each, inside) for each in reversed(list(ast.iter_child_nodes(node)))]
    return ParsedText(text, functions, classes, codes)


def _innermost(found: Sequence[Definition], code: types.CodeType) -> ast.Lambda | None:
    """Return the one of several lambdas on a line whose body holds all that the code does."""
    places = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in code.co_positions()
        if line is not None and end_line is not None and column is not None and end_column
    ]
    lambdas = [node for node in found if isinstance(node, ast.Lambda)]
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


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    """Return the line where a definition begins, which is its first decorator's."""
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])
