"""Racing: the first that is settled wins, the decision is a promise, and the others are canceled with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from resonate_nb.beside.placing import placed
from resonate_nb.beside.waiting import Beside
from resonate_nb.corridor.context import current
from resonate_nb.corridor.work import Work
from resonate_nb.digest import digest
from resonate_nb.errors import Pending, PromiseCanceled, PromiseTimedOut
from resonate_nb.promise import NEVER
from resonate_nb.store.operations import GiveUp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from resonate_nb.beside.items import Item
    from resonate_nb.corridor.context import Context
    from resonate_nb.corridor.work import Outcome
    from resonate_nb.execution import Execution

_GRACE_SECONDS = 0.5  # for losers to end by themselves, before they are interrupted
_BEGIN_SECONDS = 1.0  # for competitors of a resumed race to ask for something durable
_LOOK_SECONDS = 10.0  # for them to see whether that is settled
_SOON_MILLISECONDS = 10_000  # a timer that passes sooner is waited for, also where nobody answers questions


def race(execution: Execution, items: Sequence[Item], id: str | None) -> object:
    """Return what the first gives that is settled; see `resonate_nb.race`."""
    running = Race(execution, items)
    try:
        value = execution.run(running.work(id), running.decide)
        running.over = True
    finally:
        running.end()
    return value


async def arace(execution: Execution, items: Sequence[Item], id: str | None) -> object:
    """Do as `race` does without blocking the loop."""
    running = Race(execution, items)
    try:
        work = running.work(id)
        value = await execution.run_async(lambda: work, running.decide_async)
        running.over = True
    finally:
        await running.end_async()
    return value


class Race:
    """One race, from its beginning or as it goes on."""

    def __init__(self, execution: Execution, items: Sequence[Item]) -> None:
        self.over = False  # whether somebody has won, now or before
        self._execution, self._items = execution, items
        self._beside = Beside(items)
        self._winner: Item | None = None

    def work(self, id: str | None) -> Work:
        """Return the race as a work of its own, known by its place or an id."""
        place = placed("race", id)
        explicit = place is None
        return Work(
            id=str(id) if place is None else place.id,
            kind="race",
            name="race",
            version="v1",
            inputs=digest([item.identity(by_content=explicit) for item in self._items]),
            fingerprint="",
            explicit=explicit,
            place=place,
            answers=(PromiseTimedOut, PromiseCanceled),
            given_up=self._given_up,
        ).under(self._execution.prefix)

    def decide(self) -> object:
        """Let all run until one has won, and return what it gives."""
        resumed = self._begin()
        self._beside.wait(self._decidable)
        if resumed:
            for enough, seconds in self._patience:
                self._beside.wait(enough, seconds)
        return self._decided().deliver()

    async def decide_async(self) -> object:
        """Do as `decide` does without blocking the loop."""
        resumed = self._begin()
        await self._beside.wait_async(self._decidable)
        if resumed:
            for enough, seconds in self._patience:
                await self._beside.wait_async(enough, seconds)
        return self._decided().deliver()

    def end(self) -> None:
        """Cancel what the losers have under way; if nobody has won, only end them."""
        if self.over:
            self._cancel()
            self._beside.wait(self._losers_ended, _GRACE_SECONDS if self._beside.begun else 0)
        self._interrupt_losers()
        if self.over and self._given_up():
            self._beside.wait(self._losers_ended, _GRACE_SECONDS)
            self._give_up()

    async def end_async(self) -> None:
        """Do as `end` does without blocking the loop."""
        steps = self._execution.steps
        if self.over:
            await steps.run(self._cancel)
            await self._beside.wait_async(self._losers_ended, _GRACE_SECONDS if self._beside.begun else 0)
        self._interrupt_losers()
        if self.over and self._given_up():
            await self._beside.wait_async(self._losers_ended, _GRACE_SECONDS)
            await steps.run(self._give_up)

    def _begin(self) -> bool:
        """Begin all, and return whether the race was begun before."""
        context = cast("Context", current())
        self._beside.begin([context.beside(f".{number}") for number in range(1, len(self._items) + 1)])
        return context.attempt > 1

    @property
    def _patience(self) -> tuple[tuple[Callable[[], bool], float], ...]:
        """How long one has not won who was settled while no kernel ran: others may have been so earlier."""
        return (self._all_asked, _BEGIN_SECONDS), (self._all_known, _LOOK_SECONDS)

    def _all_asked(self) -> bool:
        return all(item.outcome is not None or item.has_asked() for item in self._items)

    def _all_known(self) -> bool:
        asked = [item for item in self._items if item.outcome is None and item.has_asked()]
        return all(item.waits() for item in asked)

    def _decidable(self) -> bool:
        """Return whether somebody has won, or nobody can before a person answers elsewhere."""
        settled = [item for item in self._items if item.outcome is not None]
        return any(not _waits_for_a_person(item) for item in settled) or (
            bool(settled) and all(map(self._only_waits, self._items))
        )

    def _only_waits(self, item: Item) -> bool:
        due = item.under_way.due
        soon = self._execution.clock.now() + _SOON_MILLISECONDS
        return _waits_for_a_person(item) or (item.outcome is None and due is not None and due > soon)

    def _decided(self) -> Outcome:
        """Return what the winner gave.

        Raises
        ------
        Pending
            Nobody has won, and nobody is here who could answer.
        """
        settled = [item for item in self._items if item.outcome is not None]
        candidates = [item for item in settled if not _waits_for_a_person(item)]
        if not candidates:
            raise Pending(*(id for item in settled for id in _ids_of(item)))
        self._winner = min(candidates, key=lambda item: item.settled_at() or NEVER)
        self.over = True
        return cast("Outcome", self._winner.outcome)

    @property
    def _losers(self) -> list[Item]:
        return [item for item in self._items if item is not self._winner]

    def _losers_ended(self) -> bool:
        return all(item.outcome is not None for item in self._losers)

    def _given_up(self) -> tuple[str, ...]:
        return tuple(id for item in self._losers for id in item.under_way.ids)

    def _cancel(self) -> None:
        for item in self._losers:
            if item.outcome is None:
                item.cancel()

    def _interrupt_losers(self) -> None:
        for item in self._losers:
            if item.outcome is None:
                item.interrupt()

    def _give_up(self) -> None:
        now = self._execution.clock.now()
        for id in self._given_up():
            self._execution.store.do(GiveUp(id=id, now=now))


def _waits_for_a_person(item: Item) -> bool:
    return item.outcome is not None and isinstance(item.outcome.error, Pending)


def _ids_of(item: Item) -> tuple[str, ...]:
    error = None if item.outcome is None else item.outcome.error
    return error.ids if isinstance(error, Pending) else ()
