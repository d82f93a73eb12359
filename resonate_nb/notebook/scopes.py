"""Which names of the module a function, lambda, comprehension or class body reaches.

Python decides by scope, not by order, where a name inside such a body is looked up. So this reads
whole bodies; what happens in order, at the top level of a cell, is in flow.py.
"""

# ruff: noqa: N815 - the names of the visit methods are those of ast.NodeVisitor

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True, slots=True)
class Reach:
    """The names of the module that a body may read, bind or delete when it runs."""

    reads: frozenset[str]
    writes: frozenset[str]
    deletes: frozenset[str]


def reach_of_body(node: Function | ast.Lambda) -> Reach:
    """Return what a function's body reaches; its defaults and decorators are not part of it."""
    module = _Scope("module")
    module.enter_function(node)
    return module.reach()


def reach_of_comprehension(node: Comprehension) -> Reach:
    """Return what a comprehension reaches without its first iterable, which is evaluated outside."""
    module = _Scope("module")
    module.enter_comprehension(node)
    return module.reach()


def reach_of_parameters(parameters: Iterable[str], nodes: Iterable[ast.AST]) -> Reach:
    """Return what expressions reach in which the type parameters of a generic are visible."""
    module = _Scope("module")
    inner = module.child("function")
    inner.bound.update(parameters)
    for node in nodes:
        inner.visit(node)
    return module.reach()


def type_parameters(node: ast.AST) -> list[str]:
    """Return the names of the type parameters of ``def f[T]``, ``class A[T]`` and ``type X[T]``."""
    return [parameter.name for parameter in getattr(node, "type_params", [])]


def parameters_of(arguments: ast.arguments) -> list[ast.arg]:
    """Return all parameters of a signature, of every kind."""
    variadic = [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *variadic]


def signature_expressions(arguments: ast.arguments) -> list[ast.expr]:
    """Return what a signature evaluates where the function is defined: defaults, then annotations."""
    defaults = [*arguments.defaults, *(each for each in arguments.kw_defaults if each is not None)]
    return defaults + [each.annotation for each in parameters_of(arguments) if each.annotation is not None]


class _Scope(ast.NodeVisitor):
    """One scope: what is bound and loaded in it, and the scopes inside."""

    def __init__(self, kind: str, parent: _Scope | None = None) -> None:
        self.kind = kind  # "module", "function" (lambdas, too), "comprehension" or "class"
        self.parent = parent
        self.children: list[_Scope] = []
        self.bound: set[str] = set()
        self.loaded: set[str] = set()
        self.deleted: set[str] = set()
        self.declared_global: set[str] = set()
        self.declared_nonlocal: set[str] = set()

    def child(self, kind: str) -> _Scope:
        scope = _Scope(kind, self)
        self.children.append(scope)
        return scope

    def reach(self) -> Reach:
        reads: set[str] = set()
        writes: set[str] = set()
        deletes: set[str] = set()
        self._resolve(frozenset(), reads, writes, deletes)
        return Reach(frozenset(reads), frozenset(writes), frozenset(deletes))

    def _resolve(self, visible: frozenset[str], reads: set[str], writes: set[str], deletes: set[str]) -> None:
        outward = self.bound | self.deleted if self.kind == "module" else self.declared_global
        own = frozenset(self.bound - self.declared_global - self.declared_nonlocal)
        writes |= self.bound & outward
        deletes |= self.deleted & outward
        for name in self.loaded:
            # A class body looks into itself, then straight into the module, for a name that it binds.
            hidden = self.kind not in {"class", "module"} and name in own
            if name in outward or not (hidden or (name in visible and name not in own)):
                reads.add(name)
        if self.kind == "class":
            visible |= {"__class__"}
        elif self.kind != "module":
            visible = (visible - self.declared_global) | own
        for scope in self.children:
            scope._resolve(visible, reads, writes, deletes)  # noqa: SLF001 - a scope of the same tree

    def enter_function(self, node: Function | ast.Lambda) -> None:
        scope = self.child("function")
        scope.bound.update(each.arg for each in parameters_of(node.args))
        scope.bound.update(type_parameters(node))
        for statement in node.body if isinstance(node.body, list) else [node.body]:
            scope.visit(statement)

    def enter_comprehension(self, node: Comprehension) -> None:
        scope = self.child("comprehension")
        for number, generator in enumerate(node.generators):
            scope.visit(generator.target)
            if number > 0:
                scope.visit(generator.iter)
            for condition in generator.ifs:
                scope.visit(condition)
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        for result in results:
            scope.visit(result)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.loaded.add(node.id)
        elif isinstance(node.ctx, ast.Store):
            self.bound.add(node.id)
        else:
            self._delete(node.id)

    def _delete(self, name: str) -> None:
        self.bound.add(name)
        self.deleted.add(name)

    def visit_Global(self, node: ast.Global) -> None:
        self.declared_global.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.declared_nonlocal.update(node.names)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.loaded.add(node.target.id)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        scope = self
        while scope.kind == "comprehension" and scope.parent is not None:
            scope = scope.parent
        scope.bound.add(node.target.id)
        self.visit(node.value)

    def visit_Import(self, node: ast.Import) -> None:
        self.bound.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.bound.update(alias.asname or alias.name for alias in node.names)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name is not None:
            self._delete(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._capture(node, node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self._capture(node, node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self._capture(node, node.rest)

    def _capture(self, node: ast.pattern, name: str | None) -> None:
        if name is not None:
            self.bound.add(name)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: Function) -> None:
        returned = [] if node.returns is None else [node.returns]
        for expression in [*node.decorator_list, *signature_expressions(node.args), *returned]:
            self.visit(expression)
        self.bound.add(node.name)
        self.enter_function(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for expression in signature_expressions(node.args):
            self.visit(expression)
        self.enter_function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for expression in [*node.decorator_list, *node.bases, *(each.value for each in node.keywords)]:
            self.visit(expression)
        self.bound.add(node.name)
        scope = self.child("class")
        for statement in node.body:
            scope.visit(statement)

    def visit_ListComp(self, node: Comprehension) -> None:
        self.visit(node.generators[0].iter)
        self.enter_comprehension(node)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp
