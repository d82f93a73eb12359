"""Time, told in integer milliseconds since the epoch and let pass, from a source that tests can replace."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time in milliseconds since the epoch."""

    def now(self) -> int:
        """Return the present time in milliseconds since the epoch."""
        ...

    def pause(self, seconds: float) -> None:
        """Let so many seconds pass."""
        ...

    async def apause(self, seconds: float) -> None:
        """Let so many seconds pass for the calling task."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> int:
        """Return the present time in milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def pause(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)

    async def apause(self, seconds: float) -> None:
        """Sleep without blocking the loop."""
        await asyncio.sleep(seconds)


class FakeClock:
    """A clock that stands still until it is moved, for tests.

    >>> clock = FakeClock(1_000)
    >>> clock.advance(seconds=2.5)
    >>> clock.now()
    3500
    """

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = now

    def now(self) -> int:
        """Return the time that was set last."""
        return self._now

    def advance(self, *, seconds: float) -> None:
        """Move the clock forward by so many seconds."""
        self._now += round(seconds * 1_000)

    def pause(self, seconds: float) -> None:
        """Move forward at once."""
        self.advance(seconds=seconds)

    async def apause(self, seconds: float) -> None:
        """Move forward at once, and let other tasks run."""
        self.advance(seconds=seconds)
        await asyncio.sleep(0)
