"""Code of the user's own as bytes, whole: with its helpers as they are, and with little of the data it reads.

Helpers, classes and constants are copied, whether they live in the notebook or in the user's own modules;
libraries are kept by name. Data that code reads by the name of a notebook's or module's variable is a part
of each call's identity, not of the version: a call reads it where it is then. Only small data is kept, for
the time when there is no such variable any more.
"""

from __future__ import annotations

import dis
import importlib.util
import inspect
import io
import pickle
import sys
import types
from collections import ChainMap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import cloudpickle
from cloudpickle.cloudpickle import (
    _extract_code_globals,
    _find_imported_submodules,
    _should_pickle_by_reference,
)

from resonate_nb.code.libraries import library_of
from resonate_nb.code.live_code import module_of
from resonate_nb.code.watching import MISSING, cell_content
from resonate_nb.fingerprint import meaning_from
from resonate_nb.values.reductions import (
    DISPATCH,
    FUNCTION_ATTRIBUTES,
    Reduced,
    by_value,
    class_elsewhere,
    exception,
    function_by_value,
    lives_in_module,
)
from resonate_nb.versioning.code_world import World, description_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from resonate_nb.fingerprint import Capture, Fingerprint

MOST_BYTES = 2**24  # of one version: what a closure or a default holds is kept with the code
MOST_DATA = 2**16  # bytes of one variable that is kept
MOST_BYTES_ABROAD = 2**28  # of what goes to other processes, with all the data that it reads


def dump_code(function: Callable[..., Any], code: Fingerprint) -> bytes:
    """Return a function of the user's own with all that `load_code` needs to call it.

    Raises
    ------
    Exception
        Whatever says that a part can't be pickled; `pickle.PicklingError` for what is refused here.
    """
    pickler = _Pickler(code.captures, MOST_BYTES)
    return pickler.dumped((function, _kept_captures(code.captures), list(_small_data(code))))


@dataclass(frozen=True, slots=True)
class Sent:
    """Code for a process that is not the notebook's, with all the data that it reads."""

    code: bytes
    options: bytes
    descriptions: dict[str, str]  # of its classes, by their meaning
    durables: tuple[Any, ...]  # the durable functions that it calls


def send_code(
    function: Callable[..., Any], code: Fingerprint, options: Mapping[str, Any], world: World | None
) -> Sent:
    """Return a function of the user's own with all that `load_code` needs to call it abroad.

    A function of an older version has its names in a `world`.

    Raises
    ------
    Exception
        As `dump_code`.
    """
    pickler = _Pickler(code.captures, MOST_BYTES_ABROAD, world)
    data = [(*found, each.read()) for each in code.captures if (found := _name_in_module(each)) is not None]
    content = pickler.dumped((function, _kept_captures(code.captures), data))
    of_options = _Pickler(code.captures, MOST_BYTES, world)
    how = of_options.dumped(dict(options))
    return Sent(
        content,
        how,
        {**pickler.descriptions, **of_options.descriptions},
        (*pickler.durables, *of_options.durables),
    )


def _small_data(code: Fingerprint) -> Iterator[tuple[str, str, object]]:
    """Yield module, name and value of small variables that the code reads."""
    for each in code.captures:
        found = _name_in_module(each)
        if found is None:
            continue
        try:
            value = each.read()
            _Pickler(code.captures, MOST_DATA).dumped(value)
        except Exception:  # noqa: BLE001, S112 (what is large or can't be pickled is read where it is, or nowhere)
            continue
        yield (*found, value)


class _Bounded(io.BytesIO):
    """A file that refuses to become too large."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, piece: Any) -> int:
        written = super().write(piece)
        self.refuse_more_than(self.tell())
        return written

    def refuse_more_than(self, size: int) -> None:
        if size > self._most:
            raise pickle.PicklingError(f"it has more than {self._most:,} bytes, with what its closures hold")


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Copies what is the user's own, so that it finds its helpers in a world of its own."""

    dispatch_table: ClassVar[ChainMap[type, Callable[[Any], Reduced]]] = ChainMap(
        DISPATCH, cloudpickle.Pickler.dispatch_table
    )

    def __init__(self, captures: Iterable[Capture], most: int, world: World | None = None) -> None:
        self._world = world
        self._file = _Bounded(most)
        super().__init__(self._file, protocol=5, buffer_callback=self._in_band)
        self.descriptions: dict[str, str] = {}
        self.durables: list[Any] = []
        self._read_live = {
            found for each in captures if (found := _name_in_module(each)) is not None
        }  # by module and name

    def dumped(self, thing: object) -> bytes:
        """Return a thing as bytes."""
        self.dump(thing)
        return self._file.getvalue()

    def _in_band(self, buffer: pickle.PickleBuffer) -> bool:
        """Refuse a large buffer before it is copied."""
        self._file.refuse_more_than(memoryview(buffer).nbytes)
        return True

    def reducer_override(self, obj: Any) -> Reduced:
        """Return how to pickle what is no plain data; NotImplemented leaves it to pickle."""
        kind = type(obj)
        if isinstance(obj, type):
            return self._class(obj)
        if kind is types.FunctionType:
            return self._function(obj)
        if kind is types.ModuleType and library_of(obj.__name__) is None:
            return World.module, (obj.__name__,)
        if isinstance(obj, BaseException):
            return exception(obj)
        if inspect.getattr_static(obj, "__durable_function__", False) is True:
            return self._durable_function(obj)
        return NotImplemented

    def _class(self, obj: type) -> Reduced:
        if library_of(obj.__module__) is not None:
            return class_elsewhere(obj)
        maker, arguments, state, *_ = by_value(obj)
        # The second but last argument says which class of this process to take instead of the copy.
        arguments = (*arguments[:-2], None, arguments[-1])
        known_as = (obj.__module__, obj.__qualname__, self._meaning(obj))
        return World.own_class, (*known_as, maker, arguments), state, None, None, World.fill_class

    def _meaning(self, obj: type) -> str | None:
        description = description_of(obj)
        if description is None:
            return None
        meaning = meaning_from(description)
        self.descriptions[meaning] = description
        return meaning

    def _function(self, obj: types.FunctionType) -> Reduced:
        if library_of(module_of(obj)) is not None:
            if _should_pickle_by_reference(obj):
                return NotImplemented
            registry = getattr(obj, "registry", None)
            if isinstance(registry, types.MappingProxyType):  # of functools.singledispatch
                return World.dispatching, (registry[object],), dict(registry), None, None, World.fill_registry
            return function_by_value(obj) if lives_in_module(obj) else self._dynamic_function_reduce(obj)
        if not lives_in_module(obj) and not (self._world is not None and self._world.has(obj)):
            raise pickle.PicklingError(f"the names that {obj.__qualname__} reads are in no module")
        _refuse_imports_of_own_modules(obj)
        common = {name: getattr(obj, name) for name in FUNCTION_ATTRIBUTES if hasattr(obj, name)}
        read = {name: dict(self._without_data(name, found)) for name, found in _names_read(obj)}
        dependencies = [*obj.__globals__.values(), *_closure_contents(obj)]
        submodules = _find_imported_submodules(obj.__code__, dependencies)
        state = (vars(obj), common, read, submodules)
        arguments = (obj.__code__, module_of(obj), obj.__closure__)
        return World.function, arguments, state, None, None, World.fill_function

    def _without_data(self, module: str, found: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        return ((name, value) for name, value in found.items() if (module, name) not in self._read_live)

    def _durable_function(self, obj: Any) -> Reduced:
        code = obj.code()
        self.durables.append(obj)
        state = (obj.__wrapped__, code.digest, _kept_captures(code.captures), obj.options())
        return World.durable_function, (), state, None, None, World.fill_durable_function


def _names_read(function: types.FunctionType) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield, for each module of the user's own, what the function may find there by name."""
    code, namespace = function.__code__, function.__globals__
    names = [name for name in _extract_code_globals(code) if name in namespace]
    yield module_of(function), {name: namespace[name] for name in names}
    attributes = set(_attribute_names(code))
    unread = [*(namespace[name] for name in names), *_closure_contents(function)]
    seen: set[str] = set()
    while unread:
        module = unread.pop()
        if not _is_own_module(module) or module.__name__ in seen:
            continue
        seen.add(module.__name__)
        found = {name: getattr(module, name) for name in sorted(attributes) if hasattr(module, name)}
        yield module.__name__, found
        unread += found.values()


def _closure_contents(function: types.FunctionType) -> list[Any]:
    found = (cell_content(cell) for cell in function.__closure__ or ())
    return [content for content in found if content is not MISSING]


def _attribute_names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _attribute_names(constant)


def _refuse_imports_of_own_modules(function: types.FunctionType) -> None:
    package = str(function.__globals__.get("__package__") or "")
    for level, name in _imports(function.__code__):
        full = importlib.util.resolve_name("." * level + name, package) if level else name
        if library_of(full) is None:
            raise pickle.PicklingError(
                f"{function.__qualname__} imports {full} inside its body, which would get the module as it "
                "is then: import it at the top"
            )


def _imports(code: types.CodeType) -> Iterator[tuple[int, str]]:
    instructions = list(dis.get_instructions(code))
    for number, each in enumerate(instructions):
        if each.opname == "IMPORT_NAME":
            level = instructions[number - 2].argval  # two constants before: how relative, and what of it
            yield level if isinstance(level, int) else 0, str(each.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _imports(constant)


def _kept_captures(captures: Iterable[Capture]) -> list[tuple[Any, ...]]:
    """Return where the code reads data: path, kind, key, holder, steps; the holder as a thing to pickle."""
    kept: list[tuple[Any, ...]] = []
    for each in captures:
        found, place = _name_in_module(each), each.place
        if found is not None:
            module, name = found
            kept.append((each.path, "attribute", name, sys.modules[module], ()))
        else:
            kept.append((each.path, place.kind, place.key, place.holder(), place.steps))
    return kept


def _name_in_module(capture: Capture) -> tuple[str, str] | None:
    """Return module and name of data that is read from a module's namespace, the notebook's included."""
    place = capture.place
    holder = place.holder()
    if place.steps or place.kind not in {"global", "attribute", "name"}:
        return None
    if isinstance(holder, types.FunctionType):
        return (module_of(holder), place.key) if place.kind == "global" else None
    if isinstance(holder, types.ModuleType):
        return (holder.__name__, place.key)
    module = holder.get("__name__") if isinstance(holder, dict) else None
    return (module, place.key) if module in sys.modules else None


def _is_own_module(value: Any) -> bool:
    return isinstance(value, types.ModuleType) and library_of(value.__name__) is None
