"""Answers to whole requests of Resonate's protocol: one envelope in, one out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from resonate_nb.corridor import children
from resonate_nb.errors import StoreUnavailable
from resonate_nb.ids import internal
from resonate_nb.promise import State
from resonate_nb.server.promise_actions import promise_get
from resonate_nb.server.protocol import Act
from resonate_nb.server.refusals import Refused
from resonate_nb.server.requests import VERSION, Request, from_text, parse
from resonate_nb.server.schedules import SCHEDULES, Schedule, schedule_get
from resonate_nb.server.task_actions import task_get, task_seen
from resonate_nb.server.wire import promise_record, task_record
from resonate_nb.store.base import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from resonate_nb.clock import Clock
    from resonate_nb.server.promise_actions import Answer, Readable
    from resonate_nb.store.base import Entry, Store

BRANCH_TAG = "resonate:branch"
_MOST_PRELOADED = 1_000
# What changes nothing is read past the store's writer; the deadline is projected instead of written.
_READS: dict[str, Callable[[Readable, Any, int], Answer]] = {
    "promise.get": promise_get,
    "task.get": task_get,
    "schedule.get": schedule_get,
}


@dataclass(frozen=True, slots=True)
class Speaker:
    """The protocol over one store."""

    store: Store
    clock: Clock

    def answer(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return the status and the envelope that answers a request; text as data says what is wrong."""
        content: Any = None
        try:
            content = from_text(body)
            status, data = self.act(parse(content), self.clock.now())
        except Refused as refusal:
            status, data = refusal.status, refusal.reason
        except StoreUnavailable as problem:
            status, data = 500, str(problem)
        asked: dict[str, Any] = content if isinstance(content, dict) else {}
        head = asked.get("head") if isinstance(asked.get("head"), dict) else {}
        answered = {"corrId": (head or {}).get("corrId", ""), "status": status, "version": VERSION}
        return status, {"kind": asked.get("kind", ""), "head": answered, "data": data}

    def act(self, request: Request, now: int) -> Answer:
        """Return status and data for a checked request at a time."""
        match request.kind:
            case "promise.search":
                return self._search_promises(request.data, now)
            case "task.search":
                return self._search_tasks(request.data, now)
            case "schedule.search":
                return self._search_schedules(request.data, now)
        if request.kind in _READS:
            return _READS[request.kind](self.store, request.data, now)
        status, data = self.store.do(Act(request=request, now=now))
        if status == 200:
            self._cancel_children(request, now)
        if isinstance(data, dict) and "preload" in data and status in {200, 300}:
            root = request.data["action"].data["id"] if request.kind == "task.create" else request.data["id"]
            data = data | {"preload": self._preloaded(root, now)}
        return status, data

    def _cancel_children(self, request: Request, now: int) -> None:
        """Cancel the children of the promise that a request canceled: they belong to it."""
        settle = request.data.get("action", request)
        if settle.kind == "promise.settle" and settle.data["state"] is State.CANCELED:
            entry = self.store.get(settle.data["id"])
            if entry is not None and entry.promise.state is State.CANCELED:
                children.cancel(self.store, entry.promise.id, now)

    def _preloaded(self, id: str, now: int) -> list[dict[str, Any]]:
        """Return the promises of the same branch, whose ids extend the branch's: hints that save requests."""
        entry = self.store.get(id)
        branch = None if entry is None else entry.promise.tags.get(BRANCH_TAG)
        if not branch:
            return []
        query = Query(prefix=branch, tags=((BRANCH_TAG, branch),), limit=_MOST_PRELOADED)
        ids = [each.id for each in self.store.list(query, now).promises if each.id != id]
        return [promise_record(each.promise.seen(now)) for each in self.store.get_many(ids).values()]

    def _search_promises(self, data: Any, now: int) -> Answer:
        query = Query(
            state=data["state"], tags=tuple(data["tags"].items()), limit=data["limit"], cursor=data["cursor"]
        )
        page = self.store.list(query, now)
        found = self.store.get_many(each.id for each in page.promises)
        records = [
            promise_record(found[each.id].promise.seen(now)) for each in page.promises if each.id in found
        ]
        return 200, _page("promises", records, page.cursor)

    def _search_tasks(self, data: Any, now: int) -> Answer:
        records: list[dict[str, Any]] = []
        for entry in self._entries(data["cursor"], now):
            task = entry.involved.task
            if task is None or data["state"] not in {None, task_seen(entry, task, now).state}:
                continue
            if len(records) == data["limit"]:
                return 200, _page("tasks", records, records[-1]["id"])
            records.append(task_record(entry.promise.id, task_seen(entry, task, now)))
        return 200, _page("tasks", records, None)

    def _search_schedules(self, data: Any, now: int) -> Answer:
        start = internal(SCHEDULES, "")
        cursor = None if data["cursor"] is None else internal(SCHEDULES, data["cursor"])
        query = Query(prefix=start, tags=tuple(data["tags"].items()), limit=data["limit"], cursor=cursor)
        page = self.store.list(query, now)
        entries = [self.store.get(each.id) for each in page.promises]
        records = [Schedule.of(each).record() for each in entries if each is not None]
        return 200, _page(
            "schedules", records, None if page.cursor is None else page.cursor.removeprefix(start)
        )

    def _entries(self, cursor: str | None, now: int) -> Iterator[Entry]:
        query = Query(limit=500, cursor=cursor)
        while True:
            page = self.store.list(query, now)
            found = self.store.get_many(each.id for each in page.promises)
            yield from (found[each.id] for each in page.promises if each.id in found)
            if page.cursor is None:
                return
            query = replace(query, cursor=page.cursor)


def _page(name: str, records: list[dict[str, Any]], cursor: str | None) -> dict[str, Any]:
    return {name: records} if cursor is None else {name: records, "cursor": cursor}
