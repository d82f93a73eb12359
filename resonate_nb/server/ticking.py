"""What time does to promises, tasks and schedules, without anybody asking."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from resonate_nb.ids import internal
from resonate_nb.promise import State
from resonate_nb.server import schedules
from resonate_nb.server.task_actions import give_back
from resonate_nb.store.base import NOBODY_INVOLVED, Query, TaskState
from resonate_nb.store.tasks import (
    OFFER_AGAIN,
    TARGET_TAG,
    fulfil_and_write,
    offer,
    wake,
    with_changed_task,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonate_nb.promise import Promise
    from resonate_nb.store.base import Entry, Rows, Store

_PAGE = 1_000


def tick(store: Store, now: int) -> None:
    """Settle what is past its deadline, offer tasks whose lease has lapsed, and make what is scheduled."""
    due = tuple(each.id for each in _pending(store) if each.timeout_at <= now or TARGET_TAG in each.tags)
    if due:
        store.do(Lapse(ids=due, now=now))
    for each in _listed(store, internal(schedules.SCHEDULES, ""), None):
        while store.do(schedules.Tick(key=each.id, now=now)):
            pass


def _pending(store: Store) -> Iterator[Promise]:
    # As of no time: what is pending as stored, also when its deadline has passed.
    yield from _listed(store, "", State.PENDING)


def _listed(store: Store, prefix: str, state: State | None) -> Iterator[Promise]:
    query = Query(prefix=prefix, state=state, limit=_PAGE)
    while True:
        page = store.list(query, 0)
        yield from page.promises
        if page.cursor is None:
            return
        query = replace(query, cursor=page.cursor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """Let the time that has passed take effect on these promises.

    First all deadlines, so that the outcome does not depend on the order of ids: a task whose own promise is
    over is fulfilled before anything that it waited for could resume it.
    """

    ids: tuple[str, ...]
    now: int
    power_safe: bool = False

    def apply(self, rows: Rows) -> None:
        """Settle, resume, give back, offer again."""
        over = [entry for id in self.ids if (entry := self._past_its_deadline(rows, id)) is not None]
        for entry in over:
            fulfil_and_write(rows, entry)
        for entry in over:
            wake(rows, entry.promise.id, entry.involved, self.now)
        for id in self.ids:
            self._lapse(rows, id)

    def _past_its_deadline(self, rows: Rows, id: str) -> Entry | None:
        entry = rows.get(id)
        if entry is None or entry.promise.settled or entry.involved == NOBODY_INVOLVED:
            return None
        seen = entry.promise.seen(self.now)
        return replace(entry, promise=seen) if seen.settled else None

    def _lapse(self, rows: Rows, id: str) -> None:
        entry = rows.get(id)
        task = None if entry is None else entry.involved.task
        if entry is None or task is None or task.due is None or task.due > self.now:
            return
        if task.state is TaskState.ACQUIRED:
            give_back(rows, entry, self.now)
        elif task.state is TaskState.PENDING:
            again = with_changed_task(entry, replace(task, due=self.now + OFFER_AGAIN))
            rows.put(again)
            offer(rows, again)
