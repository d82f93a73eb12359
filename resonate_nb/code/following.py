"""Following references from a piece of code to the live things that they mean."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import importlib.util
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any

from resonate_nb.code.libraries import file_of, library_of
from resonate_nb.code.literals import literal_text
from resonate_nb.code.live_code import plain
from resonate_nb.code.nodes import Role
from resonate_nb.code.places import Place, place_in, place_of_name
from resonate_nb.code.syntax import is_named_durable
from resonate_nb.code.watching import MISSING, cell_content, expect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.code.graph import Graph
    from resonate_nb.code.nodes import Node
    from resonate_nb.code.references import Reference, References
    from resonate_nb.code.watching import Watch

# What a module is called and where it lies is no part of what its code means.
_PLACE_NAMES = frozenset(
    {"__name__", "__file__", "__doc__", "__builtins__", "__spec__", "__package__", "__loader__", "__path__"}
)

_CODE = (types.FunctionType, type, types.ModuleType, functools.partial)


def follow(
    graph: Graph,
    node: Node,
    references: References,
    namespace: Mapping[str, Any],
    *,
    only: set[str] | None = None,
) -> None:
    """Add to the node all that the references mean in the namespace; `only` those that begin with a name."""
    followed = set()
    for reference in references.read:
        first = reference.names[0] if reference.names else ""
        if reference.module is not None:
            _follow_import(graph, node, reference, namespace)
        elif first not in _PLACE_NAMES and (only is None or first in only):
            followed.add(first)
            if reference.at_definition:
                _follow_at_definition(graph, node, reference, namespace)
                continue
            _follow_name(graph, node, reference, namespace, as_data=first in references.rebound)
    for name in sorted((only or set()) - followed - _PLACE_NAMES):
        _refer_from(graph, node, (name,), namespace, as_data=False)


def is_durable_decorator(decorator: ast.expr, namespace: Mapping[str, Any]) -> bool:
    """Return whether a decorator makes functions durable, whatever it is called here."""
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    names: list[str] = []
    while isinstance(named, ast.Attribute):
        names.append(named.attr)
        named = named.value
    if not isinstance(named, ast.Name) or named.id not in namespace:
        return is_named_durable(decorator)
    found = namespace[named.id]
    for name in reversed(names):
        found = getattr(found, name, MISSING)
    return is_named_durable(decorator) if found is MISSING else _makes_durable(found)


def _makes_durable(found: Any) -> bool:
    return getattr(found, "__durable_decorator__", False) is True


def _follow_at_definition(
    graph: Graph, node: Node, reference: Reference, namespace: Mapping[str, Any]
) -> None:
    """Add code that a class body or a decorator names; of data counts what was made of it.

    The names are not watched: bound anew, they are no matter until the definition runs again.
    """
    value = namespace.get(reference.names[0], MISSING)
    used = 1
    while used < len(reference.names) and _is_own_module(value):
        value, used = _attribute(value, reference.names[used]), used + 1
    if value is not MISSING and _is_code(value):
        label = ".".join(reference.names[:used])
        graph.refer(node, label, value, place_in({label: value}, label))


def _follow_name(
    graph: Graph, node: Node, reference: Reference, namespace: Mapping[str, Any], *, as_data: bool
) -> None:
    function = node.thing if isinstance(node.thing, types.FunctionType) else None
    free = function.__code__.co_freevars if function is not None else ()
    if function is None or reference.names[0] not in free:
        _refer_from(graph, node, reference.names, namespace, as_data=as_data)
        return
    number = free.index(reference.names[0])
    cell = (function.__closure__ or ())[number]
    content = cell_content(cell)
    if content is MISSING:
        graph.watch_cell(node, number, Role.LITERAL, MISSING)
        return
    place = Place("cell", number, node.watch.holder)
    role = _refer_along(graph, node, reference.names, content, place, as_data=as_data)
    graph.watch_cell(node, number, role, content)


def _refer_from(
    graph: Graph, node: Node, names: tuple[str, ...], namespace: Mapping[str, Any], *, as_data: bool
) -> None:
    """Add what a chain of names means that begins in a namespace."""
    first = names[0]
    value = namespace.get(first, MISSING)
    if value is MISSING:
        node.watch.expect_literal(first, MISSING)
        if not hasattr(builtins, first):
            graph.refer_to_nothing(node, first)
        return
    if isinstance(node.thing, types.FunctionType):
        place = place_of_name(node.thing, first)
    else:
        place = place_in(namespace, first)
    role = _refer_along(graph, node, names, value, place, as_data=as_data)
    expect(node.watch, first, role, value)


def _refer_along(
    graph: Graph, node: Node, names: tuple[str, ...], value: Any, place: Place, *, as_data: bool
) -> Role:
    """Go along a chain through modules of the user, add what it leads to; return the beginning's role."""
    used = 1
    found_in: Watch | None = None
    while used < len(names) and _is_own_module(value):
        if found_in is not None:
            found_in.expect_code(names[used - 1], value)
        found_in, place = graph.watch_module(value), place_of_name(value, names[used])
        value, used = _attribute(value, names[used]), used + 1
    label = ".".join(names[:used])
    if value is MISSING:
        role = Role.LITERAL
        graph.refer_to_nothing(node, label)
    else:
        role = graph.refer(node, label, value, place, as_data=as_data)
        _refer_to_attribute(graph, node, names[: used + 1], value)
    if found_in is None:
        return role
    expect(found_in, names[used - 1], role, value)
    return Role.CODE


def _refer_to_attribute(graph: Graph, node: Node, names: tuple[str, ...], value: Any) -> None:
    """Add an attribute that code reads from a function, such as a table that was put there."""
    function = plain(value)
    if isinstance(function, types.FunctionType) and names[-1] in vars(function):
        place = Place("attribute", names[-1], weakref.ref(function))
        graph.refer(node, ".".join(names), vars(function)[names[-1]], place)


def _follow_import(graph: Graph, node: Node, reference: Reference, namespace: Mapping[str, Any]) -> None:
    """Add what a name means that the code imports itself.

    A module of the user's own is imported for it, as the body would do: else the fingerprint before the
    first call would differ from the one after it.
    """
    try:
        package = str(namespace.get("__package__") or "")
        name = importlib.util.resolve_name(str(reference.module), package)
    except ImportError:
        graph.refer_to_nothing(node, reference.label)
        return
    if library_of(name) is not None:
        graph.refer_to_library(node, reference.label, name, ".".join(reference.names))
        return
    module = _imported(name)
    if module is not None and reference.names and _attribute(module, reference.names[0]) is MISSING:
        _imported(f"{name}.{reference.names[0]}")
    if module is None:
        graph.refer_to_nothing(node, reference.label)
        return
    chain = (name, *reference.names)
    _refer_along(graph, node, chain, module, place_in({name: module}, name), as_data=False)


def _imported(name: str) -> types.ModuleType | None:
    if name in sys.modules:
        return sys.modules[name]
    if file_of(name) is None:
        return None
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _attribute(module: types.ModuleType, name: str) -> Any:
    found = vars(module).get(name, MISSING)
    return getattr(module, name, MISSING) if found is MISSING else found


def _is_own_module(value: Any) -> bool:
    return isinstance(value, types.ModuleType) and library_of(value.__name__) is None


def _is_code(value: Any) -> bool:
    return isinstance(plain(value), _CODE) or literal_text(value) is not None
