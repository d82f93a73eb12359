"""How often work may begin: so many times a second, minute or hour."""

from __future__ import annotations

import re
import sys
import time

from resonate_nb.errors import UsageError

_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*/\s*(s|m|h)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0}
_SLICE_SECONDS = 0.2  # a wait can be interrupted this often


class Rate:
    """Lets work begin at even distances, at once when there is no limit.

    Raises
    ------
    UsageError
        The limit is not written as a rate.
    """

    def __init__(self, limit: str | float | None) -> None:
        self._distance = 0.0 if limit is None else 1.0 / per_second(limit)
        self._next = 0.0  # when the next may begin

    @property
    def ahead(self) -> int:
        """How many pieces of work may be asked for ahead of their time."""
        return 1 if self._distance else sys.maxsize

    def wait(self, most: float | None = None) -> bool:
        """Wait until the next may begin and count it; False if that takes more seconds than `most`."""
        if not self._distance:
            return True
        end = None if most is None else time.monotonic() + most
        while (left := self._next - time.monotonic()) > 0:
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(min(left, _SLICE_SECONDS))
        self._next = max(self._next, time.monotonic()) + self._distance
        return True


def per_second(limit: str | float) -> float:
    """Return a rate as how many times a second; a bare number is just that.

    Raises
    ------
    UsageError
        It is not positive, or not written as a rate.

    >>> per_second("10/s"), per_second("90/m"), per_second(2)
    (10.0, 1.5, 2.0)
    """
    found = _parsed(limit)
    if found is None or not 0 < found < float("inf"):
        raise UsageError(
            f"{limit!r} is no rate: write how many may begin in a second, minute or hour, "
            'like "10/s", "90/m" or "500/h"'
        )
    return found


def _parsed(limit: str | float) -> float | None:
    if isinstance(limit, str):
        parts = _RATE.fullmatch(limit.strip())
        return None if parts is None else float(parts[1]) / _SECONDS[parts[2]]
    return float(limit) if isinstance(limit, int | float) and not isinstance(limit, bool) else None
