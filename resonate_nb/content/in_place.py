"""The state of an object that a cell changed, and how it is put into the same object at replay.

What is changed in place is restored in place: then every other name, view, closure or default argument that
reaches the object sees the change, as it did when the cell ran.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

from resonate_nb.content.parts import is_closed, own_attributes

if TYPE_CHECKING:
    from resonate_nb.content.parts import Part

_default_state: Any = object.__getstate__

State = tuple[Any, ...]  # what it is the state of, then the state


def state_of(part: Part) -> State | None:
    """Return the present state of a part, to be kept; None if it can't be restored in place."""
    value = part.value
    own = own_attributes(value)
    if isinstance(value, list | deque | set):
        return "items", list(value), own
    if isinstance(value, dict):
        return "pairs", list(value.items()), own
    if type(value) is bytearray:
        return "bytes", bytes(value)
    if (numpy := sys.modules.get("numpy")) is not None and type(value) is numpy.ndarray:
        return _state_of_array(value, part.form)
    if _is_of_pandas(value):
        return "state", value.__getstate__()
    return _state_by_pickle(value) if is_closed(value) else _state_of_object(value, own)


def restore(value: Any, state: State) -> None:
    """Put a state into an object."""
    match state:
        case ("items", items, own):
            _replace_items(value, items)
            _replace_attributes(value, own)
        case ("pairs", pairs, own):
            base = OrderedDict if isinstance(value, OrderedDict) else dict
            base.clear(value)
            for key, item in pairs:
                base.__setitem__(value, key, item)
            _replace_attributes(value, own)
        case ("bytes", content):
            value[:] = content
        case ("array", content, writeable):
            value[...] = content
            value.flags.writeable = writeable
        case ("state", inner):
            value.__setstate__(inner)
        case ("attributes", own):
            _replace_attributes(value, own)
        case _:
            raise TypeError(f"{state[0]!r} is no kind of state")


def _state_of_array(array: Any, form: Any) -> State | None:
    """Return an array's content, if it is of the form that it had, and could be written to."""
    dtype, shape, was_writeable = form
    if (array.dtype.str, array.shape) != (dtype, shape) or not was_writeable:
        return None
    return "array", array.copy(order="K"), array.flags.writeable


def _state_by_pickle(value: Any) -> State | None:
    """Return what an object says of its state to pickle, if that is all there is to it."""
    if not hasattr(type(value), "__setstate__"):
        return None
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # noqa: BLE001 (code of anybody; what has no state can't be restored)
        return None
    if isinstance(reduced, str) or len(reduced) < 3 or reduced[2] is None or any(reduced[3:]):
        return None
    return "state", reduced[2]


def _state_of_object(value: Any, own: dict[str, Any]) -> State:
    cls: Any = type(value)
    if cls.__getstate__ is _default_state:
        return "attributes", own
    state = value.__getstate__()
    if hasattr(cls, "__setstate__"):
        return "state", state
    return "attributes", state if isinstance(state, dict) else own


def _replace_items(value: Any, items: list[Any]) -> None:
    if isinstance(value, list):
        list.__setitem__(value, slice(None), items)
        return
    base: Any = deque if isinstance(value, deque) else set
    base.clear(value)
    (deque.extend if base is deque else set.update)(value, items)


def _replace_attributes(value: Any, own: dict[str, Any]) -> None:
    for name in own_attributes(value).keys() - own.keys():
        object.__delattr__(value, name)
    for name, attribute in own.items():
        object.__setattr__(value, name, attribute)


def _is_of_pandas(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series)
