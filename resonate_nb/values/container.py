"""The sealed form of a stored pickle: checksummed against damage, signed against everybody else.

Layout, big-endian: the head (magic, format, kind, key's id, signature, checksum), then each part with its
length in front. The checksum covers all bytes but itself and the list of buffers, so damage is told from a
foreign signature. The signature covers the id, too, so a value can't be moved to another promise.
"""

from __future__ import annotations

import hashlib
import struct
from enum import IntEnum
from typing import TYPE_CHECKING

import xxhash

from resonate_nb.errors import DamagedValue, UntrustedValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonate_nb.promise import Buffer
    from resonate_nb.values.keys import SigningKey

FORMAT = 1  # what a change of the layout, or of what the parts mean, raises by one
MAGIC = b"rnb\x93"  # not valid UTF-8, so never taken for JSON

_HEAD = struct.Struct(">4sBB8s32s")  # magic, format, kind, key's id, signature
_LENGTH = struct.Struct(">Q")
_CHECKSUM_SIZE = 16
_BODY = _HEAD.size + _CHECKSUM_SIZE


class Kind(IntEnum):
    """What a sealed pickle is, so that an error never passes for a value."""

    VALUE = 0
    ERROR = 1


def seal(
    parts: Sequence[bytes | memoryview], *, key: SigningKey, id: str, kind: Kind, buffers: Sequence[Buffer]
) -> bytes:
    """Return the parts as one piece of bytes that only this key's owner could have made for this id."""
    body = [piece for part in parts for piece in (_LENGTH.pack(len(part)), part)]
    listed = _list(buffers)
    signature = key.sign(_message(id, kind, listed, body))
    head = _HEAD.pack(MAGIC, FORMAT, kind, bytes.fromhex(key.id), signature)
    return b"".join((head, _checksum(head, listed, body), *body))


def unseal(
    data: bytes, *, key: SigningKey, id: str, kind: Kind, buffers: Sequence[Buffer]
) -> list[memoryview]:
    """Return the parts of sealed bytes, once nothing about them is in doubt.

    Raises
    ------
    DamagedValue
        The bytes are not those that `seal` made.
    UntrustedValue
        They are whole, but another key signed them, or this key for another id or another kind.
    """
    if len(data) < _BODY or data[: len(MAGIC)] != MAGIC:
        raise DamagedValue(id, "it does not begin like a signed value")
    _, _, found_kind, key_id, signature = _HEAD.unpack_from(data)
    body = memoryview(data)[_BODY:]
    listed = _list(buffers)
    if _checksum(data[: _HEAD.size], listed, [body]) != data[_HEAD.size : _BODY]:
        raise DamagedValue(id, "its checksum does not fit")
    if key_id.hex() != key.id:
        raise UntrustedValue(id, f"it was signed by the key {key_id.hex()}, yours is {key.id}")
    if not key.verifies(_message(id, found_kind, listed, [body]), signature):
        raise UntrustedValue(id, "its signature does not fit: it was made for another promise, or changed")
    if found_kind != kind:
        raise UntrustedValue(id, "an error stands where a value belongs, or a value where an error does")
    return _split(body)


def _message(id: str, kind: int, listed: bytes, body: Sequence[bytes | memoryview]) -> bytes:
    name = id.encode()
    content = hashlib.blake2b(digest_size=32)  # so that a large body is not copied
    for piece in body:
        content.update(piece)
    return b"".join(
        (
            MAGIC,
            bytes((FORMAT, kind)),
            _LENGTH.pack(len(name)),
            name,
            _LENGTH.pack(len(listed)),
            listed,
            content.digest(),
        )
    )


def _checksum(head: bytes, listed: bytes, body: Sequence[bytes | memoryview]) -> bytes:
    checksum = xxhash.xxh3_128(head)
    for piece in (listed, *body):
        checksum.update(piece)
    return checksum.digest()


def _list(buffers: Sequence[Buffer]) -> bytes:
    return b"".join(f"{buffer.digest}:{buffer.size};".encode() for buffer in buffers)


def _split(body: memoryview) -> list[memoryview]:
    parts = []
    place = 0
    while place < len(body):
        (length,) = _LENGTH.unpack_from(body, place)
        place += _LENGTH.size
        parts.append(body[place : place + length])
        place += length
    return parts
