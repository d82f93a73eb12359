"""The trace of one attempt: what it did to files so far, and what was there before it did."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from resonate_nb.opened.file_states import Stamp, Unsettled, digest_at, listing, matches, stamp

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNTOLD = ""  # in place of a digest: nobody can tell any more what was there
SOMETHING = Stamp(stat.S_IFREG)  # in place of a stamp: there was something, no matter what


class Place(NamedTuple):
    """A path as it was opened, and what it meant then."""

    path: str  # absolute
    opened: str
    folder: str  # in which a relative one was opened; empty for an absolute one


class Match(NamedTuple):
    """A pattern of `glob.glob` with its options."""

    pattern: str
    recursive: bool
    hidden: bool


class Found(NamedTuple):
    """What an attempt found in a folder, or by a pattern."""

    shown: str  # the folder as it was named; for a relative pattern, the folder in which it was looked for
    names: frozenset[str]


@dataclass(slots=True)
class Touch:
    """What an attempt did to one path."""

    shown: str  # as it was opened, so that it still fits when the project's folder moves
    first: Stamp  # what was there before
    content: str | None = None  # digest of what was there, where the stamp alone can't prove it later on
    read: bool = False  # what was there before counts for the outcome
    wrote: bool = False
    appended_only: bool = True


class Trace:
    """What one attempt did to files. Several threads may add to it; nothing in it is ever taken back.

    `family` is itself and the attempts around it, to which all that it does belongs too.
    """

    __slots__ = (
        "__weakref__",
        "family",
        "faults",
        "files",
        "folders",
        "patterns",
        "record",
        "running",
        "start",
    )

    def __init__(self, outer: Iterable[Trace] = ()) -> None:
        around = (each for trace in outer for each in trace.family)
        self.family: tuple[Trace, ...] = (self, *dict.fromkeys(around))
        self.running = False
        self.start: str | None = None  # the working directory at the beginning, once it was changed
        self.files: dict[str, Touch] = {}  # by absolute path
        self.folders: dict[str, Found] = {}  # by absolute path
        self.patterns: dict[Match, Found] = {}
        self.faults: list[str] = []  # ours: what could not be recorded
        self.record: tuple[Any, ...] | None = None  # what came of it, once the attempt has ended

    def begin(self) -> None:
        """Note that a body begins; what it reads in a retry counts anew, what it wrote before remains."""
        if self.files or self.folders or self.patterns:
            self.files = {path: touch for path, touch in self.files.items() if touch.wrote}
            self.folders, self.patterns = {}, {}
        self.running = True

    def end(self) -> None:
        """Note that the body has ended."""
        self.running = False

    def reads(self, place: Place, *, content: str | None = None) -> None:
        """Note that a file is about to be read; `content` is its digest, if somebody knows it."""
        touch = self.files.get(place.path)
        if touch is None:
            self._read_first(place, content)
        elif touch.wrote and touch.appended_only and touch.first.size and not touch.read:
            # What was there before is the beginning of what is there now.
            touch.content = _told(place.path, stamp(place.path), first=touch.first.size)
            touch.read = True

    def writes(self, place: Place, *, appends: bool = False, before: Stamp | None = None) -> None:
        """Note that a path is about to be written, made or removed; `before` is what was there, if known."""
        touch = self.files.get(place.path)
        if touch is None:
            seen = stamp(place.path) if before is None else before
            if not seen.plain:
                return
            touch = self.files.setdefault(place.path, Touch(self.shown(place), seen))
        if touch.read and not touch.wrote and touch.content is None:
            touch.content = _told(place.path, touch.first)
        touch.wrote = True
        touch.appended_only = touch.appended_only and appends

    def lists(self, place: Place) -> Found:
        """Note that a folder is about to be listed, and return what is in it."""
        if place.path not in self.folders:
            self.folders.setdefault(place.path, Found(self.shown(place), listing(place.path)))
        return self.folders[place.path]

    def looks_for(self, place: Place, *, recursive: bool, hidden: bool) -> Found:
        """Note that paths are looked for by a pattern, and return what there is."""
        match = Match(self.shown(place), recursive, hidden)
        if match not in self.patterns:
            names = matches(match.pattern, place.folder or None, recursive=recursive, hidden=hidden)
            self.patterns.setdefault(match, Found(place.folder, names))
        return self.patterns[match]

    def made(self, path: str) -> bool:
        """Return whether the attempt itself wrote, made or removed what is at this absolute path."""
        touch = self.files.get(path)
        return touch is not None and touch.wrote

    def shown(self, place: Place) -> str:
        """Return the path to record: relative only if it means the same from the attempt's first folder."""
        moved = self.start is not None and place.folder != self.start
        return place.path if moved or not place.folder else place.opened

    def _read_first(self, place: Place, content: str | None) -> None:
        seen = stamp(place.path)
        if not seen.plain or seen.kind == stat.S_IFDIR:
            return
        if content is None and not seen.proves:
            content = _told(place.path, seen)
        self.files.setdefault(place.path, Touch(self.shown(place), seen, content, read=True))


def placed(path: str) -> Place:
    """Return a path with what it means now."""
    if os.path.isabs(path):  # noqa: PTH117 (a hook has no time for objects)
        return Place(_normal(path), path, "")
    folder = os.getcwd()  # noqa: PTH109
    return Place(_normal(os.path.join(folder, path)), path, folder)  # noqa: PTH118


def _normal(path: str) -> str:
    # `a/../b` is not `b` where `a` is a link.
    return path if ".." in path else os.path.normpath(path)


def _told(path: str, seen: Stamp, *, first: int | None = None) -> str:
    try:
        return digest_at(path, seen, first=first)
    except Unsettled:
        return _UNTOLD
