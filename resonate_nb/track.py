"""`track`: a progress bar around a loop; a loop at the top level of a durable cell can go on with it, too."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from resonate_nb.durations import milliseconds
from resonate_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

    from resonate_nb.durations import Duration

Item = TypeVar("Item")


def track(items: Iterable[Item], *, every: Duration = "30s", total: int | None = None) -> Track[Item]:
    """Return the items, to be looped over with a progress bar.

    In ``for x in track(xs):`` at the top level of a durable cell there are checkpoints between iterations, at
    least `every` apart (0: after each one) and within the share of the cell's time that checkpoints may take.
    A cell that died or failed in such a loop goes on at the iteration that was under way. Lists, tuples,
    ranges, arrays and sets are kept with the checkpoint; anything else (a generator, a `DataLoader`)
    is made again by its expression and has to give the same items again.

    Parameters
    ----------
    items
        Anything to loop over.
    every
        The least time between two checkpoints.
    total
        How many items there are, where `len` does not tell.

    Raises
    ------
    UsageError
        `every` is no duration, or `total` no number.
    """
    if total is not None and (not isinstance(total, int) or total < 0):
        raise UsageError(f"total is how many items there are, not {total!r}")
    return Track(items, milliseconds(every) / 1_000, total)


class Track(Generic[Item]):
    """Items with a progress bar, made by `track`."""

    def __init__(self, items: Iterable[Item], every: float, total: int | None) -> None:
        self.items = items
        self.every = every  # seconds between two checkpoints, at least
        self.total = _length(items) if total is None else total

    def __iter__(self) -> Iterator[Item]:
        return self._plainly()

    def __len__(self) -> int:
        if self.total is None:
            raise TypeError(f"{type(self.items).__name__} does not tell its length: give `total`")
        return self.total

    def _plainly(self) -> Iterator[Item]:
        with Progress(self.total) as shown:
            for item in self.items:
                yield item
                shown.step()


class Progress:
    """A bar: what was done before and now, the rate, and the time that remains.

    Items that were done before count for the bar, and for no rate.
    """

    def __init__(self, total: int | None, *, before: int = 0) -> None:
        self._before, self._now = before, 0
        self._bar = _bar(total, before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.__exit__(*raised)

    def step(self) -> None:
        """Count one item."""
        self._now += 1
        if self._before:
            self._bar.set_postfix_str(f"{self._now:,} now", refresh=False)
        self._bar.update()


def _bar(total: int | None, before: int) -> Any:
    """Return a bar of tqdm: a widget or text where somebody looks on, else one that shows nothing."""
    shell = sys.modules.get("IPython")
    kernel = None if shell is None else getattr(shell.get_ipython(), "kernel", None)
    words = f"{before:,} before" if before else None
    if getattr(kernel, "_allow_stdin", False):
        from tqdm.notebook import tqdm as widget_bar

        return widget_bar(total=total, initial=before, desc=words)
    from tqdm import tqdm

    return tqdm(total=total, initial=before, desc=words, disable=kernel is not None)


def _length(items: Any) -> int | None:
    try:
        return len(items)
    except TypeError:
        return None
