"""What computes the items of a map, and how one item is computed in this process."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from resonate_nb.corridor.work import Outcome
from resonate_nb.errors import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonate_nb.corridor.attempts import Attempt
    from resonate_nb.many.items import Finished, Item, Items
    from resonate_nb.many.rates import Rate


class Executor(Protocol):
    """A way to compute the items of a map."""

    def run(self, items: Items, rate: Rate) -> Iterator[Finished]:
        """Yield each item once, as it comes to its end; one that is closed begins no further ones."""
        ...


class Computed(NamedTuple):
    """An item that was computed, with the outcome that counts, committed."""

    item: Item
    outcome: Outcome
    seconds: float


def compute(items: Items, item: Item, attempt: Attempt) -> Computed:
    """Run the body of an item, and wait until its outcome is committed.

    Whoever computes takes no other item before: a kill repeats those that are under way, and no more.
    """
    began = perf_counter()
    execution = items.execution
    items.begins(item.number, attempt.timeout_at)
    try:
        outcome = execution.compute(attempt, items.function.body(item.arguments, {}))
    except Pending as waiting:  # the other items have questions to ask, too
        return Computed(item, Outcome(error=waiting), perf_counter() - began)
    outcome = execution.settle(attempt, outcome)
    return Computed(item, outcome, perf_counter() - began)
