"""Whether running an import or a definition again, on its own, gives the same thing.

Replay runs the imports and definitions of a cell again and sets its outputs over them. That is right
only for a definition that depends on nothing but other definitions, and changes nothing else. In doubt
it is not, and the reason is given in words.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from resonate_nb.notebook.scopes import signature_expressions
from resonate_nb.notebook.shapes import last_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from resonate_nb.notebook.analysis import CellAnalysis, Statement
    from resonate_nb.notebook.scopes import Function

# By the last part of the name: what only describes or wraps, and gives an equal thing each time.
PURE_DECORATORS = frozenset(
    """
    durable dataclass define frozen mutable attrs staticmethod classmethod property setter getter deleter
    cached_property cache lru_cache wraps total_ordering singledispatch singledispatchmethod abstractmethod
    overload override final runtime_checkable dataclass_transform no_type_check deprecated unique verify
    contextmanager asynccontextmanager njit jit vectorize guvectorize compile no_grad inference_mode
    field_validator model_validator validator computed_field
    """.split()  # noqa: SIM905
)
PURE_CALLS = frozenset(
    """
    abs auto bool bytes complex date datetime Decimal defaultdict deque dict enumerate field Field Factory
    factory float Fraction frozenset int len list Literal max member min MappingProxyType namedtuple
    NamedTuple NewType nonmember OrderedDict ParamSpec Path partial PurePath range round set sorted str
    sum timedelta timezone tuple TypedDict TypeVar UUID zip ConfigDict PrivateAttr itemgetter attrgetter
    ZoneInfo
    """.split()  # noqa: SIM905
)
DECLARATIONS = (
    ast.Assign,
    ast.AnnAssign,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.Pass,
)


def only_defines(node: ast.stmt) -> bool:
    """Return whether the statement is an import or definition that calls none of the cell's functions."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return next(_reasons(node), None) is None
    return isinstance(node, ast.Import | ast.ImportFrom)


def replayable_definition(statement: Statement, analysis: CellAnalysis) -> str | None:
    """Return None if the import or definition may run again at replay, else the reason why not."""
    node = statement.node
    if isinstance(node, ast.Import | ast.ImportFrom):
        return _path_changed_before(statement, analysis)
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return None
    reason = next(_reasons(node), None)
    if reason is None:
        assigned = [each.writes for each in analysis.statements if each.kind == "other"]
        borrowed = sorted(statement.reads_now & frozenset().union(*assigned))
        if borrowed:
            reason = f"reads {borrowed[0]!r} where it is defined, which another statement of the cell assigns"
    return None if reason is None else f"{node.name!r} {reason}"


def _path_changed_before(statement: Statement, analysis: CellAnalysis) -> str | None:
    for earlier in analysis.statements[: statement.index]:
        if earlier.kind != "other":
            continue
        for node in ast.walk(earlier.node):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in {
                "sys.path",
                "sys.modules",
                "os.chdir",
            }:
                return f"an import follows a change of {ast.unparse(node)} in the cell"
    return None


def _reasons(node: Function | ast.ClassDef) -> Iterator[str]:
    """Give the reasons that lie in the definition itself."""
    for decorator in node.decorator_list:
        if last_name(decorator) not in PURE_DECORATORS:
            yield f"has the decorator @{ast.unparse(decorator)}, which may do anything"
        elif isinstance(decorator, ast.Call):
            yield from _acts(_arguments(decorator), "its decorator")
    if isinstance(node, ast.ClassDef):
        yield from _acts([*node.bases, *(each.value for each in node.keywords)], "its bases")
        for statement in node.body:
            yield from _reasons_in_class(statement)
    else:
        yield from _acts(signature_expressions(node.args), "its signature")


def _reasons_in_class(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return  # a docstring
    if not isinstance(statement, DECLARATIONS):
        yield f"does more than define in its class body (line {statement.lineno})"
    elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from _reasons(statement)
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if any(
            isinstance(node, ast.Attribute | ast.Subscript) for each in targets for node in ast.walk(each)
        ):
            yield f"changes another object in its class body (line {statement.lineno})"
        if statement.value is not None:
            yield from _acts([statement.value], "its class body")


def _acts(expressions: Iterable[ast.expr], place: str) -> Iterator[str]:
    """Give the calls in expressions of which it is not known that they only make a value."""
    for expression in expressions:
        for node in _evaluated(expression):
            if isinstance(node, ast.NamedExpr | ast.Await):
                yield f"does more than define in {place}"
            elif isinstance(node, ast.Call) and last_name(node) not in PURE_CALLS:
                yield f"calls {ast.unparse(node.func)} in {place}, which may give something else each time"


def _evaluated(expression: ast.AST) -> Iterator[ast.AST]:
    """Give the nodes of an expression that are evaluated with it, not in a lambda later."""
    yield expression
    for inner in ast.iter_child_nodes(expression):
        if not isinstance(expression, ast.Lambda):
            yield from _evaluated(inner)


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(each.value for each in call.keywords)]
