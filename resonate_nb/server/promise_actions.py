"""What Resonate's protocol says of promises: create, get, settle, wait for."""

# ruff: noqa: ARG001 - all actions are called alike

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from resonate_nb.codec import HEADER
from resonate_nb.enquiry.answers import check
from resonate_nb.errors import InvalidAnswer
from resonate_nb.promise import TIMER_TAG, Promise, State
from resonate_nb.server.wire import promise_record
from resonate_nb.store.operations import Create, Settle
from resonate_nb.store.tasks import TARGET_TAG, await_one
from resonate_nb.values.plain_json import from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.store.base import Entry, Rows

Answer = tuple[int, object]  # a status, and data: text when something is wrong


class Readable(Protocol):
    """Rows that are only read: a store's, or those of a transaction."""

    def get(self, id: str) -> Entry | None:
        """Return the row, or None."""
        ...


def promise_get(rows: Readable, data: Mapping[str, Any], now: int) -> Answer:
    """Show a promise."""
    entry = rows.get(data["id"])
    return (404, "Promise not found") if entry is None else (200, shown(entry.promise.seen(now)))


def promise_create(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Create a promise, with its task if it has a target; one that exists is shown."""
    return 200, shown(Create(promise=promise_of(data), now=now).apply(rows))


def promise_settle(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Settle a promise, once; one that is settled is shown."""
    entry = rows.get(data["id"])
    if entry is None:
        return 404, "Promise not found"
    refusal = _refused_answer(entry.promise.seen(now), data)
    if refusal is not None:
        return 400, refusal
    settle = Settle(id=data["id"], state=data["state"], value=data["value"], now=now)
    return 200, shown(settle.apply(rows))


def _refused_answer(promise: Promise, data: Mapping[str, Any]) -> str | None:
    """Return why a question does not take an answer: the rule holds at every door."""
    if promise.settled or data["state"] is not State.RESOLVED:
        return None
    try:
        answer = None if HEADER in data["value"].headers else from_json(data["value"].data)
        check(promise, answer)
    except ValueError:
        return "the answer is no JSON"
    except InvalidAnswer as refused:
        return str(refused)
    return None


def register_callback(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Let a task be resumed when a promise is settled."""
    awaited, awaiter = rows.get(data["awaited"]), rows.get(data["awaiter"])
    if awaited is None:
        return 404, "Awaited promise not found"
    if awaiter is None:
        return 422, "Awaiter promise not found"
    if awaiter.involved.task is None:
        return 422, "Awaiter has no address"
    if not awaited.promise.settled and not awaiter.promise.settled:
        rows.put(await_one(rows, awaited, awaiter))
    return 200, shown(awaited.promise)


def register_listener(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Let an address be told when a promise is settled."""
    entry = rows.get(data["awaited"])
    if entry is None:
        return 404, "Promise not found"
    if not _is_awaitable(entry.promise):
        return 422, "Awaited promise is not awaitable"
    address, listeners = data["address"], entry.involved.listeners
    if not entry.promise.settled and address not in listeners:
        rows.put(replace(entry, involved=replace(entry.involved, listeners=(*listeners, address))))
    return 200, shown(entry.promise)


def _is_awaitable(promise: Promise) -> bool:
    """Return whether somebody outside may wait for a promise.

    Resonate's own are those that say so. A notebook's are, too: whoever settles one wakes the listeners in
    the same transaction.
    """
    tags = promise.tags
    says_so = tags.get("resonate:scope") == "global" or "true" in {
        tags.get("resonate:external"),
        tags.get(TIMER_TAG),
    }
    return says_so or TARGET_TAG in tags or "rnb:kind" in tags


def promise_of(data: Mapping[str, Any]) -> Promise:
    """Return the promise that a request to create one describes."""
    return Promise(id=data["id"], param=data["param"], tags=data["tags"], timeout_at=data["timeoutAt"])


def shown(promise: Promise) -> dict[str, Any]:
    """Return a promise as the data of an answer."""
    return {"promise": promise_record(promise)}
