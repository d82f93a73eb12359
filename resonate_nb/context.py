"""Which durable promise the running code computes, and inside which others."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Numbering:
    """Series of numbers from 1, one for each name: what makes the n-th call the n-th. Safe for threads."""

    def __init__(self) -> None:
        self._series: dict[str, count[int]] = {}

    def next(self, name: str) -> int:
        """Return the next number of the series with this name."""
        return next(self._series.setdefault(name, count(1)))


@dataclass(frozen=True, slots=True)
class Context:
    """One promise that is being computed here; contexts form a chain from the inside out."""

    id: str  # of the record, generation included
    work_id: str  # as called, without the generation
    attempt: int  # the fencing number: 1 for the first attempt
    parent: Context | None = None
    numbering: Numbering = field(default_factory=Numbering, compare=False, repr=False)  # of this attempt

    @property
    def origin(self) -> str:
        """The id of the outermost promise."""
        return self.id if self.parent is None else self.parent.origin

    def __iter__(self) -> Iterator[Context]:
        yield self
        if self.parent is not None:
            yield from self.parent


_current: ContextVar[Context | None] = ContextVar("resonate_nb_context", default=None)


def current() -> Context | None:
    """Return the promise that the calling code computes: its id, attempt and parent; None outside.

    Threads that the body starts itself do not inherit it before Python 3.14; those of `map` do.
    """
    return _current.get()


class entered:  # noqa: N801 (used like a function: `with entered(context):`)
    """Make a context, whose parent is the current one, the current one for a block.

    A cell with `await` ends in another task than it began in, where its context never was current.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> Context:
        _current.set(self._context)
        return self._context

    def __exit__(self, *_: object) -> None:
        if _current.get() is self._context:
            _current.set(self._context.parent)
