"""How an attempt ends: its outcome is kept, or the right to compute is given back."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from resonate_nb.corridor import leases
from resonate_nb.corridor.called import called_tags
from resonate_nb.corridor.failures import LAST_ERROR
from resonate_nb.corridor.mutating import TAG as MUTATED_TAG
from resonate_nb.errors import (
    MutatedArgument,
    NoSuchPromise,
    NotKept,
    Pending,
    ResonateWarning,
    StoreUnavailable,
    Unpicklable,
)
from resonate_nb.opened import file_records
from resonate_nb.opened.file_records import Unrepeatable
from resonate_nb.promise import NO_TEXTS, UNBOUND_TAG, State
from resonate_nb.store.operations import Keep, Release, Settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.corridor.attempts import Attempt, Caller
    from resonate_nb.corridor.context import Context
    from resonate_nb.corridor.delivering import Delivering
    from resonate_nb.corridor.work import Outcome, Work
    from resonate_nb.promise import Promise, Value
    from resonate_nb.store.base import Reply

_MOST_CHARACTERS = 500  # of a tag
_ENDED = {UNBOUND_TAG: "ended"}  # the next attempt may run other code


@dataclass(frozen=True, slots=True)
class Sent:
    """An outcome on its way into the store."""

    reply: Reply[Promise]
    value: Value


@dataclass(frozen=True, slots=True)
class Settling:
    """The writing half of the corridor."""

    delivering: Delivering
    heartbeat: leases.Heartbeat

    def post(self, attempt: Attempt, outcome: Outcome, caller: Caller) -> Sent | None:
        """Post the settled record, or give the right back where the outcome is not to be kept."""
        self.heartbeat.remove(attempt.promise.id)
        try:
            return self._post(attempt, outcome, caller)
        except BaseException as interrupt:
            self.abandon(attempt, interrupt)
            raise

    def committed(self, attempt: Attempt, outcome: Outcome, sent: Sent | None, caller: Caller) -> Outcome:
        """Wait for the commit and return the outcome that counts.

        Raises
        ------
        LeaseLost
            Another attempt took the promise over.
        """
        if sent is None:
            return outcome
        try:
            promise = sent.reply.get()
        except (NoSuchPromise, StoreUnavailable) as problem:
            warnings.warn(f"{attempt.work.name}: the outcome is not kept: {problem}", NotKept, stacklevel=5)
            return outcome
        if promise.state in (State.RESOLVED, State.REJECTED) and promise.value == sent.value:
            return outcome
        # Settled by somebody else, or timed out meanwhile.
        return self.delivering.decode(promise, caller, attempt.work.mutation)

    def keep(self, work: Work, outcome: Outcome, caller: Caller, context: Context) -> Reply[bool]:
        """Post what a context has done so far as a promise of its own that is settled already.

        Raises
        ------
        Unpicklable, Unrepeatable
            It can't be kept.
        """
        now, id = self.delivering.clock.now(), work.id
        record = file_records.record_so_far(context.trace)
        value = self.delivering.codec.encode(
            outcome.value, id=id, references=caller.references, name=work.root
        )
        promise = replace(
            work.promise(context),
            state=State.RESOLVED,
            value=file_records.attach(record, value),
            created_at=now,
            settled_at=now,
        )
        return self.delivering.store.post(Keep(promise=promise))

    def abandon(self, attempt: Attempt, reason: BaseException | None = None, *, not_kept: str = "") -> None:
        """Give the right to compute back: the promise stays pending, anybody may try again."""
        self.heartbeat.remove(attempt.promise.id)
        over = isinstance(reason, Exception) or bool(not_kept)
        ended = {} if (reason is None and not not_kept) or isinstance(reason, Pending) else _ENDED
        tags = self._tags(attempt, reason) | _not_kept_tags(not_kept) | ended
        self._release(attempt, tags, over=over)

    def _post(self, attempt: Attempt, outcome: Outcome, caller: Caller) -> Sent | None:
        work = attempt.work
        if outcome.kept:
            self._release(attempt, {}, over=False)
            return None
        if outcome.error is not None and not work.is_final(outcome.error):
            self._record(attempt, outcome.error)
            return None
        if changed := _changed(work, outcome):
            self._keep_nothing(attempt, mutation(work, changed), MutatedArgument)
            return None
        try:
            sent = self._post_settled(attempt, outcome, caller)
        except (Unrepeatable, Unpicklable, StoreUnavailable) as problem:
            self._keep_nothing(attempt, f"{work.name}: {problem}; it is computed again next time", NotKept)
            return None
        leases.retire(attempt.owner)
        return sent

    def _record(self, attempt: Attempt, error: BaseException) -> None:
        """Record the end of a series, and wait: a kill after the caller saw the error must not repeat it."""
        try:
            self._release(attempt, self._tags(attempt, error) | _ENDED, over=True).get()
        except StoreUnavailable as problem:
            unrecorded = f"{attempt.work.name}: that it failed is not recorded: {problem}"
            warnings.warn(unrecorded, NotKept, stacklevel=6)

    def _post_settled(self, attempt: Attempt, outcome: Outcome, caller: Caller) -> Sent:
        record = file_records.record_of(attempt.context.trace)
        seconds = (self.delivering.clock.now() - attempt.started) / 1_000
        tags = self._tags(attempt, outcome.error) if attempt.trail.failures.total else {}
        tags |= {"rnb:seconds": f"{seconds:.3f}", **called_tags(attempt.context)}
        tags |= _mutated_tags(attempt.work, outcome)
        state, value = self._encode(attempt, outcome, caller)
        value = file_records.attach(record, value)
        settle = Settle(
            id=attempt.promise.id,
            state=state,
            value=value,
            fence=attempt.fence,
            owner=attempt.owner.text,
            tags=tags,
            now=self.delivering.clock.now(),
            given_up=attempt.work.given_up(),
            power_safe=attempt.work.explicit,
        )
        return Sent(self.delivering.store.post(settle), value)

    def _encode(self, attempt: Attempt, outcome: Outcome, caller: Caller) -> tuple[State, Value]:
        id, codec, mutation = attempt.promise.id, self.delivering.codec, attempt.work.mutation
        if outcome.error is not None:
            return State.REJECTED, codec.encode_error(outcome.error, id=id)
        value = outcome.value if mutation is None else mutation.left(outcome.value)
        references = caller.references if mutation is None else mutation.references
        return State.RESOLVED, codec.encode(value, id=id, references=references, name=attempt.work.root)

    def _tags(self, attempt: Attempt, reason: BaseException | None) -> dict[str, str]:
        """Return what the promise remembers of the end of its series."""
        failures = attempt.trail.failures
        if isinstance(reason, Exception):
            return failures.and_then(reason, at=self.delivering.clock.now(), due=None).tags
        if isinstance(reason, Pending):  # nor is waiting
            return {}
        if reason is not None:  # an interrupt is no failure: the series goes on when it is due
            return {LAST_ERROR: type(reason).__name__}
        return failures.ended().tags if failures.series else {}

    def _keep_nothing(self, attempt: Attempt, reason: str, category: type[ResonateWarning]) -> None:
        warnings.warn(reason, category, stacklevel=6)
        self._release(attempt, _not_kept_tags(reason) | _ENDED, over=True)

    def _release(self, attempt: Attempt, tags: Mapping[str, str], *, over: bool) -> Reply[bool]:
        """Give the lease back; when the series is over, the next one has a deadline of its own."""
        now, owner = self.delivering.clock.now(), attempt.owner.text
        release = Release(id=attempt.promise.id, owner=owner, tags=tags, now=now, unlimited=over)
        reply = self.delivering.store.post(release)
        leases.retire(attempt.owner)
        return reply


def _changed(work: Work, outcome: Outcome) -> list[str]:
    """Return the names of what the body changed although a replay could not do the same."""
    if work.mutation is None or outcome.error is not None:
        return work.changed()
    return work.mutation.undeclared()


def _mutated_tags(work: Work, outcome: Outcome) -> Mapping[str, str]:
    if work.mutation is None or outcome.error is not None:
        return NO_TEXTS
    return {MUTATED_TAG: ", ".join(work.mutation.roots)[:_MOST_CHARACTERS]}


def _not_kept_tags(reason: str) -> dict[str, str]:
    return {"rnb:not_kept": reason[:_MOST_CHARACTERS]} if reason else {}


def mutation(work: Work, changed: list[str]) -> str:
    """Return in words what the body changed, for a warning."""
    names = ", ".join(f"`{name}`" for name in changed)
    declared = "" if work.mutation is None else "besides what it declares, "
    return (
        f"{work.name} changed {names} in place, {declared}which a replay could not repeat, so the outcome is "
        'not kept: work on a copy and return it, or declare it, as in @durable(mutates=("name",))'
    )
