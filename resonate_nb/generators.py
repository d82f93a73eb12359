"""Durable generators: what one yields is recorded as it goes, so that it can be gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Never, Self, TypeVar, cast

from resonate_nb.errors import UsageError
from resonate_nb.yielding import Source, open_yields

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonate_nb.corridor.work import Work
    from resonate_nb.execution import Execution
    from resonate_nb.yielding import Recorded

Y = TypeVar("Y")


def iterate(execution: Execution, work: Work, body: Callable[[], Any], *, rerun: bool) -> Yields[Any]:
    """Return an iterator that delivers what is recorded and computes the rest."""
    return Yields(lambda: open_yields(execution, work, body, rerun=rerun))


class Yields(Generic[Y]):
    """What a call of a durable generator function gives: an iterator over recorded and computed yields."""

    def __init__(self, open: Callable[[], Recorded | Source]) -> None:
        self._open: Callable[[], Recorded | Source] | None = open  # None: there is nothing more to come
        self._from: Recorded | Source | None = None
        self._number = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Y:
        if self._open is None:
            raise StopIteration
        try:
            self._from = self._from or self._open()
            value = self._from.get(self._number + 1)
        except BaseException:
            self.close()
            raise
        self._number += 1
        return cast("Y", value)

    def send(self, value: None) -> Y:
        """Go on; nothing can be sent.

        Raises
        ------
        UsageError
            The value is not None: what is sent in is not recorded, so it could not be gone on with.
        """
        if value is not None:
            raise UsageError("nothing can be sent into a durable generator, since it could not be repeated")
        return next(self)

    def throw(self, error: BaseException) -> Never:
        """Refuse, since what is thrown in could not be repeated."""
        raise UsageError(
            "nothing can be thrown into a durable generator, since it could not be repeated"
        ) from error

    def close(self) -> None:
        """End here: the promise stays pending, and the next call goes on after what was recorded."""
        self._open, source = None, self._from
        self._from = None
        if isinstance(source, Source):
            source.leave()

    def __reduce__(self) -> Never:
        raise TypeError("an iterator gives its items once: keep a list of them")

    def __del__(self) -> None:
        self.close()
