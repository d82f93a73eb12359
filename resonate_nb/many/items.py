"""The items of a map: taken from the iterables as they are needed, and looked up many at a time."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from resonate_nb.corridor.work import Outcome, Work
    from resonate_nb.execution import Execution
    from resonate_nb.functions import DurableFunction

_MOST = 500  # items that are looked up in one read
_PATIENCE = 0.01  # seconds that the taking of items lasts before those that are there are looked at


class Item(NamedTuple):
    """One of many calls."""

    number: int  # from 0
    arguments: tuple[Any, ...]
    work: Work


class Finished(NamedTuple):
    """An item with what came of it."""

    number: int
    outcome: Outcome
    replayed: bool  # it was settled before


class Round(NamedTuple):
    """Some items in their order, told apart."""

    found: list[Finished]
    missing: list[Item]


class Items:
    """The calls of a map in their order. The first rounds are small, so that work begins at once."""

    def __init__(
        self, function: DurableFunction[Any, Any], execution: Execution, arguments: Iterable[tuple[Any, ...]]
    ) -> None:
        self.function, self.execution = function, execution
        self._arguments = enumerate(arguments)
        self._place = function.place()  # of them all: items are counted as they stand, whenever they run
        self._size = 1
        self.held_back = 0  # results that wait for those of items before them

    @property
    def wanted(self) -> bool:
        """Whether further items may be taken, as far as the results that wait already are concerned."""
        return self.held_back < _MOST

    def begins(self, number: int, timeout_at: int) -> None:
        """Hear that a body begins; nobody needs to know here."""

    def rounds(self) -> Iterator[Round]:
        """Take, look up and yield items until there are none."""
        while taken := self.take():
            yield self.look_up(taken)

    def take(self) -> list[tuple[int, tuple[Any, ...]]]:
        """Return the next arguments with their numbers; none at the end."""
        taken, end = [], time.monotonic() + _PATIENCE
        for each in islice(self._arguments, self._size):
            taken.append(each)
            if time.monotonic() > end:
                break
        self._size = min(2 * self._size, _MOST)
        return taken

    def look_up(self, taken: Iterable[tuple[int, tuple[Any, ...]]]) -> Round:
        """Tell what is settled from what is to be computed."""
        items = [Item(number, arguments, self._work(number, arguments)) for number, arguments in taken]
        settled = self.execution.find_many(item.work for item in items)
        return Round(
            [
                Finished(item.number, settled[item.work.id].outcome, replayed=True)
                for item in items
                if item.work.id in settled
            ],
            [item for item in items if item.work.id not in settled],
        )

    def _work(self, number: int, arguments: tuple[Any, ...]) -> Work:
        place = None if self._place is None else self._place.item(number + 1)
        return self.function.work(arguments, {}, id=place).under(self.execution.prefix)
