"""How long something takes, as people write it: `1d2h30m5s`, `250ms`, a number of seconds, a `timedelta`."""

from __future__ import annotations

import re
from datetime import timedelta
from math import isfinite

from resonate_nb.errors import UsageError

Duration = str | float | timedelta

_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}  # in milliseconds
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|d|h|m|s)")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def milliseconds(duration: Duration) -> int:
    """Return a duration in whole milliseconds; a bare number is seconds.

    Raises
    ------
    UsageError
        It is negative, not finite, or not written as a duration.

    >>> milliseconds("1h30m"), milliseconds("250ms"), milliseconds(1.5), milliseconds("2")
    (5400000, 250, 1500, 2000)
    """
    found = _parsed(duration)
    if found is None or not isfinite(found) or found < 0:
        raise UsageError(
            f"{duration!r} is no duration: write a number of seconds, `1d2h30m5s`, `250ms` or a timedelta"
        )
    return round(found)


def _parsed(duration: Duration) -> float | None:
    if isinstance(duration, timedelta):
        return duration.total_seconds() * 1_000
    if isinstance(duration, str):
        return _parsed_text(duration.strip())
    if isinstance(duration, int | float) and not isinstance(duration, bool):
        return duration * 1_000
    return None


def _parsed_text(text: str) -> float | None:
    if _NUMBER.fullmatch(text):
        return float(text) * 1_000
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
