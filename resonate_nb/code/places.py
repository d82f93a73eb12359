"""Where code finds data that it reads by name, so that it can be read again at any time."""

from __future__ import annotations

import types
import weakref
from dataclasses import dataclass, replace
from functools import partial
from operator import getitem
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Place:
    """A name in a namespace, a closure's cell or a default; the holder is referred to weakly."""

    kind: str  # "global", "attribute", "cell", "default", "keyword default", "name"
    key: Any
    holder: Callable[[], Any]
    steps: tuple[Callable[[Any], Any], ...] = ()  # from what is found there to a part of it

    def then(self, step: Callable[[Any], Any]) -> Place:
        """Return the place of a part of what is found here."""
        return replace(self, steps=(*self.steps, step))

    def reader(self) -> Callable[[], object]:
        """Return a function that reads what is there when it is called; it keeps the holder alive.

        Raises
        ------
        ReferenceError
            The holder is gone.
        """
        holder = self.holder()
        if holder is None:
            raise ReferenceError(self.key)
        read = _reader(self.kind, self.key, holder)
        return partial(_stepped, read, self.steps) if self.steps else read


def place_of_name(holder: Any, name: str) -> Place:
    """Return the place of a function's global, or of a module's or class's attribute."""
    return Place(
        "global" if isinstance(holder, types.FunctionType) else "attribute", name, weakref.ref(holder)
    )


def place_in(namespace: Mapping[str, object], name: str) -> Place:
    """Return the place of a name in a namespace, which stays alive."""
    return Place("name", name, _Lasting(namespace))


class _Lasting:
    """Refers to a namespace, and is equal to all that refer to the same one: a place is read once."""

    __slots__ = ("_namespace",)

    def __init__(self, namespace: Mapping[str, object]) -> None:
        self._namespace = namespace

    def __call__(self) -> Mapping[str, object]:
        return self._namespace

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Lasting) and other._namespace is self._namespace

    def __hash__(self) -> int:
        return id(self._namespace)


def _reader(kind: str, key: Any, holder: Any) -> Callable[[], object]:
    match kind:
        case "global":
            return partial(_read_name, holder.__globals__, key)
        case "attribute":
            return partial(_read_name, vars(holder), key)
        case "name":
            return partial(_read_name, holder, key)
        case "cell":
            return partial(getattr, holder.__closure__[key], "cell_contents")
        case "default":
            return lambda: getitem(holder.__defaults__, key)
        case _:
            return lambda: getitem(holder.__kwdefaults__, key)


def _read_name(namespace: Mapping[str, object], name: str) -> object:
    try:
        return namespace[name]
    except KeyError:
        raise NameError(f"name {name!r} is not defined", name=name) from None


def _stepped(read: Callable[[], object], steps: tuple[Callable[[Any], Any], ...]) -> object:
    found = read()
    for step in steps:
        found = step(found)
    return found
