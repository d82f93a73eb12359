"""What a settlement sets in motion: tasks that are fulfilled or resumed, messages to whoever listens.

The rules are Resonate's (protocol version 2026-04-01). A promise with a target has a task; what waits for a
promise stands in its row, so that whoever settles it, by whatever way, wakes the others in the same
transaction. Messages are rows until somebody has delivered them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resonate_nb.ids import internal
from resonate_nb.promise import Promise, Value
from resonate_nb.store.base import NOBODY_INVOLVED, Entry, Involved, Task, TaskState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonate_nb.store.base import Rows

TARGET_TAG = "resonate:target"
DELAY_TAG = "resonate:delay"
OFFER_AGAIN = 30_000  # milliseconds until a task that nobody acquired is offered again
MESSAGES = "message"  # the kind of the rows that are messages


def with_task(promise: Promise, now: int) -> Entry:
    """Return the row of a promise that has just been created, with its task if it has a target."""
    if TARGET_TAG not in promise.tags:
        return Entry(promise)
    if promise.settled:
        return Entry(promise, involved=Involved(Task(TaskState.FULFILLED)))
    start = _delay(promise)
    deferred = start is not None and now < start
    return Entry(promise, involved=Involved(Task(due=start if deferred else now + OFFER_AGAIN)))


def offer(rows: Rows, entry: Entry) -> None:
    """Tell the target that the promise's task can be acquired; a newer offer takes an older one's place."""
    task = task_of(entry)
    about = {"task": {"id": entry.promise.id, "version": task.version}}
    _send(rows, entry.promise.tags[TARGET_TAG], "execute", about, name=entry.promise.id)


def withdraw_offer(rows: Rows, id: str) -> None:
    """Take back the message that a task can be acquired, if nobody has delivered it."""
    rows.delete(internal(MESSAGES, "execute", id))


def offer_now(rows: Rows, entry: Entry, now: int) -> None:
    """Offer the task of a promise that was just created, unless it has none or begins later."""
    task, start = entry.involved.task, _delay(entry.promise)
    if task is not None and task.state is TaskState.PENDING and (start is None or start <= now):
        offer(rows, entry)


def settle_row(rows: Rows, entry: Entry, now: int) -> None:
    """Write the row of a promise that was just settled, and set in motion what follows from it."""
    if entry.involved == NOBODY_INVOLVED:
        rows.put(replace(entry, lease=None))
        return
    fulfil_and_write(rows, entry)
    wake(rows, entry.promise.id, entry.involved, now)


def fulfil_and_write(rows: Rows, entry: Entry) -> None:
    """Write the row without those who wait for it; its task is fulfilled and waits for nothing any more."""
    task = entry.involved.task
    if task is not None and task.state is not TaskState.FULFILLED:
        for awaited in task.awaited:
            _leave(rows, awaited, entry.promise.id)
        task = Task(TaskState.FULFILLED, task.version)
    rows.put(replace(entry, lease=None, involved=Involved(task)))


def wake(rows: Rows, id: str, involved: Involved, now: int) -> None:
    """Resume the tasks that waited for a promise that is settled, and tell the listeners."""
    for awaiter in involved.callbacks:
        waiting = rows.get(awaiter)
        if waiting is not None and waiting.involved.task is not None:
            _resume(rows, waiting, id, now)
    for address in involved.listeners:
        _send(rows, address, "unblock", {"promise": id}, name=f"{address}/{id}")


def _resume(rows: Rows, entry: Entry, settled: str, now: int) -> None:
    task = task_of(entry)
    awaited = tuple(each for each in task.awaited if each != settled)
    if task.state is TaskState.SUSPENDED:
        task = replace(
            task, state=TaskState.PENDING, resumes=(settled,), due=now + OFFER_AGAIN, awaited=awaited
        )
        entry = with_changed_task(entry, task)
        rows.put(entry)
        offer(rows, entry)
    elif task.state is not TaskState.FULFILLED:
        resumes = (*task.resumes, *(each for each in (settled,) if each not in task.resumes))
        rows.put(with_changed_task(entry, replace(task, resumes=resumes, awaited=awaited)))


def _leave(rows: Rows, awaited: str, awaiter: str) -> None:
    entry = rows.get(awaited)
    if entry is not None and awaiter in entry.involved.callbacks:
        callbacks = tuple(each for each in entry.involved.callbacks if each != awaiter)
        rows.put(replace(entry, involved=replace(entry.involved, callbacks=callbacks)))


def task_of(entry: Entry) -> Task:
    """Return the task of a row that is known to have one."""
    if entry.involved.task is None:
        raise LookupError(f"promise {entry.promise.id!r} has no task")
    return entry.involved.task


def with_changed_task(entry: Entry, task: Task) -> Entry:
    """Return the row with another task."""
    return replace(entry, involved=replace(entry.involved, task=task))


def await_one(rows: Rows, awaited: Entry, awaiter: Entry) -> Entry:
    """Let a task wait for a pending promise; write that promise's row and return the waiting one's."""
    id = awaiter.promise.id
    if id not in awaited.involved.callbacks:
        callbacks = (*awaited.involved.callbacks, id)
        rows.put(replace(awaited, involved=replace(awaited.involved, callbacks=callbacks)))
    task = task_of(awaiter)
    names = tuple(dict.fromkeys((*task.awaited, awaited.promise.id)))
    return with_changed_task(awaiter, replace(task, awaited=names))


def _send(rows: Rows, address: str, kind: str, about: dict[str, Any], *, name: str) -> None:
    content = {"address": address, "kind": kind, "data": about}
    param = Value(data=json.dumps(content).encode())
    rows.put(Entry(Promise(id=internal(MESSAGES, kind, name), param=param)))


def messages_of(entries: Iterable[Entry]) -> list[tuple[str, dict[str, Any]]]:
    """Return key and content of rows that are messages: address, kind, data."""
    return [(each.promise.id, json.loads(each.promise.param.data)) for each in entries]


def _delay(promise: Promise) -> int | None:
    text = promise.tags.get(DELAY_TAG)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
