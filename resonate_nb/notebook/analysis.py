"""What the statements of a cell read, bind and delete: the facts that make a cell durable.

Pure reading of the syntax tree: nothing is imported, looked up or run. Names are those of the module;
builtins are among them, since only the caller knows what its namespace holds.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from resonate_nb.notebook.definitions import only_defines
from resonate_nb.notebook.flow import Flow
from resonate_nb.notebook.hidden import call_of_ipython, code_of_magic, reaches_hidden_names
from resonate_nb.notebook.shapes import chain_of_names, passing_names

LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement at the top level of a cell."""

    index: int
    node: ast.stmt
    kind: str  # "future", "import", "definition" (functions and classes) or "other"
    reads: frozenset[str]  # may be read, in the bodies of functions, too
    reads_now: frozenset[str]  # may be read while the statement itself runs
    reads_first: frozenset[str]  # may be read before the statement has surely bound them
    writes: frozenset[str]  # may be bound, also by the functions that are defined here
    sure_writes: frozenset[str]  # are bound whenever the statement ends normally
    deletes: frozenset[str]  # may be deleted, if only to be bound again
    opaque: bool  # may read or bind names that can't be seen: see hidden.py


@dataclass(frozen=True, slots=True)
class CellAnalysis:
    """What a whole cell reads, binds and deletes."""

    statements: tuple[Statement, ...]
    inputs: frozenset[str]  # may be read before the cell has surely bound them
    writes: frozenset[str]
    sure_writes: frozenset[str]  # are bound whenever the cell ends normally
    deletes: frozenset[str]
    opaque: bool


def analyse(tree: ast.Module) -> CellAnalysis:
    """Return the facts about a cell's statements, and about the cell as a whole.

    What a function of the cell reads counts as read by the next statement that may call it, not where
    it is defined: functions that refer to each other are no inputs. A name that the cell binds only
    after such a statement is an input; that it matters only if the namespace has it already is the
    caller's to judge.
    """
    statements = tuple(_statement(index, node) for index, node in enumerate(tree.body))
    inputs: set[str] = set()
    sure: set[str] = set()
    later: set[str] = set()  # read by functions that nothing can have called yet
    for each in statements:
        if not only_defines(each.node):
            inputs |= later - sure
            later.clear()
            inputs |= each.reads_first - sure
        inputs |= (each.reads_first & each.reads_now) - sure
        later |= each.reads_first - sure
        sure -= each.deletes
        sure |= each.sure_writes
    inputs |= later - sure
    return CellAnalysis(
        statements=statements,
        inputs=frozenset(inputs),
        writes=frozenset().union(*(each.writes for each in statements)),
        sure_writes=frozenset(sure),
        deletes=frozenset().union(*(each.deletes for each in statements)),
        opaque=any(each.opaque for each in statements),
    )


def _statement(index: int, node: ast.stmt) -> Statement:
    flow = Flow()
    flow.visit(node)
    return Statement(
        index=index,
        node=node,
        kind=_kind(node),
        reads=frozenset(flow.reads),
        reads_now=frozenset(flow.reads_now),
        reads_first=frozenset(flow.reads_first),
        writes=frozenset(flow.writes),
        sure_writes=frozenset(flow.sure),
        deletes=frozenset(flow.deletes),
        opaque=_is_opaque(node),
    )


def _kind(node: ast.stmt) -> str:
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return "future"
    if isinstance(node, ast.Import | ast.ImportFrom):
        return "import"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return "definition"
    return "other"


def _is_opaque(node: ast.AST) -> bool:
    for inner in ast.walk(node):
        if reaches_hidden_names(inner):
            return True
        called = call_of_ipython(inner) if isinstance(inner, ast.Call) else None
        if called is not None and any(_is_opaque(each) for each in code_of_magic(*called) or []):
            return True
    return False


def cell_name(analysis: CellAnalysis) -> str:
    """Return the name of a cell that has none: what it assigns, else what it defines, imports or calls.

    Up to three names in the order of their first assignment, private ones last: ``X-y``, ``a-b-c+2``.
    The name is at most 40 characters long.
    """
    for kind in ("other", "definition", "import"):
        names = _bound_in_order([each.node for each in analysis.statements if each.kind == kind])
        if names:
            return _joined(sorted(names, key=lambda name: name.startswith("_")))
    called = [_called(each.node.value) for each in analysis.statements if isinstance(each.node, ast.Expr)]
    return next((name for name in called if name), "cell")[:LONGEST_NAME]


def _bound_in_order(nodes: list[ast.stmt]) -> list[str]:
    """Return the names that statements bind; loop variables and their like only if there are no others."""
    flow = Flow()
    flow.visit_all(nodes)
    passing = set[str]().union(*(passing_names(inner) for node in nodes for inner in ast.walk(node)))
    names = [name for name in flow.writes if name not in flow.deletes]
    return [name for name in names if name not in passing] or names


def _joined(names: list[str]) -> str:
    for shown in range(min(3, len(names)), 0, -1):
        more = f"+{len(names) - shown}" if len(names) > shown else ""
        joined = "-".join(names[:shown]) + more
        if len(joined) <= LONGEST_NAME:
            return joined
    return names[0][:LONGEST_NAME]


def _called(expression: ast.expr) -> str:
    """Return ``plt.show`` for a call of it, and the magic's name for a magic; nothing for anything else."""
    if isinstance(expression, ast.Await):
        expression = expression.value
    if not isinstance(expression, ast.Call):
        return ""
    called = call_of_ipython(expression)
    return called[0] if called is not None else chain_of_names(expression)
