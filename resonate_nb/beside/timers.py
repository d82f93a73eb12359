"""Sleeping: a timer promise, which goes on while no kernel runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from resonate_nb.beside.placing import placed
from resonate_nb.corridor.context import current
from resonate_nb.corridor.deadlines import end_if_over
from resonate_nb.corridor.under_way import note_settled, note_waiting, under_way
from resonate_nb.corridor.work import describe
from resonate_nb.durations import milliseconds
from resonate_nb.errors import Diverged, NoSuchPromise, PromiseConflict
from resonate_nb.handles import standing_aside
from resonate_nb.promise import CHILD_TAG, TIMER_TAG, Promise, State
from resonate_nb.store.operations import Open

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.durations import Duration
    from resonate_nb.execution import Execution

KIND = "timer"  # the tag `rnb:kind`
_SLICE_SECONDS = 0.2  # a wait can be interrupted this often
_UNLESS = frozenset({State.CANCELED})  # a timer that was given up is no answer to whoever sleeps again


def sleep(execution: Execution, duration: Duration, id: str | None) -> None:
    """Return when the time has passed since the first call in this place, or under this id."""
    timer = Timer(execution, duration, id)
    timer.open()
    with under_way(timer.id, due=timer.due), standing_aside():
        while not timer.passed():
            note_waiting()
            end_if_over()
            execution.store.wait_for_change(timer.slice())
    timer.deliver()


async def asleep(execution: Execution, duration: Duration, id: str | None) -> None:
    """Do as `sleep` does without blocking the loop."""
    timer = Timer(execution, duration, id)
    with under_way(timer.id):
        await execution.steps.run(timer.open)
    with under_way(timer.id, due=timer.due):
        while not await execution.steps.run(timer.passed):
            note_waiting()
            await asyncio.sleep(timer.slice())
    timer.deliver()


class Timer:
    """A promise that resolves itself at its deadline."""

    def __init__(self, execution: Execution, duration: Duration, id: str | None) -> None:
        self._execution = execution
        length, context, self._now = milliseconds(duration), current(), execution.clock.now()
        place = placed("sleep", id)
        self._explicit = place is None
        self.id = execution.prefix + str(id) if place is None else place.id
        tags = {
            TIMER_TAG: "true",
            "rnb:kind": KIND,
            "rnb:name": "sleep",
            "rnb:inputs": f"{length} ms",
        }
        if context is not None:
            tags |= {"rnb:parent": context.id, "rnb:origin": context.origin}
        if place is not None:
            tags |= {CHILD_TAG: "true", **place.tags}
        self._promise = Promise(id=self.id, tags=tags, timeout_at=self._now + length)

    @property
    def due(self) -> int:
        """When it passes, in milliseconds since the epoch."""
        return self._promise.timeout_at

    def open(self) -> None:
        """Have the store keep the timer, or find the one that was begun before.

        Raises
        ------
        PromiseConflict, Diverged
            What is there is no timer; or, under an id of the caller's own, one of another length.
        """
        wanted, store = self._promise, self._execution.store
        unless = frozenset[State]() if self._explicit else _UNLESS
        opened = Open(promise=wanted, now=self._now, unless=unless, power_safe=True)
        self._promise, _ = store.do(opened)
        self._guard(wanted)

    def passed(self) -> bool:
        """Return whether the time has passed, or somebody has ended it earlier."""
        now = self._execution.clock.now()
        entry = self._execution.store.get(self._promise.id)
        if entry is None:
            raise NoSuchPromise(self._promise.id)
        self._promise = entry.promise.seen(now)
        return self._promise.settled

    def slice(self) -> float:
        """Return how many seconds to wait until the next look."""
        left = (self.due - self._execution.clock.now()) / 1_000
        return max(0.0, min(left, _SLICE_SECONDS))

    def deliver(self) -> None:
        """Raise what it was settled with, if that is an exception."""
        note_settled(self._promise)
        self._execution.outcome_of(self._promise).deliver()

    def _guard(self, wanted: Promise) -> None:
        found = self._promise.tags
        if "rnb:kind" not in found:
            return  # another client's, taken as it is
        if found["rnb:kind"] == KIND and (
            not self._explicit or found["rnb:inputs"] == wanted.tags["rnb:inputs"]
        ):
            return
        there, here = _described(found), _described(wanted.tags)
        raise PromiseConflict(self.id, here, there) if self._explicit else Diverged(self.id, there, here)


def _described(tags: Mapping[str, str]) -> str:
    return f"a sleep of {tags.get('rnb:inputs')}" if tags.get("rnb:kind") == KIND else describe(tags)
