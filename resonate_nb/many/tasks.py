"""Many calls without blocking the loop: coroutine functions as tasks, others in threads."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections import deque
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resonate_nb.corridor.context import carried
from resonate_nb.corridor.threads import Threads
from resonate_nb.corridor.work import Outcome
from resonate_nb.errors import Pending, UsageError
from resonate_nb.many.items import Finished
from resonate_nb.mapping import Finishing, InOrder, stream_calls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from resonate_nb.execution import Execution
    from resonate_nb.functions import DurableFunction
    from resonate_nb.many.items import Item
    from resonate_nb.mapping import Options

_WORKERS = 16  # where nobody says how many
_SLICE_SECONDS = 0.01  # between two looks whether the next call may begin
_END: Any = object()
_threads = Threads()


def stream(
    function: DurableFunction[Any, Any],
    execution: Execution,
    iterables: tuple[Iterable[Any], ...],
    options: Options,
    *,
    ordered: bool,
) -> AsyncIterator[Any]:
    """Return an asynchronous iterator over what the calls give; they have their places from now on.

    Raises
    ------
    UsageError
        An executor is named for a coroutine function.
    """
    if options.workers is None and options.executor is None:
        options = replace(options, workers=_WORKERS)
    if not function.is_async:
        return _aside(stream_calls(function, execution, iterables, options, ordered=ordered))
    if options.executor is not None:
        raise UsageError(
            f"{function.name} is a coroutine function and runs in the loop: leave out `executor`"
        )
    finishing = Finishing(function, execution, iterables, options)
    return _Tasks(finishing, options.workers or _WORKERS).stream(ordered=ordered)


async def _aside(values: Iterator[Any]) -> AsyncIterator[Any]:
    """Yield what a blocking generator gives, which runs in threads, one step at a time."""
    alone = threading.Lock()
    close = functools.partial(_alone, alone, values.close)  # type: ignore[attr-defined]
    try:
        while (value := await asyncio.wrap_future(_begin(_alone, alone, next, values, _END))) is not _END:
            yield value
    finally:
        _begin(close)  # after a step that may be under way; nobody waits for that


def _alone(lock: threading.Lock, step: Callable[..., Any], *arguments: Any) -> Any:
    with lock:
        return step(*arguments)


def _begin(step: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Begin a step in a thread of its own: it may last as long as the items do."""
    future: Future[Any] = Future()
    context = carried()

    def task() -> None:
        try:
            result = context.run(step, *arguments)
        except BaseException as error:  # noqa: BLE001 - it is raised where the value is awaited
            _answer(future.set_exception, error)
        else:
            _answer(future.set_result, result)

    _threads.run(task)
    return future


def _answer(tell: Callable[[Any], None], answer: Any) -> None:
    with suppress(InvalidStateError):  # nobody waits any more
        tell(answer)


class _Tasks:
    """The calls of a coroutine function, so many at once."""

    def __init__(self, finishing: Finishing, workers: int) -> None:
        self._finishing, self._workers = finishing, workers
        self._items = finishing.items
        self._todo: deque[Item] = deque()
        self._tasks: set[asyncio.Task[Finished]] = set()

    async def stream(self, *, ordered: bool) -> AsyncIterator[Any]:
        """Yield the values; a stream that is closed cancels what is under way."""
        order = InOrder(self._items) if ordered else None
        with self._finishing as finishing:
            try:
                async for each in self._finished():
                    for ready in (each,) if order is None else order.put(each):
                        value = finishing.value(ready)
                        if finishing.gives(ready):
                            yield value
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _finished(self) -> AsyncIterator[Finished]:
        exhausted = False
        while True:
            await self._fill()
            room = len(self._tasks) < self._workers and (self._items.wanted or not self._tasks)
            if room and not exhausted:
                taken = self._items.take()
                exhausted = not taken
                found, missing = await self._items.execution.steps.run(self._items.look_up, taken)
                self._todo.extend(missing)
                for each in found:
                    yield each
            elif self._tasks:
                done, self._tasks = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
            else:
                return

    async def _fill(self) -> None:
        rate = self._finishing.rate
        while self._todo and len(self._tasks) < self._workers:
            while not rate.wait(most=0.0):  # noqa: ASYNC110 (time is what is waited for)
                await asyncio.sleep(_SLICE_SECONDS)
            self._tasks.add(asyncio.create_task(self._one(self._todo.popleft())))

    async def _one(self, item: Item) -> Finished:
        start = functools.partial(self._items.function.awaitable, item.arguments)
        try:
            value = await self._items.execution.run_async(lambda: item.work, start)
        except (Exception, Pending) as error:  # noqa: BLE001 - of a body: the other items go on
            return Finished(item.number, Outcome(error=error), replayed=False)
        return Finished(item.number, Outcome(value), replayed=False)
