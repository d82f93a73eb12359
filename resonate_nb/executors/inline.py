"""Items that are computed one after the other, in the calling thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonate_nb.corridor.work import Outcome
from resonate_nb.executors.base import compute
from resonate_nb.many.claims import Claims
from resonate_nb.many.items import Finished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonate_nb.many.claims import Granted
    from resonate_nb.many.items import Items
    from resonate_nb.many.rates import Rate


class Inline:
    """Computes here, the next item once the one before is committed."""

    def run(self, items: Items, rate: Rate) -> Iterator[Finished]:
        """Yield each item as it comes to its end."""
        with Claims(items.execution, ahead=rate.ahead) as claims:
            for found, missing in items.rounds():
                yield from found
                claims.add(missing)
                while claims.in_line:
                    if rate.wait() and (granted := claims.take()) is not None:
                        yield _finished(items, claims, granted)
            while claims:
                if (granted := claims.take_from_elsewhere(wait=True)) is not None:
                    yield _finished(items, claims, granted)


def _finished(items: Items, claims: Claims, granted: Granted) -> Finished:
    item, entry = granted
    if isinstance(entry, Outcome):
        return Finished(item.number, entry, replayed=entry.error is None)
    computed = compute(items, item, entry)
    claims.ended(item, computed.seconds)
    return Finished(item.number, computed.outcome, replayed=False)
