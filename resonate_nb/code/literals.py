"""Immutable literals: values that are code where a name refers to them."""

from __future__ import annotations

import enum
import sys
import types
from typing import Any

SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented)})
COMPOUNDS = (tuple, frozenset)  # literals if all that is in them is
_ALIASES = (types.GenericAlias, types.UnionType)


def literal_text(value: Any) -> str | None:
    """Return the text of an immutable literal, equal for equal ones of equal type; None for anything else.

    Besides numbers, text and tuples and frozensets of them these are enumeration members, and what stands
    for itself: bare `object()` sentinels, loggers, the special forms of `typing`.

    >>> literal_text((1, True, "a"))
    "(int 0x1,bool True,str 'a')"
    >>> literal_text([1]) is None
    True
    """
    kind = type(value)
    if kind in SCALARS:
        return f"{kind.__name__} {_scalar(value)}"
    if kind in COMPOUNDS:
        texts = [literal_text(each) for each in value]
        known = [text for text in texts if text is not None]
        if len(known) < len(texts):
            return None
        return f"({','.join(known)})" if kind is tuple else f"frozenset({','.join(sorted(known))})"
    if isinstance(value, enum.Enum):
        return f"member {kind.__qualname__}.{value.name}"
    if kind is object:
        return "object()"
    logging = sys.modules.get("logging")
    if logging is not None and kind in (logging.Logger, logging.RootLogger):
        return f"logger {value.name}"
    if (kind.__module__ == "typing" or kind in _ALIASES) and not isinstance(value, type):
        return f"type {value!r}"
    return None


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return ascii(value)
    return f"{value:#x}" if type(value) is int else repr(value)  # long integers refuse to be decimal
