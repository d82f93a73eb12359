"""What a store promises: the operations that change it, the reads, and the order of things.

A store keeps promises, values and leases. Three guarantees hold for each one:

- **Acknowledged means committed.** When `Store.do` returns, or `Reply.get` of `Store.post`, the change
  survives the death of the process.
- **All or nothing.** A record, its value and its lease appear together or not at all.
- **First in, first out.** Changes that one process posts are committed in the order of posting.

Each operation is data with one method, `Operation.apply`, which works on `Rows` inside a transaction.
So the rules stand once, and a store only has to keep rows and run transactions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeVar

from resonate_nb.ids import generation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonate_nb.promise import Promise, State

Result = TypeVar("Result", covariant=True)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to compute one promise."""

    owner: str  # empty when nobody holds it
    fence: int  # rises by one with each acquisition, never otherwise
    until: int  # milliseconds since the epoch


class TaskState(StrEnum):
    """Where a task stands, in Resonate's spelling."""

    PENDING = "pending"
    ACQUIRED = "acquired"
    SUSPENDED = "suspended"
    HALTED = "halted"
    FULFILLED = "fulfilled"


@dataclass(frozen=True, slots=True)
class Task:
    """The work of a promise that has a target: who may do it, and what it waits for."""

    state: TaskState = TaskState.PENDING
    version: int = 0  # the fencing number: rises by one with each acquisition, never otherwise
    pid: str | None = None
    ttl: int | None = None  # milliseconds that an acquisition lasts without a heartbeat
    due: int | None = None  # when it is offered again (pending), or taken away (acquired)
    resumes: tuple[str, ...] = ()  # promises that were settled since it was acquired
    awaited: tuple[str, ...] = ()  # promises that have it among their callbacks


@dataclass(frozen=True, slots=True)
class Involved:
    """Who else has to do with a promise: its task, the tasks that wait for it, and listeners' addresses."""

    task: Task | None = None
    callbacks: tuple[str, ...] = ()
    listeners: tuple[str, ...] = ()


NOBODY_INVOLVED = Involved()


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the store: a promise, who computes it, and which generations followed it.

    Only the first generation's entry carries `head` and `latest`.
    """

    promise: Promise
    lease: Lease | None = None
    head: int = 1  # the generation that calls are answered from
    latest: int = 1  # the newest generation, pending or settled
    involved: Involved = NOBODY_INVOLVED


class Rows(Protocol):
    """The rows of a store inside one transaction, by the promise's plain id."""

    def get(self, id: str) -> Entry | None:
        """Return the row, or None."""
        ...

    def put(self, entry: Entry) -> None:
        """Write the row, replacing an older one."""
        ...

    def delete(self, id: str) -> None:
        """Remove the row if there is one."""
        ...

    def set_aside(self, id: str) -> None:
        """Put the row out of the way without reading it; its bytes stay in the store."""
        ...


class Operation(Protocol[Result]):
    """One change of a store, as data."""

    @property
    def power_safe(self) -> bool:
        """Whether the acknowledged change must survive a power cut, too."""
        ...

    def apply(self, rows: Rows) -> Result:
        """Make the change; raise before the first write, or not at all."""
        ...


class Reply(Protocol[Result]):
    """The answer to a posted operation."""

    def get(self) -> Result:
        """Wait for the commit, then return the operation's result or raise its error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which promises a list is about."""

    prefix: str = ""
    state: State | None = None  # as stored; `Store.list` shows promises as of `now`
    tags: tuple[tuple[str, str], ...] = ()  # all must match
    limit: int = 100
    cursor: str | None = None  # as a former page gave it


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, in the order of ids (by their UTF-8 bytes)."""

    promises: tuple[Promise, ...]  # without param and value: lists never read values
    cursor: str | None  # where the next page begins; None at the end


class Store(ABC):
    """Where promises live. Implementations are safe to use from many threads."""

    location: str  # a path or address that a person recognises

    @abstractmethod
    def post(self, operation: Operation[Result]) -> Reply[Result]:
        """Hand over a change without waiting for it."""

    def do(self, operation: Operation[Result]) -> Result:
        """Make a change and return its result once it is committed."""
        return self.post(operation).get()

    @abstractmethod
    def get(self, id: str) -> Entry | None:
        """Return the row of exactly this id, as stored; callers project it with `Promise.seen`.

        Raises
        ------
        DamagedValue
            The row's bytes are not those that were written.
        """

    def row(self, _id: str) -> bytes | None:
        """Return bytes that differ as soon as anything in the id's row does; None where there are none."""
        return None

    @abstractmethod
    def get_many(self, ids: Iterable[str]) -> dict[str, Entry]:
        """Return the rows of those ids that exist, with few reads."""

    @abstractmethod
    def list(self, query: Query, now: int) -> Page:
        """Return a page of promises as of `now` (deadlines projected before the state is compared)."""

    @abstractmethod
    def wait_for_change(self, timeout: float) -> None:
        """Return when another process or thread may have changed something, or after `timeout` seconds."""

    @abstractmethod
    def close(self) -> None:
        """Commit what was posted and let go of files and threads; a closed store can't be used again."""

    def head(self, id: str) -> Promise | None:
        """Return the promise that calls of this id are answered from, following generations."""
        entry = self.get(id)
        if entry is None or entry.head == 1:
            return None if entry is None else entry.promise
        replaced = self.get(generation(id, entry.head))
        return entry.promise if replaced is None else replaced.promise

    def latest(self, id: str) -> Entry | None:
        """Return the row of the newest generation of an id, settled or not."""
        entry = self.get(id)
        if entry is None or entry.latest == 1:
            return entry
        return self.get(generation(id, entry.latest)) or entry
