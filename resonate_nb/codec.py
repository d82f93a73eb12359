"""The codec: values and errors to bytes and back, without any input or output of its own.

What JSON holds exactly is JSON, readable by every client. Everything else is a pickle, sealed with the
user's key and marked by a header; nothing is unpickled before its seal was found whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import xxhash

from resonate_nb.errors import (
    DamagedValue,
    PromiseRejected,
    ResonateError,
    StoreFormat,
    Unpicklable,
    UnreadableValue,
)
from resonate_nb.promise import Buffer, Value
from resonate_nb.values import container, exceptions_codec, unpicklable
from resonate_nb.values.container import FORMAT, Kind
from resonate_nb.values.pickling import NO_REFERENCES, Pickled, Pickling
from resonate_nb.values.plain_json import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resonate_nb.values.keys import SigningKey

HEADER = "resonate-nb-codec"
HEADERS = {HEADER: str(FORMAT)}


class Codec:
    """Turns values into bytes that survive the kernel, and back, for one user.

    `describe_code` says what a class or function of the notebook means; two that have the same text are
    taken for the same. Without it, they come back as copies.
    """

    def __init__(self, key: SigningKey, *, describe_code: Callable[[object], str] | None = None) -> None:
        self._key = key
        self._describe_code = describe_code

    @property
    def key_id(self) -> str:
        """Which key signs: may be shown to anybody."""
        return self._key.id

    def encode(
        self,
        value: object,
        *,
        id: str,
        references: Mapping[str, object] | None = None,
        name: str = "value",
    ) -> Value:
        """Return the value as bytes for this id; objects in `references` are kept by name instead.

        Raises
        ------
        Unpicklable
            A part can't be kept; its path begins with `name`, or with a key of the value if that is empty.
        """
        shared = frozenset(map(id_of, references.values())) if references else frozenset[int]()
        text = to_json(value, shared)
        if text is not None:
            return Value(data=text)
        pickling = self._pickling(id, references)
        try:
            pickled = pickling.dump(value)
        except MemoryError:
            raise
        except Exception as error:
            raise unpicklable.explain(value, name, error, pickling) from error
        return self._seal(pickled, id, Kind.VALUE)

    def decode(self, value: Value, *, id: str, references: Mapping[str, object] | None = None) -> object:
        """Return the value, which belongs to the caller alone.

        Raises
        ------
        DamagedValue
            The bytes are not those that were written, or (`UnreadableValue`) can't be rebuilt here.
        UntrustedValue
            They are not signed by this key for this id.
        MissingReference
            An object that was kept by name is not in `references`.
        StoreFormat
            A newer version of the package wrote them.
        """
        if HEADER not in value.headers:
            return _read_json(value, id)
        pickled, _ = self._unseal(value, id, Kind.VALUE)
        return _load(self._pickling(id, references), pickled)

    def encode_error(self, error: BaseException, *, id: str) -> Value:
        """Return an exception as bytes, with cause, context, notes and the text of its traceback.

        One that can't be pickled, or would come back as another, is kept as its type's name and its text.
        """
        pickled, facts = exceptions_codec.dump(error, self._pickling(id, None))
        return self._seal(pickled, id, Kind.ERROR, facts)

    def decode_error(self, value: Value, *, id: str) -> BaseException:
        """Return the exception, with the original traceback as a note.

        `PromiseRejected` if another client rejected the promise with JSON, `LostException` if the exception
        could not be kept or can't be rebuilt here. Raises as `decode` does.
        """
        if HEADER not in value.headers:
            return PromiseRejected(id, _read_json(value, id))
        pickled, facts = self._unseal(value, id, Kind.ERROR)
        return exceptions_codec.load(pickled, facts, self._pickling(id, None))

    def unpicklable_parts(
        self, values: Mapping[str, object], *, references: Mapping[str, object] | None = None
    ) -> dict[str, Unpicklable]:
        """Return which of the named values can't be kept, and the path to the part that is in the way."""
        found = {}
        for name, value in values.items():
            try:
                self.encode(value, id="", references=references, name=name)
            except Unpicklable as refusal:
                found[name] = refusal
        return found

    def _pickling(self, id: str, references: Mapping[str, object] | None) -> Pickling:
        return Pickling(self._describe_code, references or NO_REFERENCES, id)

    def _seal(self, pickled: Pickled, id: str, kind: Kind, facts: bytes = b"") -> Value:
        buffers = tuple(map(_named, pickled.buffers))
        parts = (pickled.stream, pickled.definitions, facts)
        return Value(
            HEADERS, container.seal(parts, key=self._key, id=id, kind=kind, buffers=buffers), buffers
        )

    def _unseal(self, value: Value, id: str, kind: Kind) -> tuple[Pickled, bytes]:
        _check_format(value.headers[HEADER], id)
        stream, definitions, facts = container.unseal(
            value.data, key=self._key, id=id, kind=kind, buffers=value.buffers
        )
        buffers = tuple(_verified(buffer, id) for buffer in value.buffers)
        return Pickled(stream, definitions, buffers), bytes(facts)


id_of = id  # the identity of an object, where `id` is a promise's


class HeldBuffer:
    """The memory of a live value, as the `load` of a buffer that is not stored yet."""

    def __init__(self, view: memoryview) -> None:
        self._view = view

    def __call__(self) -> memoryview:
        """Return a private, writable copy."""
        return memoryview(bytearray(self._view))

    def peek(self) -> memoryview:
        """Return the memory itself, read-only, for a store that writes it before the value can change."""
        return self._view.toreadonly()


def _named(view: memoryview) -> Buffer:
    return Buffer(xxhash.xxh3_128_hexdigest(view), view.nbytes, HeldBuffer(view))


def _verified(buffer: Buffer, id: str) -> memoryview:
    try:
        view = buffer.load()
    except OSError as error:
        raise DamagedValue(id, f"its buffer {buffer.digest} can't be read: {error}") from error
    if view.nbytes != buffer.size or xxhash.xxh3_128_hexdigest(view) != buffer.digest:
        raise DamagedValue(id, f"its buffer {buffer.digest} has other bytes than were written")
    return view


def _check_format(text: str, id: str) -> None:
    if not text.isascii() or not text.isdigit():
        raise DamagedValue(id, f"its header {HEADER} is {text[:40]!r}, not a number")
    if int(text) != FORMAT:
        raise StoreFormat(f"of {id!r}", text, FORMAT)


def _read_json(value: Value, id: str) -> object:
    try:
        return from_json(value.data)
    except (ValueError, RecursionError) as error:
        raise DamagedValue(
            id, f"it is not the JSON that a value without {HEADER} must be: {error}"
        ) from error


def _load(pickling: Pickling, pickled: Pickled) -> object:
    try:
        return pickling.load(pickled)
    except (ResonateError, MemoryError):
        raise
    except Exception as error:  # what the classes of the value raise while they rebuild it
        raise UnreadableValue(pickling.id, f"{type(error).__name__}: {error}") from error
