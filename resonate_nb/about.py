"""What is recorded about a work when its promise is made: its inputs by name.

It is the promise's param, readable by every client, and serves to explain: it never decides anything.
The parts of its code are in the record of its version.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from resonate_nb.fingerprint import content_digest
from resonate_nb.promise import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resonate_nb.fingerprint import Part

HEADERS = MappingProxyType({"resonate-nb-about": "work"})
MOST_SHOWN = 80  # characters of one input
_MOST_ITEMS = 8  # of a container that is shown with its items
_MOST_BITS = 256  # of a whole number that is shown with its digits
_PLAIN = frozenset({type(None), bool, float, complex})
_WRITTEN_OUT = frozenset({"datetime", "decimal", "fractions", "uuid", "pathlib"})
_WITH_SHAPE = frozenset({"numpy", "pandas", "polars", "pyarrow", "scipy", "torch", "xarray"})
_SECRET = re.compile(r"passw|secret|token|api_?key|credential", re.IGNORECASE)

_to_text = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Noted:
    """One input, as it is recorded."""

    shown: str
    digest: str = ""  # empty where the text is all of the content


@dataclass(frozen=True, slots=True)
class About:
    """The record, as it is read again."""

    inputs: Mapping[str, Noted]

    def and_constants(self, parts: Sequence[Part]) -> tuple[About, Sequence[Part]]:
        """Return the record with the constants that a cell reads by name, and the other parts of its code."""
        constants = [part for part in parts if part.kind == "constant" and "." not in part.path]
        inputs = {part.path: Noted(part.source[:MOST_SHOWN], part.digest) for part in constants}
        return About({**self.inputs, **inputs}), [part for part in parts if part not in constants]


NOTHING = About({})


def recorded(values: Mapping[str, object], digests: Mapping[str, str]) -> Value:
    """Return the record of a work that reads these values; digests that are known are not taken again."""
    inputs = {name: _note(name, value, digests) for name, value in values.items()}
    return Value(HEADERS, _to_text({"inputs": inputs}).encode())


def read(param: Value) -> About:
    """Return the record in a promise's param; nothing where another client made the promise."""
    if param.headers.get("resonate-nb-about") != "work":
        return NOTHING
    try:
        about = json.loads(param.data)
        return About({name: _noted(each) for name, each in about["inputs"].items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        return NOTHING  # any client may write a param: one that looks like ours explains nothing


def _note(name: str, value: object, digests: Mapping[str, str]) -> str | list[str]:
    kind = type(value)
    if _SECRET.search(name):
        return [f"{kind.__name__}, not shown", digests.get(name) or content_digest(value, name)]
    if kind in _PLAIN or (kind is int and value.bit_length() <= _MOST_BITS):  # type: ignore[attr-defined]
        return repr(value)
    if (kind is str or kind is bytes) and len(value) <= MOST_SHOWN - 3:  # type: ignore[arg-type]
        written = repr(value)
        if len(written) <= MOST_SHOWN:
            return written
    return [short(value), digests.get(name) or content_digest(value, name)]


def _noted(each: Any) -> Noted:
    return Noted(each) if isinstance(each, str) else Noted(*each)


def shown(param: Value) -> str:
    """Return the inputs in a promise's param as the arguments of a call, for messages."""
    inputs = [f"{name}={noted.shown}" for name, noted in read(param).inputs.items()]
    return f" ({', '.join(inputs)})" if inputs else ""


def short(value: Any) -> str:
    """Return text for a value that fits on a line; never the `repr` of something large or of users' own.

    >>> short([1, 2]), short(list(range(1_000))), short("a" * 1_000)[-20:]
    ('[1, 2]', 'list of 1,000', '... 1,000 characters')
    """
    kind = type(value)
    if kind is str or kind is bytes:
        unit = "characters" if kind is str else "bytes"
        return f"{repr(value[:MOST_SHOWN])[: MOST_SHOWN // 2]}... {len(value):,} {unit}"
    if kind is int:
        return f"a number of {value.bit_length():,} bits"
    if kind in {list, tuple, dict, set, frozenset}:
        return _container(value)
    if kind.__module__.partition(".")[0] in _WITH_SHAPE:
        return _shape(value)
    if kind.__module__ in _WRITTEN_OUT or kind.__module__.startswith("pathlib."):
        return repr(value)[:MOST_SHOWN]
    name = getattr(value, "__qualname__", None) if callable(value) else None
    return f"{kind.__qualname__} {name}"[:MOST_SHOWN] if isinstance(name, str) else kind.__qualname__


def _container(value: Any) -> str:
    kind = type(value)
    items = (*value, *value.values()) if kind is dict else value
    if len(value) <= _MOST_ITEMS and all(_is_small(item) for item in items):
        written = repr(value)
        if len(written) <= MOST_SHOWN:
            return written
    return f"{kind.__name__} of {len(value):,}"


def _is_small(item: Any) -> bool:
    kind = type(item)
    if kind is int:
        return bool(item.bit_length() <= _MOST_BITS)
    return kind in _PLAIN or ((kind is str or kind is bytes) and len(item) <= MOST_SHOWN)


def _shape(value: Any) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    name = type(value).__qualname__
    if shape == () and dtype is not None:
        return f"{name} {value}"[:MOST_SHOWN]
    size = " x ".join(f"{length:,}" for length in shape) if isinstance(shape, tuple) else ""
    return " ".join(filter(None, (name, size, "" if dtype is None else str(dtype))))[:MOST_SHOWN]
