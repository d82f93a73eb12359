"""The corridor for coroutines: nothing blocks their loop, and callers in one loop share what they ask for.

A call that is identified by content belongs to none of its callers. The first one's request is driven by a
task of its own, and the others wait for that task; it is cancelled when nobody waits any more.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING

from resonate_nb.corridor.attempts import Attempt, Delivered
from resonate_nb.corridor.deadlines import leave_all
from resonate_nb.corridor.under_way import under_way

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future

    from resonate_nb.corridor.attempts import Caller
    from resonate_nb.corridor.claiming import Turn
    from resonate_nb.corridor.work import Outcome, Work
    from resonate_nb.execution import Execution

    Start = Callable[[], Awaitable[object]]
    Key = tuple[asyncio.AbstractEventLoop, str]

_SLICE_SECONDS = 0.1  # nothing wakes a coroutine when the store changes


class Coroutines:
    """The calls of coroutine functions over one store."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._shared: dict[Key, Shared] = {}

    async def run(self, make: Callable[[], Work], start: Start, caller: Caller, *, rerun: bool) -> object:
        """Return the value of the work that `make` gives: delivered, shared, or computed and kept."""
        work = await self._execution.steps.run(make)
        while True:
            delivered = await self._execution.steps.run(
                self._execution.find_if_wanted, work, caller, rerun=rerun
            )
            if delivered is not None:
                return delivered.outcome.deliver()
            key = asyncio.get_running_loop(), work.id
            shared = None if rerun else self._shared.get(key)
            if shared is None or shared.ending:
                with under_way(work.id):
                    outcome = await self._begin(key, work, start, caller, rerun=rerun).join()
                return outcome.deliver()
            with under_way(work.id):
                outcome = await shared.join()
            if outcome.error is not None:
                raise outcome.error
            # Each caller has a value of its own: next time round it is found, or else computed.

    def _begin(self, key: Key, work: Work, start: Start, caller: Caller, *, rerun: bool) -> Shared:
        # Apart from the bodies that the first caller runs in: when they have to end, others may still wait.
        context = contextvars.copy_context()
        context.run(leave_all)
        drive = self._drive(work, start, caller, rerun=rerun)
        shared = Shared(asyncio.get_running_loop().create_task(drive, context=context))
        if not rerun:
            self._shared[key] = shared
            shared.task.add_done_callback(lambda _: self._forget(key, shared))
        return shared

    def _forget(self, key: Key, shared: Shared) -> None:
        if self._shared.get(key) is shared:
            del self._shared[key]

    async def _drive(self, work: Work, start: Start, caller: Caller, *, rerun: bool) -> Outcome:
        entry = await self._enter(work, caller, rerun=rerun)
        if not isinstance(entry, Attempt):
            return entry.outcome
        self._execution.explain(entry)
        outcome = await self._execution.compute_async(entry, start)
        return await self._execution.steps.run(self._execution.settle, entry, outcome)

    async def _enter(self, work: Work, caller: Caller, *, rerun: bool) -> Delivered | Attempt:
        steps, claiming = self._execution.steps, self._execution.claiming
        turn = claiming.line_up(work, caller, rerun=rerun)
        while True:
            step = steps.begin(claiming.try_once, turn)
            try:
                entry = await asyncio.shield(asyncio.wrap_future(step))
                if entry is not None:
                    return entry
                await asyncio.sleep(_SLICE_SECONDS)
            except BaseException:
                # In the step's thread: the loop may be gone before the step is done.
                step.add_done_callback(lambda done: self._leave(turn, done))
                raise

    def _leave(self, turn: Turn, step: Future[Delivered | Attempt | None]) -> None:
        """Leave the line on behalf of a caller who has gone; he may have got the lease meanwhile."""
        entry = None if step.cancelled() or step.exception() is not None else step.result()
        if isinstance(entry, Attempt):
            self._execution.abandon(entry)
        else:
            self._execution.claiming.leave(turn)


class Shared:
    """One request, driven by a task, and how many wait for it."""

    def __init__(self, task: asyncio.Task[Outcome]) -> None:
        self.task = task
        self.ending = False  # nobody waits any more
        self._waiting = 0

    async def join(self) -> Outcome:
        """Wait for the outcome; the last one who stops waiting cancels the task, and waits for its end."""
        self._waiting += 1
        try:
            return await asyncio.shield(self.task)
        except asyncio.CancelledError:
            if self._waiting == 1 and not self.task.done():
                self.ending = True
                self.task.cancel()
                await asyncio.wait({self.task})
            raise
        finally:
            self._waiting -= 1
