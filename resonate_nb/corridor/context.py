"""Which durable promise the running code computes, and inside which others."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from resonate_nb.opened.tracing import Trace
from resonate_nb.promise import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextvars import Context as Variables
    from contextvars import Token


ELSEWHERE = 0  # stands for the process of a context that is another one than this


class Numbering:
    """Series of numbers from 1, one for each name: what makes the n-th call the n-th. Safe for threads."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}
        self._lock = threading.Lock()

    def next(self, name: str) -> int:
        """Return the next number of the series with this name."""
        with self._lock:
            self._given[name] = number = self._given.get(name, 0) + 1
        return number

    @property
    def given(self) -> dict[str, int]:
        """The last number that each series has given."""
        with self._lock:
            return dict(self._given)

    def go_on(self, given: Mapping[str, int]) -> None:
        """Go on behind these numbers, as the calling code goes on behind what it has done before."""
        with self._lock:
            self._given = dict(given)


class Section:
    """A part of a body, in which calls by place are counted from 1 and have ids of its own."""

    def __init__(
        self, locate: Callable[[str], tuple[str, Mapping[str, str]]], given: Mapping[str, int] | None = None
    ) -> None:
        self.locate = locate  # for a number like `.3`, gives the call's id, and tags for its promise
        self.numbering = Numbering()
        self.numbering.go_on(given or {})


@dataclass(frozen=True, slots=True)
class Context:
    """One promise that is being computed here; contexts form a chain from the inside out."""

    id: str  # of the record, generation included
    work_id: str  # as called, without the generation
    attempt: int  # the fencing number: 1 for the first attempt
    parent: Context | None = None
    timeout_at: int = NEVER  # when the body has to end
    seed: str = ""  # drawn when the promise was made
    numbering: Numbering = field(default_factory=Numbering, compare=False, repr=False)  # of this attempt
    trace: Trace = field(default_factory=Trace, compare=False, repr=False)  # of this attempt
    called: set[str] = field(default_factory=set, compare=False, repr=False)  # versions of durable functions
    process: int = field(default_factory=os.getpid, compare=False)  # which counts the calls that it makes
    item: str = ""  # which of several things that go on side by side in it, as `.3.2`: each counts for itself
    asker: str = ""  # the same for questions, whose ids know nothing of sections
    # Waits until its record is committed, where that may not have happened yet.
    begun: Callable[[], object] | None = field(default=None, compare=False, repr=False)
    section: Section | None = field(default=None, compare=False, repr=False)  # in which the code is that asks

    @property
    def place(self) -> str:
        """What tells calls that are made here from all others of the promise, but for their number."""
        return self.id + self.item

    def beside(self, item: str, *, asker: str = "") -> Context:
        """Return the context of one of several things that go on side by side: its calls count anew."""
        return replace(self, item=item, asker=asker or item, numbering=Numbering())

    @property
    def origin(self) -> str:
        """The id of the outermost promise."""
        return self.id if self.parent is None else self.parent.origin

    def __iter__(self) -> Iterator[Context]:
        yield self
        if self.parent is not None:
            yield from self.parent


class _Nobody:
    """Stands for the promise that unknown code works for, maybe."""


_NOBODY_KNOWS: Final = _Nobody()
_current: ContextVar[Context | None] = ContextVar("resonate_nb_context")  # unset where nobody knows
_starters: WeakKeyDictionary[threading.Thread, Context] = (
    WeakKeyDictionary()
)  # of threads that bodies started
_running: dict[Trace, None] = {}  # of all attempts in this process, a set in the order of their beginning

# Their threads work for whoever hands them something, not for whoever happened to start them.
_POOLS = frozenset({"concurrent.futures.thread", "multiprocessing.pool", "resonate_nb.corridor.threads"})


def current() -> Context | None:
    """Return the promise that the calling code computes: its id, attempt and parent; None outside.

    Tasks, `asyncio.to_thread` and the threads of `map` inherit it. Threads that the body starts do so from
    Python 3.12 on; the threads of its own pools don't, since they may work for several bodies.
    """
    known = _known()
    return None if isinstance(known, _Nobody) else known


def attributed() -> tuple[Trace, ...]:
    """Return the attempts to which what happens here belongs, the innermost first.

    All that are running, where nobody knows: then each of them is computed again rather too often.
    """
    if not _running:
        return ()
    known = _known()
    if known is None:
        return ()
    if not isinstance(known, _Nobody):
        found = tuple(trace for trace in known.trace.family if trace.running)
        if found:
            return found  # else it outlived its promise, and works for another one now, maybe
    return running()


def running() -> tuple[Trace, ...]:
    """Return all attempts in this process."""
    return tuple(_running)


def carried() -> Variables:
    """Return a copy of the context variables for another thread, in which `current` is what it is here."""
    variables, known = copy_context(), _known()
    if not isinstance(known, _Nobody):
        variables.run(_current.set, known)
    return variables


def carried_into(context: Context | None) -> Variables:
    """Return a copy of the context variables in which `current` is this."""
    variables = carried()
    if context is not None:
        variables.run(_current.set, context)
    return variables


def thread_starts(function: Any) -> None:
    """Note that a thread, which will begin with this function, inherits the promise of the calling code."""
    thread = getattr(function, "__self__", None)
    context = current()
    if context is None or not isinstance(thread, threading.Thread):
        return
    target = getattr(thread, "_target", None)
    if getattr(target, "__module__", None) not in _POOLS:
        _starters[thread] = context


class entered:  # noqa: N801 (used like a function: `with entered(context):`)
    """Make a context, whose parent is the current one, the current one for a block.

    A cell with `await` ends in another task than it began in, where its context never was current.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._token: Token[Context | None] | None = None

    def __enter__(self) -> Context:
        self._context.trace.begin()
        _running[self._context.trace] = None
        self._token = _current.set(self._context)
        return self._context

    def go_to(self, section: Section) -> None:
        """Begin a section of the body, in the code that runs it; what it starts belongs to the section."""
        _current.set(replace(self._context, section=section))

    def __exit__(self, *_: object) -> None:
        trace, here = self._context.trace, _current.get(None)
        trace.end()
        _running.pop(trace, None)
        if self._token is None or here is None or here.trace is not trace:
            return
        try:
            _current.reset(self._token)
        except ValueError:  # it ends in a copy of the context that it began in
            _current.set(self._context.parent)


@contextmanager
def placed_in(context: Context | None) -> Iterator[None]:
    """Let calls in a block be those of a promise that another process computes, or of none."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


def _known() -> Context | _Nobody | None:
    """Return the promise of the calling code; None where it is known to work for none."""
    found = _current.get(_NOBODY_KNOWS)
    if not isinstance(found, _Nobody):
        return found
    here = threading.get_ident()
    if here == threading.main_thread().ident:
        return None
    # Not `current_thread()`, which would make up an object for a thread that is just beginning.
    thread = threading._active.get(here)  # type: ignore[attr-defined]  # noqa: SLF001
    starter = None if thread is None else _starters.get(thread)
    return starter if starter is not None and starter.trace.running else _NOBODY_KNOWS
