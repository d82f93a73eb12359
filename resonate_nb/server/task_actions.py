"""What Resonate's protocol says of tasks: who may do the work of a promise, and what it waits for."""

# ruff: noqa: ARG001 - all actions are called alike

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resonate_nb.server.promise_actions import (
    Answer,
    Readable,
    promise_create,
    promise_of,
    promise_settle,
    shown,
)
from resonate_nb.server.wire import task_record
from resonate_nb.store.base import Entry, Task, TaskState
from resonate_nb.store.operations import Create
from resonate_nb.store.tasks import (
    OFFER_AGAIN,
    TARGET_TAG,
    await_one,
    offer,
    task_of,
    with_changed_task,
    withdraw_offer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.store.base import Rows


def task_get(rows: Readable, data: Mapping[str, Any], now: int) -> Answer:
    """Show a task."""
    entry = rows.get(data["id"])
    if entry is None or entry.involved.task is None:
        return 404, "Task not found"
    return 200, {"task": task_record(entry.promise.id, task_seen(entry, entry.involved.task, now))}


def task_seen(entry: Entry, task: Task, now: int) -> Task:
    """Return a task as of now: that of a settled promise is fulfilled."""
    return Task(TaskState.FULFILLED, task.version) if entry.promise.seen(now).settled else task


def task_create(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Create a promise whose task is acquired at once, or acquire the one that is pending."""
    promise = promise_of(data["action"].data)
    entry = rows.get(promise.id)
    if entry is None:
        Create(promise=promise, now=now).apply(rows)
        return _begun(rows, promise.id, data, now)
    task = entry.involved.task
    if task is None:
        return (
            (409, "Promise already exists")
            if TARGET_TAG in entry.promise.tags
            else (422, "Promise has no address")
        )
    if task.state in {TaskState.PENDING, TaskState.FULFILLED}:
        return _begun(rows, promise.id, data, now)
    return 409, "Task already exists"


def _begun(rows: Rows, id: str, data: Mapping[str, Any], now: int) -> Answer:
    """Acquire a task that is pending, or show that it is fulfilled."""
    entry = _existing(rows, id)
    if task_of(entry).state is TaskState.PENDING:
        entry = _acquire(rows, entry, data, now)
    return 200, {"task": task_record(id, task_of(entry)), **shown(entry.promise), "preload": []}


def _acquire(rows: Rows, entry: Entry, data: Mapping[str, Any], now: int) -> Entry:
    task = replace(
        task_of(entry),
        state=TaskState.ACQUIRED,
        version=task_of(entry).version + 1,
        pid=data["pid"],
        ttl=data["ttl"],
        due=now + data["ttl"],
        resumes=(),
    )
    withdraw_offer(rows, entry.promise.id)
    entry = with_changed_task(entry, task)
    rows.put(entry)
    return entry


def task_acquire(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Take a pending task, by the version that was offered."""
    entry = rows.get(data["id"])
    if entry is None or entry.involved.task is None:
        return 404, "Task not found"
    if entry.involved.task.state is not TaskState.PENDING:
        return 409, "Task not in pending state"
    if entry.involved.task.version != data["version"]:
        return 409, "Version mismatch"
    return _begun(rows, data["id"], data, now)


def _held(rows: Rows, data: Mapping[str, Any], refusal: str = "Task not acquired") -> Entry | Answer:
    """Return the row of a task if the asker holds it, else what is in the way."""
    entry = rows.get(data["id"])
    if entry is None or entry.involved.task is None:
        return 404, "Task not found"
    if entry.involved.task.state is not TaskState.ACQUIRED:
        return 409, refusal
    if entry.involved.task.version != data["version"]:
        return 409, "Version mismatch" if refusal == "Task not acquired" else refusal
    return entry


def task_release(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Give a task back, so that it is offered again."""
    entry = _held(rows, data)
    if isinstance(entry, tuple):
        return entry
    give_back(rows, entry, now)
    return 200, {}


def give_back(rows: Rows, entry: Entry, now: int) -> None:
    """Make a task pending again, and offer it."""
    task = replace(task_of(entry), state=TaskState.PENDING, pid=None, ttl=None, due=now + OFFER_AGAIN)
    entry = with_changed_task(entry, task)
    rows.put(entry)
    offer(rows, entry)


def task_fulfill(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Settle the promise of a task that the asker holds."""
    entry = _held(rows, data)
    return entry if isinstance(entry, tuple) else promise_settle(rows, data["action"].data, now)


def task_suspend(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Let go of a task until one of some promises is settled; 300 if one is already."""
    entry = _held(rows, data)
    if isinstance(entry, tuple):
        return entry
    found = [rows.get(each.data["awaited"]) for each in data["actions"]]
    awaited = [each for each in found if each is not None]
    if len(awaited) < len(found):
        return 422, "Awaited promise not found"
    if any(each.promise.settled for each in awaited):
        rows.put(with_changed_task(entry, replace(task_of(entry), resumes=())))
        return 300, {"preload": []}
    for id in dict.fromkeys(each.promise.id for each in awaited):
        entry = await_one(rows, _existing(rows, id), entry)
    suspended = replace(task_of(entry), state=TaskState.SUSPENDED, pid=None, ttl=None, due=None, resumes=())
    rows.put(with_changed_task(entry, suspended))
    return 200, {}


def task_halt(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Stop a task until it is told to continue."""
    entry = rows.get(data["id"])
    if entry is None or entry.involved.task is None:
        return 404, "Task not found"
    if entry.involved.task.state is TaskState.FULFILLED:
        return 409, "Task is fulfilled"
    halted = replace(entry.involved.task, state=TaskState.HALTED, pid=None, ttl=None, due=None)
    withdraw_offer(rows, data["id"])
    rows.put(with_changed_task(entry, halted))
    return 200, {}


def task_continue(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Make a halted task pending again."""
    entry = rows.get(data["id"])
    if entry is None or entry.involved.task is None:
        return 404, "Task not found"
    if entry.involved.task.state is not TaskState.HALTED:
        return 409, "Task is not halted"
    give_back(rows, entry, now)
    return 200, {}


def task_fence(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Create or settle another promise only if the asker holds the task."""
    entry = _held(rows, data, "Fence check failed")
    if isinstance(entry, tuple):
        return entry
    action = data["action"]
    act = promise_create if action.kind == "promise.create" else promise_settle
    status, inner = act(rows, action.data, now)
    head = {"corrId": action.head["corrId"], "status": status, "version": action.head["version"]}
    return 200, {"action": {"kind": action.kind, "head": head, "data": inner}, "preload": []}


def task_heartbeat(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Say that the holder of tasks still works on them."""
    for id, version in data["tasks"]:
        entry = rows.get(id)
        task = None if entry is None else entry.involved.task
        if entry is None or task is None or entry.promise.seen(now).settled:
            continue
        if (task.state, task.version, task.pid) == (TaskState.ACQUIRED, version, data["pid"]):
            rows.put(with_changed_task(entry, replace(task, due=now + (task.ttl or OFFER_AGAIN))))
    return 200, {}


def _existing(rows: Rows, id: str) -> Entry:
    entry = rows.get(id)
    if entry is None:
        raise LookupError(id)
    return entry
