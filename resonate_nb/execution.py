"""The one corridor: create, settled? lease, attempt, encode, settle, deliver.

A durable call and a durable cell both become `Work` and come through here. `Execution.enter` ends in a
delivered outcome or in an attempt; whoever gets the attempt runs the body and hands its outcome to
`Execution.settle`. Synchronous code is the truth; coroutines wrap it in threads at the door.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

from resonate_nb import leases
from resonate_nb.context import Context, current, entered
from resonate_nb.errors import (
    DamagedValue,
    LeaseLost,
    MutatedArgument,
    NoSuchPromise,
    NotKept,
    PromiseCanceled,
    PromiseTimedOut,
    ResonateWarning,
    StoreUnavailable,
    Unpicklable,
)
from resonate_nb.ids import validate
from resonate_nb.promise import Promise, State
from resonate_nb.store.operations import Acquire, Forget, Release, SetAside, Settle
from resonate_nb.work import Outcome, Work

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping

    from resonate_nb.clock import Clock
    from resonate_nb.codec import Codec
    from resonate_nb.leases import Owner
    from resonate_nb.promise import Value
    from resonate_nb.store.base import Lease, Reply, Store
    from resonate_nb.store.operations import Claim

_SLICE_SECONDS = 0.2  # a wait can be interrupted this often
_EVERY_SETTLED_STATE = frozenset(State) - {State.PENDING}


@dataclass(frozen=True, slots=True)
class Delivered:
    """A settled promise's outcome, from the store."""

    promise: Promise
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Attempt:
    """The right to compute a work once, fenced by its lease."""

    work: Work
    promise: Promise
    fence: int
    owner: Owner
    context: Context


@dataclass(frozen=True, slots=True)
class Execution:
    """The corridor over one store."""

    store: Store
    codec: Codec
    clock: Clock
    say: Callable[[str], None]  # tells the user one line, about a wait for another kernel for example
    prefix: str = ""  # in front of every id
    library: Literal["major", "exact"] = "major"  # how exactly installed libraries count in a fingerprint
    pins: dict[str, str] = field(default_factory=dict)  # fingerprints by pinned version, as checked already
    _heartbeat: leases.Heartbeat = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_heartbeat", leases.Heartbeat(self.store, self.clock))

    def run(self, work: Work, body: Callable[[], object], *, rerun: bool = False) -> object:
        """Return the value of the work: delivered, or computed by `body` and kept.

        Raises
        ------
        PromiseConflict
            The id belongs to other work.
        RecursionError
            This very context computes the promise already.
        """
        entry = self.enter(work, rerun=rerun)
        if isinstance(entry, Attempt):
            return self.settle(entry, self.compute(entry, body)).deliver()
        return entry.outcome.deliver()

    def enter(
        self,
        work: Work,
        *,
        rerun: bool = False,
        references: Mapping[str, object] | None = None,
        stop: threading.Event | None = None,
        prepare: Callable[[], None] = lambda: None,
    ) -> Delivered | Attempt:
        """Return the outcome if the promise is settled, else the right to compute it.

        Waits while somebody else computes the promise, and says for whom. `rerun` computes anew,
        whatever is settled. `stop` ends the wait of a caller who has gone. `prepare` is called before a
        settled value is decoded, to define the classes that it refers to.
        """
        _refuse_recursion(work)
        validate(work.id)
        if not rerun and (delivered := self.find(work, references, prepare)) is not None:
            return delivered
        unless = _EVERY_SETTLED_STATE if rerun else work.unless
        owner = leases.new_owner()
        try:
            entry = self._claim(work, owner, unless, references, stop, prepare)
        except BaseException:
            self.store.post(Release(id=work.id, owner=owner.text))
            leases.retire(owner)
            raise
        if isinstance(entry, Delivered):
            leases.retire(owner)
        return entry

    def find(
        self,
        work: Work,
        references: Mapping[str, object] | None = None,
        prepare: Callable[[], None] = lambda: None,
    ) -> Delivered | None:
        """Return the outcome if the promise is settled, without waiting or computing."""
        try:
            promise = self.store.head(work.id)
        except DamagedValue as damage:
            self._set_aside(work.id, damage)
            return None
        return None if promise is None else self._delivery(work, promise, references, prepare)

    def find_many(self, works: Iterable[Work]) -> dict[str, Delivered]:
        """Return by id the outcomes of those works whose promises are settled, with few reads."""
        wanted = {work.id: work for work in works}
        try:
            entries = self.store.get_many(wanted)
        except DamagedValue:
            entries = {}  # rare: each is looked up alone, where the damage is dealt with
        found = {}
        for id, entry in entries.items():
            work = wanted[id]
            one = self._delivery(work, entry.promise) if entry.head == 1 else self.find(work)
            if one is not None:
                found[id] = one
        return found

    def compute(self, attempt: Attempt, body: Callable[[], object]) -> Outcome:
        """Run the body under its promise; an interrupt gives the lease back."""
        with self.attempting(attempt) as result:
            result.value = body()
        return result.outcome

    def attempting(self, attempt: Attempt) -> Attempting:
        """Return the block in which a body runs, whose value is to be put into what `with` gives."""
        return Attempting(self, attempt)

    def settle(
        self, attempt: Attempt, outcome: Outcome, references: Mapping[str, object] | None = None
    ) -> Outcome:
        """Keep the outcome, wait until it is committed, and return the outcome that counts."""
        return self.post(attempt, outcome, references)()

    def post(
        self, attempt: Attempt, outcome: Outcome, references: Mapping[str, object] | None = None
    ) -> Callable[[], Outcome]:
        """Keep the outcome without waiting; the function returned waits for the commit."""
        self._heartbeat.remove(attempt.promise.id)
        try:
            reply = self._post(attempt, outcome, references)
        except BaseException as interrupt:
            self.abandon(attempt, interrupt)
            raise
        return lambda: self._committed(attempt, outcome, reply, references)

    def abandon(self, attempt: Attempt, reason: BaseException | None = None) -> None:
        """Give the right to compute back: the promise stays pending, anybody may try again."""
        self._heartbeat.remove(attempt.promise.id)
        self._release(attempt, _error_tags(reason))

    def _claim(  # noqa: PLR0917 (private, called in one place)
        self,
        work: Work,
        owner: Owner,
        unless: frozenset[State],
        references: Mapping[str, object] | None,
        stop: threading.Event | None,
        prepare: Callable[[], None],
    ) -> Delivered | Attempt:
        over = None
        while True:
            now = self.clock.now()
            claim = self.store.do(
                Acquire(
                    promise=work.promise(current()),
                    owner=owner.text,
                    until=now + leases.LEASE_MILLISECONDS,
                    now=now,
                    over=over,
                    unless=unless,
                    power_safe=work.explicit,
                )
            )
            if claim.fence is not None:
                work.guard(claim.promise)
                return self._attempt(work, owner, claim, claim.fence)
            if claim.holder is None:
                delivered = self._delivery(work, claim.promise, references, prepare)
                if delivered is not None:
                    return delivered
                unless = _EVERY_SETTLED_STATE  # what is settled there is damaged: a new generation
            else:
                work.guard(claim.promise)
                over = self._wait(work, claim.promise.id, claim.holder, stop)

    def _attempt(self, work: Work, owner: Owner, claim: Claim, fence: int) -> Attempt:
        self._heartbeat.add(claim.promise.id, fence)
        context = Context(claim.promise.id, work.id, fence, current())
        return Attempt(work, claim.promise, fence, owner, context)

    def _wait(self, work: Work, id: str, lease: Lease, stop: threading.Event | None) -> int | None:
        """Wait for another's attempt; return the fencing number of a lease that has ended."""
        held, announced = lease, False
        while held.owner == lease.owner and not (stop is not None and stop.is_set()):
            if leases.ended(held, self.clock.now()):
                return held.fence
            if not announced:
                announced = True
                owner = leases.Owner.parse(lease.owner) or lease.owner
                self.say(f"{work.name}: waiting for {owner}, which is computing it")
            self.store.wait_for_change(_SLICE_SECONDS)
            entry = self.store.get(id)
            if entry is None or entry.lease is None or entry.promise.seen(self.clock.now()).settled:
                return None
            held = entry.lease
        return None

    def _delivery(
        self,
        work: Work,
        promise: Promise,
        references: Mapping[str, object] | None = None,
        prepare: Callable[[], None] = lambda: None,
    ) -> Delivered | None:
        """Return what a settled promise delivers; None if it is no answer to this work."""
        seen = promise.seen(self.clock.now())
        work.guard(seen)
        if not seen.settled or seen.state in work.unless:
            return None
        prepare()
        try:
            return Delivered(seen, self._decode(seen, references))
        except DamagedValue as damage:
            warnings.warn(f"{damage}; it is computed again", NotKept, stacklevel=2)
            return None

    def _decode(self, promise: Promise, references: Mapping[str, object] | None) -> Outcome:
        match promise.state:
            case State.RESOLVED:
                return Outcome(self.codec.decode(promise.value, id=promise.id, references=references))
            case State.REJECTED:
                return Outcome(error=self.codec.decode_error(promise.value, id=promise.id))
            case State.CANCELED:
                return Outcome(error=PromiseCanceled(promise.id))
            case _:
                return Outcome(error=PromiseTimedOut(promise.id))

    def _set_aside(self, id: str, damage: DamagedValue) -> None:
        warnings.warn(f"{damage}; the record is set aside and computed again", NotKept, stacklevel=2)
        self.store.do(SetAside(id=id))

    def _post(
        self, attempt: Attempt, outcome: Outcome, references: Mapping[str, object] | None
    ) -> Reply[Promise] | None:
        """Post the settled record, or give the lease back where the outcome is not to be kept."""
        work = attempt.work
        if outcome.error is not None and not work.errors_are_final:
            self._release(attempt, _error_tags(outcome.error))
            return None
        if changed := work.changed():
            self._keep_nothing(attempt, _mutation(work, changed), MutatedArgument)
            return None
        try:
            state, value = self._encode(attempt, outcome, references)
            reply = self.store.post(
                Settle(
                    id=attempt.promise.id,
                    state=state,
                    value=value,
                    fence=attempt.fence,
                    owner=attempt.owner.text,
                    now=self.clock.now(),
                    power_safe=work.explicit,
                )
            )
        except (Unpicklable, StoreUnavailable) as problem:
            self._keep_nothing(attempt, f"{work.name}: {problem}; it is computed again next time", NotKept)
            return None
        leases.retire(attempt.owner)
        return reply

    def _keep_nothing(self, attempt: Attempt, reason: str, category: type[ResonateWarning]) -> None:
        warnings.warn(reason, category, stacklevel=5)
        self._release(attempt, {"rnb:not_kept": reason[:500]})

    def _encode(
        self, attempt: Attempt, outcome: Outcome, references: Mapping[str, object] | None
    ) -> tuple[State, Value]:
        id = attempt.promise.id
        if outcome.error is not None:
            return State.REJECTED, self.codec.encode_error(outcome.error, id=id)
        return State.RESOLVED, self.codec.encode(
            outcome.value, id=id, references=references, name=attempt.work.root
        )

    def _committed(
        self,
        attempt: Attempt,
        outcome: Outcome,
        reply: Reply[Promise] | None,
        references: Mapping[str, object] | None,
    ) -> Outcome:
        if reply is None:
            return outcome
        try:
            promise = reply.get()
        except (NoSuchPromise, StoreUnavailable) as problem:
            warnings.warn(f"{attempt.work.name}: the outcome is not kept: {problem}", NotKept, stacklevel=4)
            return outcome
        except LeaseLost:
            again = self.enter(attempt.work, references=references)
            return again.outcome if isinstance(again, Delivered) else self.settle(again, outcome, references)
        if promise.state in (State.RESOLVED, State.REJECTED):
            return outcome
        return self._decode(promise, references)  # canceled or timed out meanwhile

    def _release(self, attempt: Attempt, tags: Mapping[str, str]) -> None:
        self.store.post(Release(id=attempt.promise.id, owner=attempt.owner.text, tags=tags))
        leases.retire(attempt.owner)

    def forget(self, id: str) -> bool:
        """Delete a promise with its generations; return whether there was one."""
        return self.store.do(Forget(id=id))

    def close(self) -> None:
        """Renew no leases any more, commit what was posted, and close the store."""
        self._heartbeat.stop()
        self.store.close()


class Attempting:
    """The block in which a body runs: an exception becomes its outcome, an interrupt gives the lease back."""

    def __init__(self, execution: Execution, attempt: Attempt) -> None:
        self.value: object = None
        self._error: BaseException | None = None
        self._execution, self._attempt = execution, attempt
        self._entered = entered(attempt.context)

    @property
    def outcome(self) -> Outcome:
        """What the body gave."""
        return Outcome(self.value, self._error)

    def __enter__(self) -> Self:
        self._entered.__enter__()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self._entered.__exit__()
        self._error = error
        if error is not None and not isinstance(error, Exception):
            self._execution.abandon(self._attempt, error)
        return isinstance(error, Exception)


def _refuse_recursion(work: Work) -> None:
    context = current()
    if context is not None and any(outer.work_id == work.id for outer in context):
        raise RecursionError(
            f"{work.name} calls itself with the same arguments: promise {work.id!r} is being computed by "
            "this very call"
        )


def _error_tags(error: BaseException | None) -> dict[str, str]:
    return {} if error is None else {"rnb:last_error": f"{type(error).__name__}: {error}"[:500]}


def _mutation(work: Work, changed: list[str]) -> str:
    names = ", ".join(f"`{name}`" for name in changed)
    return (
        f"{work.name} changed {names} in place, which a replay could not repeat, so the outcome is not kept: "
        "work on a copy and return it"
    )
