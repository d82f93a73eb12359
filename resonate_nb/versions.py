"""Versions of durable code: what each one was, kept in the store before its first promise is made.

The record of a version is itself a promise, so it lives in every kind of store: its param describes the
code, its value is the code.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from resonate_nb.errors import DamagedValue, UntrustedValue, VersionMissing
from resonate_nb.fingerprint import Part
from resonate_nb.ids import escape
from resonate_nb.promise import Promise, State
from resonate_nb.store.base import Query
from resonate_nb.store.operations import Create, Settle
from resonate_nb.versioning import pins
from resonate_nb.versioning.code_world import LoadedCode, load_code
from resonate_nb.versioning.stored_code import dump_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from resonate_nb.execution import Execution
    from resonate_nb.fingerprint import Fingerprint

VERSION_KIND = "version"
VERSION_DIGITS = 12  # of the fingerprint, in an id
_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """What the store knows of one version of a function or cell."""

    id: str  # of the record
    name: str
    number: int | None  # under which it ran first
    fingerprint: str
    source: str
    parts: tuple[Part, ...]  # the first is the function or cell itself
    recorded_at: int  # milliseconds since the epoch
    notebook: str | None  # the notebook or script that ran it first
    problem: str | None  # why its code could not be kept


def remember(
    execution: Execution,
    name: str,
    number: int | None,
    code: Fingerprint,
    function: Callable[..., Any] | None = None,
) -> None:
    """Keep what a version is, and its code if a function is given; once for each version.

    Nothing is waited for: the store keeps the order, so a promise that is made afterwards finds the record.
    """
    id = record_id(execution, name, code.digest)
    if id in execution.remembered:
        return
    if (entry := execution.store.get(id)) is None or not entry.promise.settled:
        data, problem = _dumped(function, code)
        about = {
            "name": name,
            "number": number,
            "fingerprint": code.digest,
            "source": code.source,
            "parts": [list(asdict(part).values()) for part in code.parts],
            "notebook": _notebook(),
            "problem": problem,
        }
        _record(execution, id, about, data)
    execution.remembered.add(id)


def record_of(execution: Execution, name: str, version: str) -> VersionRecord | None:
    """Return the record of a version as promises name it, "v2" or the fingerprint's first characters."""
    if version.startswith("v"):
        pinned = pins.pinned(execution, name, int(version[1:]))
        return None if pinned is None else record_of(execution, name, pinned.fingerprint)
    entry = execution.store.get(record_id(execution, name, version))
    return None if entry is None else _read(execution, entry.promise)


def bound_record(execution: Execution, name: str, version: str, fingerprint: str) -> VersionRecord:
    """Return the record of exactly this code.

    Raises
    ------
    VersionMissing
        There is none.
    """
    found = record_of(execution, name, fingerprint)
    if found is None or found.fingerprint != fingerprint:
        raise VersionMissing(name, version, "the store has no record of its code")
    return found


def find_record(execution: Execution, name: str, wanted: int | str) -> VersionRecord:
    """Return the record of a version by its number or by the beginning of its fingerprint.

    Raises
    ------
    VersionMissing
        There is none, or the beginning is that of several; the message says which there are.
    """
    if isinstance(wanted, int):
        found = record_of(execution, name, f"v{wanted}")
        if found is None:
            raise VersionMissing(name, str(wanted), _those_there_are(execution, name))
        return found
    records = [each for each in records_of(execution, name) if each.fingerprint.startswith(wanted)]
    if len(records) != 1:
        several = "several begin so" if records else ""
        reason = ": ".join(filter(None, (several, _those_there_are(execution, name))))
        raise VersionMissing(name, wanted or "''", reason)
    return records[0]


def records_of(execution: Execution, name: str) -> list[VersionRecord]:
    """Return all versions of a name that have run, the oldest first."""
    found = (execution.store.get(each.id) for each in _listed(execution, _record_prefix(execution, name)))
    records = [_read(execution, entry.promise) for entry in found if entry is not None]
    return sorted(records, key=lambda each: (each.recorded_at, each.fingerprint))


def load(
    execution: Execution,
    record: VersionRecord,
    durable: Callable[[LoadedCode, dict[str, Any]], Any],
) -> LoadedCode:
    """Return the code of a version, ready to be called.

    Raises
    ------
    VersionMissing
        It was not kept, or can't be rebuilt here.
    """
    known = execution.loaded.get(record.id)
    if known is not None and known.world.holds:
        return known
    entry = execution.store.get(record.id)
    if record.problem is not None or entry is None:
        raise VersionMissing(
            record.name, _shown(record), f"its code is not kept ({record.problem or 'it was forgotten'})"
        )
    try:
        data = execution.codec.decode(entry.promise.value, id=record.id)
        loaded = load_code(cast("bytes", data), record.fingerprint, durable)
    except Exception as error:  # modules and classes of the user's are rebuilt, and may raise anything
        reason = (
            str(error)
            if isinstance(error, DamagedValue | UntrustedValue)
            else f"{type(error).__name__}: {error}"
        )
        raise VersionMissing(record.name, _shown(record), f"its code can't be loaded ({reason})") from error
    execution.loaded[record.id] = loaded
    return loaded


def spelled(number: int | None, fingerprint: str) -> str:
    """Return a version as ids and tags spell it: "v2", or the first characters of the fingerprint."""
    return fingerprint[:VERSION_DIGITS] if number is None else f"v{number}"


def record_id(execution: Execution, name: str, fingerprint: str) -> str:
    """Return the id under which a version is recorded."""
    return f"{_record_prefix(execution, name)}{fingerprint[:VERSION_DIGITS]}"


def _record_prefix(execution: Execution, name: str) -> str:
    return f"{execution.prefix}version/{escape(name)}@"


def _record(execution: Execution, id: str, about: dict[str, Any], code: bytes | None) -> None:
    now, codec = execution.clock.now(), execution.codec
    tags = {"rnb:kind": VERSION_KIND, "rnb:name": about["name"], "rnb:fingerprint": about["fingerprint"]}
    promise = Promise(id=id, param=codec.encode(about, id=id), tags=tags)
    execution.store.post(Create(promise=promise, now=now))
    settle = Settle(id=id, state=State.RESOLVED, value=codec.encode(code, id=id), now=now)
    execution.store.post(settle)


def _dumped(function: Callable[..., Any] | None, code: Fingerprint) -> tuple[bytes | None, str | None]:
    """Return the code as bytes, or why it can't be kept."""
    if function is None:
        return None, "it is that of a cell"
    try:
        return dump_code(function, code), None
    except Exception as error:  # noqa: BLE001 (parts pickle themselves, by code of anybody)
        return None, f"{type(error).__name__}: {error}"[:500]


def _read(execution: Execution, promise: Promise) -> VersionRecord:
    about = cast("dict[str, Any]", execution.codec.decode(promise.param, id=promise.id))
    parts = tuple(Part(*each) for each in about.pop("parts"))
    return VersionRecord(id=promise.id, recorded_at=promise.created_at, parts=parts, **about)


def _listed(execution: Execution, prefix: str) -> Iterator[Promise]:
    cursor = None
    while True:
        page = execution.store.list(Query(prefix=prefix, limit=_PAGE, cursor=cursor), execution.clock.now())
        yield from page.promises
        cursor = page.cursor
        if cursor is None:
            return


def _shown(record: VersionRecord) -> str:
    return record.fingerprint[:VERSION_DIGITS] if record.number is None else str(record.number)


def _those_there_are(execution: Execution, name: str) -> str:
    numbers = [str(each.number) for each in pins.all_pinned(execution, name)]
    digests = [each.fingerprint[:VERSION_DIGITS] for each in records_of(execution, name)]
    known = ", ".join((*numbers, *digests))
    return f"the store has {known}" if known else "the store has no version of it"


def _notebook() -> str | None:
    """Return the path of the running notebook or script, as far as it can be told."""
    if session := os.environ.get("JPY_SESSION_NAME"):
        return session
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return None if script is None else Path(script).name
