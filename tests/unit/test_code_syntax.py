"""The canonical text of a syntax tree says what code means, in the same words on every Python."""

import ast

import pytest

from resonate_nb.code.nodes import text_digest
from resonate_nb.code.syntax import canonical

EVERYTHING = r'''
"""Docstring."""
from __future__ import annotations
import os.path as path
from . import sibling
async def f[T_](a, /, b: int = 1, *args, c=2, d, **kwargs) -> str:
    """Docstring."""
    global counter
    async with a as x, b: pass
    try: await x
    except* (ValueError, TypeError) as error: raise KeyError from error
    else: del x
    finally: assert a, "message"
    match a:
        case [1, *rest] if rest: return -0.0, 1e999, 2j, ..., None, True, b"\xff", "\ud800 \u0378"
        case {"k": None, **more} | Point(x=0) as found: yield
        case True: pass
    while a[1:2, ::3]: break
    else: a @= {**b, 'k': 1}
    return f"a" "b" f"{a!r:>{b}}" "c" f"d{a=}{b:}" "", u'x', 10 ** 5000, lambda *, k=1: {k for k in (yield a)}
class A(B, metaclass=C):
    """Docstring."""
    x: int = 3
    y: int
'''.replace("[T_]", "")
GOLDEN = "ef06cb5cbba111b1caf3648e5fc02f95"


def meaning(text):
    return canonical(ast.parse(text))


def test_the_text_is_the_same_on_every_python():
    assert text_digest(meaning(EVERYTHING)) == GOLDEN


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f():\n    'doc'\n    return 1", "def f(): return 1  # comment"),
        ("class A:\n    'doc'\n    x = 1", "class A:\n\n    x = (1)"),
        ("x = u'a'", 'x = "a"'),
        ("x = f'a' 'b' f'{y}'", "x = f'ab{y}'"),
        ("x = f'{y:}'", "x = f'{y}'"),
        ("x = 0x10", "x = 16"),
        ("@durable(version=2)\ndef f(): pass", "@rnb.durable\ndef f(): pass"),
    ],
)
def test_spelling_does_not_count(one, other):
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = '1'", "x = b'1'"),
        ("x = 'a=1'", "x = a == 1"),
        ("f'{x}'", "f'{x!r}'"),
        ("@cached\ndef f(): pass", "def f(): pass"),
        ("f(*a)", "f(a)"),
        ("{**a}", "{a: b}"),
        ("def f(*, a, b=1): pass", "def f(*, a=1, b): pass"),
        ("x = None", "x = ..."),
        ("match a:\n    case None: pass", "match a:\n    case True: pass"),
        ("x = 'x,Name(id=1)'", "x = 'x', Name(id=1)"),
    ],
)
def test_meaning_counts(one, other):
    assert meaning(one) != meaning(other)


def test_an_expression_of_ten_thousand_terms_is_no_matter():
    tree = ast.Constant(1)
    for _ in range(10_000):
        tree = ast.BinOp(tree, ast.Add(), ast.Constant(1))
    assert canonical(tree).count("BinOp") == 10_000
