"""What goes to other processes and comes back: code with the data that it reads, arguments, reports."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from resonate_nb import fingerprint
from resonate_nb.codec import Codec
from resonate_nb.corridor.children import Place
from resonate_nb.corridor.context import ELSEWHERE, Context, current
from resonate_nb.errors import UsageError
from resonate_nb.executors.fitness import Needs
from resonate_nb.fingerprint import describe_code
from resonate_nb.promise import Buffer, Value
from resonate_nb.values.keys import SigningKey
from resonate_nb.versioning.stored_code import send_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.corridor.failures import Failures
    from resonate_nb.execution import Execution
    from resonate_nb.executors.fitness import Folder
    from resonate_nb.functions import DurableFunction
    from resonate_nb.opened.file_records import Record


@dataclass(frozen=True, slots=True)
class Packed:
    """A value as plain bytes, with its large buffers apart."""

    headers: dict[str, str]
    data: bytes
    buffers: tuple[tuple[str, bytes], ...]  # by their digests

    def value(self) -> Value:
        """Return what a codec decodes."""
        buffers = tuple(
            Buffer(digest, len(content), lambda content=content: memoryview(bytearray(content)))  # type: ignore[misc]
            for digest, content in self.buffers
        )
        return Value(self.headers, self.data, buffers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Luggage:
    """A function on its way, with all that its calls need: the same for every item of a map."""

    key: str  # of this luggage
    name: str
    code: bytes
    options: bytes  # how the function is called
    fingerprint: str
    descriptions: Mapping[str, str]  # of classes that may come along, by their meaning
    needs: Needs
    prefix: str
    library: Any
    folder: Folder | None  # of the store; None: values come back by the way they went
    secret: bytes  # signs what goes to and fro
    parents: tuple[tuple[Any, ...], ...]  # the promises in which the map runs, the innermost first


class Traveller(NamedTuple):
    """An item on its way; its arguments go beside it."""

    number: int
    id: str
    inputs: str  # digest of all that the call reads
    place_id: str | None = None  # where the place in the caller decides the id
    extends: bool = False  # whether that place's id extends the caller's

    def place(self, parent: Context | None) -> Place | None:
        """Return the item's place in the promise in which the map runs."""
        return None if self.place_id is None else Place(self.place_id, parent, self.extends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some items that are computed one after the other."""

    items: tuple[Traveller, ...]
    arguments: Packed
    descriptions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of one item."""

    number: int
    replayed: bool = False
    error: bool = False  # whether the outcome is an exception
    kept: bool = False  # whether there is nothing to settle
    outcome: Packed | None = None  # None: it is settled, in the store
    changed: tuple[str, ...] = ()  # names of what the body changed in place
    faults: tuple[str, ...] = ()  # why it can't be kept
    record: Record = ()  # of its files
    failures: Failures | None = None
    called: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Returned:
    """What comes back of a chunk; items are missing when nobody wanted the rest any more."""

    reports: tuple[Report, ...]
    seconds: float
    said: tuple[str, ...] = ()
    warned: tuple[tuple[type[Warning], str], ...] = ()


@dataclass(frozen=True, slots=True)
class Ways:
    """Values to bytes and back, for the way only."""

    secret: bytes
    descriptions: dict[str, str] = field(default_factory=dict)  # of the classes met so far, by meaning

    @property
    def codec(self) -> Codec:
        """What encodes and decodes."""
        return Codec(SigningKey(self.secret), describe_code=self._describe)

    def pack(self, value: object, name: str) -> Packed:
        """Return a value as plain bytes."""
        return packed(self.codec.encode(value, id="", name=name))

    def pack_error(self, error: BaseException) -> Packed:
        """Return an exception as plain bytes."""
        return packed(self.codec.encode_error(error, id=""))

    def unpack(self, content: Packed) -> Any:
        """Return the value."""
        return self.codec.decode(content.value(), id="")

    def unpack_error(self, content: Packed) -> BaseException:
        """Return the exception."""
        return self.codec.decode_error(content.value(), id="")

    def _describe(self, thing: object) -> str:
        description = describe_code(thing)
        self.descriptions[fingerprint.meaning_from(description)] = description
        return description


def packed(value: Value) -> Packed:
    """Return a value as plain bytes."""
    buffers = tuple((buffer.digest, bytes(buffer.load())) for buffer in value.buffers)
    return Packed(dict(value.headers), value.data, buffers)


def luggage(
    function: DurableFunction[Any, Any], execution: Execution, key: str, secret: bytes, folder: Folder | None
) -> Luggage:
    """Return a function for its way, and keep the versions of what it calls.

    Raises
    ------
    UsageError
        Its code can't be copied; says why.
    """
    code = function.code()
    try:
        sent = send_code(function.__wrapped__, code, function.options(), function.world)
    except Exception as error:  # parts pickle themselves, by code of anybody
        raise UsageError(
            f"{function.name} can't be sent to workers: {error}. Mend that, or compute it here"
        ) from error
    for called in sent.durables:
        called.remember()
    return Luggage(
        key=key,
        name=function.name,
        code=sent.code,
        options=sent.options,
        fingerprint=code.digest,
        descriptions=sent.descriptions,
        needs=Needs.of(code, execution.library),
        prefix=execution.prefix,
        library=execution.library,
        folder=folder,
        secret=secret,
        parents=_parents(),
    )


def _parents() -> tuple[tuple[Any, ...], ...]:
    here = current()
    found = () if here is None else tuple(here)
    return tuple((each.id, each.work_id, each.attempt, each.timeout_at, each.seed) for each in found)


def parent(parents: tuple[tuple[Any, ...], ...], *, here: bool = True) -> Context | None:
    """Return the innermost of the promises in which a map runs, in a process that does not compute them.

    Unless it counts as `here`, no call can have a place in it: other processes may count theirs.
    """
    made: Context | None = None
    for id, work_id, attempt, timeout_at, seed in reversed(parents):
        made = Context(id, work_id, attempt, made, timeout_at=timeout_at, seed=seed)
    return made if here or made is None else replace(made, process=ELSEWHERE)
