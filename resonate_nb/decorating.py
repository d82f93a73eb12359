"""What may be decorated, and what is read off it: its code, its name, its version, how it is called."""

from __future__ import annotations

import asyncio
import functools
import inspect
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from resonate_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Binds = Literal["instance", "class", "nothing"]  # what a call by way of a class or its instance passes


@dataclass(frozen=True, slots=True)
class Decorated:
    """A function, with the arguments that each call of what was decorated passes it first."""

    function: types.FunctionType
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    binds: Binds = "instance"
    name: str | None = None  # where the function's own says too little


def decorated(thing: Any) -> Decorated:
    """Return the function in what is decorated: a function, method, partial, or object to be called.

    Raises
    ------
    UsageError
        There is none, or it is an asynchronous generator function.
    """
    if isinstance(thing, staticmethod | classmethod):
        found = decorated(thing.__func__)
        binds: Binds = "class" if isinstance(thing, classmethod) else "nothing"
        return Decorated(found.function, found.args, found.kwargs, binds)
    if isinstance(thing, functools.partial):
        found = decorated(thing.func)
        return Decorated(
            found.function, found.args + thing.args, {**found.kwargs, **thing.keywords}, "nothing", found.name
        )
    if isinstance(thing, types.MethodType):
        found = decorated(thing.__func__)
        return Decorated(found.function, (*found.args, thing.__self__), found.kwargs, "nothing")
    called = None if isinstance(thing, type) else inspect.getattr_static(type(thing), "__call__", None)
    if not isinstance(thing, types.FunctionType) and isinstance(called, types.FunctionType):
        if hasattr(type(thing), "__durable_function__"):
            raise UsageError(f"{thing.name} is durable already")
        return Decorated(called, (thing,), {}, "nothing", name_of(type(thing)))
    if not isinstance(thing, types.FunctionType):
        raise UsageError(
            f"@durable decorates functions, not a {type(thing).__name__}; "
            "with options write @durable(version=2)"
        )
    if inspect.isasyncgenfunction(thing):
        raise UsageError(
            f"{name_of(thing)} is an asynchronous generator function, which can't be durable: make it a "
            "generator function, or a coroutine function that returns a list"
        )
    return Decorated(thing)


def name_of(function: Any) -> str:
    """Return the name of a function's promises: its qualified name, behind its module if it has one."""
    name = str(getattr(function, "__qualname__", type(function).__name__)).replace("<locals>.", "")
    module = getattr(function, "__module__", "__main__")
    return name if module == "__main__" else f"{module}.{name}"


def checked_identity(name: str, identity: str, scheme: object) -> str:
    """Return how calls are known, by their arguments or as calls, unchanged if it is one of these.

    Raises
    ------
    UsageError
        It is something else, or does not go with a scheme for ids.
    """
    if identity not in {"arguments", "call"}:
        raise UsageError(f"{name}: identity is 'arguments' or 'call', not {identity!r}")
    if identity == "call" and scheme is not None:
        raise UsageError(f"{name}: identity='call' gives the ids, so there is none to choose with id=")
    return identity


def checked_generator(name: str, function: object, retry: object, mutates: object) -> bool:
    """Return whether a function is a generator function.

    Raises
    ------
    UsageError
        It is one, and is to be tried again, or changes its arguments.
    """
    if not inspect.isgeneratorfunction(function):
        return False
    if retry is not None:
        raise UsageError(
            f"{name} is a generator function, which has no `retry`: after an exception the next call goes on "
            "behind what was yielded; let it call durable functions that are tried again"
        )
    if mutates:
        raise UsageError(f"{name} is a generator function, which has no `mutates`: yield what it changes")
    return True


def checked_version(version: int | None) -> int | None:
    """Return the version unchanged if it is a whole number from 1, or None.

    Raises
    ------
    UsageError
        It is something else.
    """
    if version is not None and (type(version) is not int or version < 1):
        raise UsageError(f"a version is a whole number from 1, not {version!r}")
    return version


def checked_mutates(name: str, mutates: Iterable[str], parameters: Iterable[str]) -> frozenset[str]:
    """Return the names of the arguments that a function changes in place.

    Raises
    ------
    UsageError
        It has no parameter of such a name, or they are given as one text.
    """
    if isinstance(mutates, str):
        raise UsageError(f"{name}: mutates is a tuple of names, as in mutates=({mutates!r},)")
    names, known = tuple(mutates), list(parameters)
    for each in names:
        if each not in known:
            raise UsageError(f"{name}: mutates names {each!r}, but its parameters are {', '.join(known)}")
    return frozenset(names)


def mark_as_coroutine_function(function: Any) -> None:
    """Let `inspect` and `asyncio` take an object for a coroutine function."""
    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(function)
    else:  # before Python 3.12 only asyncio can be told
        function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001
