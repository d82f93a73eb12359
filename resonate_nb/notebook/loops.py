"""Loops over `track` at the top level of a durable cell: checkpoints between iterations, and going on at one.

What a loop iterates over is kept with the checkpoint where that says all about the items that are left: then
they are the very items, and share with variables what they shared. Anything else is made again by the
loop's own expression, and has to give again what it gave, and to leave everything else as it was.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from resonate_nb.errors import OtherItems, UndigestibleInput
from resonate_nb.fingerprint import content_digest
from resonate_nb.notebook import budget, randomness
from resonate_nb.notebook.chain import Point
from resonate_nb.track import Progress, Track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from resonate_nb.notebook.chain import Chain

_LISTED: list[object] = []
_KEPT: tuple[type, ...] = (
    *(list, tuple, range, str, bytes, deque, set, frozenset),
    *(type(iter(_LISTED)), type(iter(range(0)))),
)
_TABLE: dict[object, object] = {}
_VALUES, _PAIRS = type(_TABLE.values()), type(_TABLE.items())
_FREE_SECONDS = 0.25  # for digests of items, before they have to be within the share of the cell's time


class Loops:
    """The loops of one run of a cell."""

    def __init__(self, chain: Chain, namespace: Mapping[str, Any]) -> None:
        self._chain, self._namespace = chain, namespace
        self._states: dict[str, Any] = {}  # of random generators, before the items of a loop were made
        self._state: str | None = None  # digest of what the cell had left, before they were made again

    def goes_on(self, number: int) -> bool:
        """Return whether the items that are left in a loop were kept; else they are about to be made."""
        kept = self._chain.loop(number)
        if kept is None:
            self._states = randomness.states()
            return False
        if kept["rest"] is not None:
            return True
        self._state = self._state_now()
        self._states = kept["states"]
        randomness.set_states(self._states)
        return False

    def rest(self, number: int) -> Iterator[Any]:
        """Return the items that are left."""
        kept = self._chain.loop(number)
        if kept is None:
            raise TypeError("only a loop that goes on has a rest")
        return Loop(self._chain, number, kept, rest=kept["rest"]).items()

    def tracked(self, number: int, items: Iterable[Any]) -> Iterable[Any]:
        """Return the items of a loop; if they are tracked, with checkpoints between them."""
        kept = self._chain.loop(number)
        if not isinstance(items, Track):
            if kept is not None:
                raise OtherItems("they are not those of `track` any more")
            return items
        if number + 1 not in self._chain.links:
            return items
        if kept is not None:
            return Loop(self._chain, number, kept, again=items.items, unchanged=self._unchanged).items()
        begun = {"every": items.every, "total": items.total, "states": self._states}
        if type(items.items) in _KEPT or _is_array(items.items):
            return Loop(self._chain, number, begun, rest=iter(items.items)).items()
        return Loop(self._chain, number, begun, again=items.items).items()

    def _unchanged(self) -> bool:
        """Return whether making items again has left the rest as it was, random generators apart."""
        found = self._chain.found
        if found is not None:
            randomness.restore(found.kept)
        return self._state is not None and self._state_now() == self._state

    def _state_now(self) -> str | None:
        found = self._chain.found
        if found is None:
            return None
        names = [name for name in found.kept if not name.startswith("<")]
        parts = [found.link.keeping.references[number] for number in found.kept["<contents>"]]
        try:
            return content_digest([{name: self._namespace.get(name) for name in names}, parts])
        except UndigestibleInput:
            return None


class Loop:
    """One loop, from its begin or from the checkpoint at which it goes on."""

    def __init__(
        self,
        chain: Chain,
        number: int,
        kept: Mapping[str, Any],
        *,
        rest: Iterator[Any] | None = None,  # to be kept
        again: Iterable[Any] = (),  # to be made again
        unchanged: Any = None,
    ) -> None:
        self._chain, self._number = chain, number
        self._every, self._total, self._states = kept["every"], kept["total"], kept["states"]
        self._before: int = kept.get("position", 0)
        self._digests: tuple[str, str] = kept.get("digests", ("", ""))
        self._rest, self._again, self._unchanged = rest, again, unchanged
        self._identified = True  # all items so far have content
        self._seconds = 0.0  # that their digests took

    def items(self) -> Iterator[Any]:
        """Give the items that are left, and keep a checkpoint whenever one is due."""
        marked = ((None, item) for item in self._rest) if self._rest is not None else self._made_again()
        position, last = self._before, time.monotonic()
        with Progress(self._total, before=position) as shown:
            for mark, item in marked:
                first = self._digest(mark)
                yield item
                position += 1
                shown.step()
                self._digests = _chained(self._digests, first, self._digest(mark))
                if time.monotonic() - last >= self._every and self._keep(position):
                    last = time.monotonic()

    def _keep(self, position: int) -> bool:
        if not self._identified:
            return False
        record = {
            "position": position,
            "every": self._every,
            "total": self._total,
            "states": {} if self._rest is not None else self._states,
            "digests": self._digests,
            "rest": self._rest,
        }
        link = self._chain.links[self._number + 1]
        return self._chain.keep_if_worth_it(link, Point(self._number, position), {"<loop>": record})

    def _made_again(self) -> Iterator[tuple[object, Any]]:
        """Give what identifies the items, with them, from the one at which the loop goes on."""
        marked = _marked(self._again)
        if not self._before:
            return marked
        found = ("", "")
        for done in range(self._before):
            mark = next(marked, None)
            if mark is None:
                raise OtherItems(f"there are {done:,} now, and {self._before:,} were done")
            digest = self._digest(mark[0])
            found = _chained(found, digest, digest)
        if not (found[0] == self._digests[0] or found[1] == self._digests[1]):
            raise OtherItems(f"the first {self._before:,} are not those that were done")
        if not self._unchanged():
            raise OtherItems("making them again changes variables that the loop has left")
        return marked

    def _digest(self, mark: object) -> str:
        """Return the digest of what identifies an item; where it takes long or is none, items have none."""
        if self._rest is not None or not self._identified:
            return ""
        began = time.perf_counter()
        try:
            digest = content_digest(mark)
        except UndigestibleInput:
            self._identified, digest = False, ""
        took = time.perf_counter() - began
        self._seconds += took
        self._chain.budget.spend(took)
        if self._seconds > _FREE_SECONDS + budget.SHARE * self._chain.budget.elapsed:
            self._identified = False
        return digest


def _chained(digests: tuple[str, str], first: str, last: str) -> tuple[str, str]:
    """Return the digests of all items so far: as they were given, and as their iterations left them."""
    return content_digest([digests[0], first]), content_digest([digests[1], last])


def _marked(items: Iterable[Any]) -> Iterator[tuple[object, Any]]:
    """Give what identifies each item, with it: of the views of a dict the key, since values are set anew."""
    if isinstance(items, _VALUES):
        return zip(items.mapping, items, strict=False)
    if isinstance(items, _PAIRS):
        return ((key, (key, value)) for key, value in items)
    return ((item, item) for item in items)


def _is_array(items: object) -> bool:
    kind = type(items)
    return kind.__module__ == "numpy" and kind.__qualname__ == "ndarray"
