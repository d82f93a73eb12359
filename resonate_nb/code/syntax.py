"""The canonical text of a syntax tree: what code means, the same on every Python from 3.11."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_NOISE = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_WITH_DOCSTRING = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NUMBERS = (int, float, complex)


def is_named_durable(decorator: ast.expr) -> bool:
    """Return whether a decorator is called `durable`: what is told to it is no part of the code."""
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")
    return name == "durable"


def canonical(node: ast.AST, is_durable: Callable[[ast.expr], bool] = is_named_durable) -> str:
    r"""Return the text of a tree without docstrings, comments, positions and the `durable` decorator.

    It is written by a loop, not by recursion: no expression is nested too deeply for it.

    >>> canonical(ast.parse("def f(x):\n    'Doc.'\n    return x  # same"))
    "Module(body=[FunctionDef(name='f',args=arguments(args=[arg(arg='x')]),body=[Return(value=Name(id='x'))])])"
    """
    written: list[str] = []
    waiting: list[object] = [node]
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Text):
            written.append(item)
        elif isinstance(item, ast.AST):
            fields = _joined([(_Text(f"{name}="), value) for name, value in _fields(item, is_durable)])
            waiting += reversed([_Text(f"{type(item).__name__}("), *fields, _Text(")")])
        elif isinstance(item, list):
            waiting += reversed([_Text("["), *_joined([(each,) for each in item]), _Text("]")])
        else:
            written.append(_constant(item))
    return "".join(written)


class _Text(str):
    """Text that is written as it stands, as opposed to text that is a constant of the tree."""

    __slots__ = ()


def _joined(groups: Sequence[tuple[object, ...]]) -> list[object]:
    """Return the groups' items in one list, with commas between the groups."""
    joined: list[object] = []
    for number, group in enumerate(groups):
        joined += (_Text(","), *group) if number else group
    return joined


def _fields(node: ast.AST, is_durable: Callable[[ast.expr], bool]) -> Iterator[tuple[str, object]]:
    """Yield the fields that mean something; fields that a Python does not know are empty in another."""
    for name in node._fields:
        value = getattr(node, name, None)
        if name in _NOISE:
            continue
        if name == "body" and isinstance(node, _WITH_DOCSTRING):
            value = without_docstring(node.body)
        elif name == "decorator_list":
            value = [each for each in value or () if not is_durable(each)]
        elif name == "values" and isinstance(node, ast.JoinedStr):
            value = _merged(node.values)
        elif name == "format_spec" and isinstance(value, ast.JoinedStr):
            value = value if _merged(value.values) else None
        if value == [] or (value is None and not isinstance(node, ast.Constant | ast.MatchSingleton)):
            continue
        yield name, value


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a body after its docstring."""
    first = body[0] if body else None
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if is_text and isinstance(first.value.value, str) else body  # type: ignore[union-attr]


def _merged(values: Sequence[ast.expr]) -> list[ast.expr]:
    """Return the parts of an f-string with neighbouring texts joined: Python 3.12 splits them elsewhere."""
    merged: list[ast.expr] = []
    for value in values:
        if not isinstance(value, ast.Constant):
            merged.append(value)
        elif merged and isinstance(merged[-1], ast.Constant):
            merged[-1] = ast.Constant(f"{merged[-1].value!s}{value.value!s}")
        elif value.value:
            merged.append(value)
    return merged


def _constant(value: object) -> str:
    """Return the text of a leaf: which characters `repr` escapes depends on Python's Unicode tables."""
    if isinstance(value, str):
        return ascii(value)
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        return repr(value)
    return f"int:{value:#x}" if isinstance(value, int) else f"{type(value).__name__}:{value!r}"
