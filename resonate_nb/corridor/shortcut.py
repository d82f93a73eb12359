"""The shortcut to an outcome that was delivered before: it holds as long as the promise's row is the same.

The row is read each time, so whatever another process settles, forgets or begins anew counts at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonate_nb.opened.file_records import HEADER as OF_FILES
from resonate_nb.promise import State

if TYPE_CHECKING:
    from resonate_nb.corridor.attempts import Delivered
    from resonate_nb.store.base import Store

# What nobody can change, so that it needs no copy.
UNCHANGING = frozenset({type(None), bool, int, float, complex, str, bytes})


class Shortcut:
    """What the promise of one work delivered last in this process."""

    __slots__ = ("_asked", "_last")

    def __init__(self) -> None:
        self._asked = False  # most works are asked for once, and nothing is remembered of those
        self._last: tuple[bytes, Delivered] | None = None

    def take(self, store: Store, id: str) -> tuple[Delivered | None, bytes | None]:
        """Return what is delivered at once, or else the row to be remembered with what it will deliver."""
        if not self._asked:
            self._asked = True
            return None, None
        row, last = store.row(id), self._last
        if last is not None and row == last[0]:
            return last[1], row
        return None, row

    def remember(self, row: bytes | None, delivered: Delivered) -> None:
        """Remember what was delivered after the row was read, if nothing but the row has a say in it."""
        promise = delivered.promise
        if row is None or promise.state is not State.RESOLVED or OF_FILES in promise.value.headers:
            return
        if type(delivered.outcome.value) in UNCHANGING:
            self._last = row, delivered
