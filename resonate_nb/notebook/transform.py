"""How the text of a durable cell becomes a tree in which a run decides what is executed.

`mark` works on lines, before Python reads them: it replaces the header by a call that only serves as a mark.
`guard` works on the tree: it puts a question to the run in front of every statement. The cell stays an
ordinary cell in between: the same lines, its last expression last, magics and `await` where they were.
"""

from __future__ import annotations

import ast
import re
from typing import TypeVar

from resonate_nb.notebook.shapes import is_loop_over_call

DURABLE = "__rnb_durable__"
REFUSED = "__rnb_refused__"
ONE_MAGIC_ONLY = (
    "One cell magic only: %%durable can't be combined with {other}. Use the line magic or a context "
    "manager inside the durable cell instead, or take %%durable away"
)

_Node = TypeVar("_Node", bound=ast.AST)
_HEADER = re.compile(r"(?:%%|#\s*\|\s*|#\s*%%)durable(?:[ \t]+(?P<options>.*?))?\s*$")
_CELL_MAGIC = re.compile(r"%%(?P<name>[^\s?]+)")

# Cell magics whose body is no Python: a header in it is their text.
_MAGICS_OF_TEXT = frozenset(
    {"bash", "cmd", "file", "html", "javascript", "js", "latex", "markdown", "perl", "ruby"}
    | {"script", "sh", "svg", "writefile"}
)


def mark(lines: list[str]) -> list[str]:
    r"""Return the lines with the header of a durable cell replaced by a mark; other cells as they are.

    >>> mark(["%%durable prices --retry 2\n", "x = 1\n"])
    ["__rnb_durable__('prices --retry 2')\n", 'x = 1\n']
    >>> mark(["%%time\n", "%%durable\n", "x = 1\n"])[1:]
    ['\n', '\n']
    """
    first = _next_line(lines, 0)
    if first is None:
        return lines
    second = _next_line(lines, first + 1)
    options = _options(lines[first])
    other = _CELL_MAGIC.match(
        lines[first] if options is None else lines[second] if second is not None else ""
    )
    if options is not None:
        if other is None:
            return [*lines[:first], f"{DURABLE}({options!r})\n", *lines[first + 1 :]]
        return _refusal(other["name"], len(lines))
    if other is not None and second is not None and _options(lines[second]) is not None:
        return lines if other["name"].lower() in _MAGICS_OF_TEXT else _refusal(other["name"], len(lines))
    return lines


def header_options(text: str) -> str | None:
    r"""Return what stands behind the header of a durable cell, also if it is ``off``; None without header.

    >>> header_options("\n#| durable off\nx = 1"), header_options("x = 1")
    ('off', None)
    """
    lines = text.splitlines()
    first = _next_line(lines, 0)
    found = None if first is None else _HEADER.match(lines[first])
    return None if found is None else found["options"] or ""


def marker(tree: ast.Module) -> tuple[str, str] | None:
    """Return what `mark` left at the top of a cell: ``durable`` and the options, or ``refused`` and why."""
    match tree.body:
        case [ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(text))])), *_]:
            return {DURABLE: ("durable", text), REFUSED: ("refused", text)}.get(name)
    return None


def unmarked(tree: ast.Module) -> ast.Module:
    """Return the cell without its mark: the statements as they are counted everywhere else."""
    return tree if marker(tree) is None else ast.Module(tree.body[1:], tree.type_ignores)


def guard(
    tree: ast.Module,
    run_name: str,
    *,
    shows_assignment: bool = False,
    limited: bool = False,
    retried: bool = False,
) -> ast.Module:
    """Return the cell in which a run, found under a name of the namespace, decides what is executed.

    First comes ``run.begin()``; then each statement n, counted without the mark, runs if ``run.link(n)``
    is true. ``from __future__`` imports stay in front, unguarded. The last expression stays an expression,
    so that IPython displays it, or nothing when it is skipped. With `shows_assignment`, a last assignment
    to a name is followed by that name, as ``ast_node_interactivity = "last_expr_or_assign"`` has it.

    A loop over a call takes its items from ``run.rest(n)`` if ``run.goes_on(n)``, and else from
    ``run.tracked(n, call)``.

    In a `limited` cell the run hears, by ``run.leave(None)`` or ``run.leave(error)``, where the statements
    are left. The value of the last expression passes by it, to be shown behind them.

    A `retried` cell waits in ``run.pause()``, or in ``await run.pause_async()``, before its statements; after
    an error they begin again if ``run.tries_again(error)``.
    """
    statements = unmarked(tree).body
    if shows_assignment:
        statements = [*statements, *_assigned(statements[-1:])]
    futures = [each for each in statements if _is_future(each)]
    guarded = [_guarded(n, each, run_name) for n, each in enumerate(statements) if not _is_future(each)]
    if statements and isinstance(statements[-1], ast.Expr):
        guarded[-1] = _guarded_expression(len(statements) - 1, statements[-1], run_name)
    retried = retried and _compiles(tree)  # else a stray `break` would end our loop
    if guarded and (limited or retried):
        guarded, shown = _passed_by(guarded, run_name)
        guarded = [_retried(guarded, run_name, awaits=awaits(tree))] if retried else guarded
        guarded = [_limited(guarded, run_name)] if limited else guarded
        guarded += shown
    begin = ast.Expr(_call(run_name, "begin"))
    return ast.Module(
        [*futures, _at(begin, tree.body[0] if tree.body else None), *guarded], tree.type_ignores
    )


def awaits(tree: ast.Module) -> bool:
    r"""Return whether a cell waits in the loop that it runs in.

    >>> awaits(ast.parse("async def f():\n    await g()")), awaits(ast.parse("x = [await f()]"))
    (False, True)
    """
    nodes: list[ast.AST] = [*tree.body]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) or getattr(node, "is_async", False):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            nodes += ast.iter_child_nodes(node)
    return False


def _next_line(lines: list[str], start: int) -> int | None:
    return next((number for number in range(start, len(lines)) if lines[number].strip()), None)


def _options(line: str) -> str | None:
    found = _HEADER.match(line)
    if found is None:
        return None
    options = found["options"] or ""
    switched_off = line.startswith("#") and options == "off"
    return None if switched_off else options


def _refusal(other: str, length: int) -> list[str]:
    return [f"{REFUSED}({ONE_MAGIC_ONLY.format(other='%%' + other)!r})\n", *["\n"] * (length - 1)]


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _assigned(last: list[ast.stmt]) -> list[ast.stmt]:
    """Return the name that the last statement assigns, as an expression, by IPython's rules."""
    match last:
        case [ast.Assign(targets=[ast.Name(id=name)]) | ast.AugAssign(target=ast.Name(id=name))]:
            return [_at(ast.Expr(ast.Name(name, ast.Load())), last[0])]
        case [ast.AnnAssign(target=ast.Name(id=name))]:
            return [_at(ast.Expr(ast.Name(name, ast.Load())), last[0])]
    return []


def _guarded(n: int, statement: ast.stmt, run_name: str) -> ast.stmt:
    if isinstance(statement, ast.For) and is_loop_over_call(statement) is not None:
        statement = _offered(n, statement, run_name)
    question = _at(_call(run_name, "link", n), statement)
    return ast.copy_location(ast.If(test=question, body=[statement], orelse=[]), statement)


def _offered(n: int, loop: ast.For, run_name: str) -> ast.For:
    """Return the loop whose items the run may give: a new one, as the cell's is looked at later."""
    goes_on = _at(_call(run_name, "goes_on", n), loop)
    rest = _at(_call(run_name, "rest", n), loop)
    tracked = _at(_call(run_name, "tracked", n), loop)
    tracked.args.append(loop.iter)
    items = ast.copy_location(ast.IfExp(test=goes_on, body=rest, orelse=tracked), loop.iter)
    return ast.copy_location(
        ast.For(loop.target, items, loop.body, loop.orelse, type_comment=loop.type_comment), loop
    )


def _guarded_expression(n: int, statement: ast.Expr, run_name: str) -> ast.stmt:
    question = _at(_call(run_name, "link", n), statement)
    nothing = _at(ast.Constant(None), statement)
    choice = ast.IfExp(test=question, body=statement.value, orelse=nothing)
    return ast.copy_location(ast.Expr(ast.copy_location(choice, statement)), statement)


def _compiles(tree: ast.Module) -> bool:
    """Return whether Python takes a cell as it is."""
    try:
        compile(tree, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        return False
    return True


def _passed_by(guarded: list[ast.stmt], run_name: str) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """Return the statements with the last value passed by the run, and what shows it behind them."""
    *before, last = guarded
    shown: list[ast.stmt] = []
    if isinstance(last, ast.Expr):
        passed = ast.copy_location(_passing(run_name, "passing", last.value), last)
        last = ast.copy_location(ast.Expr(passed), last)
        shown = [_at(ast.Expr(_call(run_name, "passed")), last)]
    return [*before, last], shown


def _retried(guarded: list[ast.stmt], run_name: str, *, awaits: bool) -> ast.stmt:
    """Return the statements in a loop that ends with the last attempt."""
    first = guarded[0]
    pause: ast.expr = _call(run_name, "pause_async" if awaits else "pause")
    caught = f"{run_name}failure"
    again = _passing(run_name, "tries_again", ast.Name(caught, ast.Load()))
    refused = ast.If(test=ast.UnaryOp(ast.Not(), again), body=[ast.Raise()], orelse=[])
    handler = ast.ExceptHandler(ast.Name("BaseException", ast.Load()), caught, [refused])
    block = ast.Try(body=guarded, handlers=[], orelse=[_at(ast.Break(), first)], finalbody=[])
    block.handlers = [_at(handler, first)]
    waiting = _at(ast.Expr(ast.Await(pause) if awaits else pause), first)
    body = [waiting, ast.copy_location(block, first)]
    endless = _at(ast.Constant(True), first)
    return ast.copy_location(ast.While(test=endless, body=body, orelse=[]), first)


def _limited(guarded: list[ast.stmt], run_name: str) -> ast.stmt:
    """Return the statements in a block that tells the run how it is left."""
    last = guarded[-1]
    caught = f"{run_name}error"
    heard = ast.Expr(_passing(run_name, "leave", ast.Name(caught, ast.Load())))
    handler = ast.ExceptHandler(ast.Name("BaseException", ast.Load()), caught, [heard, ast.Raise()])
    done = ast.Expr(_passing(run_name, "leave", ast.Constant(None)))
    block = ast.Try(body=guarded, handlers=[], orelse=[_at(done, last)], finalbody=[])
    block.handlers = [_at(handler, last)]
    return ast.copy_location(block, guarded[0])


def _passing(run_name: str, method: str, argument: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(ast.Name(run_name, ast.Load()), method, ast.Load()), [argument], [])


def _call(run_name: str, method: str, *arguments: int) -> ast.Call:
    asked = ast.Attribute(ast.Name(run_name, ast.Load()), method, ast.Load())
    return ast.Call(asked, [ast.Constant(each) for each in arguments], [])


def _at(node: _Node, statement: ast.stmt | None) -> _Node:
    """Place new nodes at the start of a statement, so that a traceback out of the run shows its line."""
    line, column = (1, 0) if statement is None else (statement.lineno, statement.col_offset)
    for each in ast.walk(node):
        if isinstance(each, ast.expr | ast.stmt | ast.excepthandler):
            each.lineno = each.end_lineno = line
            each.col_offset = each.end_col_offset = column
    return node
