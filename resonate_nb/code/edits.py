"""Where two texts of code differ in meaning: the first statement that is another one, with its line."""

from __future__ import annotations

import ast
import copy
import textwrap
from difflib import SequenceMatcher

from resonate_nb.code.syntax import canonical, without_docstring

_BODIES = ("body", "orelse", "finalbody")
_SHOWN = 60  # characters of a statement


def first_edit(old: str, new: str) -> str:
    r"""Return in words the first place at which code differs; empty where the texts can't tell.

    >>> first_edit("def f(x):\n    return x * 3", "def f(x):\n    # twice\n    return x * 2")
    'line 3: `return x * 2`, was `return x * 3`'
    """
    before, after = _parsed(old), _parsed(new)
    if before is None or after is None:
        return ""
    return _edit(before.body, after.body, 1)


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(textwrap.dedent(source))
    except (SyntaxError, ValueError):  # a lambda that was cut out of its call, magics
        return None


def _edit(old: list[ast.stmt], new: list[ast.stmt], line: int) -> str:
    matcher = SequenceMatcher(
        None, [canonical(each) for each in old], [canonical(each) for each in new], False
    )
    for kind, start, end, now_start, now_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        was, now = old[start:end], new[now_start:now_end]
        if not was:
            return f"line {now[0].lineno}: `{_first_line(now[0])}` is new"
        if not now:
            above = new[now_start - 1].end_lineno if now_start else line
            return f"after line {above}: `{_first_line(was[0])}` is gone"
        return _replaced(was[0], now[0])
    return ""


def _replaced(was: ast.stmt, now: ast.stmt) -> str:
    """Return where a statement differs: inside of it, if only its body does."""
    if _head(was) == _head(now):
        for name in _BODIES:
            old, new = (without_docstring(getattr(each, name, [])) for each in (was, now))
            if found := _edit(old, new, now.lineno):
                return found
    return f"line {now.lineno}: `{_first_line(now)}`, was `{_first_line(was)}`"


def _head(statement: ast.stmt) -> str:
    bare = copy.copy(statement)
    for name in _BODIES:
        if hasattr(bare, name):
            setattr(bare, name, [])
    return canonical(bare)


def _first_line(statement: ast.stmt) -> str:
    line = ast.unparse(statement).partition("\n")[0]
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."
