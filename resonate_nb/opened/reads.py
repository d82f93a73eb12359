"""What an attempt has read up to a moment in it, as text for others to compare with what there is then."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

from xxhash import xxh3_128_intdigest

from resonate_nb.opened.file_records import (
    APPENDED,
    LISTED,
    READ,
    Entry,
    differences,
    kind_of,
)
from resonate_nb.opened.file_states import Unsettled, digest_at, digest_of_names, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonate_nb.opened.tracing import Touch, Trace

_MOST_CHARACTERS = 2_000  # of a text; more is told by a digest
_DIGEST = "digest:"
_CHANGED = "changed"  # in place of a digest


class Reads:
    """All that an attempt has read so far, also in folders and by patterns. What it wrote is not among it."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._done = [0, 0, 0]  # how much of the trace's files, folders and patterns is taken in
        self._entries: dict[tuple[str, str], Entry] = {}
        self._sum = 0  # of digests, since threads read in any order
        self._characters = 0

    def told(self) -> str:
        """Return the text for what was read until now; empty if it is nothing."""
        self._take_in()
        if not self._entries:
            return ""
        if self._characters > _MOST_CHARACTERS:
            return f"{_DIGEST}{self._sum:032x}"
        return json.dumps([[each.kind, each.path, each.digest, each.size] for each in self._entries.values()])

    def hold(self, told: str) -> bool:
        """Return whether all that was read when this was told is as it was then.

        What was read only then is looked at: a program may remember what it has read once.
        """
        if told == self.told():
            return True
        if told.startswith(_DIGEST):
            return False
        return not differences(Entry(*fields) for fields in json.loads(told or "[]"))

    def _take_in(self) -> None:
        for entry in self._new():
            key = entry.kind, entry.path
            if key not in self._entries:
                self._entries[key] = entry
                text = json.dumps([*key, entry.digest])
                self._characters += len(text)
                self._sum = (self._sum + xxh3_128_intdigest(text.encode())) % 2**128

    def _new(self) -> Iterator[Entry]:
        trace, (files, folders, patterns) = self._trace, self._done
        self._done = [len(trace.files), len(trace.folders), len(trace.patterns)]
        for path, touch in list(islice(trace.files.items(), files, None)):
            if touch.read:
                yield _entry(path, touch)
        for shown, names in list(islice(trace.folders.values(), folders, None)):
            yield Entry(LISTED, shown, digest_of_names(names))
        for match, found in list(islice(trace.patterns.items(), patterns, None)):
            yield Entry(kind_of(match), match.pattern, digest_of_names(found.names))


def _entry(path: str, touch: Touch) -> Entry:
    kind, content = APPENDED if touch.wrote else READ, touch.content
    if content is None:
        try:
            content = digest_at(path, touch.first) if stamp(path) == touch.first else _CHANGED
        except Unsettled:
            content = _CHANGED  # no outcome can stand on it
    return Entry(kind, touch.shown, content, touch.first.size)
