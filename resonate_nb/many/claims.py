"""The right to compute the next items of a map: asked for many at a time, given back where work is slow."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from resonate_nb.corridor.attempts import Attempt, Delivered
from resonate_nb.corridor.context import carried
from resonate_nb.corridor.work import Outcome
from resonate_nb.errors import ResonateError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonate_nb.corridor.claiming import Turn
    from resonate_nb.execution import Execution
    from resonate_nb.many.items import Item

_MOST = 64  # items for which the right is asked at once
_AHEAD_SECONDS = 0.02  # of work that is asked for ahead
_SLOW_SECONDS = 0.25  # without a step forward: then others may have what is asked for ahead
_WAIT_SECONDS = 0.05  # for what others compute


class Granted(NamedTuple):
    """An item that may be computed, or that came to its end without."""

    item: Item
    entry: Attempt | Outcome


class _Asked(NamedTuple):
    """An item whose right to compute was asked for."""

    item: Item
    turn: Turn | None  # None: this map computes the same promise at the moment, for another item


class Claims:
    """The line of items that are not settled. Used by one thread; `with` gives back what was not used."""

    def __init__(self, execution: Execution, *, ahead: int) -> None:
        self.size = 1  # how many items are asked for at once
        self._execution, self._ahead = execution, min(ahead, _MOST)
        self._todo: deque[Item] = deque()
        self._asked: deque[_Asked] = deque()
        self._elsewhere: deque[_Asked] = deque()  # somebody else computes them
        self._under_way: set[str] = set()
        self._told: set[str] = set()
        self._lock = threading.Lock()  # the deques up to here, against `_give_back_if_slow`
        self._moved = time.monotonic()
        self._seconds = 0.0  # that an item takes, lately
        self._ended = threading.Event()
        self._guard: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._give_back()
        for asked in self._elsewhere:
            if asked.turn is not None:
                self._execution.claiming.leave(asked.turn)

    def __bool__(self) -> bool:
        return bool(self._todo or self._asked or self._elsewhere)

    def add(self, items: Iterable[Item]) -> None:
        """Put items at the end of the line."""
        with self._lock:
            self._todo.extend(items)

    @property
    def in_line(self) -> bool:
        """Whether there are items that nobody else computes, as far as is known."""
        return bool(self._todo or self._asked)

    def take(self) -> Granted | None:
        """Return the next item; None if there is none that nobody else computes."""
        while (asked := self._next()) is not None:
            granted = self._try(asked)
            if granted is not None:
                return granted
            self._elsewhere.append(asked)
        return None

    def take_from_elsewhere(self, *, wait: bool) -> Granted | None:
        """Return an item that somebody else computed, or computes no more."""
        for _ in range(len(self._elsewhere)):
            asked = self._elsewhere.popleft()
            granted = self._try(asked)
            if granted is not None:
                return granted
            self._elsewhere.append(asked)
        if wait and self._elsewhere:
            self._execution.store.wait_for_change(_WAIT_SECONDS)
        return None

    def ended(self, item: Item, seconds: float, workers: int = 1) -> None:
        """Hear that an item was computed, by one of so many workers, in how many seconds."""
        self.given_up(item)
        self._seconds = seconds if not self._seconds else 0.8 * self._seconds + 0.2 * seconds
        wanted = workers * _AHEAD_SECONDS / max(self._seconds, 1e-6)
        self.size = max(1, min(self._ahead, int(wanted), 2 * self.size))

    def given_up(self, item: Item) -> None:
        """Hear that an item is under way no more: an equal one is asked for anew."""
        self._under_way.discard(item.work.id)

    def _next(self) -> _Asked | None:
        with self._lock:
            self._moved = time.monotonic()
            if not self._asked:
                while self._todo and len(self._asked) < self.size:
                    self._ask(self._todo.popleft())
                self._watch()
            return self._asked.popleft() if self._asked else None

    def _ask(self, item: Item) -> None:
        if item.work.id in self._under_way:
            self._asked.append(_Asked(item, None))
            return
        self._under_way.add(item.work.id)
        turn = self._execution.line_up(item.work)
        self._asked.append(
            _Asked(item, turn)
        )  # first: an interrupt while asking must leave nothing that is held
        self._execution.claiming.ask_ahead(turn)

    def _try(self, asked: _Asked) -> Granted | None:
        item, turn = asked
        if turn is None:
            if item.work.id in self._under_way:
                return None
            if (delivered := self._execution.find(item.work)) is not None:
                return Granted(item, delivered.outcome)
            self._under_way.add(item.work.id)
            turn = self._execution.line_up(item.work)
        try:
            entry = self._execution.claiming.try_once(turn)
        except StoreUnavailable:
            raise
        except ResonateError as refusal:  # of this item alone
            entry = Delivered(turn.work.promise(None), Outcome(error=refusal))
            self._execution.claiming.leave(turn)
        except BaseException:
            self._execution.claiming.leave(turn)
            raise
        if isinstance(entry, Delivered):
            self._under_way.discard(item.work.id)
            return Granted(item, entry.outcome)
        if entry is None:
            return None
        self._execution.explain(entry, self._told)
        return Granted(item, entry)

    def _watch(self) -> None:
        if self._guard is None and len(self._asked) > 1:
            self._guard = threading.Thread(
                target=carried().run, args=(self._give_back_if_slow,), name="resonate-claims", daemon=True
            )
            self._guard.start()

    def _give_back_if_slow(self) -> None:
        while not self._ended.wait(_SLOW_SECONDS):
            if time.monotonic() - self._moved > _SLOW_SECONDS:
                with suppress(StoreUnavailable):  # the map itself will meet it, and say so
                    self._give_back()

    def _give_back(self) -> None:
        """Let others have what was asked for ahead; it is asked for again in its turn."""
        with self._lock:
            while self._asked:
                item, turn = self._asked.pop()
                if turn is not None:
                    self._execution.claiming.leave(turn)
                    self._under_way.discard(item.work.id)
                self._todo.appendleft(item)
            self.size = 1
