"""What names may refer to besides functions and literals: things made of others, of libraries, and data."""

from __future__ import annotations

import functools
import inspect
import types
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from resonate_nb.code.libraries import library_of
from resonate_nb.code.live_code import module_of, name_in_library, name_of_hidden_method, qualified_name
from resonate_nb.code.nodes import Role

if TYPE_CHECKING:
    from resonate_nb.code.graph import Graph
    from resonate_nb.code.nodes import Node
    from resonate_nb.code.places import Place

_NAMED = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)


def refer_to_compound(graph: Graph, node: Node, label: str, value: Any, place: Place) -> Role:
    """Add what is neither a literal nor a node."""
    if isinstance(value, types.MethodType | types.BuiltinMethodType):
        offered = name_of_hidden_method(value)
        if offered is not None:
            return graph.refer_to_library(node, label, *offered)
    match value:
        case functools.partial() | functools.partialmethod():
            return _refer_to_partial(graph, node, label, value, place)
        case types.MethodType():
            graph.refer(node, f"{label}.__func__", value.__func__, place.then(attrgetter("__func__")))
            graph.refer(node, label, value.__self__, place.then(attrgetter("__self__")))
            return Role.CODE
        case staticmethod() | classmethod() | property() | functools.cached_property():
            for name in ("__func__", "fget", "fset", "fdel", "func"):
                part = getattr(value, name, None)
                if part is not None:
                    shown = label if name in ("__func__", "fget", "func") else f"{label}.{name}"
                    graph.refer(node, shown, part, place.then(attrgetter(name)))
            node.edges.append((f"{label}.__class__", type(value).__name__))
            return Role.CODE
        case types.BuiltinMethodType() if not isinstance(value.__self__, types.ModuleType | type | None):
            node.edges.append((f"{label}.__name__", value.__name__))
            return graph.capture(node, label, place.then(attrgetter("__self__")))
    if isinstance(value, (*_NAMED, types.FunctionType, type)):
        return graph.refer_to_library(node, label, module_of(value), qualified_name(value))
    if isinstance(value, types.ModuleType):
        return graph.refer_to_library(node, label, value.__name__, "")
    if not callable(value):
        return graph.capture(node, label, place)
    return _refer_to_callable(graph, node, label, value, place)


def _refer_to_callable(graph: Graph, node: Node, label: str, value: Any, place: Place) -> Role:
    known_as = name_in_library(value)
    if known_as is not None:
        return graph.refer_to_library(node, label, *known_as)
    kind = type(value)
    graph.refer(node, f"{label}.__class__", kind, place.then(attrgetter("__class__")))
    is_wrapper = inspect.getattr_static(value, "__wrapped__", None) is not None
    is_stored = inspect.getattr_static(value, "__durable_function__", False) is True  # else it were plain
    if is_wrapper and not is_stored and library_of(kind.__module__) is not None:
        graph.refer(node, label, value.__wrapped__, place.then(attrgetter("__wrapped__")))
        return Role.CODE
    return graph.capture(node, label, place)


def _refer_to_partial(graph: Graph, node: Node, label: str, value: Any, place: Place) -> Role:
    node.edges.append((f"{label}.__class__", f"partial of {len(value.args)}"))
    graph.refer(node, label, value.func, place.then(attrgetter("func")))
    for number, argument in enumerate(value.args):
        place_of_argument = place.then(attrgetter("args")).then(itemgetter(number))
        graph.refer(node, f"{label}.args[{number}]", argument, place_of_argument)
    for name, argument in sorted(value.keywords.items()):
        place_of_argument = place.then(attrgetter("keywords")).then(itemgetter(name))
        graph.refer(node, f"{label}.keywords[{name!r}]", argument, place_of_argument)
    return Role.CODE
