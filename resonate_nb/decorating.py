"""What may be decorated, and what is read off it: its name, its version, whether it is awaited."""

from __future__ import annotations

import asyncio
import inspect
import types
from typing import Any

from resonate_nb.errors import UsageError


def refuse_what_is_no_function(function: object) -> None:
    """Refuse what can't be made durable.

    Raises
    ------
    UsageError
        It is no function, or a generator function.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(f"{name_of(function)} is a generator function: return a list to make it durable")
    if not isinstance(function, types.FunctionType):
        raise UsageError(
            f"@durable decorates functions, not a {type(function).__name__}; "
            "with options write @durable(version=2)"
        )


def name_of(function: Any) -> str:
    """Return the name of a function's promises: its qualified name, behind its module if it has one."""
    name = str(getattr(function, "__qualname__", type(function).__name__)).replace("<locals>.", "")
    module = getattr(function, "__module__", "__main__")
    return name if module == "__main__" else f"{module}.{name}"


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


def mark_as_coroutine_function(function: Any) -> None:
    """Let `inspect` and `asyncio` take an object for a coroutine function."""
    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(function)
    else:  # before Python 3.12 only asyncio can be told
        function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001
