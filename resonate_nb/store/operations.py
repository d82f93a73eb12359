"""The operations that change a store: create, open, keep, acquire, settle, release and others.

Time is read once, by the caller, and travels in the operation as `now`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from resonate_nb.errors import LeaseLost, NoSuchPromise
from resonate_nb.ids import generation, split_generation, validate
from resonate_nb.promise import CHILD_TAG, EMPTY, NEVER, NO_TEXTS, UNBOUND_TAG, Promise, State, Value
from resonate_nb.store.base import Entry, Lease
from resonate_nb.store.tasks import offer_now, settle_row, with_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.store.base import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Store a pending promise; an id that exists gives the stored record and changes nothing."""

    promise: Promise
    now: int
    power_safe: bool = False

    def apply(self, rows: Rows) -> Promise:
        """Return the stored record."""
        entry = rows.get(validate(self.promise.id))
        if entry is None:
            entry = with_task(self.promise.created(self.now), self.now)
            rows.put(entry)
            offer_now(rows, entry, self.now)
        return entry.promise.seen(self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Store a pending promise that nobody computes, or find the one that answers for its id.

    A settled promise in one of the states in `unless` is no answer: then a new generation begins.
    """

    promise: Promise  # as to be created, with the plain id
    now: int
    unless: frozenset[State] = frozenset()
    power_safe: bool = False

    def apply(self, rows: Rows) -> tuple[Promise, bool]:
        """Return the promise, pending or the answer, and whether it was made now."""
        first = rows.get(validate(self.promise.id))
        if first is None:
            return self._start(rows, self.promise)
        for number in (first.head, first.latest):
            found = _generation_of(rows, first, number).promise.seen(self.now)
            if not found.settled or found.state not in self.unless:
                return found, False
        return self._start(rows, _next_generation(rows, first, self.promise))

    def _start(self, rows: Rows, promise: Promise) -> tuple[Promise, bool]:
        created = promise.created(self.now)
        rows.put(Entry(created))
        return created, True


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Store a promise that is settled already; an id that exists stays as it is."""

    promise: Promise
    power_safe: bool = False

    def apply(self, rows: Rows) -> bool:
        """Return whether it was stored."""
        if rows.get(validate(self.promise.id)) is not None:
            return False
        rows.put(Entry(self.promise))
        return True


@dataclass(frozen=True, slots=True)
class Claim:
    """What came of asking for the right to compute: exactly one of three cases.

    - `fence` is a number: the promise is pending and the asker holds its lease.
    - the promise is settled: here is the answer.
    - else somebody else computes it: `holder` says who.
    """

    promise: Promise
    fence: int | None = None
    holder: Lease | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquire:
    """Ask for the right to compute a promise, creating it if there is none.

    A lease is granted when nobody holds one, or when `over` names its fencing number, which says that
    the asker knows it to have ended: who judges that needs to know the owner's machine (leases.py).
    A settled promise is answered, unless it is in one of the states in `unless`: then a new generation
    begins. A pending one that is not bound to the code that it started with is bound to the asker's, and
    one without a deadline gets the asker's.
    """

    promise: Promise  # as to be created, with the plain id
    owner: str
    until: int  # when the lease ends unless renewed
    now: int
    over: int | None = None
    unless: frozenset[State] = frozenset()
    rebind: bool = False  # to the asker's code, even where the promise is bound to other
    power_safe: bool = False

    def apply(self, rows: Rows) -> Claim:
        """Return the claim."""
        first = rows.get(validate(self.promise.id))
        if first is None:
            return self._start(rows, self.promise.created(self.now))
        head = _generation_of(rows, first, first.head).promise.seen(self.now)
        if head.settled and head.state not in self.unless:
            return Claim(head)
        newest = _generation_of(rows, first, first.latest)
        if newest.promise.seen(self.now).settled:
            return self._start(rows, _next_generation(rows, first, self.promise).created(self.now))
        return self._take(rows, newest)

    def _start(self, rows: Rows, promise: Promise) -> Claim:
        if promise.settled:
            rows.put(Entry(promise))
            return Claim(promise)
        return self._take(rows, Entry(promise))

    def _take(self, rows: Rows, entry: Entry) -> Claim:
        lease = entry.lease
        if lease is not None and lease.owner and self.over != lease.fence:
            return Claim(entry.promise, holder=lease)
        fence = 1 if lease is None else lease.fence + 1
        promise = entry.promise.taken_as(self.promise, rebind=self.rebind)
        if promise.timeout_at == NEVER:
            promise = replace(promise, timeout_at=self.promise.timeout_at)
        if promise.seen(self.now).settled:
            rows.put(replace(entry, promise=promise))
            return Claim(promise.seen(self.now))
        rows.put(replace(entry, promise=promise, lease=Lease(self.owner, fence, self.until)))
        return Claim(promise, fence=fence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Settle a pending promise, once; settled already gives the stored record unchanged.

    With a `fence`, only its holder settles: `LeaseLost` if another took over. An `owner` tells apart
    holders of equal numbers, since those of a forgotten promise that is made again begin anew. Settling
    a generation moves the head of its id in the same transaction.
    """

    id: str
    state: State
    now: int
    value: Value = EMPTY
    fence: int | None = None
    owner: str | None = None
    tags: Mapping[str, str] = field(
        default_factory=lambda: NO_TEXTS
    )  # joined to the record's when it is settled
    given_up: tuple[str, ...] = ()  # ids of promises to be canceled with it: see `GiveUp`
    power_safe: bool = False

    def apply(self, rows: Rows) -> Promise:
        """Return the settled record."""
        entry = rows.get(self.id)
        if entry is None:
            raise NoSuchPromise(self.id)
        current = entry.promise.seen(self.now)
        settled = current.settled_as(self.state, self.value, self.now)
        if current.settled:
            return current
        if self.fence is not None and (entry.lease is None or entry.lease.fence != self.fence):
            raise LeaseLost(self.id, self.fence, 0 if entry.lease is None else entry.lease.fence)
        if self.owner is not None and not _owned(entry, self.owner):
            raise LeaseLost(self.id, self.fence or 0, 0 if entry.lease is None else entry.lease.fence)
        settled = replace(settled, tags={**settled.tags, **self.tags})
        settle_row(rows, replace(entry, promise=settled), self.now)
        self._move_head(rows)
        for id in self.given_up:
            GiveUp(id=id, now=self.now).apply(rows)
        return settled

    def _move_head(self, rows: Rows) -> None:
        plain, number = split_generation(self.id)
        first = rows.get(plain) if number > 1 else None
        if first is not None and first.head < number <= first.latest:
            rows.put(replace(first, head=number))


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Cancel the newest promise of an id, unless somebody computes it; a child of another one even then."""

    id: str
    now: int
    power_safe: bool = False

    def apply(self, rows: Rows) -> bool:
        """Return whether it is canceled now."""
        first = rows.get(self.id)
        newest = None if first is None else _generation_of(rows, first, first.latest)
        if newest is None or newest.promise.seen(self.now).settled:
            return False
        if newest.lease is not None and newest.lease.owner and CHILD_TAG not in newest.promise.tags:
            return False
        Settle(id=newest.promise.id, state=State.CANCELED, now=self.now).apply(rows)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Give a lease back without settling: the promise stays pending, and anybody may compute it.

    Harmless when the owner does not hold the lease (any more). A plain id also stands for its newest
    generation, for an asker who was interrupted before it heard which one it got.
    """

    id: str
    owner: str
    tags: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)  # joined to the pending record's
    now: int | None = None  # given, a promise that is past its deadline stays as it is
    unlimited: bool = False  # takes the deadline away: the next holder has its own
    power_safe: bool = False

    def apply(self, rows: Rows) -> bool:
        """Return whether the owner held the lease."""
        entry = rows.get(self.id)
        if entry is not None and entry.latest > 1 and not _owned(entry, self.owner):
            entry = rows.get(generation(self.id, entry.latest))
        if entry is None or entry.lease is None or not _owned(entry, self.owner):
            return False
        promise = entry.promise
        if self.now is None or not promise.seen(self.now).settled:
            promise = replace(promise, tags={**promise.tags, **self.tags})
            promise = replace(promise, timeout_at=NEVER) if self.unlimited else promise
        rows.put(replace(entry, promise=promise, lease=replace(entry.lease, owner="", until=0)))
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Join tags to a pending promise whose lease the owner holds, and goes on holding."""

    id: str
    owner: str
    tags: Mapping[str, str]
    now: int
    power_safe: bool = False

    def apply(self, rows: Rows) -> bool:
        """Return whether the owner holds the lease of a promise that is still pending."""
        entry = rows.get(self.id)
        if entry is None or not _owned(entry, self.owner) or entry.promise.seen(self.now).settled:
            return False
        promise = replace(entry.promise, tags={**entry.promise.tags, **self.tags})
        rows.put(replace(entry, promise=promise))
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbind:
    """Let a pending promise go on with the code that asks for it next; a plain id means its newest one."""

    id: str
    now: int
    power_safe: bool = False

    def apply(self, rows: Rows) -> Promise:
        """Return the record; a settled one stays as it is."""
        entry = rows.get(self.id)
        if entry is not None and entry.latest > 1:
            entry = rows.get(generation(self.id, entry.latest)) or entry
        if entry is None:
            raise NoSuchPromise(self.id)
        if entry.promise.seen(self.now).settled:
            return entry.promise.seen(self.now)
        promise = replace(entry.promise, tags={**entry.promise.tags, UNBOUND_TAG: "restarted"})
        rows.put(replace(entry, promise=promise))
        return promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Store a promise as it stands, settled or not, on the strength of the lease of another one.

    An id that exists gives the stored record and changes nothing.
    """

    promise: Promise
    holder: str  # the id of the promise whose lease counts
    owner: str
    now: int
    power_safe: bool = False

    def apply(self, rows: Rows) -> Promise:
        """Return the stored record."""
        validate(self.promise.id)
        holder = rows.get(self.holder)
        if holder is None or not _owned(holder, self.owner) or holder.promise.seen(self.now).settled:
            fence = 0 if holder is None or holder.lease is None else holder.lease.fence
            raise LeaseLost(self.holder, 0, fence)
        entry = rows.get(self.promise.id)
        if entry is None:
            entry = Entry(self.promise)
            rows.put(entry)
        return entry.promise.seen(self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renew:
    """Say that the holder of a lease still works."""

    id: str
    fence: int
    until: int
    power_safe: bool = False

    def apply(self, rows: Rows) -> bool:
        """Return whether the lease is still the asker's."""
        entry = rows.get(self.id)
        lease = None if entry is None else entry.lease
        if entry is None or lease is None or lease.fence != self.fence or not lease.owner:
            return False
        rows.put(replace(entry, lease=replace(lease, until=self.until)))
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Delete a promise with all its generations."""

    id: str
    power_safe: bool = False

    def apply(self, rows: Rows) -> bool:
        """Return whether there was something to delete."""
        entry = rows.get(self.id)
        if entry is None:
            return False
        for number in range(1, entry.latest + 1):
            rows.delete(generation(self.id, number))
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """Put a damaged row out of the way, so that its promise can begin anew; its bytes stay in the store."""

    id: str
    power_safe: bool = False

    def apply(self, rows: Rows) -> None:
        """Move the row aside; nothing reads it any more."""
        rows.set_aside(self.id)


def _owned(entry: Entry, owner: str) -> bool:
    return entry.lease is not None and entry.lease.owner == owner


def _generation_of(rows: Rows, first: Entry, number: int) -> Entry:
    entry = rows.get(generation(first.promise.id, number))
    return first if entry is None else entry


def _next_generation(rows: Rows, first: Entry, promise: Promise) -> Promise:
    """Count one generation more, and return the promise under its id."""
    plain = first.promise.id
    number = first.latest + 1
    while rows.get(generation(plain, number)) is not None:
        number += 1  # the id is plain text: a client may have created one that looks like ours
    rows.put(replace(first, latest=number))
    return replace(promise, id=generation(plain, number))
