"""Fingerprints: digests of what code means, with all that it refers to of the user's own.

Functions, classes, modules and immutable literals that a body refers to by name are code. Other globals
and closure cells that it reads are captured data: their digests join a call's identity, never its version.
What is looked up by `getattr` with text, or through `globals()`, is not seen.
"""

from __future__ import annotations

import hashlib
import threading
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from resonate_nb.code.by_identity import ByIdentity
from resonate_nb.code.graph import Graph
from resonate_nb.code.libraries import library_of
from resonate_nb.code.live_code import module_of, plain, qualified_name
from resonate_nb.code.parts import Part, difference, source_diff
from resonate_nb.code.watching import all_hold
from resonate_nb.digest import digest

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterable, Mapping

    from resonate_nb.code.libraries import Policy
    from resonate_nb.code.places import Place
    from resonate_nb.code.source import Stamp
    from resonate_nb.code.watching import Watch

__all__ = [
    "Capture",
    "Fingerprint",
    "Part",
    "content_digest",
    "copied_as",
    "describe_code",
    "difference",
    "fingerprint",
    "fingerprint_cell",
    "meaning_from",
    "source_diff",
]


@dataclass(frozen=True, slots=True)
class Capture:
    """Data that code reads by name."""

    path: str  # "alpha", "helper.table", "mod.TABLE"
    read: Callable[[], object]  # gives the live object, at the time of the call
    place: Place  # where that is

    @property
    def root(self) -> str:
        """The name with which the path begins."""
        return self.path.partition(".")[0].partition("[")[0]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a function or cell means."""

    digest: str  # 32 hexadecimal digits
    parts: tuple[Part, ...]  # the first is the function or cell itself
    captures: tuple[Capture, ...]  # by path, each path once
    source: str
    stale: str | None  # the module whose source on disk is not the code that runs


def fingerprint(function: Callable[..., object], *, library: Policy = "major") -> Fingerprint:
    """Return the fingerprint of a function or class.

    It is remembered with all that it was taken from, so asking again is cheap until something is bound
    anew. Captured data is read by its `Capture` only.
    """
    function = plain(function)
    memory = _memories[library]
    known = memory.get(function)
    if known is not None and all_hold(known.watches, known.stamps):
        if not known.places:
            return known.fingerprint
        try:
            return known.bound()
        except ReferenceError:  # a helper went away in this very moment
            pass
    graph = Graph(library)
    graph.grow_from(function)
    known = _Known.of(graph)
    if graph.lasting:
        memory.set(function, known)
    return known.bound()


def fingerprint_cell(
    tree: ast.Module, names: Iterable[str], namespace: Mapping[str, object], *, library: Policy = "major"
) -> Fingerprint:
    """Return the fingerprint of a cell that reads these global names."""
    graph = Graph(library)
    graph.grow_from_cell(tree, set(names), namespace)
    return _Known.of(graph).bound()


def describe_code(thing: object) -> str:
    """Return text that identifies the code of a function or class, for the digests of values.

    For what is the user's own, that is its fingerprint and the digests of the data that it captures.
    """
    thing = plain(thing)
    if isinstance(thing, type | types.FunctionType) and (told := _copies.get(thing)) is not None:
        return told
    library = library_of(module_of(thing))
    if library is not None and not getattr(thing, "__closure__", None):
        return library.says(f"{module_of(thing)}.{qualified_name(thing)}", "major")
    if any(each is thing for each in _described.things):
        return f"{qualified_name(thing)}, which is being described"
    _described.things.append(thing)
    try:
        code = fingerprint(thing)  # type: ignore[arg-type]
        captured = [f"{each.path}={content_digest(each.read(), each.path)}" for each in code.captures]
    finally:
        _described.things.pop()
    return " ".join((code.digest, *captured))


def content_digest(
    value: object, path: str = "value", *, stand_in: Callable[[object], str | None] | None = None
) -> str:
    """Return the digest of a value in which functions and classes count by what their code means.

    `stand_in` may give text that identifies a part without content.

    Raises
    ------
    UndigestibleInput
        A part of the value has no content to identify it.
    """
    return digest(value, path=path, describe_code=describe_code, stand_in=stand_in)


def meaning_from(description: str) -> str:
    """Return the digest of what a class or function means, which stands for its description in values."""
    return hashlib.blake2b(description.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def copied_as(copy: object, meaning: str | None) -> None:
    """Say what a copy of a class or function means, in a process that does not have its source."""
    if meaning in descriptions:
        _copies[copy] = descriptions[meaning]


descriptions: dict[str | None, str] = {}  # by meaning; told to processes that get code by value
_copies: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


class _Described(threading.local):
    """What this thread is describing at the moment: a function may capture data that holds it."""

    def __init__(self) -> None:
        self.things: list[Any] = []


@dataclass(frozen=True, slots=True)
class _Known:
    """A fingerprint and what it was taken from."""

    fingerprint: Fingerprint  # without captures, which would keep alive what they read from
    places: tuple[tuple[str, Place], ...]
    watches: tuple[Watch, ...]
    stamps: tuple[Stamp, ...]

    @classmethod
    def of(cls, graph: Graph) -> _Known:
        parts = tuple(dict.fromkeys(graph.parts))
        source = parts[0].source if parts else ""
        taken = Fingerprint(graph.digest(), parts, (), source, graph.stale)
        return cls(taken, graph.captured(), tuple(graph.watches), tuple(graph.stamps))

    def bound(self) -> Fingerprint:
        """Return the fingerprint with captures that read the live objects."""
        if not self.places:
            return self.fingerprint
        captures = tuple([Capture(path, place.reader(), place) for path, place in self.places])
        taken = self.fingerprint
        return Fingerprint(taken.digest, taken.parts, captures, taken.source, taken.stale)


_described = _Described()
_memories: dict[Policy, ByIdentity[_Known]] = {"major": ByIdentity(), "exact": ByIdentity()}
