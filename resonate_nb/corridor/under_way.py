"""What one of several competitors has under way, so that it can be given up when another one wins."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonate_nb.promise import Promise


class UnderWay:
    """The promises that a competitor waits for."""

    def __init__(self) -> None:
        self.ids: dict[str, None] = {}  # in the order in which they were begun
        self.waits = False  # whether it found something that is not settled yet
        self.due: int | None = None  # when a timer that it only waits for passes
        self.settled_at = 0  # of the latest promise that was delivered to it; milliseconds since the epoch
        self.outer = _innermost.get()

    def enter(self) -> None:
        """Have noted here what the present context begins."""
        _innermost.set(self)


_innermost: ContextVar[UnderWay | None] = ContextVar("resonate_nb_under_way", default=None)


@contextmanager
def under_way(id: str, *, due: int | None = None) -> Iterator[None]:
    """Note a promise while the block waits for it, and for ever if the wait is broken off."""
    noting = _innermost.get()
    if noting is None:
        yield
        return
    for each in _and_around(noting):
        each.ids[id] = None
    noting.due = due
    try:
        yield
    except Exception:
        _forget(noting, id)
        raise
    _forget(noting, id)


def note_waiting() -> None:
    """Note that what is asked for is not settled yet."""
    noting = _innermost.get()
    if noting is not None:
        for each in _and_around(noting):
            each.waits = True


def note_settled(promise: Promise) -> None:
    """Note when what is delivered was settled: long before, maybe, while no kernel ran."""
    noting = _innermost.get()
    if noting is not None:
        for each in _and_around(noting):
            each.settled_at = max(each.settled_at, promise.settled_at or 0)


def _and_around(noting: UnderWay) -> Iterator[UnderWay]:
    each: UnderWay | None = noting
    while each is not None:
        yield each
        each = each.outer


def _forget(noting: UnderWay, id: str) -> None:
    noting.due = None
    for each in _and_around(noting):
        each.ids.pop(id, None)
