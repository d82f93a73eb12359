"""Questions about live functions, classes and other things that can be called."""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

from resonate_nb.code.libraries import library_of


def plain(value: Any) -> Any:
    """Return the plain function of a durable one, what a stand-in stands for, anything else as it is.

    A durable function whose code comes from the store is none of the live code: to that it is data.
    """
    if type(value) is types.FunctionType:
        return vars(value).get("__stands_for__", value)
    is_durable = inspect.getattr_static(value, "__durable_function__", False) is True
    return value.__wrapped__ if is_durable and not value.is_stored else value


def module_of(value: Any) -> str:
    """Return the name of the module whose code this is, whatever `functools.wraps` has made it say."""
    if isinstance(value, types.FunctionType):
        return str(value.__globals__.get("__name__") or "__main__")
    owner = getattr(value, "__objclass__", None)
    return str(getattr(value, "__module__", None) or getattr(owner, "__module__", None) or "builtins")


def qualified_name(value: Any) -> str:
    """Return the name by which a function or class is known in its module."""
    if isinstance(value, types.FunctionType):
        return value.__code__.co_qualname
    return str(getattr(value, "__qualname__", getattr(value, "__name__", type(value).__qualname__)))


def has_own_parts(function: types.FunctionType) -> bool:
    """Return whether a library's function was made around code of the user's own."""
    contents = [cell for cell in function.__closure__ or () if _is_own(cell)]
    return bool(contents) or "__wrapped__" in vars(function)


def name_in_library(value: Any) -> tuple[str, str] | None:
    """Return module and name of an object that a library keeps under its name, as numpy its ufuncs."""
    name = getattr(value, "__name__", None)
    if not isinstance(name, str):
        return None
    kind = type(value).__module__
    for module in (getattr(value, "__module__", None), kind, kind.partition(".")[0]):
        found = sys.modules.get(module) if isinstance(module, str) else None
        if found is not None and library_of(module) is not None and plain(vars(found).get(name)) is value:
            return str(module), name
    return None


def name_of_hidden_method(method: Any) -> tuple[str, str] | None:
    """Return module and name of a method that a library offers as if it were a function.

    The object behind it is the library's own: `random.shuffle` belongs to the one hidden generator.

    >>> import random
    >>> name_of_hidden_method(random.shuffle), name_of_hidden_method(random.Random(1).shuffle)
    (('random', 'shuffle'), None)
    """
    module = type(method.__self__).__module__
    offered = vars(sys.modules[module]).get(method.__name__) if module in sys.modules else None
    if offered is None or library_of(module) is None:
        return None
    offered = plain(offered)
    same = type(offered) is type(method) and offered.__self__ is method.__self__
    return (module, method.__name__) if same else None


def _is_own(cell: types.CellType) -> bool:
    try:
        content = plain(cell.cell_contents)
    except ValueError:
        return False
    if isinstance(content, types.FunctionType):
        return library_of(module_of(content)) is None or "__wrapped__" in vars(content)
    return isinstance(content, type) and library_of(content.__module__) is None
