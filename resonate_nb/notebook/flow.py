"""What one statement at the top level of a cell reads and binds, in the order of evaluation.

The walk keeps the set of names that are *sure*: bound by this statement on every way that leads to
the present point. A read of a name that is not sure may see what was there before the statement.
Where Python's own order is hard to tell, the walk errs towards "may read" and "may be unbound".
"""

# ruff: noqa: D102, N815 - the names and meanings of the visit methods are those of ast.NodeVisitor

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from resonate_nb.notebook.hidden import call_of_ipython, code_of_magic, expanded_names
from resonate_nb.notebook.scopes import (
    reach_of_body,
    reach_of_comprehension,
    reach_of_parameters,
    signature_expressions,
    type_parameters,
)
from resonate_nb.notebook.shapes import lets_exceptions_through, surely_iterates, takes_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from resonate_nb.notebook.scopes import Comprehension, Function, Reach


class Flow(ast.NodeVisitor):
    """The names that a statement touches; visit it once, then read the fields."""

    def __init__(self, module: Flow | None = None) -> None:
        self._module = module or self  # of a class body: where names that it does not bind are looked up
        self._declared_global: set[str] = set()  # in a class body
        self._later: list[Reach] = []  # of a class body: what its methods reach
        self._live = True  # whether control can get here
        self.sure: set[str] = set()
        self.reads: set[str] = set()
        self.reads_now: set[str] = set()  # not only when a function is called later
        self.reads_first: set[str] = set()
        self.writes: dict[str, None] = {}  # a set in the order of binding
        self.deletes: set[str] = set()

    # Names

    def _read(self, name: str, *, now: bool = True) -> None:
        if self is not self._module:
            if name not in self.sure or name in self._declared_global:
                self._module._read(name, now=now)  # noqa: SLF001 - the same class
            return
        self.reads.add(name)
        if now:
            self.reads_now.add(name)
        if name not in self.sure:
            self.reads_first.add(name)

    def _bind(self, name: str) -> None:
        if name in self._declared_global:
            self._module._bind(name)  # noqa: SLF001 - the same class
            return
        self.writes[name] = None
        self.sure.add(name)

    def _delete(self, name: str) -> None:
        if name in self._declared_global:
            self._module._delete(name)  # noqa: SLF001 - the same class
            return
        self.deletes.add(name)
        self.sure.discard(name)

    def _reach(self, reach: Reach, *, now: bool) -> None:
        """Take in what a function reaches: it looks past the class around it, straight into the module.

        Methods are called when their class is bound, so a class is no input of its own methods.
        """
        if self is not self._module and not now:
            self._later.append(reach)
            return
        for name in reach.reads:
            self._module._read(name, now=now)  # noqa: SLF001 - the same class
        self._module.writes.update(dict.fromkeys(sorted(reach.writes)))
        self._module.deletes |= reach.deletes
        self._module.sure -= reach.deletes

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id)
            return
        self._read(node.id)
        if isinstance(node.ctx, ast.Del):
            self._delete(node.id)

    def visit_Global(self, node: ast.Global) -> None:
        if self is not self._module:
            self._declared_global.update(node.names)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._bind(alias.asname or alias.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name != "*":
                self._bind(alias.asname or alias.name)

    # Statements and expressions whose order is not that of their fields

    def visit_all(self, nodes: Iterable[ast.AST]) -> None:
        """Visit nodes one after the other."""
        for node in nodes:
            self.visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit_all([node.value, *node.targets])

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._read(node.target.id)
            self.visit_all([node.value, node.target])
        else:
            self.visit_all([node.target, node.value])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
        if node.value is not None or not isinstance(node.target, ast.Name):
            self.visit(node.target)
        self.visit(node.annotation)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit_all([node.value, node.target])

    def visit_Dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            self.visit_all([value] if key is None else [key, value])

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        called = call_of_ipython(node)
        if called is None:
            return
        for name in expanded_names(*called):
            self._read(name)
        self.visit_all(code_of_magic(*called) or [])

    def visit_Raise(self, node: ast.Raise) -> None:
        self.generic_visit(node)
        self._live = False

    def visit_Break(self, node: ast.Break | ast.Continue) -> None:
        self._live = False

    visit_Continue = visit_Break

    # Branches

    def _either(self, *ways: Callable[[], None]) -> None:
        """Walk ways of which one is taken; sure is what is sure after each that ends normally."""
        start, live = self.sure, self._live
        ends: list[set[str]] = []
        for way in ways:
            self.sure, self._live = set(start), live
            way()
            if self._live:
                ends.append(self.sure)
        self._live = bool(ends)
        self.sure = set.intersection(*ends) if ends else start

    def _maybe(self, *nodes: ast.AST) -> None:
        self._either(lambda: self.visit_all(nodes), self._cut_short)

    def _cut_short(self) -> None:
        """Go on from a point before which anything may have been deleted."""
        self.sure -= self.deletes

    def _repeatedly(self, walk: Callable[[], None]) -> None:
        """Walk what may run several times: all but the first run may find deleted what it deletes."""
        start, live, before = set(self.sure), self._live, self.deletes
        self.deletes = set()
        walk()
        deleted, self.deletes = self.deletes, before | self.deletes
        if deleted & start:
            self.sure, self._live = start - deleted, live
            walk()

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._either(lambda: self.visit_all(node.body), lambda: self.visit_all(node.orelse))

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        self._either(lambda: self.visit(node.body), lambda: self.visit(node.orelse))

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self.visit(node.values[0])
        self._maybe(*node.values[1:])

    def visit_Compare(self, node: ast.Compare) -> None:
        self.visit_all([node.left, node.comparators[0]])
        self._maybe(*node.comparators[1:])

    def visit_Assert(self, node: ast.Assert) -> None:
        self._maybe(node.test)  # not evaluated under `python -O`
        if node.msg is not None:
            self._maybe(node.msg)

    def visit_While(self, node: ast.While) -> None:
        def once() -> None:
            self.visit(node.test)
            self._maybe(*node.body)

        self._repeatedly(once)
        self._maybe(*node.orelse)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        body = [node.target, *node.body]
        self.visit(node.iter)
        self._repeatedly(lambda: self.visit_all(body) if surely_iterates(node) else self._maybe(*body))
        self._maybe(*node.orelse)

    visit_AsyncFor = visit_For

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        transparent = True
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.visit(item.optional_vars)
            transparent = transparent and lets_exceptions_through(item.context_expr)
        if transparent:
            self.visit_all(node.body)
        else:
            self._maybe(*node.body)

    visit_AsyncWith = visit_With

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        start = set(self.sure)
        ways = [lambda handler=handler: self._handle(handler) for handler in node.handlers]
        self._either(lambda: self.visit_all([*node.body, *node.orelse]), *ways)
        after, live = self.sure, self._live
        self.sure, self._live = start - self.deletes, True
        deleted_before = set(self.deletes)
        self.visit_all(node.finalbody)
        self.sure |= after - (self.deletes - deleted_before)
        self._live = self._live and live

    visit_TryStar = visit_Try

    def _handle(self, handler: ast.ExceptHandler) -> None:
        self._cut_short()
        if handler.type is not None:
            self.visit(handler.type)
        if handler.name is not None:
            self._bind(handler.name)
        self.visit_all(handler.body)
        if handler.name is not None:
            self._delete(handler.name)  # Python deletes it at the end of the handler

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        ways: list[Callable[[], None]] = [lambda case=case: self.visit(case) for case in node.cases]  # type: ignore[misc]
        self._either(*ways, *([] if takes_all(node.cases[-1]) else [lambda: None]))

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._capture(node, node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self._capture(node, node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self._capture(node, node.rest)

    def visit_MatchOr(self, node: ast.MatchOr) -> None:
        self._either(*[lambda each=each: self.visit(each) for each in node.patterns])

    def _capture(self, node: ast.pattern, name: str | None) -> None:
        self.generic_visit(node)
        if name is not None:
            self._bind(name)

    # Scopes

    def visit_FunctionDef(self, node: Function) -> None:
        self.visit_all(node.decorator_list)
        returned = [] if node.returns is None else [node.returns]
        self._signature([*signature_expressions(node.args), *returned], node)
        self._bind(node.name)
        self._reach(reach_of_body(node), now=False)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit_all(signature_expressions(node.args))
        self._reach(reach_of_body(node), now=False)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.visit_all(node.decorator_list)
        self._signature([*node.bases, *(each.value for each in node.keywords)], node)
        body = Flow(self._module)
        body.sure |= {"__qualname__", "__module__", *type_parameters(node)}
        body.visit_all(node.body)
        self._bind(node.name)
        for reach in body._later:
            self._reach(reach, now=False)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        self._reach(reach_of_parameters(type_parameters(node), [node.value]), now=False)  # type: ignore[attr-defined]
        self._bind(node.name.id)  # type: ignore[attr-defined]

    def _signature(self, expressions: Sequence[ast.expr], node: Function | ast.ClassDef) -> None:
        parameters = type_parameters(node)
        if not parameters:
            self.visit_all(expressions)
            return
        self._reach(
            reach_of_parameters(parameters, [*expressions, *getattr(node, "type_params", [])]), now=True
        )

    def visit_ListComp(self, node: Comprehension) -> None:
        self.visit(node.generators[0].iter)
        self._reach(reach_of_comprehension(node), now=True)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp
