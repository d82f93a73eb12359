"""Items that are computed by processes of our own, which claim them and settle them in the store.

A process is ended with force where a body does not end at its deadline. One that dies is replaced, and the
item that it computed is tried once more.
"""

from __future__ import annotations

import pickle
import secrets
import time
import warnings
from collections import Counter
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, Self

from resonate_nb.corridor.deadlines import end_if_over
from resonate_nb.errors import PromiseCanceled, PromiseTimedOut, WorkerDied
from resonate_nb.executors import apart
from resonate_nb.executors.consignments import Claimed, Loading, Unclaimed
from resonate_nb.executors.doorplate import NOBODY
from resonate_nb.executors.fitness import Folder
from resonate_nb.executors.flights import Size, fly
from resonate_nb.executors.started import Started
from resonate_nb.executors.travelling import Ways, luggage
from resonate_nb.many.items import Finished
from resonate_nb.promise import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonate_nb.errors import ResonateError
    from resonate_nb.executors.consignments import Consignment, Sent
    from resonate_nb.executors.travelling import Luggage, Returned
    from resonate_nb.many.items import Items
    from resonate_nb.many.rates import Rate

_SLICE_SECONDS = 0.2  # a wait can be interrupted this often
_LOOK_SECONDS = 0.25  # between two looks whether a body should have ended
_GRACE_MILLISECONDS = 1_000  # for a body that has to end, before its process is killed
_END_SECONDS = 2.0  # for a process that has nothing more to do
_MOST_DEATHS = 2  # of processes that compute the same item
_MOST_EARLY_DEATHS = 3  # of processes that compute nothing
_SECRET_BYTES = 32
_ENDED = {State.CANCELED: PromiseCanceled, State.TIMEDOUT: PromiseTimedOut}


@dataclass(frozen=True, slots=True)
class Processes:
    """Computes in so many processes, which begin as they are needed."""

    workers: int
    chunksize: int | None = None  # items that a process gets at once; None: for a tenth of a second

    def run(self, items: Items, rate: Rate) -> Iterator[Finished]:
        """Yield each item as it comes to its end."""
        ways, folder = Ways(secrets.token_bytes(_SECRET_BYTES)), Folder.of(items.execution)
        line = Claimed(items, ways, rate) if folder is None else Unclaimed(items, ways)
        # Of a chunk that this process settles, all would be computed again if it were killed.
        most = 1 if folder is None else rate.ahead
        try:
            size = Size(self.chunksize, most)
            with line, _Fleet(items, line, Sending(ways, folder), self.workers, size) as fleet:
                yield from fly(items, rate, line, fleet)
        finally:
            if folder is not None:
                folder.remove_token()


class Sending(NamedTuple):
    """How items travel, and the folder of the store that processes are to see."""

    ways: Ways
    folder: Folder | None


class _Fleet:
    """The processes of a map, and what they compute."""

    def __init__(self, items: Items, line: Consignment, sending: Sending, workers: int, size: Size) -> None:
        self._items, self._line, self._sending = items, line, sending
        self._most, self._size = workers, size
        self._execution = items.execution
        self._busy: dict[Started, Loading] = {}
        self._idle: list[Started] = []
        self._answers: SimpleQueue[tuple[Started, bytes]] = SimpleQueue()
        self._deaths: Counter[int] = Counter()  # by the number of the item that was computed
        self._looked = 0.0
        self._luggage: Luggage | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes, and what they compute."""
        for process in self._busy:
            process.kill()
        for process, loading in self._busy.items():
            process.end(_END_SECONDS)
            self._line.take_back(loading)
        for process in self._idle:
            process.send_no_more()
        end = time.monotonic() + _END_SECONDS
        for process in self._idle:
            process.end(max(0.0, end - time.monotonic()))

    def __len__(self) -> int:
        return len(self._busy)

    @property
    def has_room(self) -> bool:
        """Whether a process has nothing to do, or may begin."""
        return len(self._busy) < self._most

    def depart(self) -> Iterator[Finished]:
        """Send the next items, or yield those that need not go."""
        loading = self._line.load(self._size.items)
        yield from loading.finished
        if not loading.sent:
            return
        try:
            chunk = pickle.dumps(self._line.chunk(loading))
            process = self._idle.pop() if self._idle else self._begun()
        except BaseException:  # code or arguments that can't travel, above all
            self._line.take_back(loading)
            raise
        self._busy[process] = loading
        process.send(chunk)

    def landed(self, *, wait: bool) -> Iterator[Finished]:
        """Yield the items of chunks that are done, after waiting for one."""
        while self._busy:
            self._kill_those_that_do_not_end()
            try:
                process, answer = self._answers.get(wait, _SLICE_SECONDS)
            except Empty:
                end_if_over()
                return
            wait = False
            loading = self._busy.pop(process)
            yield from self._received(process, loading, answer) if answer else self._died(process, loading)

    def _begun(self) -> Started:
        if self._luggage is None:
            ways, folder = self._sending
            function, key = self._items.function, secrets.token_hex(8)
            self._luggage = luggage(function, self._execution, key, ways.secret, folder)
        return Started(self._luggage, self._answers)

    def _received(self, process: Started, loading: Loading, message: bytes) -> Iterator[Finished]:
        answer: Returned | apart.Trouble = pickle.loads(message)
        self._idle.append(process)
        if isinstance(answer, apart.Trouble):
            self._line.take_back(loading)
            raise answer.error
        self._size.took(answer.seconds / max(1, len(answer.reports)))
        for line in answer.said:
            self._execution.say(line)
        for category, text in answer.warned:
            warnings.warn(text, category, stacklevel=5)
        yield from self._line.unload(loading, answer)

    def _died(self, process: Started, loading: Loading) -> Iterator[Finished]:
        """Yield what the process settled before, and what is not tried again; the rest goes again."""
        number, how = process.shown, process.end(_END_SECONDS)
        settled = self._execution.find_many(sent.item.work for sent in loading.sent.values())
        for each, sent in list(loading.sent.items()):
            if (delivered := settled.get(sent.item.work.id)) is not None:
                del loading.sent[each]
                yield Finished(each, delivered.outcome, replayed=False)
        if (victim := loading.sent.pop(number, None)) is not None:
            alone = Loading({number: victim})
            error = self._verdict(process, victim, how)
            if error is None:
                self._line.again(alone)
            else:
                yield from self._line.lost(alone, error)
        elif len(settled) == 0:
            self._refuse_if_hopeless(process, how)
        self._line.again(loading)

    def _verdict(self, process: Started, victim: Sent, how: str) -> Exception | None:
        """Return why an item whose process died is not tried again; None if it is."""
        work, number = victim.item.work, victim.item.number
        ended = self._ended(victim)
        if ended is not None:
            return ended
        self._deaths[number] += 1
        died = WorkerDied(work.name, process.pid, how, work.id)
        if self._deaths[number] >= _MOST_DEATHS:
            return died
        self._execution.say(f"{died.what}. It is tried once more, in another process")
        return None

    def _refuse_if_hopeless(self, process: Started, how: str) -> None:
        self._deaths[NOBODY] += 1
        if self._deaths[NOBODY] >= _MOST_EARLY_DEATHS:
            raise WorkerDied(self._items.function.name, process.pid, how, "")

    def _kill_those_that_do_not_end(self) -> None:
        """Kill the processes whose body should have ended, and did not hear of it or does not care."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked, now = time.monotonic(), self._execution.clock.now()
        for process, loading in self._busy.items():
            shown, seconds = process.look()
            sent = loading.sent.get(shown.number)
            if sent is None or 1_000 * seconds < _GRACE_MILLISECONDS:
                continue
            over = shown.timeout_at + _GRACE_MILLISECONDS < now
            if over or self._ended(sent, _GRACE_MILLISECONDS) is not None:
                process.kill()

    def _ended(self, sent: Sent, ago: int = 0) -> ResonateError | None:
        """Return what is raised for a promise that was canceled or timed out, so long ago."""
        newest, now = self._execution.store.latest(sent.item.work.id), self._execution.clock.now()
        promise = None if newest is None else newest.promise.seen(now)
        if promise is None or (promise.settled_at or 0) + ago > now:
            return None
        error = _ENDED.get(promise.state)
        return None if error is None else error(promise.id)
