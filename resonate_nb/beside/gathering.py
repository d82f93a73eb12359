"""Gathering: several things go on side by side, and all of them are waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from resonate_nb.beside.waiting import Beside
from resonate_nb.corridor.children import next_number
from resonate_nb.corridor.context import current
from resonate_nb.errors import Pending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonate_nb.beside.items import Item
    from resonate_nb.corridor.context import Context
    from resonate_nb.corridor.work import Outcome


def gather(items: Sequence[Item], *, return_exceptions: bool) -> list[object]:
    """Return what all of them give, in their order; see `resonate_nb.gather`."""
    beside = Beside(items)
    try:
        beside.begin(_contexts(items))
        beside.wait(beside.all_ended)
    finally:
        beside.interrupt()
    return _values(beside, return_exceptions=return_exceptions)


async def agather(items: Sequence[Item], *, return_exceptions: bool) -> list[object]:
    """Do as `gather` does without blocking the loop."""
    beside = Beside(items)
    try:
        beside.begin(_contexts(items))
        await beside.wait_async(beside.all_ended)
    finally:
        beside.interrupt()
    return _values(beside, return_exceptions=return_exceptions)


def _contexts(items: Sequence[Item]) -> list[Context | None]:
    """Return where the calls of each item stand: `{parent}.{n}.{i}`, whichever of them comes first."""
    parent = current()
    if parent is None:
        return [None for _ in items]
    place = asker = next_number(parent)
    if parent.section is not None:  # where calls count from 1, and questions don't
        asker = f"{parent.asker}.{parent.numbering.next('gather')}"
    numbers = range(1, len(items) + 1)
    return [parent.beside(f"{place}.{number}", asker=f"{asker}.{number}") for number in numbers]


def _values(beside: Beside, *, return_exceptions: bool) -> list[object]:
    outcomes = cast("list[Outcome]", beside.outcomes)
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    waiting = [id for error in errors if isinstance(error, Pending) for id in error.ids]
    failed = [error for error in errors if not isinstance(error, Pending)]
    if hard := [error for error in failed if not isinstance(error, Exception)]:
        raise hard[0]
    if waiting and (return_exceptions or not failed):
        raise Pending(*dict.fromkeys(waiting))
    if failed and not return_exceptions:
        if len(outcomes) > 1:
            failed[0].add_note(
                f"{len(failed):,} of {len(outcomes):,} gathered items failed, this is the first; "
                "return_exceptions=True puts the exceptions in their places"
            )
        raise failed[0]
    return [outcome.value if outcome.error is None else outcome.error for outcome in outcomes]
