"""The values that JSON holds exactly, as JSON bytes, so that every client can read them."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

LARGEST_INT = 2**53
MOST_ELEMENTS = 1_000  # above, pickle is faster than this check
DEEPEST = 32

_to_text = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode
_from_text = json.JSONDecoder().decode


def to_json(value: Any, shared: frozenset[int] = frozenset()) -> bytes | None:
    """Return the value as JSON, or None if reading it back would not give the same value.

    `shared` are identities of containers that must stay the same object, so they can't be written as text.

    >>> to_json({"a": [1, 2.0, None]}), to_json((1, 2)), to_json(float("nan"))
    (b'{"a":[1,2.0,null]}', None, None)
    """
    kind = type(value)
    if kind is int:
        return b"%d" % value if -LARGEST_INT <= value <= LARGEST_INT else None
    if kind is not str and not _Walk(shared).holds(value, DEEPEST):
        return None
    try:
        return _to_text(value).encode()
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 can't carry
        return None


def from_json(data: bytes) -> object:
    """Return the value that the bytes stand for; no bytes stand for None.

    Raises
    ------
    ValueError
        The bytes are not JSON in UTF-8.
    RecursionError
        The JSON is nested too deeply.
    """
    return _from_text(data.decode()) if data else None


class _Walk:
    """One look through a value, which ends early when there is much to look at."""

    __slots__ = ("_left", "_seen")

    def __init__(self, shared: frozenset[int]) -> None:
        self._seen = set(shared)  # a container met twice would come back as two
        self._left = MOST_ELEMENTS

    def holds(self, value: Any, depth: int) -> bool:
        """Return whether JSON holds the value exactly; subclasses, such as enumerations, never count."""
        kind = type(value)
        if kind is str or value is None or kind is bool:
            return True
        if kind is int:
            return bool(-LARGEST_INT <= value <= LARGEST_INT)
        if kind is float:
            return isfinite(value)
        if kind is list:
            return self._enters(value, depth) and all(self.holds(item, depth - 1) for item in value)
        if kind is dict:
            return self._enters(value, depth) and all(
                type(key) is str and self.holds(item, depth - 1) for key, item in value.items()
            )
        return False

    def _enters(self, container: list[object] | dict[object, object], depth: int) -> bool:
        identity = id(container)
        self._left -= len(container)
        if not depth or self._left < 0 or identity in self._seen:
            return False
        self._seen.add(identity)
        return True
