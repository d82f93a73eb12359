"""A durable function that somebody else takes to another process: joblib, multiprocessing, an executor.

It settles what it computes there in the store that it came from. A process that was forked from this one
has the function already; in any other it is rebuilt, with its names and its data.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resonate_nb.corridor.context import placed_in
from resonate_nb.errors import UsageError
from resonate_nb.executors.fitness import Folder
from resonate_nb.executors.hosting import hosted
from resonate_nb.executors.travelling import Luggage, luggage, parent
from resonate_nb.functions import DurableFunction
from resonate_nb.store.disk import DiskStore
from resonate_nb.values.keys import load_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.execution import Execution

_FORMAT = "format"  # the file in a store's folder by which it is known to be the same
_family = secrets.token_hex(8)  # of this process and those that are forked from it


@dataclass(frozen=True, slots=True)
class Ticket:
    """Where a function is found again in the process that it came from."""

    family: str
    module: str
    qualified_name: str

    def find(self, fingerprint: str) -> DurableFunction[Any, Any] | None:
        """Return the function itself, if it is here."""
        if self.family != _family:
            return None
        found: Any = sys.modules.get(self.module)
        for name in self.qualified_name.split("."):
            found = getattr(found, name, None)
        same = isinstance(found, DurableFunction) and found.code().digest == fingerprint
        return found if same else None


def reduced(function: DurableFunction[Any, Any], execution: Execution) -> tuple[Any, ...]:
    """Return what pickle makes of a durable function.

    Raises
    ------
    UsageError
        Other processes can't have it: its code can't be copied, or its store is in this process only.
    """
    if function.is_generator:
        raise UsageError(
            f"{function.name} is a generator function, which can't be sent to another process: call it in a "
            "durable function that returns a list"
        )
    packed = luggage(function, execution, "", b"", _folder(function, execution))
    key = hashlib.blake2b(packed.code + packed.options, digest_size=16).hexdigest()
    ticket = Ticket(_family, function.__module__, vars(function)["__qualname__"])
    return arrived, (ticket, replace(packed, key=f"{key} {execution.store.location}"))


def arrived(ticket: Ticket, packed: Luggage) -> Any:
    """Return the function, or what calls it, in the process in which it is unpickled."""
    return ticket.find(packed.fingerprint) or Visitor(ticket, packed)


class Visitor:
    """Calls a durable function of another process in this one."""

    def __init__(self, ticket: Ticket, packed: Luggage) -> None:
        self.__name__, self.__module__ = packed.name, ticket.module
        self._ticket, self._luggage = ticket, packed

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function gives: from its store, or computed and kept there."""
        with (
            hosted(self._luggage, _this_process()) as guest,
            placed_in(parent(self._luggage.parents, here=False)),
        ):
            if not guest.function.is_async:
                return guest.function(*args, **kwargs)
        return self._awaited(args, kwargs)

    async def _awaited(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        with (
            hosted(self._luggage, _this_process()) as guest,
            placed_in(parent(self._luggage.parents, here=False)),
        ):
            return await guest.function(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return arrived, (self._ticket, self._luggage)

    def __repr__(self) -> str:
        return f"<durable function {self.__name__} of another process>"


def _folder(function: DurableFunction[Any, Any], execution: Execution) -> Folder:
    store, path = execution.store, Path(execution.store.location)
    if not isinstance(store, DiskStore):
        raise UsageError(
            f"{function.name} can't be sent to another process: its store, {store.location}, is no folder "
            "that both could open"
        )
    content = (path / _FORMAT).read_text(encoding="ascii")
    return Folder(str(path), _FORMAT, content, load_key().id, store.durability)


def _this_process() -> str:
    return f"process {os.getpid()}"
