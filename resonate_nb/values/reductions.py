"""How the kinds of objects are pickled that pickle refuses, or that cloudpickle would falsify."""

from __future__ import annotations

import functools
import io
import logging
import pickle
import sys
import types
from typing import TYPE_CHECKING, Any, NoReturn

import cloudpickle
from cloudpickle.cloudpickle import _class_reduce, _code_reduce, _dynamic_class_reduce, subimport

from resonate_nb.code.live_code import name_of_hidden_method
from resonate_nb.values import rebuilding
from resonate_nb.values.abroad import own

if TYPE_CHECKING:
    from collections.abc import Callable

NOTEBOOK = "__main__"

# Evaluating annotations may fail from 3.14 on, where they may mention what is defined later.
ANNOTATIONS = "__annotate__" if sys.version_info >= (3, 14) else "__annotations__"
FUNCTION_ATTRIBUTES = (
    "__name__",
    "__qualname__",
    "__module__",
    "__doc__",
    "__defaults__",
    "__kwdefaults__",
    "__type_params__",  # from Python 3.12 on
    ANNOTATIONS,
)

Reduced = Any  # what `__reduce__` may return: text or a tuple of two to six


def by_value(thing: Any) -> Reduced:
    """Return how to pickle a class or function as a copy, wherever it lives."""
    if isinstance(thing, type):
        return _class_by_value(thing, _dynamic_class_reduce(thing))
    if lives_in_module(thing):
        return function_by_value(thing)
    return cloudpickle.Pickler(io.BytesIO())._dynamic_function_reduce(thing)  # noqa: SLF001 - our base class


def class_elsewhere(obj: type) -> Reduced:
    """Return how to pickle a class that is no definition: by its name, else as a copy."""
    if own(obj.__module__, obj.__qualname__) is obj:  # a copy of one that has its name where it goes
        return rebuilding.class_in_module, (obj.__module__, obj.__qualname__)
    reduced = _class_reduce(obj)
    return _class_by_value(obj, reduced) if isinstance(reduced, tuple) and len(reduced) == 6 else reduced


def _class_by_value(obj: type, reduced: Reduced) -> Reduced:
    """Return cloudpickle's reduction with name and slots as they were, filled only once in a process."""
    maker, arguments, state, *_ = reduced
    rebuilding.filled.add(obj)
    if len(arguments) == 6:  # an enumeration has seven, its name among them
        kind, name, bases, namespace, *rest = arguments
        namespace = {**namespace, "__qualname__": obj.__qualname__}
        if "__slots__" in vars(obj) and not issubclass(obj, tuple):  # a named tuple refuses its own
            namespace["__slots__"] = vars(obj)["__slots__"]
        arguments = (kind, name, bases, namespace, *rest)
    return maker, arguments, state, None, None, rebuilding.fill_class


def lives_in_module(obj: types.FunctionType) -> bool:
    """Return whether the function's globals are those of a module that a loading process can have, too."""
    module = sys.modules.get(obj.__globals__.get("__name__", ""))
    return module is not None and vars(module) is obj.__globals__


def function_by_value(obj: types.FunctionType) -> Reduced:
    """Return how to pickle a function as a copy that finds its globals in the module where it is loaded."""
    common = {name: getattr(obj, name) for name in FUNCTION_ATTRIBUTES if hasattr(obj, name)}
    arguments = (obj.__code__, obj.__globals__["__name__"], obj.__closure__)
    return rebuilding.function, arguments, (vars(obj), common), None, None, rebuilding.fill_function


def exception(obj: BaseException) -> Reduced:
    """Return the exception's own reduction, with its cause and context, and without its `__init__`."""
    reduced = obj.__reduce_ex__(5)
    if isinstance(reduced, str) or not 2 <= len(reduced) <= 3:
        return reduced
    maker, arguments, *rest = reduced
    kind = type(obj)
    own_init = isinstance(kind.__init__, types.FunctionType)
    own_reduce = any("__reduce__" in vars(base) for base in kind.__mro__ if base.__module__ != "builtins")
    if maker is kind and own_init and not own_reduce:
        maker, arguments = rebuilding.exception, (kind, arguments)
    state = (rest[0] if rest else None, obj.__cause__, obj.__context__, obj.__suppress_context__)
    return maker, arguments, state, None, None, rebuilding.fill_exception


def _cell(obj: types.CellType) -> Reduced:
    try:
        contents = obj.cell_contents
    except ValueError:
        return rebuilding.cell, ()
    return rebuilding.cell, (), (contents,), None, None, rebuilding.fill_cell


def _code(obj: types.CodeType) -> Reduced:
    _, fields = _code_reduce(obj)
    return rebuilding.code, (rebuilding.BYTECODE, *fields)


def _method(obj: types.MethodType) -> Reduced:
    if (offered := name_of_hidden_method(obj)) is not None:
        return getattr, (sys.modules[offered[0]], offered[1])
    name = obj.__func__.__name__
    if getattr(obj.__self__, name, None) == obj:
        return getattr, (obj.__self__, name)
    return types.MethodType, (obj.__func__, obj.__self__)


def _builtin(obj: types.BuiltinFunctionType) -> Reduced | str:
    owner = obj.__self__
    offered = None if isinstance(owner, types.ModuleType | None) else name_of_hidden_method(obj)
    return obj.__reduce__() if offered is None else (getattr, (sys.modules[offered[0]], offered[1]))


def _module(obj: types.ModuleType) -> Reduced:
    if sys.modules.get(obj.__name__) is not obj:
        raise pickle.PicklingError(f"the module {obj.__name__} can't be imported by its name")
    return subimport, (obj.__name__,)


def _cached_function(obj: Any) -> Reduced:
    if obj.__module__ == NOTEBOOK:
        return rebuilding.cached_function, (obj.__wrapped__, obj.cache_parameters())
    return obj.__reduce__()


def _cached_property(obj: functools.cached_property[Any]) -> Reduced:
    return functools.cached_property, (obj.func,), {"attrname": obj.attrname}  # its lock is nobody's state


def _own_reduction(obj: Any) -> Reduced:
    return obj.__reduce__()


def _closed_file(obj: Any) -> Reduced:
    """Return how to pickle what ``with open(path) as file`` leaves behind: a closed file with its names."""
    if not obj.closed:
        raise pickle.PicklingError(
            "an open file belongs to its process: keep its path or its content instead"
        )
    buffering = 0 if isinstance(obj, io.FileIO) else -1
    text = (obj.encoding, obj.errors) if isinstance(obj, io.TextIOWrapper) else ()
    return rebuilding.closed_file, (obj.name, obj.mode, buffering, *text)


def _refuse_view(_: memoryview) -> NoReturn:
    raise pickle.PicklingError("it shows the memory of something else: keep that, or `bytes` of it")


# What cloudpickle would turn into something else without a word: a file into a StringIO, a memoryview into
# bytes, a logger into one of the same name, cells that functions share into cells of their own.
DISPATCH: dict[type, Callable[[Any], Reduced]] = {
    io.TextIOWrapper: _closed_file,
    io.BufferedReader: _closed_file,
    io.BufferedWriter: _closed_file,
    io.BufferedRandom: _closed_file,
    io.FileIO: _closed_file,
    memoryview: _refuse_view,
    types.BuiltinFunctionType: _builtin,
    types.CellType: _cell,
    types.CodeType: _code,
    types.MethodType: _method,
    types.ModuleType: _module,
    type(functools.lru_cache(len)): _cached_function,
    functools.cached_property: _cached_property,
    logging.Logger: _own_reduction,
    logging.RootLogger: _own_reduction,
}


def durable_function(obj: object, module: str, name: str, digest: str) -> tuple[Any, ...]:
    """Return how to pickle a durable function: by its name, for as long as its code stays the same."""
    if rebuilding.found_by_name(module, name) is not obj:
        raise pickle.PicklingError(f"it is kept by its name, and {module}.{name} is another thing")
    return rebuilding.durable_function, (module, name, digest)
