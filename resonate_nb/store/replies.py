"""The answer to a posted operation, which is never lost: a failure that nobody read is raised later."""

from __future__ import annotations

import os
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, cast

from resonate_nb.errors import StoreUnavailable
from resonate_nb.store.base import Result

if TYPE_CHECKING:
    from resonate_nb.store.base import Operation


class Unread:
    """The failures of operations whose replies were thrown away unread."""

    def __init__(self) -> None:
        self._errors: deque[Exception] = deque()

    def add(self, error: Exception) -> None:
        """Remember a failure."""
        self._errors.append(error)

    def raise_first(self) -> None:
        """Raise the oldest failure, once."""
        try:
            error = self._errors.popleft()
        except IndexError:
            return
        raise error


class Slot:
    """An operation on its way, and the place for its answer; it is shared by caller and writer."""

    __slots__ = ("_failure", "_unread", "answered", "error", "operation", "result", "thrown_away", "waiter")

    def __init__(self, operation: Operation[Any], unread: Unread) -> None:
        self.operation = operation
        self.answered = False
        self.result: Any = None
        self.error: Exception | None = None
        self.thrown_away = False
        self.waiter: SimpleQueue[None] = SimpleQueue()
        self._failure: list[Exception] = []
        self._unread = unread

    def succeed(self, result: Any) -> None:
        """Give the result to whoever waits."""
        self.result, self.answered = result, True
        self.waiter.put(None)

    def fail(self, error: Exception) -> None:
        """Give the error to whoever waits, or to the next who comes if nobody ever will."""
        self._failure.append(error)
        self.error, self.answered = error, True
        self.waiter.put(None)
        if self.thrown_away:
            self.tell_next()

    def tell_next(self) -> None:
        """Leave the failure for the next caller of the store, once."""
        try:
            self._unread.add(self._failure.pop())
        except IndexError:
            return


class Posted(Generic[Result]):
    """The caller's end of a slot."""

    __slots__ = ("_process", "_read", "_slot")

    def __init__(self, slot: Slot) -> None:
        self._read = False
        self._slot = slot
        self._process = os.getpid()

    def get(self) -> Result:
        """Wait for the commit, then return the operation's result or raise its error.

        An interrupt ends the waiting, not the operation: it may or may not have happened.
        """
        self._read = True
        slot = self._slot
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

    def __del__(self) -> None:
        if self._read or self._process != os.getpid():
            return
        self._slot.thrown_away = True
        if self._slot.error is not None:
            self._slot.tell_next()
