"""How a body runs under its promise: tried again, watched, and ended when it has to.

The code that runs a body in the main thread is interrupted there. In another thread it is interrupted too,
and left behind where it has a deadline and does not end in time. A coroutine is cancelled, and left behind
likewise. What comes of a body that was left behind is discarded.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Self

from resonate_nb.corridor.context import Numbering, carried, entered
from resonate_nb.corridor.deadlines import Watch
from resonate_nb.corridor.interrupting import in_main_thread, interruptible
from resonate_nb.corridor.threads import Steps, Threads
from resonate_nb.corridor.work import Outcome
from resonate_nb.errors import Interruption, PromiseTimedOut
from resonate_nb.promise import NEVER

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Awaitable, Callable

    from resonate_nb.corridor.attempts import Attempt
    from resonate_nb.corridor.context import Context
    from resonate_nb.corridor.deadlines import Watcher
    from resonate_nb.corridor.delivering import Delivering
    from resonate_nb.corridor.interrupting import Interruptible
    from resonate_nb.corridor.retrying import Retrying
    from resonate_nb.corridor.settling import Settling

_GRACE_SECONDS = 0.3  # for a body that was told to end to clean up, before it is left behind


@dataclass(frozen=True, slots=True)
class Computing:
    """The middle of the corridor, between the lease and the outcome."""

    delivering: Delivering
    settling: Settling
    retrying: Retrying
    watcher: Watcher
    steps: Steps
    _threads: Threads = field(default_factory=Threads)

    def compute(self, attempt: Attempt, body: Callable[[], object]) -> Outcome:
        """Run the body, again as its policy says; an interrupt gives the lease back."""
        watch = Watch(attempt.promise.id, attempt.timeout_at)
        if attempt.timeout_at < NEVER and not in_main_thread():
            return self._compute_apart(attempt, body, watch)
        return self._compute_here(attempt, body, watch)

    async def compute_async(self, attempt: Attempt, start: Callable[[], Awaitable[object]]) -> Outcome:
        """Await what `start` gives, again as the policy says."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        watch = Watch(attempt.promise.id, attempt.timeout_at, lambda: call_in(loop, over.set))
        running = Running(self, attempt, watch)
        with running:
            running.value = await _until(over, self._tries_async(attempt, attempt.body or start))
        return await self.steps.run(self._outcome, running)

    def _compute_here(self, attempt: Attempt, body: Callable[[], object], watch: Watch) -> Outcome:
        block = interruptible()
        watch.interrupt = block.interrupt
        running = Running(self, attempt, watch, block)
        with running:
            running.value = self._tries(attempt, attempt.body or body)
        return self._outcome(running)

    def _compute_apart(self, attempt: Attempt, body: Callable[[], object], watch: Watch) -> Outcome:
        """Run the body in a thread that can be left behind, while this one waits."""
        told: SimpleQueue[Callable[[], Outcome] | None] = SimpleQueue()
        context = carried()
        self._threads.run(lambda: told.put(_result(context, self._compute_here, attempt, body, watch)))
        watch.on_end = lambda: told.put(None)
        if watch.over:
            told.put(None)
        result = told.get()
        if result is None:
            try:
                while (result := told.get(timeout=_GRACE_SECONDS)) is None:
                    continue  # it was told more than once
            except Empty:
                self.settling.abandon(attempt)
                if watch.over_outside:
                    raise Interruption from None
                return self._ended(attempt, watch)
        return result()

    def _tries(self, attempt: Attempt, body: Callable[[], object]) -> object:
        while True:
            self.retrying.wait(attempt)
            try:
                with entered(_context(attempt)):
                    return body()
            except Exception as error:
                if not self.retrying.goes_on(attempt, error):
                    raise

    async def _tries_async(self, attempt: Attempt, start: Callable[[], Awaitable[object]]) -> object:
        while True:
            await self.retrying.wait_async(attempt)
            try:
                with entered(_context(attempt)):
                    return await start()
            except Exception as error:
                if not await self.steps.run(self.retrying.goes_on, attempt, error):
                    raise

    def _outcome(self, running: Running) -> Outcome:
        if not running.cut_short:
            return Outcome(running.value, running.error)
        outcome = self._ended(running.attempt, running.watch)
        if outcome.error is not None and outcome.error is not running.error:
            outcome.error.__context__ = running.error if isinstance(running.error, Exception) else None
        return outcome

    def _ended(self, attempt: Attempt, watch: Watch) -> Outcome:
        """Return what a caller is told whose body had to end."""
        entry = None if watch.timed_out else self.delivering.store.get(attempt.promise.id)
        promise = None if entry is None else entry.promise.seen(self.delivering.clock.now())
        if promise is None or not promise.settled:
            return Outcome(error=_timed_out(attempt), kept=True)
        return replace(self.delivering.decode(promise, mutation=attempt.work.mutation), kept=True)


class Running:
    """The block in which a body runs: an exception becomes its outcome, an interrupt gives the lease back."""

    def __init__(
        self, computing: Computing, attempt: Attempt, watch: Watch, block: Interruptible | None = None
    ) -> None:
        self.attempt, self.watch = attempt, watch
        self.value: object = None
        self.error: BaseException | None = None
        self.cut_short = False
        self._computing, self._block = computing, block

    def __enter__(self) -> Self:
        self.watch.enter()
        if self._block is not None:
            self._block.__enter__()
        self._computing.watcher.add(self.watch)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.error = self._left_with(error)
        if self.error is None:
            return False
        wanted = isinstance(self.error, Interruption | Exception)
        self.cut_short = self.watch.ended and not self.watch.over_outside and wanted
        if self.cut_short or isinstance(self.error, Exception):
            return True
        self._computing.settling.abandon(self.attempt, self.error)
        if self.error is not error:
            raise self.error
        return False

    def _left_with(self, error: BaseException | None) -> BaseException | None:
        self._computing.watcher.remove(self.watch)
        self.watch.leave()
        try:
            if self._block is not None:
                self._block.__exit__()
        except Interruption as late:
            return late
        return error


async def _until(over: asyncio.Event, coroutine: Awaitable[object]) -> object:
    """Await a coroutine in a task of its own, which is cancelled when the event says so."""
    body, ended = asyncio.ensure_future(coroutine), asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait({body, ended}, return_when=asyncio.FIRST_COMPLETED)
        if body.done():
            return body.result()
        body.cancel()
        await asyncio.wait({body}, timeout=_GRACE_SECONDS)
    except asyncio.CancelledError:  # of the caller, whose time the body's cleaning up belongs to
        if not body.done():
            body.cancel()
            await asyncio.wait({body})
        raise
    finally:
        ended.cancel()
        body.add_done_callback(_forget)
    raise Interruption


def _forget(body: asyncio.Future[object]) -> None:
    """Take note of what a body that was left behind came to, so that nobody complains that it was not."""
    if not body.cancelled():
        body.exception()


def call_in(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    """Call a function in a loop's thread, from another one."""
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # the loop was closed meanwhile, and its tasks with it
        return


def _result(
    context: contextvars.Context, compute: Callable[..., Outcome], *arguments: object
) -> Callable[[], Outcome]:
    """Return what gives the outcome or raises what computing it raised."""
    try:
        outcome = context.run(compute, *arguments)
    except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
        return _raising(error)
    return lambda: outcome


def _raising(error: BaseException) -> Callable[[], Outcome]:
    def result() -> Outcome:
        raise error

    return result


def _context(attempt: Attempt) -> Context:
    """Return the context of the next try, which counts anew."""
    return replace(attempt.context, attempt=attempt.number, numbering=Numbering())


def _timed_out(attempt: Attempt) -> PromiseTimedOut:
    error, failures = PromiseTimedOut(attempt.promise.id), attempt.trail.failures
    if failures.series:
        error.add_note(f"{failures.series} attempts failed before, the last with {failures.recent[-1]}")
    return error
