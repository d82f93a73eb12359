"""Pins: a version number is bound to the fingerprint of its code by the first promise made under it.

A pin is itself a promise, so it lives in every kind of store; pinning again begins a new generation.
"""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Literal

from resonate_nb import leases
from resonate_nb.errors import ResonateWarning, VersionConflict
from resonate_nb.fingerprint import source_diff
from resonate_nb.ids import escape
from resonate_nb.promise import Promise, State, Value
from resonate_nb.store.base import Query
from resonate_nb.store.operations import Acquire, Settle

if TYPE_CHECKING:
    from resonate_nb.execution import Execution
    from resonate_nb.fingerprint import Fingerprint

OnChange = Literal["raise", "warn", "accept"]
PIN_KIND = "pin"


def check(execution: Execution, name: str, number: int, code: Fingerprint, on_change: OnChange) -> None:
    """Pin the number to the code if nothing is kept under it yet, else compare.

    Raises
    ------
    VersionConflict
        The number is pinned to other code, and `on_change` is "raise".
    """
    id = _pin_id(execution, name, number)
    if execution.pins.get(id) == code.digest:
        return
    found = execution.store.head(id)
    pinned = None if found is None else json.loads(found.value.data or b"{}")
    if not pinned or not _in_use(execution, name, number):
        pinned = pin(execution, name, number, code, again=bool(pinned))
    if pinned["fingerprint"] == code.digest:
        execution.pins[id] = code.digest
        return
    conflict = VersionConflict(name, number, source_diff(pinned["source"], code.source))
    match on_change:
        case "accept":
            pin(execution, name, number, code, again=True)
        case "warn":
            warnings.warn(str(conflict), ResonateWarning, stacklevel=6)
        case _:
            raise conflict


def pin(
    execution: Execution, name: str, number: int, code: Fingerprint, *, again: bool = False
) -> dict[str, str]:
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
    pinned: dict[str, str] = json.loads(settled.value.data)
    return pinned


def _pin_id(execution: Execution, name: str, number: int) -> str:
    return f"{execution.prefix}pin/{escape(name)}@v{number}"


def _in_use(execution: Execution, name: str, number: int) -> bool:
    query = Query(prefix=f"{execution.prefix}{escape(name)}@v{number}/", limit=1)
    return bool(execution.store.list(query, execution.clock.now()).promises)
