"""The answer to a posted operation, which is never lost: a failure that nobody read is raised later."""

from __future__ import annotations

import os
import weakref
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, cast

from resonate_nb.errors import StoreUnavailable
from resonate_nb.store.base import Result

if TYPE_CHECKING:
    from resonate_nb.store.base import Operation


class Slot:
    """An operation on its way, and the place for its answer; it is shared by caller and writer."""

    __slots__ = ("_unread", "answered", "error", "operation", "posted", "read", "result", "waiter")

    def __init__(self, operation: Operation[Any], unread: Unread) -> None:
        self.operation = operation
        self.posted: weakref.ref[Posted[Any]] | None = None  # None: not handed over yet
        self.read = False  # somebody waits or waited for the answer
        self.answered = False
        self.result: Any = None
        self.error: Exception | None = None
        self.waiter: SimpleQueue[None] = SimpleQueue()
        self._unread = unread

    def succeed(self, result: Any) -> None:
        """Give the result to whoever waits."""
        self.result, self.answered = result, True
        self.waiter.put(None)

    def fail(self, error: Exception) -> None:
        """Give the error to whoever waits, or to the next who comes if nobody ever will."""
        self.error, self.answered = error, True
        self.waiter.put(None)
        if not self.read:
            self._unread.add(self)

    @property
    def thrown_away(self) -> bool:
        """Whether nobody can read the answer any more."""
        return self.posted is not None and self.posted() is None


class Unread:
    """The failures that nobody has read yet."""

    def __init__(self) -> None:
        self._failed: deque[Slot] = deque()

    def add(self, slot: Slot) -> None:
        """Remember a failure."""
        self._failed.append(slot)

    def raise_first(self) -> None:
        """Raise the oldest failure whose reply was thrown away unread, once."""
        # No `__del__` of the reply reports it: an interrupt during one is swallowed by Python.
        for _ in range(len(self._failed)):
            try:
                slot = self._failed.popleft()
            except IndexError:  # another thread is here, too
                return
            if slot.read:
                continue
            if slot.thrown_away and slot.error is not None:
                raise slot.error
            self._failed.append(slot)


class Posted(Generic[Result]):
    """The caller's end of a slot."""

    __slots__ = ("__weakref__", "_process", "_slot")

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._process = os.getpid()
        slot.posted = weakref.ref(self)

    def get(self) -> Result:
        """Wait for the commit, then return the operation's result or raise its error.

        An interrupt ends the waiting, not the operation: it may or may not have happened.
        """
        slot = self._slot
        slot.read = True
        if not slot.answered:
            if os.getpid() != self._process:
                raise StoreUnavailable(
                    "of the parent process", "only the process that posted can wait for it"
                )
            slot.waiter.get()
            slot.waiter.put(None)  # for another thread that waits for the same reply
        if slot.error is not None:
            raise slot.error
        return cast("Result", slot.result)
