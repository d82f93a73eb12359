"""What may go on beside others: a handle, a function to call, something to await."""

from __future__ import annotations

import asyncio
import inspect
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from resonate_nb.beside.identifying import identity_of
from resonate_nb.corridor.context import carried_into
from resonate_nb.corridor.interrupting import interruptible
from resonate_nb.corridor.threads import Threads
from resonate_nb.corridor.under_way import UnderWay
from resonate_nb.corridor.work import Outcome
from resonate_nb.errors import Interruption, NoSuchPromise, UsageError
from resonate_nb.handles import Handle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Context as Variables

    from resonate_nb.corridor.context import Context
    from resonate_nb.corridor.interrupting import Interruptible

_threads = Threads()


class Item(ABC):
    """One of several things that go on side by side."""

    tells = True  # whether its end is told, so that nobody has to look for it

    def __init__(self, given: object) -> None:
        self.given: Any = given
        self.outcome: Outcome | None = None  # what it gave, once that was looked at
        self.under_way = UnderWay()

    @abstractmethod
    def begin(self, context: Context | None, tell: Callable[[], object]) -> None:
        """Begin, with calls that stand in this context; `tell` is told at the end."""

    @abstractmethod
    def look(self) -> None:
        """Look whether there is an outcome."""

    @abstractmethod
    def interrupt(self) -> None:
        """Have it end soon, also before it has begun; its promises stay as they are."""

    def identity(self, *, by_content: bool) -> object:
        """Return what tells it from another that could stand in its place, exactly or by its kind only."""
        return type(self).__name__ if not by_content else identity_of(self.given)

    def settled_at(self) -> int:
        """Return when what it gave was settled, in milliseconds since the epoch; 0 if that is not known."""
        return self.under_way.settled_at

    def has_asked(self) -> bool:
        """Return whether it has asked for something durable so far."""
        return bool(self.under_way.ids) or self.settled_at() > 0

    def waits(self) -> bool:
        """Return whether it goes on because what it waits for is not settled yet."""
        return self.under_way.waits

    def cancel(self) -> None:
        """Cancel the promise that it stands for; this is none, but may have some under way."""
        return

    def _variables(self, context: Context | None) -> Variables:
        variables = carried_into(context)
        variables.run(self.under_way.enter)
        return variables


class _Promised:
    """What the item of a handle knows from its promise: it began elsewhere, and goes on whoever waits."""

    given: Handle[Any]

    def identity(self, *, by_content: bool) -> object:
        """Return the id of its promise."""
        return self.given.id

    def settled_at(self) -> int:
        """Return what its promise says."""
        return self.given.settled_at()

    def has_asked(self) -> bool:
        """Return True: it stands for something durable."""
        return True

    def waits(self) -> bool:
        """Return whether its promise is not settled yet."""
        return not self.settled_at()

    def cancel(self) -> None:
        """Cancel its promise, wherever it is computed."""
        with suppress(NoSuchPromise):  # forgotten meanwhile
            self.given.cancel()


class Submitted(_Promised, Item):
    """A handle, in synchronous code."""

    def begin(self, context: Context | None, tell: Callable[[], object]) -> None:
        """Ask to be told of its end."""
        self.tells = self.given.on_done(tell)

    def look(self) -> None:
        """Look into the store, or at the thread that computes it."""
        self.outcome = self.given.look()

    def interrupt(self) -> None:
        """Leave it alone."""


class Called(Item):
    """A function without arguments, in a thread of its own."""

    def __init__(self, function: Callable[[], object]) -> None:
        super().__init__(function)
        self._function = function
        self._given: Outcome | None = None
        self._block: Interruptible | None = None
        self._unwanted = False

    def begin(self, context: Context | None, tell: Callable[[], object]) -> None:
        """Begin the thread."""
        variables = self._variables(context)

        def run() -> None:
            self._given = variables.run(self._run)
            tell()

        _threads.run(run)

    def look(self) -> None:
        """Look whether the function has returned."""
        self.outcome = self._given

    def interrupt(self) -> None:
        """Raise `Interruption` in the thread."""
        self._unwanted = True
        if self._block is not None and self._given is None:
            self._block.interrupt()

    def _run(self) -> Outcome:
        try:
            with interruptible() as block:
                self._block = block
                return Outcome(error=Interruption()) if self._unwanted else Outcome(self._function())
        except BaseException as error:  # noqa: BLE001 - it is raised where the outcome is asked for
            return Outcome(error=error)


class Awaited(Item):
    """A coroutine, or another awaitable, in a task of the running loop."""

    def __init__(self, awaitable: Awaitable[object]) -> None:
        super().__init__(awaitable)
        self._awaitable = awaitable
        self._task: asyncio.Future[object] | None = (
            awaitable if isinstance(awaitable, asyncio.Future) else None
        )

    def begin(self, context: Context | None, tell: Callable[[], object]) -> None:
        """Begin the task, unless it is one already, which has a context of its own."""
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(_await(self._awaitable), context=self._variables(context))
        self._task.add_done_callback(lambda task: tell() if task.cancelled() else (task.exception(), tell()))

    def look(self) -> None:
        """Look whether the task is done."""
        if self._task is None or not self._task.done():
            return
        error = asyncio.CancelledError() if self._task.cancelled() else self._task.exception()
        self.outcome = Outcome(self._task.result()) if error is None else Outcome(error=error)

    def interrupt(self) -> None:
        """Cancel the task."""
        if self._task is not None:
            self._task.cancel()
        elif inspect.iscoroutine(self._awaitable):
            self._awaitable.close()  # nobody will await it, and that is no mistake


class AwaitedHandle(_Promised, Awaited):
    """A handle, in asynchronous code."""


async def _await(awaitable: Awaitable[object]) -> object:
    return await awaitable


def items_of(caller: str, given: tuple[object, ...], *, awaits: bool) -> list[Item]:
    """Return what was given to `gather` or `race`, ready to begin.

    Raises
    ------
    UsageError
        Something is neither a handle nor a function, nor, in asynchronous code, something to await.
    """
    try:
        return [_item(caller, number, each, awaits=awaits) for number, each in enumerate(given, start=1)]
    except UsageError:
        for each in filter(inspect.iscoroutine, given):
            each.close()
        raise


def _item(caller: str, number: int, given: Any, *, awaits: bool) -> Item:
    if isinstance(given, Handle):
        return AwaitedHandle(given) if awaits else Submitted(given)
    if inspect.isawaitable(given):
        if awaits:
            return Awaited(given)
        raise UsageError(
            f"{caller}: argument {number} is to be awaited, so `await {caller}(...)`; in synchronous code "
            f"pass `f.submit(...)`, or a function that makes the call, like `lambda: approve(...)`"
        )
    if callable(given) and not isinstance(given, type):
        return Called(given)
    raise UsageError(
        f"{caller}: argument {number} is a {type(given).__name__}, so it was called already: pass a handle, "
        "as `f.submit(...)` returns it, or a function that makes the call, like `lambda: approve(...)`"
        + (", or something to await" if awaits else "")
    )
