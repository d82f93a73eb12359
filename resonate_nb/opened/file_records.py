"""The record of an attempt's files: what it read and wrote, and whether all that is still so."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from xxhash import xxh3_128

from resonate_nb.errors import DamagedValue
from resonate_nb.opened.file_states import (
    ABSENT,
    Stamp,
    Unsettled,
    digest_at,
    digest_of_names,
    listing,
    matches,
    stamp,
)
from resonate_nb.opened.tracing import SOMETHING, Found, Match, Trace, placed
from resonate_nb.promise import Buffer, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER = "resonate-nb-files"
BECAUSE_TAG = "rnb:because"  # of a generation that was begun because files changed: which
MAX_INLINE = 4_096  # characters that stay in the promise's row, which every list reads

READ, WRITTEN, APPENDED, LISTED, MATCHED = "read", "written", "appended", "listed", "matched"
_RECURSIVE, _HIDDEN = "+recursive", "+hidden"  # behind MATCHED
_BESIDE = "beside:"  # then the digest of the buffer that holds a long record


@dataclass(frozen=True, slots=True)
class Entry:
    """One path, and what is to be found there for the outcome to hold."""

    kind: str
    path: str  # as the body named it, relative to the working directory maybe
    digest: str  # of a file's bytes, of sorted names, or a word of `file_states`
    size: int = 0
    mtime: int = 0  # nanoseconds; zero where the stamp proves nothing
    ctime: int = 0


Record: TypeAlias = "tuple[Entry, ...]"


class Unrepeatable(Exception):
    """An outcome that no replay could stand for; the text says why."""


def record_of(trace: Trace) -> Record:
    """Return the record of an attempt that has ended, as it was when it was first asked for.

    Raises
    ------
    Unrepeatable
        A file that it read is not as it was when it was opened.
    """
    if trace.record is None:
        trace.record = _record(trace)
    return trace.record


def record_so_far(trace: Trace) -> Record:
    """Return the record of what an attempt has done until now; it goes on.

    Raises
    ------
    Unrepeatable
        A file that it read is not as it was when it was opened.
    """
    return _record(trace)


def differences(record: Iterable[Entry]) -> list[str]:
    """Return in words what is not as the record says; relative paths lead from the working directory."""
    return [words for entry in record if (words := _difference(entry)) is not None]


def inherit(record: Iterable[Entry], traces: Iterable[Trace]) -> None:
    """Add a record that holds to the attempts that were delivered its outcome."""
    for trace in traces:
        for entry in record:
            _inherit(entry, trace)


def attach(record: Record, value: Value) -> Value:
    """Return a value that carries the record: in a header if it is short, else in one more buffer."""
    if not record:
        return value
    text = json.dumps([_packed(entry) for entry in record], separators=(",", ":"), ensure_ascii=True)
    if len(text) <= MAX_INLINE:
        return replace(value, headers={**value.headers, HEADER: text})
    content = text.encode()
    beside = Buffer(xxh3_128(content).hexdigest(), len(content), lambda: memoryview(bytearray(content)))
    headers = {**value.headers, HEADER: _BESIDE + beside.digest}
    return replace(value, headers=headers, buffers=(*value.buffers, beside))


def read(value: Value, id: str) -> Record:
    """Return the record that a promise's value carries.

    Raises
    ------
    DamagedValue
        The record can't be read.
    """
    text = value.headers.get(HEADER)
    if text is None:
        return ()
    if text.startswith(_BESIDE):
        text = _text_beside(value.buffers, text[len(_BESIDE) :], id)
    try:
        return tuple(Entry(*fields) for fields in json.loads(text))
    except (ValueError, TypeError) as error:
        raise DamagedValue(id, f"the record of its files can't be read: {error}") from error


def without(value: Value) -> Value:
    """Return the value as it was before a record was attached."""
    if not value.headers.get(HEADER, "").startswith(_BESIDE):
        return value
    return replace(value, buffers=value.buffers[:-1])


def _record(trace: Trace) -> Record:
    if trace.faults:
        raise Unrepeatable(trace.faults[0])
    entries = [_entry(path, trace) for path in list(trace.files)]
    for path, (shown, names) in list(trace.folders.items()):
        now = listing(path)
        if any(not trace.made(os.path.join(path, name)) for name in names ^ now):  # noqa: PTH118
            raise Unrepeatable(f"the files in {shown} changed while it ran")
        entries.append(Entry(LISTED, shown, digest_of_names(now)))
    for match, (folder, names) in list(trace.patterns.items()):
        now = _matches(match, folder)
        if any(not trace.made(placed(os.path.join(folder, name)).path) for name in names ^ now):  # noqa: PTH118
            raise Unrepeatable(f"other files match {match.pattern} than when it ran")
        entries.append(Entry(kind_of(match), match.pattern, digest_of_names(now)))
    return tuple(each for each in entries if each is not None)


def _entry(path: str, trace: Trace) -> Entry | None:
    touch, now = trace.files[path], stamp(path)
    if not touch.read and not now.there and not touch.first.there:
        return None  # a temporary file of its own
    kind = READ if touch.read else APPENDED if touch.appended_only else WRITTEN
    try:
        digest = digest_at(path, now, first=now.size if kind == APPENDED else None)
    except Unsettled:
        raise Unrepeatable(f"{touch.shown} is being written") from None
    if touch.read:
        before = digest if touch.content is None and now == touch.first else touch.content
        if before != digest and touch.wrote:
            raise Unrepeatable(f"it read {touch.shown} and then changed it, which a replay could not repeat")
        if before != digest:
            raise Unrepeatable(f"{touch.shown} changed while it ran")
    times = (now.mtime, now.ctime) if now.proves else (0, 0)
    return Entry(kind, touch.shown, digest, now.size, *times)


def _difference(entry: Entry) -> str | None:
    if entry.kind == LISTED:
        same = digest_of_names(listing(entry.path)) == entry.digest
        return None if same else f"there are other files in {entry.path}"
    if entry.kind.startswith(MATCHED):
        same = digest_of_names(_matches(_match_of(entry))) == entry.digest
        return None if same else f"other files match {entry.path}"
    now = stamp(entry.path)
    if entry.mtime and (now.size, now.mtime, now.ctime) == (entry.size, entry.mtime, entry.ctime):
        return None
    return None if _holds(entry, placed(entry.path).path, now) else _words(entry, now)


def _holds(entry: Entry, path: str, now: Stamp) -> bool:
    if entry.kind == APPENDED and now.size >= entry.size:
        part = entry.size  # what others append later does not undo it
    elif now.size == entry.size:
        part = now.size
    else:
        return False
    try:
        return digest_at(path, now, first=part) == entry.digest
    except Unsettled:
        return False


def _words(entry: Entry, now: Stamp) -> str:
    role = {WRITTEN: ", which it wrote,", APPENDED: ", to which it appended,"}.get(entry.kind, "")
    if entry.digest == ABSENT:
        return f"{entry.path}, which was not there, is there now"
    return f"{entry.path}{role} changed" if now.there else f"{entry.path}{role} is gone"


def _inherit(entry: Entry, trace: Trace) -> None:
    place = placed(entry.path)
    if entry.kind == LISTED:
        _same(trace.lists(place), entry, trace)
    elif entry.kind.startswith(MATCHED):
        match = _match_of(entry)
        _same(trace.looks_for(place, recursive=match.recursive, hidden=match.hidden), entry, trace)
    elif entry.kind == READ:
        trace.reads(place, content=entry.digest)
    elif entry.kind == APPENDED:
        trace.writes(place, appends=True)
    else:
        trace.writes(place, before=SOMETHING)  # so that it counts, even if it is only that it is gone


def _same(found: Found, entry: Entry, trace: Trace) -> None:
    if digest_of_names(found.names) != entry.digest:
        trace.faults.append(f"the files that {entry.path} leads to changed while it ran")


def kind_of(match: Match) -> str:
    """Return the kind of an entry for what was found by a pattern."""
    return MATCHED + _RECURSIVE * match.recursive + _HIDDEN * match.hidden


def _match_of(entry: Entry) -> Match:
    return Match(entry.path, _RECURSIVE in entry.kind, _HIDDEN in entry.kind)


def _matches(match: Match, folder: str = "") -> frozenset[str]:
    return matches(match.pattern, folder or None, recursive=match.recursive, hidden=match.hidden)


def _packed(entry: Entry) -> list[Any]:
    fields = [entry.kind, entry.path, entry.digest, entry.size]
    return [*fields, entry.mtime, entry.ctime] if entry.mtime else fields


def _text_beside(buffers: tuple[Buffer, ...], digest: str, id: str) -> str:
    if not buffers or buffers[-1].digest != digest:
        raise DamagedValue(id, "the record of its files is missing")
    try:
        content = bytes(buffers[-1].load())
    except OSError as error:
        raise DamagedValue(id, f"the record of its files can't be read: {error}") from error
    if xxh3_128(content).hexdigest() != digest:
        raise DamagedValue(id, "the record of its files has other bytes than were written")
    return content.decode()
