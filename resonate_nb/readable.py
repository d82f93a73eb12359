"""Times, sizes and moments as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime

_SIZES = ("bytes", "KB", "MB", "GB", "TB")


def seconds(duration: float) -> str:
    """Return a time in seconds in the one or two units that matter.

    >>> seconds(0.0004), seconds(0.25), seconds(3.21), seconds(250.0), seconds(7_500.0)
    ('under 1 ms', '250 ms', '3.2 s', '4 min 10 s', '2 h 5 min')
    """
    if duration < 0.001:
        return "under 1 ms"
    if duration < 0.9995:
        return f"{duration * 1_000:.0f} ms"
    if duration < 59.95:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3_600:,} h {whole % 3_600 // 60} min"


def size(count: int) -> str:
    """Return a number of bytes.

    >>> size(17), size(1_234_567), size(999_999)
    ('17 bytes', '1.2 MB', '1.0 MB')
    """
    amount, unit = float(count), 0
    while amount >= 999.95 and unit < len(_SIZES) - 1:
        amount, unit = amount / 1_000, unit + 1
    return f"{amount:.1f} {_SIZES[unit]}" if unit else f"{count} bytes"


def moment(milliseconds: int) -> str:
    """Return a time of the clock here, from milliseconds since the epoch."""
    return f"{datetime.fromtimestamp(milliseconds / 1_000, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
