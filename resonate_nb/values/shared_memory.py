"""Arrays that are views of one memory, written so that they are views of one memory again.

Pickle writes every array as a copy. One pass over a value notes its arrays; where some overlap, or lie in
an array that is kept by reference, a second pass writes those as views. What frames, columns and indexes
hold is always copied: pandas itself keeps account of what they share, and can't take it up again.
"""

from __future__ import annotations

import gc
import pickle
import sys
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from resonate_nb.values import rebuilding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Reduced = Any  # what `__reduce__` may return

_MANAGERS = "pandas.core.internals.managers"  # of the blocks in a frame or a column
_DEEPEST = 4  # steps from an index to an array that it consists of


@dataclass(slots=True)
class _Shared:
    """Arrays of which each overlaps another, in one memory."""

    owner: Any
    low: int
    high: int
    memory: Any = None  # what stands for it in the stream, once it is asked for


@dataclass(slots=True)
class SharedMemory:
    """What the arrays of one value share; made for a pass over it, then asked in a second one."""

    references: Mapping[str, object]
    shared: dict[int, _Shared] = field(default_factory=dict)  # by id of the array
    _arrays: dict[int, Any] = field(default_factory=dict)  # by id; holds them, so that no id comes twice
    _apart: dict[int, Any] = field(default_factory=dict)  # what belongs to a frame or a column
    _kept: dict[int, list[Any]] | None = None  # arrays that are kept by reference, by id of their owner

    def found(self) -> SharedMemory | None:
        """Return what the second pass needs, None if no memory is shared."""
        groups: dict[int, list[Any]] = {}
        for number, array in self._arrays.items():
            if number not in self._apart:
                groups.setdefault(id(_owner(array)), []).append(array)
        kept = self._kept_arrays() if groups else {}
        shared: dict[int, _Shared] = {}
        for owner, arrays in groups.items():
            if owner in kept or len(arrays) > 1:
                shared |= _overlapping(arrays, kept.get(owner, ()))
        return SharedMemory(self.references, shared, _kept=kept) if shared else None

    def reduce(self, value: Any) -> Reduced:
        """Return how to pickle an array, or what a frame holds; NotImplemented leaves it to pickle."""
        kind = type(value)
        if _is_array(value):
            return self._array(value)
        if (pandas := sys.modules.get("pandas")) is not None and isinstance(value, pandas.Index):
            self._apart |= {id(each): each for each in _arrays_in(value, _DEEPEST)}
        return self._manager(value) if kind.__module__ == _MANAGERS else NotImplemented

    def _array(self, array: Any) -> Reduced:
        self._arrays.setdefault(id(array), array)
        found = self.shared.get(id(array))
        if found is None or id(array) in self._apart:
            return NotImplemented
        base, start = self._base(array, found)
        if base is array:
            return NotImplemented
        layout = (base.dtype.str, base.shape, base.strides)
        place = (_low(array) - start, array.shape, array.strides)
        return rebuilding.view_of_array, (base, layout, array.dtype, place, array.flags.writeable)

    def _base(self, array: Any, found: _Shared) -> tuple[Any, int]:
        """Return the array of which another is to be a view at loading, and the address of its beginning."""
        low, high = _bounds(array)
        refused = pickle.PicklingError("it shares memory with another array in a way that can't be kept")
        if array.dtype.hasobject:
            raise refused
        touching = [each for each in (self._kept or {}).get(id(found.owner), ()) if _touches(each, array)]
        for each in touching:
            if _is_whole(each) and _low(each) <= low and high <= _bounds(each)[1]:
                return each, _low(each)
        if touching or not _is_whole(found.owner):
            raise refused
        if id(found.owner) in self.shared:
            return found.owner, _low(found.owner)
        if found.memory is None:
            found.memory = _bytes_of(found.owner, found.low, found.high)
        return found.memory, found.low

    def _manager(self, manager: Any) -> Reduced:
        held = [block.values for block in getattr(manager, "blocks", ())]
        # In the second pass also what wraps arrays, since those would be found to share memory.
        if any(id(each) in self._apart or (self.shared and not _is_array(each)) for each in held):
            return manager.copy(deep=True).__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        self._apart |= {id(each): each for each in held}
        return NotImplemented

    def _kept_arrays(self) -> dict[int, list[Any]]:
        numpy, kept = sys.modules["numpy"], dict[int, list[Any]]()
        for value in self.references.values():
            if type(value) is numpy.ndarray:
                kept.setdefault(id(_owner(value)), []).append(value)
        return kept


def _overlapping(arrays: Iterable[Any], kept: Iterable[Any]) -> dict[int, _Shared]:
    """Return those of one memory's arrays that overlap another one, or one that is kept by reference."""
    found: dict[int, _Shared] = {}
    group: list[Any] = []
    end = -1
    marked = {id(each) for each in kept}
    for array in sorted((*arrays, *kept), key=_low):
        if array.size == 0:
            continue
        low, high = _bounds(array)
        if low >= end and group:
            found |= _group(group, marked)
            group = []
        group.append(array)
        end = max(end, high)
    return found | (_group(group, marked) if group else {})


def _group(arrays: list[Any], kept: set[int]) -> dict[int, _Shared]:
    if len({id(each) for each in arrays}) < 2:
        return {}
    bounds = [_bounds(each) for each in arrays]
    shared = _Shared(_owner(arrays[0]), min(low for low, _ in bounds), max(high for _, high in bounds))
    return {id(each): shared for each in arrays if id(each) not in kept}


def _owner(array: Any) -> Any:
    """Return the array that owns the memory, or the last one that can be told."""
    numpy = sys.modules["numpy"]
    while True:
        base = array.base
        if not isinstance(base, numpy.ndarray):
            base = getattr(base, "base", None)  # what stands between a view with other strides and its array
        if not isinstance(base, numpy.ndarray):
            return array
        array = base


def _bounds(array: Any) -> tuple[int, int]:
    """Return the addresses of an array's first byte and of the byte after its last one."""
    low = high = array.__array_interface__["data"][0]
    for length, stride in zip(array.shape, array.strides, strict=True):
        reach = (length - 1) * stride
        low, high = low + min(reach, 0), high + max(reach, 0)
    return low, high + array.itemsize


def _low(array: Any) -> int:
    """Return the address of an array's first element."""
    address: int = array.__array_interface__["data"][0]
    return address


def _touches(one: Any, other: Any) -> bool:
    (low, high), (other_low, other_high) = _bounds(one), _bounds(other)
    return low < other_high and other_low < high


def _arrays_in(value: object, depth: int) -> Iterator[Any]:
    for each in gc.get_referents(value) if depth else ():
        if _is_array(each):
            yield each
        elif not isinstance(each, type | types.ModuleType | types.FunctionType):
            yield from _arrays_in(each, depth - 1)


def _is_array(value: object) -> bool:
    """Return whether a value is an array of numpy, without loading it, and of no class derived from that."""
    kind = type(value)
    return kind.__name__ == "ndarray" and kind.__module__ == "numpy"


def _is_whole(array: Any) -> bool:
    """Return whether all bytes between an array's first and last are its own."""
    return bool(array.flags.c_contiguous or array.flags.f_contiguous) and not array.dtype.hasobject


def _bytes_of(owner: Any, low: int, high: int) -> Any:
    numpy = sys.modules["numpy"]
    flat = (owner if owner.flags.c_contiguous else owner.T).reshape(-1).view(numpy.uint8)
    return flat[low - _low(owner) : high - _low(owner)].copy()
