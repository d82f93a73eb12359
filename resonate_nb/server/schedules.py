"""Schedules of Resonate's protocol: a promise is made at each tick of a cron expression, in UTC."""

# ruff: noqa: ARG001 - all actions are called alike

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from cronsim import CronSim, CronSimError

from resonate_nb.ids import internal, validate
from resonate_nb.promise import NEVER, Promise, Value
from resonate_nb.server.wire import value_of, value_shown
from resonate_nb.store.base import Entry
from resonate_nb.store.operations import Create

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.server.promise_actions import Answer, Readable
    from resonate_nb.store.base import Rows

SCHEDULES = "schedule"  # the kind of the rows that are schedules
_MOST_TICKS = 1_000  # made in one transaction; the rest follows at the next tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One schedule, with times in milliseconds since the epoch."""

    id: str
    cron: str
    promise_id: str  # may hold {{.id}} and {{.timestamp}}
    promise_timeout: int
    promise_param: Value
    promise_tags: Mapping[str, str]
    created_at: int
    next_run_at: int
    last_run_at: int | None = None

    def record(self) -> dict[str, Any]:
        """Return the schedule as the protocol shows it, which is also how it is kept."""
        record = {
            "id": self.id,
            "cron": self.cron,
            "promiseId": self.promise_id,
            "promiseTimeout": self.promise_timeout,
            "promiseParam": value_shown(self.promise_param),
            "promiseTags": dict(self.promise_tags),
            "createdAt": self.created_at,
            "nextRunAt": self.next_run_at,
        }
        return record if self.last_run_at is None else record | {"lastRunAt": self.last_run_at}

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Return the schedule that a row keeps."""
        record = json.loads(entry.promise.param.data)
        return cls(
            id=record["id"],
            cron=record["cron"],
            promise_id=record["promiseId"],
            promise_timeout=record["promiseTimeout"],
            promise_param=value_of(record["promiseParam"], "promiseParam"),
            promise_tags=record["promiseTags"],
            created_at=record["createdAt"],
            next_run_at=record["nextRunAt"],
            last_run_at=record.get("lastRunAt"),
        )

    def row(self) -> Entry:
        """Return the row that keeps the schedule."""
        param = Value(data=json.dumps(self.record()).encode())
        return Entry(Promise(id=key(self.id), param=param, tags=self.promise_tags))

    def due(self) -> Promise:
        """Return the promise of the tick that is next: its times are the tick's, however late it is made.

        Raises
        ------
        InvalidId
            The template gives text that is no id.
        """
        id = self.promise_id.replace("{{.id}}", self.id).replace("{{.timestamp}}", str(self.next_run_at))
        return Promise(
            id=validate(id),
            param=self.promise_param,
            tags={**self.promise_tags, "resonate:schedule": self.id},
            timeout_at=min(self.next_run_at + self.promise_timeout, NEVER),
        )

    def ticked(self) -> Self:
        """Return the schedule after the tick that was next."""
        return replace(self, last_run_at=self.next_run_at, next_run_at=next_tick(self.cron, self.next_run_at))


def key(id: str) -> str:
    """Return the key of a schedule's row."""
    return internal(SCHEDULES, id)


def next_tick(cron: str, after: int) -> int:
    """Return the first tick of a cron expression after a time, both in milliseconds.

    Raises
    ------
    ValueError
        It is no cron expression, or never ticks again.
    """
    start = datetime.fromtimestamp(after // 1_000, UTC)
    try:
        tick = next(CronSim(cron, start))
    except (CronSimError, StopIteration) as problem:
        raise ValueError(f"{cron!r} is no cron expression that ticks: {problem}") from None
    return int(tick.timestamp()) * 1_000


def schedule_create(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """Make a schedule; one that exists is shown and changes nothing."""
    entry = rows.get(key(data["id"]))
    if entry is not None:
        return 200, {"schedule": Schedule.of(entry).record()}
    try:
        first = next_tick(data["cron"], now)
    except ValueError:
        return 400, "Invalid cron expression"
    schedule = Schedule(
        id=data["id"],
        cron=data["cron"],
        promise_id=data["promiseId"],
        promise_timeout=data["promiseTimeout"],
        promise_param=data["promiseParam"],
        promise_tags=data["promiseTags"],
        created_at=now,
        next_run_at=first,
    )
    rows.put(schedule.row())
    return 200, {"schedule": schedule.record()}


def schedule_get(rows: Readable, data: Mapping[str, Any], now: int) -> Answer:
    """Show a schedule."""
    entry = rows.get(key(data["id"]))
    return (404, "Schedule not found") if entry is None else (200, {"schedule": Schedule.of(entry).record()})


def schedule_delete(rows: Rows, data: Mapping[str, Any], now: int) -> Answer:
    """End a schedule; the promises that it made stay."""
    if rows.get(key(data["id"])) is None:
        return 404, "Schedule not found"
    rows.delete(key(data["id"]))
    return 200, {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Make the promises of a schedule whose time has come, missed ones included."""

    key: str
    now: int
    power_safe: bool = False

    def apply(self, rows: Rows) -> int:
        """Return how many promises were due."""
        entry = rows.get(self.key)
        if entry is None:
            return 0
        schedule, made = Schedule.of(entry), 0
        while schedule.next_run_at <= self.now and made < _MOST_TICKS:
            Create(promise=schedule.due(), now=self.now).apply(rows)
            schedule, made = schedule.ticked(), made + 1
        if made:
            rows.put(schedule.row())
        return made
