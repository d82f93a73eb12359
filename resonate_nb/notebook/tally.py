"""What durable cells of this kernel took and saved, and what the store holds: `%durable stats`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonate_nb import readable, views
from resonate_nb.notebook.links import CHAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    checkpoints = [each.id for each in views.listing(execution, prefix=CHAIN)]
    bytes_of = _bytes(execution, [each.id for each in listed])
    dearest = sorted((each for each in listed if _seconds(each)), key=_seconds, reverse=True)[:_MOST_SHOWN]
    lines = [
        f"in {execution.store.location}",
        f"  promises     {len(listed):,}, {readable.size(sum(bytes_of.values()))}",
        f"  checkpoints  {len(checkpoints):,}, {readable.size(sum(_bytes(execution, checkpoints).values()))}",
    ]
    if dearest:
        lines.append("  most expensive")
    width = max((len(each.id) for each in dearest), default=0)
    for each in dearest:
        took, size = readable.seconds(_seconds(each)), readable.size(bytes_of.get(each.id, 0))
        lines.append(f"    {each.id:{width}}  {took}, {size}")
    return "\n".join(lines)


def _bytes(execution: Execution, ids: Sequence[str]) -> dict[str, int]:
    """Return the sizes of values by id; lists know no values."""
    found: dict[str, int] = {}
    for start in range(0, len(ids), _PAGE):
        there = execution.store.get_many(ids[start : start + _PAGE])
        found |= {id: entry.promise.value.size for id, entry in there.items()}
    return found


def _seconds(promise: Promise) -> float:
    return float(promise.tags.get("rnb:seconds", 0))
