"""What durable cells of this kernel took and saved, and what the store holds: `%durable stats`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonate_nb import readable, views

if TYPE_CHECKING:
    from resonate_nb.execution import Execution
    from resonate_nb.promise import Promise

_MOST_SHOWN = 5
_PAGE = 500


@dataclass(slots=True)
class Counted:
    """So many cells, and the seconds that they took or saved."""

    cells: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one cell more."""
        self.cells += 1
        self.seconds += max(seconds, 0.0)

    def words(self, what: str) -> str:
        """Return it in words."""
        cells = f"{self.cells:,} cell{'' if self.cells == 1 else 's'}"
        return f"{cells}, {what} {readable.seconds(self.seconds)}" if self.cells else cells


class Tally:
    """What became of the durable cells of one kernel."""

    def __init__(self) -> None:
        self.computed, self.replayed, self.resumed, self.left_alone = (Counted() for _ in range(4))

    def __str__(self) -> str:
        return "\n".join(
            (
                "in this kernel",
                f"  computed    {self.computed.words('in')}",
                f"  replayed    {self.replayed.words('saved')}",
                f"  resumed     {self.resumed.words('saved')}",
                f"  left alone  {self.left_alone.words('in')}",
            )
        )


def stored(execution: Execution) -> str:
    """Return how much a store holds, and what of it took longest to compute."""
    listed = views.listing(execution)
    bytes_of: dict[str, int] = {}
    for start in range(0, len(listed), _PAGE):  # lists know no values
        there = execution.store.get_many(each.id for each in listed[start : start + _PAGE])
        bytes_of |= {id: entry.promise.value.size for id, entry in there.items()}
    dearest = sorted((each for each in listed if _seconds(each)), key=_seconds, reverse=True)[:_MOST_SHOWN]
    number = f"{len(listed):,} promise{'' if len(listed) == 1 else 's'}"
    lines = [f"in {execution.store.location}", f"  {number}, {readable.size(sum(bytes_of.values()))}"]
    if dearest:
        lines.append("  most expensive")
    width = max((len(each.id) for each in dearest), default=0)
    for each in dearest:
        took, size = readable.seconds(_seconds(each)), readable.size(bytes_of.get(each.id, 0))
        lines.append(f"    {each.id:{width}}  {took}, {size}")
    return "\n".join(lines)


def _seconds(promise: Promise) -> float:
    return float(promise.tags.get("rnb:seconds", 0))
