"""Items that are computed in threads of this process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol, Self

from resonate_nb.corridor.context import carried
from resonate_nb.corridor.deadlines import end_if_over
from resonate_nb.corridor.threads import Pool
from resonate_nb.corridor.work import Outcome
from resonate_nb.executors.base import Computed, compute
from resonate_nb.many.claims import Claims
from resonate_nb.many.items import Finished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from resonate_nb.corridor.attempts import Attempt
    from resonate_nb.many.claims import Granted
    from resonate_nb.many.items import Items
    from resonate_nb.many.rates import Rate

    Task = Callable[[], None]

_SLICE_SECONDS = 0.2  # a wait can be interrupted this often


class Tasks(Protocol):
    """Threads that run tasks."""

    def run(self, task: Task, /) -> None:
        """Begin the task as soon as a thread is free."""
        ...

    def withdraw(self, task: Task, /) -> bool:
        """Take back a task, and return whether it had not begun."""
        ...


@dataclass(frozen=True, slots=True)
class Threads:
    """Computes in so many threads; the iterables are read in the calling one."""

    workers: int
    pool: Callable[[int], Tasks] = Pool

    def run(self, items: Items, rate: Rate) -> Iterator[Finished]:
        """Yield each item as it comes to its end."""
        with (
            Claims(items.execution, ahead=rate.ahead) as claims,
            _Running(items, self.workers, self.pool) as running,
        ):
            rounds = items.rounds()
            exhausted = False
            while True:
                yield from running.fill(claims, rate)
                yield from running.finished(claims, wait=False)
                room = running.has_room(claims) and (items.wanted or not running)
                if room and not exhausted and not claims.in_line:
                    found, missing = next(rounds, (None, []))
                    exhausted = found is None
                    yield from found or ()
                    claims.add(missing)
                elif running:
                    yield from running.finished(claims, wait=True)
                elif not claims:
                    return
                if not claims.in_line and (granted := claims.take_from_elsewhere(wait=not running)):
                    yield from running.start(granted)


class _Running:
    """The items that threads have, or will have as soon as one is free."""

    def __init__(self, items: Items, workers: int, pool: Callable[[int], Tasks]) -> None:
        self._items, self._workers = items, workers
        self._pool = pool(workers)
        self._begun: dict[Task, Attempt] = {}
        self._done: SimpleQueue[tuple[Task, Computed | BaseException]] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Give back what no thread has begun; what has begun comes to its end and is kept."""
        for task, attempt in self._begun.items():
            if self._pool.withdraw(task):
                self._items.execution.abandon(attempt)

    def __len__(self) -> int:
        return len(self._begun)

    def has_room(self, claims: Claims) -> bool:
        """Return whether threads may soon have nothing to do."""
        return len(self) < self._workers + claims.size - 1

    def fill(self, claims: Claims, rate: Rate) -> Iterator[Finished]:
        """Begin as many items as there is room for."""
        while claims.in_line and self.has_room(claims) and rate.wait(most=_SLICE_SECONDS if self else None):
            if (granted := claims.take()) is not None:
                yield from self.start(granted)

    def start(self, granted: Granted) -> Iterator[Finished]:
        """Begin an item, or yield it where that is not needed any more."""
        item, entry = granted
        if isinstance(entry, Outcome):
            yield Finished(item.number, entry, replayed=entry.error is None)
            return
        context = carried()

        def task() -> None:
            try:
                result: Computed | BaseException = context.run(compute, self._items, item, entry)
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
                result = error
            self._done.put((task, result))

        self._begun[task] = entry
        self._pool.run(task)

    def finished(self, claims: Claims, *, wait: bool) -> Iterator[Finished]:
        """Yield the items that came to their end, after waiting for one."""
        receive = partial(self._done.get, timeout=_SLICE_SECONDS) if wait else self._done.get_nowait
        while self:
            try:
                task, computed = receive()
            except Empty:
                end_if_over()
                return
            del self._begun[task]
            if isinstance(computed, BaseException):
                raise computed
            claims.ended(computed.item, computed.seconds, self._workers)
            yield Finished(computed.item.number, computed.outcome, replayed=False)
            receive = self._done.get_nowait
