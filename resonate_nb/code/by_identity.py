"""A memory about objects, by identity, that forgets them when they go."""

from __future__ import annotations

import weakref
from typing import Generic, TypeVar

Known = TypeVar("Known")


class ByIdentity(Generic[Known]):
    """Maps objects to what is known of them, without keeping them alive.

    Unlike `WeakKeyDictionary` it never asks the objects whether they are equal: code objects from
    different cells may be, and a metaclass may say what it likes.
    """

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref[object], Known]] = {}

    def get(self, thing: object) -> Known | None:
        """Return what is known of this very object."""
        entry = self._entries.get(id(thing))
        return entry[1] if entry is not None and entry[0]() is thing else None

    def set(self, thing: object, known: Known) -> None:
        """Remember something of an object; nothing if it can't be referred to weakly."""
        key = id(thing)
        try:
            reference = weakref.ref(thing, lambda _: self._entries.pop(key, None))
        except TypeError:
            return
        self._entries[key] = reference, known
