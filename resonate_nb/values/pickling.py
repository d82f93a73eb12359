"""Values to pickles and back, with the notebook's classes and functions by reference.

A class or function of `__main__` is a *definition*: the stream holds its number, and beside the stream
stand its name, the digest of what its code means, and a copy by value. Loading takes the live one if it
means the same, so that `isinstance` holds, and else the copy.
"""

from __future__ import annotations

import io
import pickle
import sys
import types
from collections import ChainMap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import cloudpickle
from cloudpickle.cloudpickle import _should_pickle_by_reference

from resonate_nb.errors import MissingReference, ResonateError
from resonate_nb.fingerprint import copied_as, meaning_from
from resonate_nb.values import rebuilding
from resonate_nb.values.abroad import own
from resonate_nb.values.reductions import (
    DISPATCH,
    NOTEBOOK,
    Reduced,
    by_value,
    class_elsewhere,
    exception,
    function_by_value,
    lives_in_module,
)
from resonate_nb.values.shared_memory import SharedMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

OUT_OF_BAND = 16 * 1024  # bytes; smaller buffers are cheaper inside the stream
NO_REFERENCES: Mapping[str, object] = types.MappingProxyType({})
ATOMS = (type(None), bool, int, float, complex, str, bytes)  # their identity means nothing


class Definition(NamedTuple):
    """A class or function of the notebook, as it is stored."""

    name: str
    is_class: bool
    meaning: str | None  # None: never taken from the live notebook
    skeleton: bytes | None  # pickled (maker, arguments); None: it can't be copied
    filling: bytes | None  # pickled (setter, state), apart, so that definitions may mention each other


@dataclass(frozen=True, slots=True)
class Pickled:
    """A value as bytes: the stream, the definitions that it mentions, and large buffers apart."""

    stream: bytes | memoryview
    definitions: bytes | memoryview
    buffers: tuple[memoryview, ...]


@dataclass(frozen=True, slots=True)
class Pickling:
    """How values are pickled and loaded: by which meaning of code, with which objects by name."""

    describe_code: Callable[[object], str] | None
    references: Mapping[str, object]
    id: str  # of the promise, for messages

    def dump(self, value: object) -> Pickled:
        """Return the pickled value; whatever the value's own classes raise comes through."""
        memory = SharedMemory(self.references)
        pickled = self._dump(value, memory)
        shared = memory.found()
        return pickled if shared is None else self._dump(value, shared)

    def _dump(self, value: object, memory: SharedMemory) -> Pickled:
        buffers: list[memoryview] = []
        definitions = _Definitions(self, memory)
        stream = definitions.dump(value, buffers.append)
        return Pickled(stream, definitions.dump_all(), tuple(buffers))

    def load(self, pickled: Pickled) -> object:
        """Return the value; whatever the value's own classes raise comes through."""
        return _Loading(self, pickled.definitions).load(pickled.stream, pickled.buffers)

    def meaning(self, thing: object) -> str | None:
        """Return the digest of what a class or function means; None if that can't be said."""
        if self.describe_code is None:
            return None
        try:
            described = self.describe_code(thing)
        except (ResonateError, OSError, TypeError, SyntaxError):  # no source, or not the one that runs
            return None
        return meaning_from(described)


class _Definitions:
    """The definitions that one value mentions, in the order in which they were met."""

    def __init__(self, pickling: Pickling, memory: SharedMemory) -> None:
        self.pickling, self.memory = pickling, memory
        self._met: list[Any] = []  # keeps them alive, so that identities stay theirs
        self._numbers: dict[int, int] = {}
        names = pickling.references
        self._names = {id(thing): name for name, thing in names.items() if _has_identity(thing)}

    def number(self, thing: object) -> int:
        """Return the number of a definition, a new one at the first meeting."""
        found = self._numbers.setdefault(id(thing), len(self._met))
        if found == len(self._met):
            self._met.append(thing)
        return found

    def dump(
        self,
        value: object,
        keep_apart: Callable[[memoryview], None] | None = None,
        within: object = None,
    ) -> bytes:
        """Return the pickle of a value, or of a part of the definition `within`."""

        def offer(buffer: pickle.PickleBuffer) -> bool:
            try:
                view = buffer.raw()
            except BufferError:
                return True  # not contiguous: in band
            if keep_apart is None or view.nbytes < OUT_OF_BAND:
                return True
            keep_apart(view)
            return False

        file = io.BytesIO()
        if self._names:
            _NamingPickler(file, self, offer, within, self._names).dump(value)
        else:
            _Pickler(file, self, offer, within).dump(value)
        return file.getvalue()

    def dump_all(self) -> bytes:
        """Return all definitions as one pickle of plain tuples; empty if there are none."""
        definitions: list[tuple[object, ...]] = []
        while len(definitions) < len(self._met):  # a copy may mention further ones
            definitions.append(tuple(self._define(self._met[len(definitions)])))
        return pickle.dumps(definitions, 5) if definitions else b""

    def _define(self, thing: Any) -> Definition:
        meaning = self.pickling.meaning(thing)
        skeleton = filling = None
        try:
            maker, arguments, state, _, _, setter = by_value(thing)
            skeleton = self.dump((maker, arguments), within=thing)
            filling = self.dump((setter, state), within=thing)
        except Exception:  # parts of the definition pickle themselves, by code of anybody
            if meaning is None:
                raise
        return Definition(thing.__qualname__, isinstance(thing, type), meaning, skeleton, filling)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Writes what cloudpickle writes, but never a copy that only looks like the original."""

    dispatch_table: ClassVar[ChainMap[type, Callable[[Any], Reduced]]] = ChainMap(
        DISPATCH, cloudpickle.Pickler.dispatch_table
    )

    def __init__(
        self,
        file: io.BytesIO,
        definitions: _Definitions,
        offer: Callable[[pickle.PickleBuffer], bool],
        within: object,
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=offer)
        self._definitions = definitions
        self._within = within

    def reducer_override(self, obj: Any) -> Reduced:
        """Return how to pickle what is no plain data; NotImplemented leaves it to pickle."""
        if isinstance(obj, type):
            return self._class(obj)
        kind = type(obj)
        if kind is types.FunctionType:
            return self._function(obj)
        if isinstance(obj, BaseException):
            return exception(obj)
        if obj is sys.stdout or obj is sys.stderr:
            return getattr, (sys, "stdout" if obj is sys.stdout else "stderr")
        if (by_name := getattr(kind, "__durable_reduce__", None)) is not None:
            return by_name(obj)
        return self._definitions.memory.reduce(obj)

    def _class(self, obj: type) -> Reduced:
        if obj.__module__ == NOTEBOOK and obj is not self._within and "<locals>" not in obj.__qualname__:
            return rebuilding.notebook_object, (self._definitions.number(obj),)
        return class_elsewhere(obj)

    def _function(self, obj: types.FunctionType) -> Reduced:
        if _should_pickle_by_reference(obj):
            return NotImplemented
        if obj.__module__ == NOTEBOOK and obj is not self._within:
            if self._has_name(obj):
                return rebuilding.notebook_object, (self._definitions.number(obj),)
            owner = find_in_notebook(obj.__qualname__.rpartition(".")[0])
            if isinstance(owner, type) and owner is not self._within and _is_method(owner, obj):
                return getattr, (owner, obj.__name__)
        if lives_in_module(obj):
            return function_by_value(obj)
        return self._dynamic_function_reduce(obj)

    def _has_name(self, obj: types.FunctionType) -> bool:
        """Return whether the notebook knows the function, or another with its meaning, by its name."""
        if not obj.__qualname__.isidentifier():
            return False  # a method, a lambda, a function inside a function
        live = find_in_notebook(obj.__qualname__)
        if live is obj:
            return True
        # A function under a decorator has the name of the decorated one, but is another thing.
        both_plain = all(_is_plain(each) for each in (obj, live))
        meaning = self._definitions.pickling.meaning
        return both_plain and (found := meaning(obj)) is not None and found == meaning(live)


class _NamingPickler(_Pickler):
    """Writes the name of an object that is kept by reference; slower, since pickle asks for each object."""

    def __init__(
        self,
        file: io.BytesIO,
        definitions: _Definitions,
        offer: Callable[[pickle.PickleBuffer], bool],
        within: object,
        names: Mapping[int, str],
    ) -> None:
        super().__init__(file, definitions, offer, within)
        self._names = names

    def persistent_id(self, obj: object) -> str | None:
        """Return the name under which the object is found again, or None."""
        return self._names.get(id(obj))


class _Loading:
    """The loading of one value and of the definitions that it mentions, each of them once."""

    def __init__(self, pickling: Pickling, definitions: bytes | memoryview) -> None:
        self._pickling = pickling
        self._definitions = [Definition(*each) for each in pickle.loads(definitions)] if definitions else []
        self._loaded: dict[int, object] = {}

    def load(self, stream: bytes | memoryview, buffers: Iterable[memoryview] = ()) -> Any:
        """Return what a stream holds."""
        return _Unpickler(stream, buffers, self.definition, self._pickling).load()

    def definition(self, number: int) -> object:
        """Return a class or function of the notebook: the live one if it means the same, else the copy."""
        if number not in self._loaded:
            definition = self._definitions[number]
            live = self._live(definition)
            if live is None:
                self._load_copy(number, definition)
            else:
                self._loaded[number] = live
        return self._loaded[number]

    def _live(self, definition: Definition) -> object | None:
        if definition.meaning is None:
            return None
        live = find_in_notebook(definition.name)
        same_kind = live is not None and isinstance(live, type) == definition.is_class
        return live if same_kind and self._pickling.meaning(live) == definition.meaning else None

    def _load_copy(self, number: int, definition: Definition) -> None:
        if definition.skeleton is None or definition.filling is None:
            raise ImportError(f"{definition.name} of the notebook changed, and it could not be copied")
        maker, arguments = self.load(definition.skeleton)
        if number in self._loaded:
            return  # a base class mentions this one, and loaded it on its way
        self._loaded[number] = made = maker(*arguments)
        copied_as(made, definition.meaning)
        setter, state = self.load(definition.filling)
        setter(made, state)


class _Unpickler(pickle.Unpickler):
    """Reads what `_Pickler` wrote."""

    def __init__(
        self,
        stream: bytes | memoryview,
        buffers: Iterable[memoryview],
        definition: Callable[[int], object],
        pickling: Pickling,
    ) -> None:
        super().__init__(io.BytesIO(stream), buffers=buffers)
        self._definition = definition
        self._pickling = pickling

    def find_class(self, module: str, name: str) -> Any:
        """Return what a global name stands for; definitions are answered by this loading."""
        if name == "notebook_object" and module == rebuilding.__name__:
            return self._definition
        if (came := own(module, name)) is not None:
            return came
        return super().find_class(module, name)

    def persistent_load(self, name: str) -> object:
        """Return the object that was kept by name."""
        if name not in self._pickling.references:
            raise MissingReference(self._pickling.id, name)
        return self._pickling.references[name]


def find_in_notebook(qualified_name: str) -> object | None:
    """Return what the notebook's namespace has under a dotted name, or None."""
    if (came := own(NOTEBOOK, qualified_name)) is not None:
        return came
    found: object = sys.modules.get(NOTEBOOK)
    for name in qualified_name.split("."):
        found = vars(found).get(name) if isinstance(found, type | types.ModuleType) else None
    return found


def _is_method(owner: type, function: types.FunctionType) -> bool:
    found = vars(owner).get(function.__name__)
    return (found.__func__ if isinstance(found, staticmethod) else found) is function


def _has_identity(thing: object) -> bool:
    return not isinstance(thing, ATOMS) and not (isinstance(thing, tuple) and not thing)


def _is_plain(thing: object) -> bool:
    return (
        isinstance(thing, types.FunctionType)
        and thing.__closure__ is None
        and not hasattr(thing, "__wrapped__")
        and thing.__code__.co_qualname == thing.__qualname__
    )
