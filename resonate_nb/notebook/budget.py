"""What checkpoints may cost: a share of the cell's time, and bytes."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Of a cell's time, for all its checkpoints together; 0 for none.
SHARE = float(os.environ.get("RESONATE_NB_CHECKPOINT_SHARE", "0.05"))
MOST_BYTES = 2**31  # of one checkpoint
_LEAST_SECONDS = 0.004  # that a checkpoint of nothing costs
_RATE = 100e6  # bytes a second, until it was measured
_LARGE = 1e6  # bytes from which on a checkpoint tells the rate rather than the least cost
_SAMPLE = 20  # items of a container that are looked at
_DEEPEST = 3


class Budget:
    """The time and bytes that one run of a cell may spend on its checkpoints."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._spent = 0.0
        self._rate, self._least = _RATE, _LEAST_SECONDS
        self.open = True

    @property
    def elapsed(self) -> float:
        """The seconds that the cell has taken, without its checkpoints."""
        return time.monotonic() - self._began - self._spent

    def came_with(self, seconds: float) -> None:
        """Count seconds of work that a checkpoint brought along."""
        self._began -= seconds

    def allows(self, size: float, digests: float) -> bool:
        """Return whether a checkpoint of this size, after digests that take some seconds, is within it."""
        cost = self._least + digests + size / self._rate
        return size <= MOST_BYTES and self._spent + cost <= SHARE * self.elapsed

    @contextmanager
    def spending(self, size: float) -> Iterator[None]:
        """Count the time of a block as spent, and learn from it."""
        began = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - began
            self._spent += took
            if size > _LARGE:
                self._rate = size / took
            else:
                self._least = took

    def spend(self, seconds: float) -> None:
        """Count time that went into making checkpoints possible."""
        self._spent += seconds

    def close(self) -> None:
        """Spend no more."""
        self.open = False


def rough_size(values: Iterable[Any]) -> float:
    """Return about how many bytes values take, from a look at a few items of each container."""
    return sum(_size(value, _DEEPEST) for value in values)


def _size(value: Any, depth: int) -> float:
    kind = type(value)
    if kind in {int, float, bool, str, bytes, type(None)}:
        return sys.getsizeof(value)
    size = _size_told(value)
    if size is not None:
        return size
    if depth and isinstance(value, list | tuple | set | frozenset | dict):
        return sys.getsizeof(value) + _size_of_items(value, depth)
    inside = getattr(value, "__dict__", None)
    if depth and isinstance(inside, dict) and not isinstance(value, type):
        return 64 + sum(_size(each, depth - 1) for each in list(inside.values())[:_SAMPLE])
    return sys.getsizeof(value, 64)


def _size_told(value: Any) -> float | None:
    """Return the size that arrays and frames tell of themselves."""
    if hasattr(value, "memory_usage") and hasattr(value, "columns"):
        return float(value.memory_usage(index=True, deep=False).sum()) * 1.5
    told = getattr(value, "nbytes", None)
    return float(told) if isinstance(told, int) else None


def _size_of_items(value: Any, depth: int) -> float:
    items = value.items() if isinstance(value, dict) else value
    seen = [each for each, _ in zip(items, range(_SAMPLE), strict=False)]
    if not seen:
        return 0.0
    return sum(_size(each, depth - 1) for each in seen) / len(seen) * len(value)
