"""When running bodies have to end: at their deadlines, and when somebody else settled their promises."""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from resonate_nb.errors import Interruption, ResonateError
from resonate_nb.store.forks import on_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from resonate_nb.clock import Clock
    from resonate_nb.store.base import Store

_LOOK_SECONDS = 0.25  # between two looks at the deadlines, unless one is nearer
_ASK_SECONDS = 0.5  # between two questions to the store; shorter bodies cause none
_SOONEST_SECONDS = 0.005
_AGAIN_SECONDS = 5.0  # until a body that did not end is told again; doubled each time


def _nothing() -> None:
    return None


class Watch:
    """One running body: when it has to end, and how it is told."""

    def __init__(self, id: str, timeout_at: int, interrupt: Callable[[], None] = _nothing) -> None:
        self.id, self.timeout_at, self.interrupt = id, timeout_at, interrupt
        self.on_end = _nothing  # told, too, for whoever waits for the body
        self.timed_out = False
        self.settled = False  # by somebody else
        self.outer = _innermost.get()
        self._began = time.monotonic()
        self._tell_again = 0.0
        self._patience = _AGAIN_SECONDS

    @property
    def ended(self) -> bool:
        """Whether this very body has to end."""
        return self.timed_out or self.settled

    @property
    def over(self) -> bool:
        """Whether the body has to end, or one that it runs in."""
        return any(watch.ended for watch in self)

    @property
    def over_outside(self) -> bool:
        """Whether a body that this one runs in has to end."""
        return self.outer is not None and self.outer.over

    def __iter__(self) -> Iterator[Watch]:
        watch: Watch | None = self
        while watch is not None:
            yield watch
            watch = watch.outer

    def lasts(self, moment: float) -> bool:
        """Return whether the body is one of those that are worth a question to the store."""
        return not self.ended and moment - self._began >= _ASK_SECONDS

    def tell(self, moment: float) -> None:
        """Interrupt the body, and again after a while: it may have swallowed the exception."""
        if moment >= self._tell_again:
            self._tell_again = moment + self._patience
            self._patience *= 2
            self.on_end()
            self.interrupt()

    def enter(self) -> None:
        """Make this the innermost running body of the context."""
        _innermost.set(self)

    def leave(self) -> None:
        """Make the outer one the innermost again."""
        if _innermost.get() is self:
            _innermost.set(self.outer)


_innermost: ContextVar[Watch | None] = ContextVar("resonate_nb_watch", default=None)


def end_if_over() -> None:
    """Raise `Interruption` where the calling code belongs to a body that has to end.

    A thread that was left behind comes to its end here, instead of beginning further work.
    """
    watch = _innermost.get()
    if watch is not None and watch.over:
        raise Interruption


def leave_all() -> None:
    """Make the code of the present context part of no running body."""
    _innermost.set(None)


class Watcher:
    """The thread that ends bodies; it sleeps while none runs."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._stopped = False
        self.begin_in_child()
        on_fork(self)

    def begin_in_child(self) -> None:
        """Start afresh: bodies that were running go on in the parent, not here."""
        self._watches: dict[Watch, None] = {}
        self._added = 0
        self._idle = False
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked = 0.0

    def add(self, watch: Watch) -> None:
        """Watch over a body from now on."""
        self._watches[watch] = None
        self._added += 1
        if self._thread is None or not self._thread.is_alive():
            self._start()
        if self._idle or watch.timeout_at - self._clock.now() < 1_000 * _LOOK_SECONDS:
            self._wake.set()

    def remove(self, watch: Watch) -> None:
        """Leave a body alone."""
        self._watches.pop(watch, None)

    def settled(self, id: str) -> None:
        """Say that a promise was settled, without waiting for the next look."""
        for watch in list(self._watches):
            watch.settled = watch.settled or watch.id == id
        self._wake.set()

    def stop(self) -> None:
        """Watch over nothing any more."""
        self._stopped = True
        self._wake.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="resonate-deadlines", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        seen = -1
        while not self._stopped:
            # Idle only when a whole pause brought nothing: waking costs more than many short bodies.
            self._idle = seen == self._added
            seen = self._added
            self._wake.wait(None if self._idle and not self._watches else self._pause())
            self._idle = False
            self._wake.clear()
            self._look()

    def _pause(self) -> float:
        now = self._clock.now()
        left = [(watch.timeout_at - now) / 1_000 for watch in list(self._watches) if not watch.ended]
        return max(_SOONEST_SECONDS, min([_LOOK_SECONDS, *left]))

    def _look(self) -> None:
        now, moment = self._clock.now(), time.monotonic()
        for watch in list(self._watches):
            watch.timed_out = watch.timed_out or watch.timeout_at <= now
        if moment - self._asked >= _ASK_SECONDS:
            self._asked = moment
            self._ask([watch for watch in list(self._watches) if watch.lasts(moment)], now)
        for watch in list(self._watches):
            if watch.over:
                watch.tell(moment)

    def _ask(self, watches: list[Watch], now: int) -> None:
        if not watches:
            return
        try:
            entries = self._store.get_many({watch.id for watch in watches})
        except ResonateError:
            return  # the body's own way through the corridor will meet the trouble, and say so
        for watch in watches:
            entry = entries.get(watch.id)
            watch.settled = entry is not None and entry.promise.seen(now).settled
