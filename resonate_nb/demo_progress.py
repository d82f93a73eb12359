"""How far the demo's analysis has come, as its store tells it from outside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from resonate_nb.clock import SystemClock
from resonate_nb.demo_packages import DemoFailed
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from resonate_nb.promise import Promise

GRID = "score.map("  # in the source of the cell that is killed half-way
SCORES = "score@"  # how the ids of its calls begin
CHAIN = "chain/"  # how the ids of checkpoints begin, inside of cells
INSIDE = "drivers"  # the cell that is killed inside


def settled(path: Path) -> dict[str, Promise]:
    """Return the settled promises of a store that may not exist yet."""
    if not path.exists():
        return {}
    store = DiskStore(path)
    try:
        return listed(store)
    finally:
        store.close()


def listed(store: DiskStore) -> dict[str, Promise]:
    """Return the settled promises of an open store."""
    page = store.list(Query(limit=1000), SystemClock().now())
    return {promise.id: promise for promise in page.promises if promise.settled}


def scores(ids: Mapping[str, Promise]) -> set[str]:
    """Return the ids of the grid's calls."""
    return {id for id in ids if id.startswith(SCORES)}


def statements(promises: Mapping[str, Promise]) -> int:
    """Return how many statements lie before the last checkpoint of the cell that is killed inside."""
    of_cell = f"cell/{INSIDE}@"
    chain = (each.tags for id, each in promises.items() if id.startswith(CHAIN))
    done = [tags["rnb:name"] for tags in chain if tags.get("rnb:parent", "").startswith(of_cell)]
    return max((int(name.partition(" ")[0]) for name in done), default=0)


def deed(source: str, before: Mapping[str, Promise], after: Mapping[str, Promise]) -> str:
    """Say what a cell did, by the promises that were settled before and after it."""
    if GRID in source:
        return _deed_of_grid(len(scores(before)), len(scores(after)))
    named = re.match(r"%%durable (\w+)", source)
    if named is None:
        return "not durable"
    own = {id for id in after if id.startswith(f"cell/{named[1]}@")}
    if not own:
        raise DemoFailed(f"the store has no promise of the cell {named[1]!r}")
    if not own - before.keys():
        return "replayed"
    done = statements(before) if named[1] == INSIDE else 0
    return f"resumed at statement {done + 1}" if done else "computed"


def _deed_of_grid(before: int, after: int) -> str:
    if before == 0:
        return f"computed, {after} items"
    if before == after:
        return f"replayed, {after} items"
    return f"resumed at item {before + 1} of {after}"


def check_that_settled_stays_settled(earlier: Mapping[str, Promise], later: Mapping[str, Promise]) -> None:
    """Refuse a run that changed what was settled, or computed what need not be computed again.

    Raises
    ------
    DemoFailed
        Names the promise.
    """
    for id, promise in earlier.items():
        if later.get(id) != promise:
            raise DemoFailed(f"{id} was settled before the kill and is another promise after it")
    for id in later.keys() - earlier.keys():
        if not id.startswith((SCORES, CHAIN, f"cell/{INSIDE}@", f"version/cell/{INSIDE}@")):
            raise DemoFailed(f"{id} was computed again after the kill")
