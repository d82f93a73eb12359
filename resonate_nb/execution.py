"""The one corridor: create, settled? lease, attempt, encode, settle, deliver.

A durable call and a durable cell both become `Work` and come through here. `Execution.enter` ends in a
delivered outcome or in an attempt; whoever gets the attempt runs the body and hands its outcome to
`Execution.settle`. Synchronous code is the truth; coroutines wrap it in threads at the door.
"""

from __future__ import annotations

import random
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Literal

from resonate_nb.corridor import children, leases
from resonate_nb.corridor.attempts import Attempt, Caller, Delivered
from resonate_nb.corridor.called import note_called
from resonate_nb.corridor.claiming import Claiming
from resonate_nb.corridor.computing import Computing
from resonate_nb.corridor.context import current
from resonate_nb.corridor.coroutines import Coroutines
from resonate_nb.corridor.deadlines import Watcher, end_if_over
from resonate_nb.corridor.delivering import NOBODY, Delivering
from resonate_nb.corridor.limits import Limit
from resonate_nb.corridor.retrying import Retrying
from resonate_nb.corridor.settling import Settling
from resonate_nb.corridor.threads import Steps
from resonate_nb.corridor.under_way import note_settled, under_way
from resonate_nb.errors import LeaseLost, NoSuchPromise, PromiseConflict
from resonate_nb.ids import validate
from resonate_nb.opened.file_records import BECAUSE_TAG
from resonate_nb.promise import State
from resonate_nb.recent import ASKED, Recent, Run
from resonate_nb.store.operations import Forget, Open, Settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from resonate_nb.clock import Clock
    from resonate_nb.codec import Codec
    from resonate_nb.corridor.claiming import Turn
    from resonate_nb.corridor.context import Context
    from resonate_nb.corridor.work import Outcome, Work
    from resonate_nb.promise import Promise
    from resonate_nb.store.base import Store
    from resonate_nb.versioning.code_world import LoadedCode

# The corridor of calls that name none, where a process computes for a notebook that is elsewhere.
acting: ContextVar[Execution | None] = ContextVar("resonate_nb_acting", default=None)

__all__ = ["Attempt", "Caller", "Delivered", "Execution", "acting"]


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
    recent: Recent = field(default_factory=Recent)  # what ran last here, by name
    remembered: set[str] = field(default_factory=set)  # ids of records of versions that are kept already
    loaded: dict[str, LoadedCode] = field(default_factory=dict)  # stored code by the id of its record
    _heartbeat: leases.Heartbeat = field(init=False)
    _delivering: Delivering = field(init=False)
    claiming: Claiming = field(init=False)  # where callers stand in line
    _settling: Settling = field(init=False)
    _coroutines: Coroutines = field(init=False)
    steps: Steps = field(init=False, default_factory=Steps)  # in which coroutines wait for the store
    _watcher: Watcher = field(init=False)
    _computing: Computing = field(init=False)

    def __post_init__(self) -> None:
        heartbeat = leases.Heartbeat(self.store, self.clock)
        delivering = Delivering(self.store, self.codec, self.clock)
        object.__setattr__(self, "_heartbeat", heartbeat)
        object.__setattr__(self, "_delivering", delivering)
        object.__setattr__(self, "claiming", Claiming(delivering, heartbeat, self.say))
        settling = Settling(delivering, heartbeat)
        object.__setattr__(self, "_settling", settling)
        watcher = Watcher(self.store, self.clock)
        object.__setattr__(self, "_watcher", watcher)
        # A source of its own: the user's seeded generators are none of our business.
        retrying = Retrying(self.store, self.clock, self.say, random.SystemRandom().random)
        object.__setattr__(self, "_coroutines", Coroutines(self))
        object.__setattr__(self, "_computing", Computing(delivering, settling, retrying, watcher, self.steps))

    def run(
        self, work: Work, body: Callable[[], object], caller: Caller = NOBODY, *, rerun: bool = False
    ) -> object:
        """Return the value of the work: delivered, or computed by `body` and kept.

        Raises
        ------
        PromiseConflict
            The id belongs to other work.
        RecursionError
            This very context computes the promise already.
        """
        entry = self.enter(work, caller, rerun=rerun)
        if isinstance(entry, Attempt):
            self.explain(entry)
            with under_way(work.id):
                outcome = self.settle(entry, self.compute(entry, body))
            return outcome.deliver()
        return entry.outcome.deliver()

    def enter(self, work: Work, caller: Caller = NOBODY, *, rerun: bool = False) -> Delivered | Attempt:
        """Return the outcome if the promise is settled, else the right to compute it.

        Waits while somebody else computes the promise, and says for whom. `rerun` computes anew,
        whatever is settled.
        """
        if (delivered := self.find_if_wanted(work, caller, rerun=rerun)) is not None:
            return delivered
        return self.claiming.claim(work, caller, rerun=rerun)

    async def run_async(
        self,
        make: Callable[[], Work],
        start: Callable[[], Awaitable[object]],
        caller: Caller = NOBODY,
        *,
        rerun: bool = False,
    ) -> object:
        """Return what `run` does for the work that `make` gives, without blocking the loop.

        Callers in one loop that ask for the same work share it: the body goes on while one of them waits.
        """
        return await self._coroutines.run(make, start, caller, rerun=rerun)

    def find_if_wanted(self, work: Work, caller: Caller, *, rerun: bool) -> Delivered | None:
        """Return the outcome if the promise is settled and not to be computed anew; refuse what can't be."""
        self._check(work)
        try:
            delivered = None if rerun else self.find(work, caller)
        except PromiseConflict as conflict:
            self.recent.note(Run(work.kind, work.name, work.id, "refused", str(conflict)))
            raise
        if delivered is not None:
            self.recent.note(Run(work.kind, work.name, work.id, "replayed"))
            return delivered
        self.recent.note(Run(work.kind, work.name, work.id, "computed", ASKED if rerun else ""))
        work.record()
        return None

    def line_up(self, work: Work) -> Turn:
        """Return a place in the line for a work that is known not to be settled.

        `claiming.ask_ahead` asks there for the right to compute without waiting. Whoever does not come to the
        end of the line with `claiming.try_once` has to `leave` it.
        """
        self._check(work)
        self.recent.note(Run(work.kind, work.name, work.id, "computed", ""))
        work.record()
        return self.claiming.line_up(work, NOBODY, rerun=False)

    def _check(self, work: Work) -> None:
        end_if_over()
        _refuse_recursion(work)
        validate(work.id)

    def explain(self, attempt: Attempt, told: set[str] | None = None) -> None:
        """Say why what was settled already is computed again, if it is so and was not told before.

        Only of what a person called: the calls inside it are part of the same story.
        """
        because = attempt.promise.tags.get(BECAUSE_TAG)
        if because is not None and current() is None and because not in (told or ()):
            self.say(f"{attempt.work.name} is computed again: {because}")
            if told is not None:
                told.add(because)

    def find(self, work: Work, caller: Caller = NOBODY) -> Delivered | None:
        """Return the outcome if the promise is settled, without waiting or computing."""
        delivered = self._delivering.find(work, caller)
        if delivered is not None:
            note_called(delivered.promise)
            note_settled(delivered.promise)
        return delivered

    def find_many(self, works: Iterable[Work]) -> dict[str, Delivered]:
        """Return by id the outcomes of those works whose promises are settled, with few reads."""
        wanted = list(works)
        found = self._delivering.find_many(wanted)
        if last := next((work for work in reversed(wanted) if work.id in found), None):
            self.recent.note(Run(last.kind, last.name, last.id, "replayed"))
        for delivered in found.values():
            note_called(delivered.promise)
        return found

    def compute(self, attempt: Attempt, body: Callable[[], object]) -> Outcome:
        """Run the body under its promise, again as its policy says; an interrupt gives the lease back."""
        return self._computing.compute(attempt, body)

    async def compute_async(self, attempt: Attempt, start: Callable[[], Awaitable[object]]) -> Outcome:
        """Await what `start` gives as `compute` runs a body."""
        return await self._computing.compute_async(attempt, start)

    def goes_on(self, attempt: Attempt, error: Exception) -> bool:
        """Return whether another attempt follows one that failed, after recording when; as `compute` does."""
        return self._computing.retrying.goes_on(attempt, error)

    def pause(self, attempt: Attempt) -> None:
        """Wait until the next attempt is due, and say for what; as `compute` does."""
        self._computing.retrying.wait(attempt, worth_telling=-inf)

    async def pause_async(self, attempt: Attempt) -> None:
        """Wait as `pause` does, without blocking the loop."""
        await self._computing.retrying.wait_async(attempt, worth_telling=-inf)

    def limit(self, attempt: Attempt, *, awaits: bool) -> Limit:
        """Return the attempt's deadline, for code that is not called through `compute`."""
        return Limit(attempt, self._watcher, awaits=awaits)

    def settle(self, attempt: Attempt, outcome: Outcome, caller: Caller = NOBODY) -> Outcome:
        """Keep the outcome, wait until it is committed, and return the outcome that counts."""
        return self.post(attempt, outcome, caller)()

    def post(self, attempt: Attempt, outcome: Outcome, caller: Caller = NOBODY) -> Callable[[], Outcome]:
        """Keep the outcome without waiting; the function returned waits for the commit."""
        sent = self._settling.post(attempt, outcome, caller)

        def committed() -> Outcome:
            try:
                return self._settling.committed(attempt, outcome, sent, caller)
            except LeaseLost:
                again = self.enter(attempt.work, caller)
                return again.outcome if isinstance(again, Delivered) else self.settle(again, outcome, caller)

        return committed

    def keep(self, work: Work, outcome: Outcome, caller: Caller, context: Context) -> None:
        """Keep what a context has done so far, as a promise of its own, and wait until it is committed.

        Raises
        ------
        Unpicklable, Unrepeatable, StoreUnavailable
            It can't be kept.
        """
        self._settling.keep(work, outcome, caller, context).get()

    def abandon(self, attempt: Attempt, reason: BaseException | None = None, *, not_kept: str = "") -> None:
        """Give the right to compute back: the promise stays pending, anybody may try again."""
        self._settling.abandon(attempt, reason, not_kept=not_kept)

    def outcome_of(self, promise: Promise) -> Outcome:
        """Return the outcome of a settled promise, with a value of the caller's own."""
        return self._delivering.decode(promise)

    def announce(self, work: Work) -> int:
        """Keep the pending record of a work that is about to be asked for; return the present time."""
        work.record()
        now = self.clock.now()
        promise = work.promise(current(), timeout_at=work.deadline(now))
        self.store.do(Open(promise=promise, now=now, unless=work.unless, power_safe=work.explicit))
        return now

    def cancel(self, id: str) -> bool:
        """Cancel the newest promise of an id, and return whether it is canceled now.

        Its body, wherever it runs, is interrupted within a second, and all who wait hear `PromiseCanceled`.

        Raises
        ------
        NoSuchPromise
            There is none with this id.
        """
        newest = self.store.latest(id)
        if newest is None:
            raise NoSuchPromise(id)
        id = newest.promise.id
        settled = self.store.do(Settle(id=id, state=State.CANCELED, now=self.clock.now(), power_safe=True))
        self._watcher.settled(id)
        if settled.state is State.CANCELED:
            for child in children.cancel(self.store, id, self.clock.now()):
                self._watcher.settled(child)
        return settled.state is State.CANCELED

    def forget(self, id: str) -> bool:
        """Delete a promise with its generations and its children; return whether there was one."""
        children.forget(self.store, id, self.clock.now())
        return self.store.do(Forget(id=id))

    def close(self) -> None:
        """Renew no leases any more, commit what was posted, and close the store."""
        self._heartbeat.stop()
        self._watcher.stop()
        self.store.close()


def _refuse_recursion(work: Work) -> None:
    context = current()
    if context is not None and any(outer.work_id == work.id for outer in context):
        raise RecursionError(
            f"{work.name} calls itself with the same arguments: promise {work.id!r} is being computed by "
            "this very call"
        )
