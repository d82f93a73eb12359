"""Handles: a call that is under way somewhere, by the id of its promise."""

from __future__ import annotations

import asyncio
import contextvars
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from resonate_nb.corridor.attempts import Caller
from resonate_nb.corridor.deadlines import end_if_over
from resonate_nb.corridor.threads import Pool
from resonate_nb.corridor.work import Outcome
from resonate_nb.durations import milliseconds
from resonate_nb.errors import NoSuchPromise, PromiseCanceled
from resonate_nb.ids import validate
from resonate_nb.promise import State

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from resonate_nb.corridor.work import Work
    from resonate_nb.durations import Duration
    from resonate_nb.execution import Execution
    from resonate_nb.promise import Promise

R = TypeVar("R")

_SLICE_SECONDS = 0.2  # a wait can be interrupted this often
_ASYNC_SLICE_SECONDS = 0.05
_pool = Pool()


class Handle(Generic[R]):
    """A call that is under way: here after `f.submit`, or wherever its promise is computed or settled.

    `Handle(id)` finds it again, after a restart too.
    """

    execution_of_calls_that_name_none: ClassVar[Callable[[], Execution]]

    def __init__(self, id: str, *, execution: Callable[[], Execution] | None = None) -> None:
        self.id = validate(id)
        self._execution = execution or type(self).execution_of_calls_that_name_none
        self._running: Running[R] | None = None

    def done(self) -> bool:
        """Return whether there is an outcome, be it an exception.

        Raises
        ------
        NoSuchPromise
            There is no promise with this id.
        """
        return self.look() is not None

    def result(self, timeout: Duration | None = None) -> R:
        """Wait for the outcome, at most so many seconds; return its value or raise its exception.

        Raises
        ------
        TimeoutError
            There is no outcome yet; the call goes on.
        NoSuchPromise
            There is no promise with this id.
        """
        end = None if timeout is None else time.monotonic() + milliseconds(timeout) / 1_000
        with standing_aside():
            while (outcome := self.look()) is None:
                end_if_over()
                left = _SLICE_SECONDS if end is None else min(end - time.monotonic(), _SLICE_SECONDS)
                if left <= 0:
                    raise TimeoutError(f"{self.id} has no outcome after {timeout}; it goes on")
                self._wait(left)
        return cast("R", outcome.deliver())

    def __await__(self) -> Generator[object, None, R]:
        return self._result_async().__await__()

    async def _result_async(self) -> R:
        steps = self._execution().steps
        while (outcome := await steps.run(self.look)) is None:  # noqa: ASYNC110 (it happens in threads)
            await asyncio.sleep(_ASYNC_SLICE_SECONDS)
        return cast("R", outcome.deliver())

    def cancel(self) -> bool:
        """Cancel the promise, whoever waits for it, and return whether it is canceled now.

        A body that runs is interrupted, here and in other processes.
        """
        canceled = self._execution().cancel(self.id)
        running = self._running
        if canceled and running is not None and _pool.withdraw(running.task):
            running.future.set_exception(PromiseCanceled(self.id))
        return canceled

    def look(self) -> Outcome | None:
        """Return the outcome if there is one."""
        if self._running is not None and self._running.future.done():
            return self._running.outcome()
        promise = self._promise()
        ended = promise.state in (State.TIMEDOUT, State.CANCELED)  # over the head of its body
        if ended or (promise.settled and self._running is None):
            return self._execution().outcome_of(promise)
        return None

    def _promise(self) -> Promise:
        """Return the newest promise of the id, or an older one while that has the answer."""
        execution = self._execution()
        newest, now = execution.store.latest(self.id), execution.clock.now()
        if newest is None:
            raise NoSuchPromise(self.id)
        promise = newest.promise.seen(now)
        if promise.settled or self._running is not None:
            return promise
        head = execution.store.head(self.id)
        answered = head is not None and head.state in (State.RESOLVED, State.REJECTED)
        return head if head is not None and answered else promise

    def settled_at(self) -> int:
        """Return when it was settled, in milliseconds since the epoch; 0 while it is not."""
        return self._promise().settled_at or 0

    def on_done(self, tell: Callable[[], object]) -> bool:
        """Have it told when the call ends, if it runs in this process, and return whether it does."""
        if self._running is None:
            return False
        self._running.future.add_done_callback(lambda _: tell())
        return True

    def _wait(self, seconds: float) -> None:
        if self._running is None:
            self._execution().store.wait_for_change(seconds)
            return
        try:
            self._running.future.exception(seconds)
        except FutureTimeoutError:
            return

    def __repr__(self) -> str:
        return f"<handle of {self.id}>"


def standing_aside() -> AbstractContextManager[None]:
    """Return a block that only waits: the thread, if it is one of the pool's, does not count meanwhile."""
    return _pool.standing_aside()


class Running(Generic[R]):
    """A call in a thread of our pool."""

    def __init__(self, call: Callable[[], R]) -> None:
        self.future: Future[R] = Future()
        self._call, self._context = call, contextvars.copy_context()

    def task(self) -> None:
        """Run the call."""
        try:
            value = self._context.run(self._call)
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            self.future.set_exception(error)
        else:
            self.future.set_result(value)

    def outcome(self) -> Outcome:
        """Return what the call gave."""
        error = self.future.exception()
        return Outcome(error=error) if error is not None else Outcome(self.future.result())


def submit(execution: Callable[[], Execution], work: Work, call: Callable[[Caller], R]) -> Handle[R]:
    """Begin a call in a thread of our pool and return its handle, once its promise is kept."""
    handle: Handle[R] = Handle(work.id, execution=execution)
    caller = Caller(since=execution().announce(work))
    running = Running(partial(call, caller))
    handle._running = running  # noqa: SLF001 (a handle that was found again has none)
    _pool.run(running.task)
    return handle
