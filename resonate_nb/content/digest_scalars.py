"""How numbers, text and other scalars are written into a digest, one by one or a column at a time.

What is written can be read back in only one way, which is what keeps different values apart.
"""

from __future__ import annotations

import datetime as dt
import pathlib
import struct
import sys
import types
from array import array
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

from xxhash import xxh3_128_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INLINE = 4096  # bytes: longer content goes through xxh3, at the speed of memory

_pack_float = struct.Struct("<d").pack
_pack_complex = struct.Struct("<dd").pack


def encode(text: str) -> bytes:
    """Return text as bytes; half a surrogate pair is text, too."""
    return text.encode("utf-8", "surrogatepass")


def frame(content: bytes | memoryview) -> bytes:
    """Return content so that what follows it can't be taken for a part of it."""
    size = len(content)
    if size <= INLINE:
        return b"%d:" % size + content
    return b"%d#" % size + xxh3_128_digest(content)


def _text(of: Callable[[Any], str]) -> Callable[[Any], bytes]:
    """Return how to write a value that its type and a text tell exactly."""

    def written(value: object) -> bytes:
        name, text = type(value).__name__.encode(), encode(of(value))
        return b"x%b %b" % (name, frame(text))

    return written


def _write_bools(column: Sequence[bool]) -> bytes:
    return frame(bytes(column))


def _write_ints(column: Sequence[int]) -> bytes:
    try:
        return b"q" + frame(_little_endian(array("q", column)))
    except OverflowError:
        return b"x" + frame(b",".join([b"%x" % number for number in column]))


def _write_floats(column: Sequence[float]) -> bytes:
    return frame(_little_endian(array("d", column)))


def _write_texts(column: Sequence[str]) -> bytes:
    lengths = _little_endian(array("q", map(len, column)))
    return frame(lengths) + frame(encode("".join(column)))


def _write_strings_of_bytes(column: Sequence[bytes]) -> bytes:
    lengths = _little_endian(array("q", map(len, column)))
    return frame(lengths) + frame(b"".join(column))


def _little_endian(numbers: array[Any]) -> memoryview:
    if sys.byteorder == "big":
        numbers.byteswap()
    return memoryview(numbers).cast("B")


class _Columns(dict[type, int]):
    """Which column a type's values are written in; 0 is for all that has none of its own."""

    def __missing__(self, cls: type) -> int:
        return 0


SCALARS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"n",
    bool: lambda value: b"t" if value else b"u",
    int: lambda value: b"i%x;" % value,
    float: lambda value: b"f" + _pack_float(value),
    complex: lambda value: b"c" + _pack_complex(value.real, value.imag),
    str: lambda value: b"s" + frame(encode(value)),
    bytes: lambda value: b"b" + frame(value),
    types.EllipsisType: lambda _: b"e",
    types.NotImplementedType: lambda _: b"o",
    Decimal: _text(str),
    Fraction: _text(lambda value: f"{value.numerator:x}/{value.denominator:x}"),
    UUID: _text(lambda value: value.hex),
    dt.date: _text(dt.date.isoformat),
    dt.timedelta: _text(lambda value: f"{value.days} {value.seconds} {value.microseconds}"),
    pathlib.PurePosixPath: _text(str),
    pathlib.PureWindowsPath: _text(str),
    pathlib.PosixPath: _text(str),
    pathlib.WindowsPath: _text(str),
}

COLUMN_OF = _Columns({type(None): 1, bool: 2, int: 3, float: 4, str: 5, bytes: 6})

COLUMN_WRITERS: dict[int, Callable[[Any], bytes]] = {
    1: lambda _: b"",
    2: _write_bools,
    3: _write_ints,
    4: _write_floats,
    5: _write_texts,
    6: _write_strings_of_bytes,
}
