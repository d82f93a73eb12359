"""The objects that a cell's inputs consist of, numbered alike wherever the inputs are equal.

What a cell keeps refers to them by number, so that an output which is a part of an input is that part again
at replay, whatever other names lead there.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import functools
import hashlib
import operator
import pathlib
import struct
import sys
import types
import uuid
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from resonate_nb.code.libraries import library_of
from resonate_nb.code.live_code import module_of
from resonate_nb.errors import UndigestibleInput
from resonate_nb.fingerprint import content_digest, fingerprint

# Values whose identity means nothing, or that are no part of anybody: code, modules.
_ALONE: tuple[type, ...] = (
    *(type(None), bool, int, float, complex, str, bytes, range, slice, type(...), type(NotImplemented)),
    *(types.ModuleType, types.BuiltinFunctionType, types.GenericAlias),
    *(dt.date, dt.time, dt.timedelta, dt.tzinfo, decimal.Decimal),
    *(fractions.Fraction, pathlib.PurePath, uuid.UUID, enum.Enum),
)
_FAST = frozenset(_ALONE)
_CODE = (type, types.FunctionType)
_PLAIN = frozenset({list, dict, tuple, set, frozenset})
_OPEN = (list, tuple, deque, set, frozenset, dict, types.MethodType, functools.partial)
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: the class was made at run time
_POINTER = struct.calcsize("P")
_slots: weakref.WeakKeyDictionary[type, tuple[str, ...]] = weakref.WeakKeyDictionary()
_closed: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Part:
    """One object, and what it directly held when it was met."""

    value: Any
    root: str  # the input under which it was met first
    held: tuple[object, ...]
    form: object  # of an array: what must be the same for other content to fit into it


class Parts(Mapping[str, object]):
    """All parts of inputs, by number as text; it holds them, so that no identity comes twice."""

    def __init__(self, inputs: Mapping[str, object]) -> None:
        self._parts: list[Part] = []
        self._numbers: dict[int, int] = {}
        self._others: dict[int, object] = {}  # met, but without identity: tuples
        waiting = deque((path, value) for path, value in inputs.items())
        while waiting:
            root, value = waiting.popleft()
            cls = type(value)
            if cls in _FAST or id(value) in self._numbers or id(value) in self._others:
                continue
            if cls not in _PLAIN and (isinstance(value, _ALONE) or _is_number_of_numpy(value)):
                continue
            held = contents(value)
            if cls is tuple or cls is frozenset or isinstance(value, _CODE):
                self._others[id(value)] = value
            else:
                self._numbers[id(value)] = len(self._parts)
                self._parts.append(Part(value, root, held, None if cls in _PLAIN else _form(value)))
            waiting.extend([(root, each) for each in _in_order(value, held) if type(each) not in _FAST])
            if cls not in _PLAIN and library_of(cls.__module__) is None:
                waiting.append((root, cls))

    def __getitem__(self, number: str) -> object:
        if not number.isdecimal() or int(number) >= len(self._parts):
            raise KeyError(number)
        return self._parts[int(number)].value

    def __iter__(self) -> Iterator[str]:
        return map(str, range(len(self._parts)))

    def __len__(self) -> int:
        return len(self._parts)

    def kinds(self) -> str:
        """Return a digest of the parts' types, to check that the numbers mean the same here as there."""
        names = "\n".join(type(each.value).__qualname__ for each in self._parts)
        return hashlib.blake2b(names.encode(errors="surrogatepass"), digest_size=16).hexdigest()

    def path(self, number: str) -> str:
        """Return what messages call a part: the input to which it belongs."""
        return self._parts[int(number)].root

    def without(self, roots: frozenset[str]) -> dict[str, object]:
        """Return by number the parts that belong to other inputs."""
        return {str(number): part.value for number, part in enumerate(self._parts) if part.root not in roots}

    def changed(self, roots: frozenset[str]) -> list[tuple[str, Part]]:
        """Return by number the parts that may hold something else than they did.

        Of what can't be looked into (arrays, frames, objects of native code), those under an input whose
        content is different.
        """
        found = []
        for number, part in enumerate(self._parts):
            now = contents(part.value)
            same = len(now) == len(part.held) and all(map(operator.is_, now, part.held))
            if not same or (part.root in roots and is_closed(part.value)):
                found.append((str(number), part))
        return found


def contents(value: Any) -> tuple[object, ...]:
    """Return what an object directly holds."""
    cls = type(value)
    if cls is dict:
        return (*value, *value.values())
    if cls in _PLAIN:
        return (*value,)
    if isinstance(value, _CODE):
        return _captured(value)
    if isinstance(value, list | tuple | deque | set | frozenset):
        return (*value, *attributes(value))
    if isinstance(value, dict):
        return (*value, *value.values(), *attributes(value))
    if isinstance(value, types.MethodType):
        return (value.__self__,)
    if isinstance(value, functools.partial):
        return (*value.args, *value.keywords.values())
    if isinstance(value, _numpy("ndarray")):
        return (*value.flat,) if value.dtype == object else ()
    if isinstance(value, _numpy("random.Generator")):
        return (value.bit_generator,)
    return () if is_closed(value) else attributes(value)


def _in_order(value: Any, held: tuple[object, ...]) -> Iterable[object]:
    """Return what an object holds in an order that depends on its content alone."""
    if not isinstance(value, set | frozenset):
        return held
    elements = [each for each in held if type(each) not in _FAST]
    try:
        return sorted(elements, key=content_digest)
    except UndigestibleInput:  # connections and their like: they are the same ones at no replay
        return ()


def _captured(code: Any) -> tuple[object, ...]:
    """Return the data that a function or class of the user's own reads by name: it counts in digests."""
    if library_of(module_of(code)) is not None and not getattr(code, "__closure__", None):
        return ()
    return tuple(each.read() for each in fingerprint(code).captures)


def attributes(value: Any) -> tuple[object, ...]:
    """Return the attributes of an object's own, with their names, in the order of these."""
    own = own_attributes(value)
    return tuple(each for name in sorted(own, key=str) for each in (name, own[name]))


def own_attributes(value: Any) -> dict[str, Any]:
    """Return an object's attributes by name, those in slots among them."""
    own = dict(getattr(value, "__dict__", None) or {})
    own.update({name: getattr(value, name) for name in _slots_of(type(value)) if hasattr(value, name)})
    return own


def _slots_of(cls: type) -> tuple[str, ...]:
    if cls not in _slots:
        members = (member for each in cls.__mro__ for member in vars(each).items())
        _slots[cls] = tuple(name for name, kind in members if isinstance(kind, types.MemberDescriptorType))
    return _slots[cls]


def is_closed(value: Any) -> bool:
    """Return whether an object's content can't be seen by looking at what it holds."""
    if isinstance(value, _numpy("ndarray")):
        return bool(value.dtype != object)
    if isinstance(value, _OPEN):
        return False
    if isinstance(value, (_pandas("DataFrame"), _pandas("Series"), _pandas("Index"))):
        return True
    cls = type(value)
    if cls not in _closed:
        _closed[cls] = _has_native_content(cls)
    return _closed[cls]


def _form(value: Any) -> object:
    if not isinstance(value, _numpy("ndarray")):
        return None
    return value.dtype.str, value.shape, value.flags.writeable


def _has_native_content(cls: type) -> bool:
    """Return whether instances are larger than attributes and slots explain, or come from Python's own C."""
    if any(not each.__flags__ & _HEAP_TYPE for each in cls.__mro__[:-1]):
        return True
    slots = len(_slots_of(cls))
    pointers = slots + (cls.__weakrefoffset__ > 0) + (cls.__dictoffset__ > 0)
    return cls.__basicsize__ > object.__basicsize__ + pointers * _POINTER


def _is_number_of_numpy(value: object) -> bool:
    return isinstance(value, _numpy("generic"))


def _numpy(name: str) -> Any:
    return _class_of("numpy", name)


def _pandas(name: str) -> Any:
    return _class_of("pandas", name)


def _class_of(module: str, name: str) -> Any:
    """Return a class of a library that is loaded, else nothing that anything is an instance of."""
    found: Any = sys.modules.get(module)
    for step in name.split("."):
        found = getattr(found, step, None)
    return found if isinstance(found, type) else ()
