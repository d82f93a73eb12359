"""Items that are computed one after the other, in the calling thread."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from resonate_nb.corridor.work import Outcome
from resonate_nb.executors.base import Computed, compute
from resonate_nb.many.claims import Claims
from resonate_nb.many.items import Finished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonate_nb.many.claims import Granted
    from resonate_nb.many.items import Items
    from resonate_nb.many.rates import Rate


class Inline:
    """Computes here. Light items are committed some at a time, and told once they are."""

    def run(self, items: Items, rate: Rate) -> Iterator[Finished]:
        """Yield each item as it comes to its end."""
        behind: deque[Computed] = deque()
        try:
            with Claims(items.execution, ahead=rate.ahead) as claims:
                for found, missing in items.rounds():
                    yield from found
                    claims.add(missing)
                    while claims.in_line:
                        if rate.wait() and (granted := claims.take()) is not None:
                            yield from self._compute(items, claims, granted, behind)
                    yield from _committed(behind, most=0)
                while claims:
                    if (granted := claims.take_from_elsewhere(wait=True)) is not None:
                        yield from self._compute(items, claims, granted, behind)
                        yield from _committed(behind, most=0)
        finally:
            for computed in behind:
                computed.committed()

    def _compute(
        self, items: Items, claims: Claims, granted: Granted, behind: deque[Computed]
    ) -> Iterator[Finished]:
        item, entry = granted
        if isinstance(entry, Outcome):
            yield Finished(item.number, entry, replayed=entry.error is None)
            return
        behind.append(compute(items, item, entry))
        claims.ended(item, behind[-1].seconds)
        yield from _committed(behind, most=claims.size - 1)


def _committed(behind: deque[Computed], most: int) -> Iterator[Finished]:
    """Wait for commits until at most so many are under way."""
    while len(behind) > most:
        item, committed, _ = behind.popleft()
        yield Finished(item.number, committed(), replayed=False)
