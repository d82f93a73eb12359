"""What stored pickles call to rebuild code, cells and exceptions.

The names of this module and of its functions stand in stored values: they are part of the format, never
rename one, and never change what an old pickle may hand over.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import types
import weakref
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from cloudpickle.cloudpickle import _class_setstate

from resonate_nb.errors import MissingReference
from resonate_nb.values.abroad import own

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BYTECODE = f"{sys.implementation.cache_tag}"  # such as "cpython-311": code of another one can't run here

# A class that lives in this process is found again when its copy is loaded, and must not be filled again:
# that would undo what happened to its attributes since.
filled: weakref.WeakSet[type] = weakref.WeakSet()


def notebook_object(index: int) -> object:
    """Stand for a class or function of the notebook; the unpickler answers in this function's place."""
    raise RuntimeError(f"only the codec can load the notebook's object {index}")


def durable_function(module: str, name: str, digest: str) -> object:
    """Return the durable function of this name, if its code is still the same."""
    found: Any = found_by_name(module, name)
    if not hasattr(type(found), "__durable_function__") or found.code().digest != digest:
        raise LookupError(f"there is no durable function {module}.{name} with the code that it had")
    return found


def found_by_name(module: str, qualified_name: str) -> object:
    """Return what a module has under a dotted name; None if there is nothing."""
    try:
        found: object = importlib.import_module(module)
    except ImportError:
        return None
    for name in qualified_name.split("."):
        found = getattr(found, name, None)
    return found


def code(bytecode: str, *fields: Any) -> types.CodeType:
    """Return a code object, if this interpreter can run it."""
    if bytecode != BYTECODE:
        raise ImportError(f"its code was compiled by {bytecode}, and this is {BYTECODE}")
    return types.CodeType(*fields)


def function(
    code: types.CodeType, module: str, cells: tuple[types.CellType, ...] | None
) -> types.FunctionType:
    """Return a function whose globals are the namespace of a module that lives here."""
    return types.FunctionType(code, importlib.import_module(module).__dict__, code.co_name, None, cells)


def fill_function(made: types.FunctionType, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Give a rebuilt function its attributes, those of its own and those of every function."""
    own, common = state
    made.__dict__.update(own)
    for name, attribute in common.items():
        setattr(made, name, attribute)


def cell() -> types.CellType:
    """Return an empty closure cell."""
    return types.CellType()


def fill_cell(made: types.CellType, state: tuple[object]) -> None:
    """Put the contents into a closure cell; functions that shared a cell share it again."""
    (made.cell_contents,) = state  # in a tuple, since pickle takes a bare None for no state


def fill_class(made: type, state: Any) -> None:
    """Give a rebuilt class its attributes, unless it is one that lives here already."""
    if made not in filled:
        _class_setstate(made, state)
        filled.add(made)


def class_in_module(module: str, qualified_name: str) -> object:
    """Return a class that lived in a module of the user's own, where it was pickled only as a copy."""
    came = own(module, qualified_name)
    return attrgetter(qualified_name)(importlib.import_module(module)) if came is None else came


def cached_function(wrapped: Callable[..., object], parameters: Mapping[str, Any]) -> object:
    """Return a function under `functools.lru_cache`, with an empty cache."""
    return functools.lru_cache(**parameters)(wrapped)


def closed_file(
    name: object, mode: str, buffering: int, encoding: str | None = None, errors: str | None = None
) -> object:
    """Return a closed file that says the same of itself as one that was closed before."""
    made: Any = open(  # noqa: PTH123, SIM115
        os.devnull, mode.replace("x", "w"), buffering, encoding, errors
    )
    buffer = getattr(made, "buffer", made)
    getattr(buffer, "raw", buffer).name = name
    made.close()
    return made


def view_of_array(
    base: Any,
    layout: tuple[object, ...],
    dtype: Any,
    place: tuple[int, Any, Any],
    writeable: bool,  # noqa: FBT001 (pickle gives everything by position)
) -> object:
    """Return an array that is a view of another, at the same place in it as it was."""
    if (base.dtype.str, base.shape, base.strides) != layout:
        raise MissingReference("", "an array that lies otherwise in memory")
    offset, shape, strides = place
    flat = (base if base.flags.c_contiguous else base.T).reshape(-1).view("u1")
    made = type(base)(shape, dtype, flat, offset, strides)
    made.flags.writeable = writeable
    return made


def exception(kind: type[BaseException], arguments: tuple[Any, ...]) -> BaseException:
    """Return an exception without calling the `__init__` of its Python classes.

    Their signatures rarely fit `args`; the interpreter's own class below them fits always.
    """
    made = kind.__new__(kind, *arguments)
    builtin = next(
        base for base in kind.__mro__ if base.__module__ == "builtins" and "__init__" in vars(base)
    )
    builtin.__init__(made, *arguments)  # type: ignore[misc]
    return made


def fill_exception(made: BaseException, state: tuple[Any, Any, Any, bool]) -> None:
    """Give an exception its attributes, its cause and its context, which plain pickle forgets."""
    attributes, cause, context, suppressed = state
    if attributes is not None:
        made.__setstate__(attributes)
    made.__cause__, made.__context__ = cause, context
    made.__suppress_context__ = suppressed
