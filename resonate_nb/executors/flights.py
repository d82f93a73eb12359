"""Items of a map on their way to other processes: sent as long as there is room, received as they return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonate_nb.executors.consignments import Consignment
    from resonate_nb.many.items import Finished, Items
    from resonate_nb.many.rates import Rate

_SLICE_SECONDS = 0.2  # a wait can be interrupted this often
_CHUNK_SECONDS = 0.1  # that the items of one chunk are to take together
_MOST = 500  # items of one chunk


class Flight(Protocol):
    """The chunks that are under way."""

    def __len__(self) -> int:
        """How many they are."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether workers may soon have nothing to do."""
        ...

    def depart(self) -> Iterator[Finished]:
        """Send the next items, or yield those that need not go."""
        ...

    def landed(self, *, wait: bool) -> Iterator[Finished]:
        """Yield the items of chunks that are done, after waiting for one."""
        ...


def fly(items: Items, rate: Rate, line: Consignment, flight: Flight) -> Iterator[Finished]:
    """Yield each item as it comes to its end."""
    rounds, exhausted = items.rounds(), False
    while True:
        while line.in_line and flight.has_room and rate.wait(most=_SLICE_SECONDS if len(flight) else None):
            yield from flight.depart()
        yield from flight.landed(wait=False)
        if flight.has_room and (items.wanted or not len(flight)) and not exhausted and not line.in_line:
            found, missing = next(rounds, (None, []))
            exhausted = found is None
            yield from found or ()
            line.add(missing)
        elif len(flight):
            yield from flight.landed(wait=True)
        elif not line:
            return
        if not line.in_line:
            yield from line.elsewhere(wait=not len(flight))


class Size:
    """How many items go in one chunk: as many as take a while together, unless that is chosen."""

    def __init__(self, chosen: int | None, most: int = _MOST) -> None:
        self._chosen, self._most = chosen, most
        self.items = min(chosen or 1, most)
        self._seconds = 0.0  # that an item takes, lately

    def took(self, seconds: float) -> None:
        """Hear how long an item took in its chunk."""
        # A first one, with its imports, or one that waited must not keep the next ones small for long.
        self._seconds = seconds if not self._seconds else min(seconds, (self._seconds + seconds) / 2)
        if self._chosen is None:
            wanted = int(_CHUNK_SECONDS / max(self._seconds, 1e-6))
            self.items = max(1, min(self._most, wanted, 2 * self.items))
