"""Items that are computed by a pool of `concurrent.futures`, whoever wrote it.

What such a pool has begun can't be stopped from here: a chunk whose map was cut off comes to its end and is
kept, and a body that does not end at its deadline is left to whoever has the pool.
"""

from __future__ import annotations

import functools
import os
import pickle
import secrets
import warnings
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from resonate_nb.corridor.deadlines import end_if_over
from resonate_nb.errors import PoolBroken
from resonate_nb.executors import guests
from resonate_nb.executors.consignments import Claimed, Unclaimed
from resonate_nb.executors.fitness import Folder
from resonate_nb.executors.flights import Size, fly
from resonate_nb.executors.threads import Threads
from resonate_nb.executors.travelling import Ways, luggage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from resonate_nb.executors import base
    from resonate_nb.executors.consignments import Consignment, Loading
    from resonate_nb.executors.travelling import Luggage, Returned
    from resonate_nb.many.items import Finished, Items
    from resonate_nb.many.rates import Rate

_SLICE_SECONDS = 0.2  # a wait can be interrupted this often
_AHEAD = 2  # chunks for each worker of the pool: one is computed, one is there when it ends
_SECRET_BYTES = 32


def over_pool(pool: Executor, workers: int | None, chunksize: int | None) -> base.Executor:
    """Return what computes items in a pool."""
    size: int = workers or getattr(pool, "_max_workers", None) or os.cpu_count() or 1
    if isinstance(pool, ThreadPoolExecutor):
        return Threads(size, functools.partial(_Borrowed, pool))
    return Pool(pool, size, chunksize)


class _Borrowed:
    """A pool of threads, used as one of ours."""

    def __init__(self, pool: Executor, _size: int) -> None:
        self._pool = pool
        self._futures: dict[Callable[[], None], Future[None]] = {}

    def run(self, task: Callable[[], None]) -> None:
        """Begin the task as soon as a thread is free."""
        self._futures[task] = future = self._pool.submit(task)
        future.add_done_callback(lambda _: self._futures.pop(task, None))

    def withdraw(self, task: Callable[[], None]) -> bool:
        """Take back a task, and return whether it had not begun."""
        future = self._futures.get(task)
        return future is not None and future.cancel()


@dataclass(frozen=True, slots=True)
class Pool:
    """Computes in the processes of a pool."""

    pool: Executor
    workers: int
    chunksize: int | None = None

    def run(self, items: Items, rate: Rate) -> Iterator[Finished]:
        """Yield each item as it comes to its end."""
        ways, folder = Ways(secrets.token_bytes(_SECRET_BYTES)), Folder.of(items.execution)
        try:
            key = secrets.token_hex(8)
            sent = luggage(items.function, items.execution, key, ways.secret, folder)
            line = Claimed(items, ways, rate) if folder is None else Unclaimed(items, ways)
            with line, _Flight(self, sent, line, rate) as flight:
                yield from fly(items, rate, line, flight)
        finally:
            if folder is not None:
                folder.remove_token()


class _Flight:
    """The chunks that the pool has."""

    def __init__(self, executor: Pool, sent: Luggage, line: Consignment, rate: Rate) -> None:
        self._pool, self._sent, self._line = executor.pool, pickle.dumps(sent), line
        # Of a chunk that this process settles, all would be computed again if it were killed.
        self._size = Size(executor.chunksize, 1 if sent.folder is None else rate.ahead)
        self._name, self._most = sent.name, _AHEAD * executor.workers
        self._under_way: dict[Future[bytes], Loading] = {}
        self._done: SimpleQueue[Future[bytes]] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take back what the pool has not begun."""
        for future, loading in self._under_way.items():
            future.cancel()
            self._line.take_back(loading)

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def has_room(self) -> bool:
        """Whether workers may soon have nothing to do."""
        return len(self) < self._most

    def depart(self) -> Iterator[Finished]:
        """Send the next items, or yield those that need not go."""
        loading = self._line.load(self._size.items)
        yield from loading.finished
        if not loading.sent:
            return
        try:
            chunk = pickle.dumps(self._line.chunk(loading))
            future = self._pool.submit(_compute, self._sent, chunk, os.getpid())
        except BaseException as error:
            self._line.take_back(loading)
            if isinstance(error, BrokenExecutor):
                raise PoolBroken(self._name, error) from error
            raise
        self._under_way[future] = loading
        future.add_done_callback(self._done.put)

    def landed(self, *, wait: bool) -> Iterator[Finished]:
        """Yield the items of chunks that are done, after waiting for one."""
        while self._under_way:
            try:
                future = self._done.get(wait, _SLICE_SECONDS)
            except Empty:
                end_if_over()
                return
            wait = False
            yield from self._received(future)

    def _received(self, future: Future[bytes]) -> Iterator[Finished]:
        loading = self._under_way.pop(future)
        try:
            returned: Returned = pickle.loads(future.result())
        except BaseException as error:
            self._line.take_back(loading)
            if isinstance(error, BrokenExecutor):
                raise PoolBroken(self._name, error) from error
            raise
        self._size.took(returned.seconds / max(1, len(returned.reports)))
        for line in returned.said:
            self._line.execution.say(line)
        for category, text in returned.warned:
            warnings.warn(text, category, stacklevel=5)
        yield from self._line.unload(loading, returned)


def _compute(sent: bytes, chunk: bytes, parent: int) -> bytes:
    """Compute the items of a chunk; runs in a process of the pool."""
    asked: Any = os.getppid() == parent
    wanted = (lambda: os.getppid() == parent) if asked else lambda: True
    worker = f"process {os.getpid()}"
    luggage: Luggage = pickle.loads(sent)
    return pickle.dumps(guests.compute_chunk(luggage, pickle.loads(chunk), worker, wanted))
