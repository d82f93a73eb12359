"""A row's bytes: an entry as msgpack behind a checksum that also covers the id.

The bytes can't execute, a changed bit is noticed, and a row that was copied under another id is refused.
Data of more than 32 KiB moves into a buffer, so rows stay small enough to be read in lists.
"""

from __future__ import annotations

from dataclasses import astuple
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import msgpack  # type: ignore[import-untyped]
import xxhash

from resonate_nb.errors import DamagedValue
from resonate_nb.ids import is_internal, split_generation, validate
from resonate_nb.promise import EMPTY, NO_TEXTS, Buffer, Promise, State, Value
from resonate_nb.store.base import NOBODY_INVOLVED, Entry, Involved, Lease, Task, TaskState

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
MAX_INLINE = 2**15  # bytes of data that stay in the row
MAX_ROW = 2**24  # bytes; only texts can make a row that large
_CHECKSUM = 8  # bytes of xxh3-64 in front of the body
_STATES = {state.value: state for state in State}
_HEX = frozenset("0123456789abcdef")


class Buffers(Protocol):
    """Where the large parts of values are kept, by content."""

    def keep(self, buffer: Buffer) -> None:
        """Make sure that the buffer's bytes are kept; kept already is fine."""
        ...

    def load(self, id: str, digest: str, size: int) -> memoryview:
        """Return a private, writable view of kept bytes, for the promise that is called `id`."""
        ...

    def set_aside_if_damaged(self, digest: str, size: int) -> None:
        """Put bytes that are not those of the digest out of the way, so that they can be kept anew."""
        ...


def pack(entry: Entry, buffers: Buffers) -> bytes:
    """Return the row of an entry, after its buffers are kept.

    Raises
    ------
    InvalidId, ValueError
        The entry has parts that no store can keep.
    """
    promise, lease = entry.promise, entry.lease
    check_id(promise.id)
    keep(promise.param, buffers)
    keep(promise.value, buffers)
    fields: tuple[Any, ...] = (
        FORMAT,
        promise.state.value,
        _texts(promise.tags),
        promise.timeout_at,
        promise.created_at,
        promise.settled_at,
        None if lease is None else (lease.owner, lease.fence, lease.until),
        entry.head,
        entry.latest,
        _packed_value(promise.param),
        _packed_value(promise.value),
    )
    if entry.involved is not NOBODY_INVOLVED:
        fields = (*fields, _packed_involved(entry.involved))
    try:
        body: bytes = msgpack.packb(fields)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"promise {promise.id!r} can't be stored: {error}") from error
    if len(body) > MAX_ROW:
        raise ValueError(f"the tags and headers of promise {promise.id!r} have more than {MAX_ROW:,} bytes")
    return _checksum(promise.id, body) + body


def unpack(id: str, row: bytes, buffers: Buffers) -> Entry:
    """Return the entry of a row.

    Raises
    ------
    DamagedValue
        The bytes are not those that were written for this id.
    """
    fields = _checked(id, row)
    try:
        _, state, tags, timeout_at, created_at, settled_at, lease, head, latest, param, value, *more = fields
        promise = Promise(
            id=id,
            state=_STATES[state],
            param=EMPTY if param is None else _unpacked_value(id, param, buffers),
            value=EMPTY if value is None else _unpacked_value(id, value, buffers),
            tags=tags or NO_TEXTS,
            timeout_at=timeout_at,
            created_at=created_at,
            settled_at=settled_at,
        )
        involved = _unpacked_involved(more[0]) if more else NOBODY_INVOLVED
        return Entry(promise, None if lease is None else Lease(*lease), head, latest, involved)
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedValue(id, f"the row has an unknown shape ({error})") from error


def unpack_listed(id: str, row: bytes) -> Promise:
    """Return the promise of a row without its param and value, as lists show it."""
    fields = _checked(id, row)
    try:
        _, state, tags, timeout_at, created_at, settled_at, *_ = fields
        return Promise(
            id=id,
            state=_STATES[state],
            tags=tags or NO_TEXTS,
            timeout_at=timeout_at,
            created_at=created_at,
            settled_at=settled_at,
        )
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedValue(id, f"the row has an unknown shape ({error})") from error


def buffers_of(id: str, row: bytes) -> list[tuple[str, int]]:
    """Return digest and size of every buffer that a row refers to; none if the row itself is damaged."""
    try:
        param, value = _checked(id, row)[9:11]
        found: list[tuple[str, int]] = []
        for packed in (param, value):
            if packed is not None:
                _headers, _data, spilled, named = packed
                found += [tuple(each) for each in ([spilled] if spilled else []) + list(named)]
    except (DamagedValue, ValueError, TypeError):
        return []
    return found


def keep(value: Value, buffers: Buffers) -> None:
    """Keep what a row only refers to: the value's buffers, and its data when it is large."""
    for buffer in value.buffers:
        if len(buffer.digest) != 32 or not _HEX.issuperset(buffer.digest):
            raise ValueError(f"{buffer.digest!r} is no digest of a buffer: it has 32 hexadecimal digits")
        buffers.keep(buffer)
    if len(value.data) > MAX_INLINE:
        buffers.keep(_spilled(value.data))


def check_id(id: str) -> None:
    """Raise `InvalidId` if no row can have the id; a generation's number may go beyond the limit of ids."""
    if not is_internal(id):
        validate(split_generation(id)[0] if isinstance(id, str) else id)


def tag_bytes(key: str, text: str) -> bytes:
    """Return the bytes that every row with this tag contains."""
    packed: bytes = msgpack.packb(key) + msgpack.packb(text)
    return packed


def digest_of(content: bytes | memoryview) -> str:
    """Return the digest that names a buffer of this content."""
    return xxhash.xxh3_128_hexdigest(content)


def _checksum(id: str, body: bytes) -> bytes:
    # No id contains NUL, so it separates.
    return xxhash.xxh3_64_digest(b"p:%b\0%b" % (id.encode(), body))


def _checked(id: str, row: bytes) -> Any:
    if type(row) is not bytes:
        raise DamagedValue(id, "the row is no record of this package")
    body = row[_CHECKSUM:]
    if _checksum(id, body) != row[:_CHECKSUM]:
        raise DamagedValue(id, "the row's checksum does not fit its bytes")
    try:
        fields = msgpack.unpackb(body, use_list=False)
        number = fields[0]
    except (ValueError, TypeError, LookupError, msgpack.UnpackException) as error:
        raise DamagedValue(id, f"the row can't be read ({error})") from error
    if number != FORMAT:
        raise DamagedValue(id, f"the row has format {number!r}, this version reads {FORMAT}")
    return fields


def _packed_involved(involved: Involved) -> tuple[Any, ...]:
    task = involved.task
    packed = None if task is None else (task.state.value, *astuple(task)[1:])
    return packed, involved.callbacks, involved.listeners


def _unpacked_involved(packed: Any) -> Involved:
    task, callbacks, listeners = packed
    return Involved(None if task is None else Task(TaskState(task[0]), *task[1:]), callbacks, listeners)


def _packed_value(value: Value) -> tuple[Any, ...] | None:
    if value is EMPTY:
        return None
    if type(value.data) is not bytes:
        raise ValueError(f"a value's data is bytes, not {type(value.data).__name__}")
    spilled = None
    if len(value.data) > MAX_INLINE:
        buffer = _spilled(value.data)
        spilled = (buffer.digest, buffer.size)
    named = [(buffer.digest, buffer.size) for buffer in value.buffers]
    return _texts(value.headers), b"" if spilled else value.data, spilled, named


def _unpacked_value(id: str, packed: Any, buffers: Buffers) -> Value:
    headers, data, spilled, named = packed
    if spilled is not None:
        digest, size = spilled
        data = _loaded(id, digest, size, buffers)
    if not named:
        return Value(headers or NO_TEXTS, data)
    return Value(
        headers,
        data,
        tuple(Buffer(digest, size, partial(buffers.load, id, digest, size)) for digest, size in named),
    )


def _spilled(data: bytes) -> Buffer:
    return Buffer(digest_of(data), len(data), lambda: memoryview(data))


def _loaded(id: str, digest: str, size: int, buffers: Buffers) -> bytes:
    data = bytes(buffers.load(id, digest, size))
    if digest_of(data) != digest:
        raise DamagedValue(id, f"its data {digest} has other bytes than were written")
    return data


def _texts(mapping: Mapping[str, str]) -> dict[str, str]:
    for key, text in mapping.items():
        if type(key) is not str or type(text) is not str:
            raise ValueError(f"tags and headers are text to text, not {key!r} to {type(text).__name__}")
    return dict(mapping)
