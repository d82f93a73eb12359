"""The world in which stored code runs: modules of its own with its helpers as they were, and today's data.

Names of methods of `World` stand in stored code: they are part of the format.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import io
import pickle
import sys
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudpickle.cloudpickle import _class_setstate

from resonate_nb.code.places import Place
from resonate_nb.errors import ResonateError
from resonate_nb.fingerprint import Capture, Fingerprint, copied_as, describe_code, meaning_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_OF_A_MODULE = ("__file__", "__package__", "__path__", "__spec__")
_MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class LoadedCode:
    """A function as it was stored, in its world."""

    function: Callable[..., Any]
    digest: str  # of its fingerprint
    captures: tuple[Capture, ...]
    world: World

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint, after the data that the code reads by name was fetched anew."""
        self.world.fetch_data()
        return Fingerprint(self.digest, (), self.captures, "", None)


def load_code(
    data: bytes,
    digest: str,
    durable: Callable[[LoadedCode, dict[str, Any]], Any],
    *,
    abroad: bool = False,
) -> LoadedCode:
    """Return stored code; `durable` makes the durable functions that it calls.

    `abroad` is for a process that is not the notebook's: the code came with all the data that it reads, and
    takes nothing from modules of the user's own that may be there, too.

    Raises
    ------
    Exception
        Whatever the classes and modules that it mentions raise while it is rebuilt.
    """
    world = World(durable, abroad=abroad)
    function, captures, kept = _Unpickler(data, world).load()
    world.kept = {(module, name): value for module, name, value in kept}
    return LoadedCode(function, digest, world.captures(captures), world)


def description_of(thing: object) -> str | None:
    """Return text that says what a class means; None if that can't be said."""
    try:
        return describe_code(thing)
    except (ResonateError, OSError, TypeError, SyntaxError):  # no source, or not the one that runs
        return None


def meaning_of(thing: object) -> str | None:
    """Return the digest of what a class means; None if that can't be said."""
    description = description_of(thing)
    return None if description is None else meaning_from(description)


@dataclass(slots=True)
class World:
    """The modules of the user's own, the notebook among them, as one stored version needs them."""

    durable: Callable[[LoadedCode, dict[str, Any]], Any]
    abroad: bool = False  # in another process than the notebook's
    modules: dict[str, types.ModuleType] = field(default_factory=dict)
    data: dict[tuple[str, str], None] = field(default_factory=dict)  # module and name
    kept: dict[tuple[str, str], object] = field(default_factory=dict)  # small data, where there is none now
    live: list[tuple[type, str]] = field(default_factory=list)  # classes of the notebook with their meanings

    @property
    def holds(self) -> bool:
        """Whether the classes that were taken from the notebook still mean what they did."""
        return all(meaning_of(each) == meaning for each, meaning in self.live)

    def fetch_data(self) -> None:
        """Take the data that the code reads by name from where it is now, else as it was kept."""
        for module, name in self.data:
            mine = vars(self.module(module))
            found = self.kept.get((module, name), _MISSING)
            if not self.abroad:
                found = vars(_imported(module)).get(name, found)
            if found is _MISSING:
                mine.pop(name, None)
            else:
                mine[name] = found

    def captures(self, kept: Iterable[tuple[Any, ...]]) -> tuple[Capture, ...]:
        """Return where the code reads data, in this world."""
        found = []
        for path, kind, key, holder, steps in kept:
            if isinstance(holder, types.ModuleType):
                self.data[holder.__name__, key] = None
            place = Place(kind, key, lambda holder=holder: holder, tuple(steps))  # type: ignore[misc]
            found.append(Capture(path, place.reader(), place))
        return tuple(found)

    def load(self, data: bytes) -> Any:
        """Return a thing that was stored by the same means as the code."""
        return _Unpickler(data, self).load()

    def module(self, name: str) -> types.ModuleType:
        """Return this world's module of a name."""
        if name not in self.modules:
            self.modules[name] = made = types.ModuleType(name)
            made.__dict__["__builtins__"] = builtins
            if not self.abroad:
                there = vars(_imported(name))
                made.__dict__.update({key: there[key] for key in _OF_A_MODULE if key in there})
        return self.modules[name]

    def has(self, function: types.FunctionType) -> bool:
        """Return whether a function finds its globals in this world."""
        return any(vars(module) is function.__globals__ for module in self.modules.values())

    def find(self, module: str, qualified_name: str) -> object | None:
        """Return what this world has under a dotted name in a module of the user's own, or None."""
        found: object = self.modules.get(module)
        for name in qualified_name.split("."):
            found = vars(found).get(name) if isinstance(found, type | types.ModuleType) else None
        return found

    def function(
        self, code: types.CodeType, module: str, cells: tuple[types.CellType, ...] | None
    ) -> types.FunctionType:
        """Return a function whose globals are those of this world's module."""
        return types.FunctionType(code, vars(self.module(module)), code.co_name, None, cells)

    def fill_function(self, made: types.FunctionType, state: tuple[Any, Any, Any, Any]) -> None:
        """Give a function its attributes, and its helpers to the modules where it looks for them."""
        own, common, read, _imported_submodules = state
        made.__dict__.update(own)
        for name, attribute in common.items():
            setattr(made, name, attribute)
        for module, found in read.items():
            vars(self.module(module)).update(found)

    def own_class(
        self, module: str, name: str, meaning: str | None, maker: Callable[..., type], arguments: Any
    ) -> type:
        """Return the class that the notebook has, if it means the same: its instances come as arguments."""
        found = _find(module, name) if meaning is not None and not self.abroad else None
        if isinstance(found, type) and meaning is not None and meaning_of(found) == meaning:
            self.live.append((found, meaning))
            return found
        made = maker(*arguments)
        copied_as(made, meaning)
        return made

    def fill_class(self, made: type, state: Any) -> None:
        """Give a copied class its attributes."""
        if not any(each is made for each, _ in self.live):
            _class_setstate(made, state)

    def dispatching(self, default: Callable[..., Any]) -> Any:
        """Return a function that chooses by the type of its argument."""
        return functools.singledispatch(default)

    def fill_registry(self, made: Any, state: dict[type, Callable[..., Any]]) -> None:
        """Tell it what there is to choose from."""
        for kind, function in state.items():
            made.register(kind, function)

    def durable_function(self) -> Any:
        """Return a durable function without content."""
        return self.durable(LoadedCode(_nothing, "", (), self), {})

    def fill_durable_function(self, made: Any, state: tuple[Any, str, Any, dict[str, Any]]) -> None:
        """Make it call the code as it was."""
        function, digest, captures, options = state
        filled = self.durable(LoadedCode(function, digest, self.captures(captures), self), options)
        made.__dict__.update(vars(filled))


class _Unpickler(pickle.Unpickler):
    """Reads what `stored_code` wrote into one world."""

    def __init__(self, data: bytes, world: World) -> None:
        super().__init__(io.BytesIO(data))
        self._world = world

    def find_class(self, module: str, name: str) -> Any:
        """Return what a global name stands for; the methods of a world are those of this one."""
        owner, _, method = name.rpartition(".")
        if module == __name__ and owner == World.__name__:
            return getattr(self._world, method)
        return super().find_class(module, name)


def _nothing() -> None:
    return None


def _imported(module: str) -> types.ModuleType:
    return sys.modules.get(module) or importlib.import_module(module)


def _find(module: str, qualified_name: str) -> object | None:
    found: object = sys.modules.get(module)
    for name in qualified_name.split("."):
        found = vars(found).get(name) if isinstance(found, type | types.ModuleType) else None
    return found
