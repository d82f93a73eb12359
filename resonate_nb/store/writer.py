"""The one thread of a process that writes to a store, many operations to a commit.

Interrupts reach the main thread only, so no transaction is ever cut in two by one: callers wait on
queues, which survive being interrupted. What waits when a transaction begins shares it, and its fsync.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from resonate_nb.errors import StoreUnavailable
from resonate_nb.store.draft import Draft, Table, keep_values
from resonate_nb.store.forks import gate
from resonate_nb.store.replies import Posted, Slot, Unread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from resonate_nb.store.base import Operation, Result
    from resonate_nb.store.draft import Change
    from resonate_nb.store.rows import Buffers

MAX_OPERATIONS = 512  # in one transaction
MAX_SECONDS = 0.010  # that a transaction takes up operations for, so that other processes get their turn


class WritableTable(Table, Protocol):
    """Stored rows that change inside transactions. All failures are `StoreUnavailable`."""

    location: str

    def transaction(self, *, power_safe: bool) -> AbstractContextManager[None]:
        """Commit at the end, or roll back on an error and be usable again."""
        ...

    def write(self, changes: Mapping[str, Change | None], aside: Mapping[str, bytes]) -> None:
        """Change rows inside the transaction."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...

    def begin_in_child(self) -> None:
        """Forget, without closing, what belongs to the process that this one was forked from."""
        ...


class Writer:
    """Takes operations in from many threads and commits them in one, first in, first out."""

    def __init__(self, table: WritableTable, buffers: Buffers, *, power_safe: bool) -> None:
        self._table, self._buffers, self._power_safe = table, buffers, power_safe
        self.unread = Unread()
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._queue: SimpleQueue[Slot | None] = SimpleQueue()
        self._alone = threading.Lock()  # held by the thread that writes, all its life
        self._thread: threading.Thread | None = None
        self._finished = False

    def post(self, operation: Operation[Result]) -> Posted[Result]:
        """Hand over an operation, after its large values are on disk."""
        self.unread.raise_first()
        if self._closed:
            raise self._closed_error()
        keep_values(operation, self._buffers)
        slot = Slot(operation, self.unread)
        posted: Posted[Result] = Posted(slot)
        self._queue.put(slot)
        self._start()
        if self._finished:  # closed in the meantime: nobody takes up the slot any more
            self._refuse_rest()
        return posted

    def stop(self) -> None:
        """Commit what was posted and end the thread; raise a failure that nobody read."""
        self._closed = True
        if self._thread is None and not self._queue.empty():
            self._start()
        thread = self._thread
        if thread is not None:
            self._queue.put(None)
            if thread is not threading.current_thread():
                thread.join()
        self.unread.raise_first()

    def _start(self) -> None:
        # An interrupt may leave a started thread unknown. A second one does no harm: it waits for `_alone`.
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="resonate-nb writer", daemon=True)
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        with self._alone:
            waiting: deque[Slot] = deque()
            while not self._finished:
                self._finished = self._take_up(waiting)
                while waiting:
                    self._commit(waiting)
            self._refuse_rest()
            with gate:
                self._table.close()

    def _take_up(self, waiting: deque[Slot]) -> bool:
        """Wait for one operation, take those that wait with it, and say whether they are the last."""
        slot = self._queue.get()
        with suppress(Empty):
            while slot is not None:
                waiting.append(slot)
                if len(waiting) == MAX_OPERATIONS:
                    return False
                slot = self._queue.get_nowait()
            return True
        return False

    def _commit(self, waiting: deque[Slot]) -> None:
        done: list[tuple[Slot, _Outcome]] = []
        power_safe = self._power_safe or any(slot.operation.power_safe for slot in waiting)
        try:
            with gate, self._table.transaction(power_safe=power_safe):
                draft = Draft(self._table, self._buffers)
                end = time.monotonic() + MAX_SECONDS
                while waiting:
                    slot = waiting.popleft()
                    done.append((slot, _Outcome()))
                    done[-1][1].take(slot.operation, draft)
                    if time.monotonic() > end:
                        break
                self._table.write(draft.changes, draft.aside)
        except Exception as error:  # noqa: BLE001 - an unanswered reply would hang its caller for ever
            slots = [slot for slot, _ in done] + list(waiting)
            waiting.clear()
            self._fail(slots, error)
        else:
            for slot, outcome in done:
                outcome.give(slot)

    def _fail(self, slots: list[Slot], error: Exception) -> None:
        if not isinstance(error, StoreUnavailable):
            error = StoreUnavailable(self._table.location, f"{type(error).__name__}: {error}")
        for slot in slots:
            # An exception of its own for each: raising one in many threads would mix their tracebacks.
            own = type(error)(error.location, error.reason)
            own.__cause__ = error.__cause__
            slot.fail(own)

    def _refuse_rest(self) -> None:
        with suppress(Empty):
            while True:
                slot = self._queue.get_nowait()
                if slot is not None:
                    slot.fail(self._closed_error())

    def _closed_error(self) -> StoreUnavailable:
        return StoreUnavailable(self._table.location, "it was closed")

    def begin_in_child(self) -> None:
        """Start afresh in a forked process, which has no thread and must not touch its parent's files."""
        self._table.begin_in_child()
        self._begin()


class _Outcome:
    """What an operation gave, until its transaction is committed."""

    __slots__ = ("_error", "_result")

    def __init__(self) -> None:
        self._result: Any = None
        self._error: Exception | None = None

    def take(self, operation: Operation[Any], draft: Draft) -> None:
        try:
            self._result = draft.apply(operation)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - an operation's failure is its own caller's alone
            self._error = error

    def give(self, slot: Slot) -> None:
        if self._error is None:
            slot.succeed(self._result)
        else:
            slot.fail(self._error)
