"""Resonate's protocol (version 2026-04-01) over the promises of a store.

Each request that changes something is one operation of the store, so it happens whole or not at all, beside
the notebooks that use the same store. The deadline comes first: whatever a request touches that is past its
deadline is settled before anything else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from resonate_nb.server import promise_actions as promises
from resonate_nb.server import schedules
from resonate_nb.server import task_actions as tasks
from resonate_nb.store.tasks import settle_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resonate_nb.server.promise_actions import Answer
    from resonate_nb.server.requests import Request
    from resonate_nb.store.base import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A request of the protocol as an operation of the store."""

    request: Request
    now: int
    power_safe: bool = False

    def apply(self, rows: Rows) -> Answer:
        """Return status and data."""
        if not self.request.kind.startswith("schedule."):
            for id in _touched(self.request):
                _settle_if_due(rows, id, self.now)
        return ACTIONS[self.request.kind](rows, self.request.data, self.now)


def _settle_if_due(rows: Rows, id: str, now: int) -> None:
    """Settle a promise whose deadline has passed, with all that follows from it."""
    entry = rows.get(id)
    if entry is not None and not entry.promise.settled and entry.promise.timeout_at <= now:
        settle_row(rows, replace(entry, promise=entry.promise.seen(now)), now)


def _touched(request: Request) -> list[str]:
    data = request.data
    ids = [data[name] for name in ("id", "awaited", "awaiter") if name in data]
    if "action" in data:
        ids.append(data["action"].data["id"])
    ids += [each.data["awaited"] for each in data.get("actions", ())]
    return ids


ACTIONS: dict[str, Callable[[Rows, Mapping[str, Any], int], Answer]] = {
    "promise.get": promises.promise_get,
    "promise.create": promises.promise_create,
    "promise.settle": promises.promise_settle,
    "promise.register_callback": promises.register_callback,
    "promise.register_listener": promises.register_listener,
    "task.get": tasks.task_get,
    "task.create": tasks.task_create,
    "task.acquire": tasks.task_acquire,
    "task.release": tasks.task_release,
    "task.fulfill": tasks.task_fulfill,
    "task.suspend": tasks.task_suspend,
    "task.halt": tasks.task_halt,
    "task.continue": tasks.task_continue,
    "task.fence": tasks.task_fence,
    "task.heartbeat": tasks.task_heartbeat,
    "schedule.get": schedules.schedule_get,
    "schedule.create": schedules.schedule_create,
    "schedule.delete": schedules.schedule_delete,
}
