"""What the notebook's classes, functions and modules have as attributes, to notice that a cell changed one.

They are code: no input's digest tells of such a change, and running the definitions again does not repeat it.
"""

from __future__ import annotations

import _abc  # type: ignore[import-not-found]
import abc
import types
from typing import TYPE_CHECKING, Any

from resonate_nb.code.libraries import library_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# The interpreter and the standard library set these of themselves.
_UNWATCHED = frozenset({"__abstractmethods__", "__annotations__", "__slotnames__", "__annotations_cache__"})
_MISSING = object()


class Attributes:
    """The attributes as they are when it is made."""

    def __init__(self, namespace: Mapping[str, object], others: Iterable[object]) -> None:
        owners: dict[int, tuple[str, Any]] = {}
        for name, value in [*namespace.items(), *((type(each).__name__, type(each)) for each in others)]:
            for label, owner in _owners(name, value):
                owners.setdefault(id(owner), (label, owner))
        self._before = [(label, owner, _attributes_of(owner)) for label, owner in owners.values()]

    def changed(self) -> list[str]:
        """Return the attributes that are others now, as ``Point.count``."""
        return [
            f"{label}.{name}"
            for label, owner, before in self._before
            for name in _differing(before, _attributes_of(owner))
        ]


def _owners(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, type):
        yield from (
            (each.__qualname__, each) for each in value.__mro__ if library_of(each.__module__) is None
        )
    elif isinstance(value, types.FunctionType) or _is_own_module(value):
        yield name, value


def _is_own_module(value: object) -> bool:
    return isinstance(value, types.ModuleType) and library_of(value.__name__) is None


def _attributes_of(owner: Any) -> dict[str, object]:
    found = dict(vars(owner))
    if isinstance(owner, types.FunctionType):
        found |= {name: getattr(owner, name) for name in ("__code__", "__defaults__", "__kwdefaults__")}
        found |= getattr(owner, "registry", None) or {}  # of functools.singledispatch
    if isinstance(owner, abc.ABCMeta):
        # What was registered with an abstract class is in no attribute of it.
        registered, *_ = _abc._get_dump(owner)  # noqa: SLF001 (there is no public way to ask)
        found |= {f"register({each()})": each for each in registered}
    if isinstance(owner, types.ModuleType):
        # A submodule becomes an attribute of its package by being imported.
        found = {name: value for name, value in found.items() if not isinstance(value, types.ModuleType)}
    return found


def _differing(before: Mapping[Any, object], now: Mapping[Any, object]) -> list[str]:
    names = [*before, *(name for name in now if name not in before)]
    different = [name for name in names if before.get(name, _MISSING) is not now.get(name, _MISSING)]
    return [str(name) for name in different if name not in _UNWATCHED]
