"""Items that are computed by the workers of a Dask cluster.

Few are under way at once, so that memory stays bounded, an iterator is not read ahead of need, and little is
repeated after a kill. A body that runs on a worker can't be stopped there from outside: one whose map was
cancelled comes to its end and is kept where the worker sees the store, and at its deadline it is left behind.
"""

from __future__ import annotations

import secrets
import time
import warnings
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from distributed import Client, KilledWorker, get_worker

from resonate_nb.corridor.deadlines import end_if_over
from resonate_nb.errors import ClusterLost, UnfitWorker, UsageError
from resonate_nb.executors import guests
from resonate_nb.executors.consignments import Claimed, Unclaimed
from resonate_nb.executors.fitness import Folder, Needs
from resonate_nb.executors.flights import Size, fly
from resonate_nb.executors.travelling import Ways, luggage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Future, Worker

    from resonate_nb.executors.consignments import Consignment, Loading
    from resonate_nb.executors.travelling import Chunk, Luggage, Returned
    from resonate_nb.many.items import Finished, Item, Items
    from resonate_nb.many.rates import Rate

_SLICE_SECONDS = 0.2  # a wait can be interrupted this often
_MOST = 500  # items of one task
_AHEAD = 2  # tasks for each thread of the workers: one runs, one is there when it ends
_AHEAD_OF_QUICK = 8  # where a task takes less time than its way
_QUICK_SECONDS = 0.02
_COUNT_SECONDS = 1.0  # between two counts of the workers' threads
_HOPELESS_SECONDS = 5.0  # without any worker, after which that is said
_SECRET_BYTES = 32

# Evaluated by workers that may lack this package, so it is written in Python's own words.
_HAS_PACKAGE = "__import__('importlib.util').util.find_spec('resonate_nb') is not None"


@dataclass(frozen=True, slots=True)
class Dask:
    """Computes on the workers of a client's cluster."""

    client: Client
    workers: int | None = None  # how many tasks are under way at once; None: as the cluster has use for
    chunksize: int | None = None  # items of one task; None: so many as take about a tenth of a second

    def run(self, items: Items, rate: Rate) -> Iterator[Finished]:
        """Yield each item as it comes to its end; where all are settled, the cluster hears nothing."""
        if self.client.asynchronous:
            raise UsageError("a map needs a client that is not asynchronous: Client(address)")
        for found, missing in items.rounds():
            yield from found
            if missing:
                yield from self._compute(items, missing, rate)

    def _compute(self, items: Items, missing: list[Item], rate: Rate) -> Iterator[Finished]:
        """Yield what is missing, and the items of all further rounds."""
        secret = secrets.token_bytes(_SECRET_BYTES)
        folder = self._shared_folder(items)
        try:
            sent = luggage(items.function, items.execution, secrets.token_hex(8), secret, folder)
            ways = Ways(secret)
            line = Claimed(items, ways, rate) if folder is None else Unclaimed(items, ways)
            line.add(missing)
            size = Size(self.chunksize, min(_MOST, rate.ahead))
            with line, _Flight(self, sent, line, size) as flight:
                yield from fly(items, rate, line, flight)
        finally:
            if folder is not None:
                folder.remove_token()

    def _shared_folder(self, items: Items) -> Folder | None:
        """Return the store's folder if all workers see it.

        Raises
        ------
        UnfitWorker
            A worker lacks what the code needs.
        """
        present = self.client.run(eval, _HAS_PACKAGE)
        for worker, has_it in present.items():
            if not has_it:
                raise UnfitWorker(worker, "the package resonate-nb")
        needs = Needs.of(items.function.code(), items.execution.library)
        folder = Folder.of(items.execution)
        if present:
            answers = list(self.client.run(_look_round, needs, folder).values())
        else:
            answers = [self.client.submit(_look_round, needs, folder, pure=False).result()]
        if folder is None or all(answers):
            return folder
        folder.remove_token()
        items.execution.say(
            f"{items.function.name}: the workers don't see the store {folder.path}, so this process settles "
            "what they send"
        )
        return None


class _Flight:
    """The tasks that the cluster has."""

    def __init__(self, executor: Dask, sent: Luggage, line: Consignment, size: Size) -> None:
        self._client, self._sent, self._line = executor.client, sent, line
        self._most, self._size = executor.workers, size
        self._under_way: dict[Future, Loading] = {}
        self._done: SimpleQueue[Future] = SimpleQueue()
        self._ahead = _AHEAD
        self._suspects = 0  # items that go next, each with nothing beside it
        self._alone: Loading | None = None  # the last of those that went
        self._threads, self._counted = 0, 0.0
        self._hopeless_since: float | None = None
        self._luggage: Future = self._submit(_same, sent, key=f"code-of-{sent.name}-{sent.key}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take back what the cluster has not done."""
        self._client.cancel(list(self._under_way))
        for loading in self._under_way.values():
            self._line.take_back(loading)
        self._luggage.release()

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def has_room(self) -> bool:
        """Whether workers may soon have nothing to do."""
        if time.monotonic() - self._counted > _COUNT_SECONDS:
            self._threads = sum(self._client.nthreads().values())
            self._counted = time.monotonic()
            self._say_if_hopeless()
        if self._suspects or self._alone in self._under_way.values():
            return not self
        return len(self) < (self._most or self._ahead * max(self._threads, 1))

    def depart(self) -> Iterator[Finished]:
        """Send the next items, or yield those that need not go."""
        loading = self._line.load(1 if self._suspects else self._size.items)
        if self._suspects:
            self._suspects, self._alone = self._suspects - 1, loading
        yield from loading.finished
        if loading.sent:
            key = f"{self._sent.name}-{secrets.token_hex(8)}"
            future = self._submit(_compute, self._luggage, self._line.chunk(loading), key=key)
            self._under_way[future] = loading
            future.add_done_callback(self._done.put)

    def landed(self, *, wait: bool) -> Iterator[Finished]:
        """Yield the items of tasks that are done, after waiting for one."""
        done = self._wait(_SLICE_SECONDS if wait else 0.0)
        for future in done:
            self._look_after(future)
        finished = [future for future in done if future.status == "finished"]
        landed: list[Finished] = []  # all of them, settled, before anybody hears of the first
        for future, returned in zip(finished, self._gathered(finished), strict=False):
            landed += self._line.unload(self._under_way.pop(future), returned)
            self._hear(returned)
        yield from landed
        for future in done:
            if future.status == "error" and future in self._under_way:
                error = future.exception()
                yield from self._failed(self._under_way.pop(future), error)

    def _gathered(self, finished: list[Future]) -> list[Returned]:
        """Return what tasks gave; nothing if one is lost in this moment, and all are to be asked again."""
        try:
            returned: list[Returned] = self._client.gather(finished)
        except KilledWorker:
            for future in finished:
                self._done.put(future)
            return []
        return returned

    def _look_after(self, future: Future) -> None:
        """See to a task that is done no more: what it gave was lost with its worker, or nobody wants it."""
        if future.status == "pending":  # it is computed again already
            future.add_done_callback(self._done.put)
        elif future.status == "lost":
            self._line.again(self._under_way.pop(future))
            self._client.cancel(future)
        elif future.status not in {"finished", "error"}:
            raise ClusterLost(self._sent.name, f"dropped what it was to compute ({future.status})")

    def _wait(self, seconds: float) -> list[Future]:
        """Return the tasks that are done, after waiting for one."""
        done: list[Future] = []
        while self._under_way:
            try:
                future = self._done.get(timeout=0 if done else seconds)
            except Empty:
                break
            if future in self._under_way:  # else it was told twice
                done.append(future)
        if not done:
            end_if_over()
        return done

    def _failed(self, loading: Loading, error: BaseException) -> Iterator[Finished]:
        if isinstance(error, KilledWorker) and loading is not self._alone:
            self._line.again(loading)  # one of them, or what waited beside it, kills whoever computes it
            self._suspects += len(loading.sent)
        elif isinstance(error, KilledWorker):
            yield from self._line.lost(loading, error)
        else:
            self._line.take_back(loading)
            if isinstance(error, ModuleNotFoundError) and str(error.name).startswith("resonate_nb"):
                lacks = f"the package resonate-nb, or has another: {error}"
                raise UnfitWorker("of the cluster", lacks) from error
            raise error

    def _hear(self, returned: Returned) -> None:
        self._ahead = _AHEAD_OF_QUICK if returned.seconds < _QUICK_SECONDS else _AHEAD
        self._size.took(returned.seconds / max(1, len(returned.reports)))
        for line in returned.said:
            self._line.execution.say(line)
        for category, text in returned.warned:
            warnings.warn(text, category, stacklevel=4)

    def _submit(self, function: Any, *arguments: Any, key: str) -> Future:
        with warnings.catch_warnings():
            # Code with its data goes to the scheduler once; the warning is about graphs that repeat it.
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self._client.submit(function, *arguments, key=key, pure=False)

    def _say_if_hopeless(self) -> None:
        if self._threads:
            self._hopeless_since = None
        elif self._hopeless_since is None:
            self._hopeless_since = time.monotonic()
        elif time.monotonic() - self._hopeless_since > _HOPELESS_SECONDS:
            self._hopeless_since = float("inf")
            self._line.execution.say(
                f"{self._sent.name}: waiting for a worker, of which the cluster has none"
            )


def _compute(sent: Luggage, chunk: Chunk) -> Returned:
    """Compute the items of a task; runs on a worker."""
    worker = get_worker()
    key = worker.get_current_task()
    return guests.compute_chunk(sent, chunk, worker.address, lambda: _wanted(worker, key))


def _wanted(worker: Worker, key: str) -> bool:
    """Return whether anybody waits for a task; nobody does whose kernel died."""
    task = worker.state.tasks.get(key)
    return task is not None and task.state != "cancelled"


def _look_round(needs: Needs, folder: Folder | None, dask_worker: Worker | None = None) -> bool:
    """Return whether a worker, on which it runs, sees the store."""
    worker = dask_worker or get_worker()
    needs.check(worker.address)
    return folder is not None and folder.seen()


def _same(sent: Luggage) -> Luggage:
    return sent
