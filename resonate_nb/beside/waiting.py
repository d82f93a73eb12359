"""Waiting for things that go on side by side, in synchronous code and in asynchronous code."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from resonate_nb.corridor.computing import call_in
from resonate_nb.corridor.deadlines import end_if_over
from resonate_nb.handles import standing_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from resonate_nb.beside.items import Item
    from resonate_nb.corridor.context import Context
    from resonate_nb.corridor.work import Outcome

_SLICE_SECONDS = 0.2  # a wait can be interrupted this often
_LOOK_SECONDS = 0.05  # between two looks at what does not tell its end


class Beside:
    """Things that go on side by side, in the order in which they were given."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.begun = False
        self._told = threading.Event()
        self._tell_loop: Callable[[], object] = lambda: None

    @property
    def outcomes(self) -> list[Outcome | None]:
        """What each gave, as it was seen last; None for those that go on."""
        return [item.outcome for item in self.items]

    def begin(self, contexts: Iterable[Context | None]) -> None:
        """Begin all of them, each with calls of its own context."""
        self.begun = True
        for item, context in zip(self.items, contexts, strict=True):
            item.begin(context, self._tell)

    def wait(self, enough: Callable[[], bool], seconds: float | None = None) -> None:
        """Return when there is enough, or after so many seconds."""
        end = None if seconds is None else time.monotonic() + seconds
        with standing_aside():
            while self._goes_on(enough, end):
                end_if_over()
                self._told.wait(self._slice())
                self._told.clear()

    async def wait_async(self, enough: Callable[[], bool], seconds: float | None = None) -> None:
        """Do as `wait` does without blocking the loop, in which these things were begun."""
        end = None if seconds is None else time.monotonic() + seconds
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        self._tell_loop = lambda: call_in(loop, told.set)
        while self._goes_on(enough, end):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._slice()):
                    await told.wait()
            told.clear()

    def interrupt(self) -> None:
        """Have all end that go on still."""
        for item in self.items:
            if item.outcome is None:
                item.interrupt()

    def all_ended(self) -> bool:
        """Return whether nothing goes on any more."""
        return all(outcome is not None for outcome in self.outcomes)

    def _tell(self) -> None:
        self._told.set()
        self._tell_loop()

    def _goes_on(self, enough: Callable[[], bool], end: float | None) -> bool:
        for item in self.items:
            if item.outcome is None:
                item.look()
        return not enough() and (end is None or time.monotonic() < end)

    def _slice(self) -> float:
        looking = any(item.outcome is None and not item.tells for item in self.items)
        return _LOOK_SECONDS if looking else _SLICE_SECONDS
