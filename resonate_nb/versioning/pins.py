"""Pins: a version number is bound to the fingerprint of its code while anything was made under it.

A pin is itself a promise, so it lives in every kind of store; pinning again begins a new generation.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from resonate_nb.corridor import leases
from resonate_nb.errors import ResonateWarning, VersionConflict
from resonate_nb.fingerprint import source_diff
from resonate_nb.ids import escape, split_generation
from resonate_nb.promise import Promise, State, Value
from resonate_nb.store.base import Query
from resonate_nb.store.operations import Acquire, Settle

if TYPE_CHECKING:
    from resonate_nb.execution import Execution
    from resonate_nb.fingerprint import Fingerprint

OnChange = Literal["raise", "warn", "accept"]
PIN_KIND = "pin"
_CELL = "cell/"  # in front of a cell's name, to tell it from a function's
_MOST_NUMBERS = 10_000
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Pin:
    """A version number and the code that it stands for."""

    number: int
    fingerprint: str
    source: str
    pinned_at: int  # milliseconds since the epoch


def check(execution: Execution, name: str, number: int, code: Fingerprint, on_change: OnChange) -> None:
    """Pin the number to the code if nothing is running, waiting or settled under it, else compare.

    Raises
    ------
    VersionConflict
        The number is pinned to other code, and `on_change` is "raise".
    """
    id = _pin_id(execution, name, number)
    if execution.pins.get(id) == code.digest:
        return
    found = pinned(execution, name, number)
    if found is None:
        found = pin(execution, name, number, code)
    elif found.fingerprint != code.digest and not _in_use(execution, name, number):
        found = pin(execution, name, number, code, again=True)
    if found.fingerprint == code.digest:
        execution.pins[id] = code.digest
        return
    conflict = VersionConflict(name, number, source_diff(found.source, code.source))
    match on_change:
        case "accept":
            pin(execution, name, number, code, again=True)
        case "warn":
            warnings.warn(str(conflict), ResonateWarning, stacklevel=6)
        case _:
            raise conflict


def forbidding(execution: Execution, name: str, number: int, code: Fingerprint) -> Pin | None:
    """Return the pin for which `check` would refuse the code, pinning nothing."""
    found = pinned(execution, name, number)
    if found is None or found.fingerprint == code.digest or not _in_use(execution, name, number):
        return None
    return found


def pinned(execution: Execution, name: str, number: int) -> Pin | None:
    """Return what a number stands for; None if it was never pinned."""
    promise = execution.store.head(_pin_id(execution, name, number))
    return None if promise is None or not promise.settled else _read(number, promise)


def all_pinned(execution: Execution, name: str) -> list[Pin]:
    """Return the pins of all numbers of a name, in their order."""
    prefix = f"{execution.prefix}pin/{escape(name)}@v"
    page = execution.store.list(Query(prefix=prefix, limit=_MOST_NUMBERS), execution.clock.now())
    texts = {split_generation(each.id)[0].removeprefix(prefix) for each in page.promises}
    found = (
        pinned(execution, name, number) for number in sorted(int(text) for text in texts if text.isdecimal())
    )
    return [each for each in found if each is not None]


def pin(execution: Execution, name: str, number: int, code: Fingerprint, *, again: bool = False) -> Pin:
    """Bind the number to the code and return the pin that counts: the first one, unless `again`."""
    now, owner = execution.clock.now(), leases.new_owner()
    tags = {"rnb:kind": PIN_KIND, "rnb:name": name, "rnb:version": f"v{number}"}
    claim = execution.store.do(
        Acquire(
            promise=Promise(id=_pin_id(execution, name, number), tags=tags),
            owner=owner.text,
            until=now + leases.LEASE_MILLISECONDS,
            now=now,
            unless=frozenset(State) - {State.PENDING} if again else frozenset(),
        )
    )
    settled = claim.promise
    if not settled.settled:
        data = json.dumps({"fingerprint": code.digest, "source": code.source}).encode()
        settle = Settle(id=settled.id, state=State.RESOLVED, value=Value(data=data), now=now)
        settled = execution.store.do(settle)
    leases.retire(owner)
    execution.pins.pop(_pin_id(execution, name, number), None)
    return _read(number, settled)


def _read(number: int, promise: Promise) -> Pin:
    kept = json.loads(promise.value.data)
    return Pin(number, kept["fingerprint"], kept["source"], promise.created_at)


def _pin_id(execution: Execution, name: str, number: int) -> str:
    return f"{execution.prefix}pin/{escape(name)}@v{number}"


def _in_use(execution: Execution, name: str, number: int) -> bool:
    """Return whether a promise under the number is settled, or bound to the code that it began with."""
    kind = "cell" if name.startswith(_CELL) else "function"
    tags = (("rnb:kind", kind), ("rnb:name", name.removeprefix(_CELL)), ("rnb:version", f"v{number}"))
    cursor = None
    while True:
        page = execution.store.list(Query(tags=tags, limit=_PAGE, cursor=cursor), execution.clock.now())
        if any(each.settled or not each.unbound for each in page.promises):
            return True
        cursor = page.cursor
        if cursor is None:
            return False
