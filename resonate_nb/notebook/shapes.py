"""What the form of an expression or statement tells on its own."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Context managers that let every exception of their body through, by the last part of their name. After any
# other one the names that the body binds are not sure, since `suppress` and its like may skip the rest.
_TRANSPARENT = frozenset(
    """
    open ZipFile TarFile GzipFile NamedTemporaryFile TemporaryDirectory TemporaryFile closing nullcontext
    redirect_stdout redirect_stderr chdir Lock RLock localcontext catch_warnings errstate option_context
    rc_context no_grad inference_mode tqdm trange ThreadPoolExecutor ProcessPoolExecutor Pool connect
    urlopen Session Client File scandir printoptions parallel_backend config_context StringIO BytesIO
    """.split()  # noqa: SIM905
)


def last_name(expression: ast.expr) -> str:
    """Return ``c`` for ``c``, ``a.b.c`` and ``a.b.c(...)``, and nothing for what has no name.

    >>> last_name(ast.parse("functools.lru_cache(maxsize=1)", mode="eval").body)
    'lru_cache'
    """
    if isinstance(expression, ast.Call):
        expression = expression.func
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""


def chain_of_names(expression: ast.expr) -> str:
    """Return the names of a chain of calls, attributes and subscripts.

    >>> chain_of_names(ast.parse("df.groupby('a')['b'].mean()", mode="eval").body)
    'df.groupby.mean'
    """
    parts: list[str] = []
    node = expression
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def lets_exceptions_through(context: ast.expr) -> bool:
    """Return whether it is known that after this ``with`` the whole body has run."""
    return last_name(context) in _TRANSPARENT


def surely_iterates(loop: ast.For | ast.AsyncFor) -> bool:
    """Return whether the loop's body runs, to its end, at least once."""
    return _has_items(loop.iter) and not _leaves_early(loop.body)


def is_loop_over_call(statement: ast.stmt) -> ast.Call | None:
    """Return the call over whose value a statement loops, if it is such a loop."""
    looped = statement.iter if isinstance(statement, ast.For) else None
    return looped if isinstance(looped, ast.Call) else None


def passing_names(node: ast.AST) -> set[str]:
    """Return the names that a loop or ``with`` binds for its body."""
    targets: list[ast.expr | None] = []
    if isinstance(node, ast.For | ast.AsyncFor):
        targets = [node.target]
    elif isinstance(node, ast.With | ast.AsyncWith):
        targets = [item.optional_vars for item in node.items]
    return {name.id for each in targets if each for name in ast.walk(each) if isinstance(name, ast.Name)}


def takes_all(case: ast.match_case) -> bool:
    """Return whether the case matches everything."""
    return case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None


def _has_items(iterable: ast.expr) -> bool:
    match iterable:
        case ast.List(elts=[_, *_] as items) | ast.Tuple(elts=[_, *_] as items):
            return not any(isinstance(item, ast.Starred) for item in items)
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(stop))], keywords=[]):
            return stop > 0
    return False


def _leaves_early(body: Sequence[ast.stmt]) -> bool:
    return any(isinstance(node, ast.Break | ast.Continue) for each in body for node in ast.walk(each))
