"""The canonical text of a syntax tree: what code means, the same on every Python from 3.11."""

from __future__ import annotations

import ast
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOISE = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_WITH_DOCSTRING = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def canonical(node: ast.AST) -> str:
    r"""Return the text of a tree without docstrings, comments, positions and the `durable` decorator.

    >>> canonical(ast.parse("def f(x):\n    'Doc.'\n    return x  # same"))
    "Module(body=[FunctionDef(name='f',args=arguments(args=[arg(arg='x')]),body=[Return(value=Name(id='x'))])])"
    """
    fields = ",".join(
        f"{name}={text}" for name in node._fields if name not in _NOISE and (text := _field(node, name))
    )
    return f"{type(node).__name__}({fields})"


def _field(node: ast.AST, name: str) -> str:
    value = getattr(node, name, None)
    if name == "body" and isinstance(node, _WITH_DOCSTRING):
        value = _without_docstring(node.body)
    elif name == "decorator_list":
        value = [each for each in value or [] if not _is_durable(each)]
    elif name == "values" and isinstance(node, ast.JoinedStr):
        value = _merged(node.values)
    if isinstance(value, list):
        return f"[{','.join(_item(each) for each in value)}]" if value else ""
    return "" if value is None and not isinstance(node, ast.Constant) else _item(value)


def _item(value: object) -> str:
    if isinstance(value, ast.AST):
        return canonical(value)
    return f"{type(value).__name__}:{value!r}" if isinstance(value, int | float | complex) else repr(value)


def _without_docstring(body: Sequence[ast.stmt]) -> Sequence[ast.stmt]:
    first = body[0] if body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return body[1:]
    return body


def _is_durable(decorator: ast.expr) -> bool:
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")
    return name == "durable"


def _merged(values: Sequence[ast.expr]) -> list[ast.expr]:
    """Return the parts of an f-string with neighbouring texts joined, which Python 3.11 splits elsewhere."""
    merged: list[ast.expr] = []
    for is_text, group in groupby(values, lambda value: isinstance(value, ast.Constant)):
        parts = list(group)
        if is_text:
            parts = [
                ast.Constant("".join(str(part.value) for part in parts if isinstance(part, ast.Constant)))
            ]
        merged.extend(parts)
    return merged
