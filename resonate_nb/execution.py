"""The one corridor: create, settled? lease, attempt, encode, settle, deliver.

A durable call and a durable cell both become `Work` and come through here. `Execution.enter` ends in a
delivered outcome or in an attempt; whoever gets the attempt runs the body and hands its outcome to
`Execution.settle`. Synchronous code is the truth; coroutines wrap it in threads at the door.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from resonate_nb import leases
from resonate_nb.attempts import Attempt, Caller, Delivered
from resonate_nb.called import note_called
from resonate_nb.claiming import Claiming, Turn
from resonate_nb.computing import Computing
from resonate_nb.context import current
from resonate_nb.deadlines import Watcher, end_if_over
from resonate_nb.delivering import NOBODY, Delivering
from resonate_nb.errors import LeaseLost, PromiseConflict
from resonate_nb.file_records import BECAUSE_TAG
from resonate_nb.ids import validate
from resonate_nb.recent import ASKED, Recent, Run
from resonate_nb.retrying import Retrying
from resonate_nb.settling import Settling
from resonate_nb.store.operations import Forget
from resonate_nb.threads import Steps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from concurrent.futures import Future

    from resonate_nb.clock import Clock
    from resonate_nb.code_world import LoadedCode
    from resonate_nb.codec import Codec
    from resonate_nb.store.base import Store
    from resonate_nb.work import Outcome, Work

__all__ = ["Attempt", "Caller", "Delivered", "Execution"]

_ASYNC_SLICE_SECONDS = 0.1  # nothing wakes a coroutine when the store changes


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
    _claiming: Claiming = field(init=False)
    _settling: Settling = field(init=False)
    _steps: Steps = field(init=False, default_factory=Steps)
    _watcher: Watcher = field(init=False)
    _computing: Computing = field(init=False)

    def __post_init__(self) -> None:
        heartbeat = leases.Heartbeat(self.store, self.clock)
        delivering = Delivering(self.store, self.codec, self.clock)
        object.__setattr__(self, "_heartbeat", heartbeat)
        object.__setattr__(self, "_delivering", delivering)
        object.__setattr__(self, "_claiming", Claiming(delivering, heartbeat, self.say))
        settling = Settling(delivering, heartbeat)
        object.__setattr__(self, "_settling", settling)
        watcher = Watcher(self.store, self.clock)
        object.__setattr__(self, "_watcher", watcher)
        # A source of its own: the user's seeded generators are none of our business.
        retrying = Retrying(self.store, self.clock, self.say, random.SystemRandom().random)
        object.__setattr__(
            self, "_computing", Computing(delivering, settling, retrying, watcher, self._steps)
        )

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
            self.explain(entry)
            return self.settle(entry, self.compute(entry, body)).deliver()
        return entry.outcome.deliver()

    def enter(self, work: Work, caller: Caller = NOBODY, *, rerun: bool = False) -> Delivered | Attempt:
        """Return the outcome if the promise is settled, else the right to compute it.

        Waits while somebody else computes the promise, and says for whom. `rerun` computes anew,
        whatever is settled.
        """
        if (delivered := self._find_if_wanted(work, caller, rerun=rerun)) is not None:
            return delivered
        return self._claiming.claim(work, caller, rerun=rerun)

    async def enter_async(self, make: Callable[[], Work], *, rerun: bool = False) -> Delivered | Attempt:
        """Enter, with the work that `make` gives, without blocking the loop."""

        def begin() -> Delivered | Turn:
            work = make()
            delivered = self._find_if_wanted(work, NOBODY, rerun=rerun)
            return delivered or self._claiming.line_up(work, NOBODY, rerun=rerun)

        turn = await self._steps.run(begin)
        if isinstance(turn, Delivered):
            return turn
        while True:
            step = self._steps.begin(self._claiming.try_once, turn)
            try:
                entry = await asyncio.shield(asyncio.wrap_future(step))
                if entry is not None:
                    return entry
                await asyncio.sleep(_ASYNC_SLICE_SECONDS)
            except BaseException:
                # In the step's thread: the loop may be gone before the step is done.
                step.add_done_callback(lambda done: self._leave(turn, done))
                raise

    def _leave(self, turn: Turn, step: Future[Delivered | Attempt | None]) -> None:
        """Leave the line on behalf of a caller who has gone; he may have got the lease meanwhile."""
        entry = None if step.cancelled() or step.exception() is not None else step.result()
        if isinstance(entry, Attempt):
            self.abandon(entry)
        else:
            self._claiming.leave(turn)

    def _find_if_wanted(self, work: Work, caller: Caller, *, rerun: bool) -> Delivered | None:
        end_if_over()
        _refuse_recursion(work)
        validate(work.id)
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

    def settle(self, attempt: Attempt, outcome: Outcome, caller: Caller = NOBODY) -> Outcome:
        """Keep the outcome, wait until it is committed, and return the outcome that counts."""
        return self.post(attempt, outcome, caller)()

    async def settle_async(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        """Settle without blocking the loop; a caller who is cancelled meanwhile does not undo it."""
        return await self._steps.run(self.settle, attempt, outcome)

    def post(self, attempt: Attempt, outcome: Outcome, caller: Caller = NOBODY) -> Callable[[], Outcome]:
        """Keep the outcome without waiting; the function returned waits for the commit."""
        reply = self._settling.post(attempt, outcome, caller)

        def committed() -> Outcome:
            try:
                return self._settling.committed(attempt, outcome, reply, caller)
            except LeaseLost:
                again = self.enter(attempt.work, caller)
                return again.outcome if isinstance(again, Delivered) else self.settle(again, outcome, caller)

        return committed

    def abandon(self, attempt: Attempt, reason: BaseException | None = None, *, not_kept: str = "") -> None:
        """Give the right to compute back: the promise stays pending, anybody may try again."""
        self._settling.abandon(attempt, reason, not_kept=not_kept)

    def forget(self, id: str) -> bool:
        """Delete a promise with its generations; return whether there was one."""
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
