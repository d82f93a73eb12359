"""What a class of the user's own consists of: its text, bases, methods and attributes as they are now."""

from __future__ import annotations

import ast
import enum
import functools
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any

from resonate_nb.code.class_source import source_of_class
from resonate_nb.code.following import follow, is_durable_decorator
from resonate_nb.code.libraries import library_of
from resonate_nb.code.literals import literal_text
from resonate_nb.code.live_code import module_of, plain
from resonate_nb.code.places import place_of_name
from resonate_nb.code.references import references_of_tree
from resonate_nb.code.source import source_of_function
from resonate_nb.code.syntax import canonical
from resonate_nb.code.watching import expect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from resonate_nb.code.graph import Graph
    from resonate_nb.code.nodes import Node

_ABOUT_THE_TEXT = frozenset({"__module__", "__qualname__", "__doc__", "__dict__", "__weakref__"})
_WRAPPERS = (staticmethod, classmethod, property, functools.cached_property, functools.partialmethod)


def describe_class(graph: Graph, node: Node, cls: type) -> None:
    """Add to a class's node its own code, and all that it refers to.

    The text says what metaclasses and decorators made the class from; what they made is not looked at, as
    long as there is a text. Attributes count as they are now.
    """
    source = source_of_class(cls, list(_methods(cls)))
    graph.note_source(source, cls.__module__)
    if isinstance(source.tree, ast.ClassDef):
        namespace = _namespace_of(cls)
        is_durable = functools.partial(is_durable_decorator, namespace=namespace)
        node.text = canonical(source.tree, is_durable)
        graph.add_part(node.path, "code", node.text, source.text)
        follow(graph, node, references_of_tree(source.tree, is_durable), namespace)
    else:
        node.text = _text_without_source(cls)
        graph.add_part(node.path, "code", node.text, source.text)
    for base in (*cls.__bases__, *({type(cls)} - {type})):
        if base is not object:
            graph.refer(node, f"<{base.__name__}>", base, place_of_name(cls, "__bases__"))
    if isinstance(cls, enum.EnumType):
        members: Mapping[str, Any] = cls.__members__
        node.edges += [(name, f"is {literal_text(each.value)}") for name, each in members.items()]
    assigned = _assigned(source.tree) if isinstance(source.tree, ast.ClassDef) else None
    for name, member in vars(cls).items():
        if _counts(name, member, cls, assigned):
            role = graph.refer(node, name, member, place_of_name(cls, name))
            expect(node.watch, name, role, member)


def _methods(cls: type) -> Iterator[types.FunctionType]:
    """Yield the functions that the text of the class defines, as opposed to those that were put there."""
    for name, member in vars(cls).items():
        for function in _functions_in(member):
            if function.__code__.co_qualname == f"{cls.__qualname__}.{name}":
                yield function


def _functions_in(member: Any) -> Iterator[types.FunctionType]:
    member = plain(member)
    if isinstance(member, types.FunctionType):
        yield member
    elif isinstance(member, _WRAPPERS):
        for name in ("__func__", "fget", "fset", "fdel", "func"):
            yield from _functions_in(getattr(member, name, None))


def _counts(name: str, member: Any, cls: type, assigned: set[str] | None) -> bool:
    """Return whether an attribute is the user's, and not made from the text by Python or a library."""
    member = plain(member)
    is_hidden = name.startswith("_")
    is_code = isinstance(member, (*_WRAPPERS, type)) or hasattr(member, "__wrapped__")
    if name in _ABOUT_THE_TEXT or (type(member) is cls and isinstance(member, enum.Enum)):
        return False
    if assigned is not None and name in assigned:
        return is_code or isinstance(member, types.FunctionType) or not hasattr(type(member), "__get__")
    if isinstance(member, types.FunctionType):
        if library_of(module_of(member)) is not None:
            return not is_hidden
        is_from_text = member.__code__.co_qualname == f"{cls.__qualname__}.{name}"
        return is_from_text or source_of_function(member).tree is not None
    if is_hidden:
        return False
    # Without a text other data counts as well: there is nothing else that says what the class holds.
    is_data = assigned is None and not hasattr(type(member), "__get__")
    return is_code or is_data or literal_text(member) is not None


def _assigned(tree: ast.ClassDef) -> set[str]:
    """Return the names that the class's own level binds."""
    names = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
        else:
            found = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
            names |= {node.id for node in found if isinstance(node.ctx, ast.Store)}
    return names


def _namespace_of(cls: type) -> Mapping[str, Any]:
    for function in _methods(cls):
        return function.__globals__
    module = sys.modules.get(cls.__module__)
    return {} if module is None else vars(module)


def _text_without_source(cls: type) -> str:
    """Return what can be seen of a class without a text: its name, its fields, how it is made."""
    fields = [f"{name}:{getattr(kind, '__qualname__', kind)}" for name, kind in _annotations(cls)]
    made_of_members = isinstance(cls, enum.EnumType)  # a signature of theirs differs between Pythons
    try:
        signature = [] if made_of_members else list(inspect.signature(cls).parameters.values())
    except (TypeError, ValueError):
        signature = []
    made_with = [f"{each.name}={literal_text(each.default)}" for each in signature]
    return f"class {cls.__name__} without source: {fields} {made_with}"


def _annotations(cls: type) -> list[tuple[str, Any]]:
    return sorted(inspect.get_annotations(cls).items())
