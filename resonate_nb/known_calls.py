"""Works of calls that were made before in this process, for calls whose arguments can't change.

Making a work means to bind and digest; a call of numbers and texts is the same work again as long as the code
and the root are the very same objects.
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any

from resonate_nb.corridor.shortcut import UNCHANGING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.corridor.work import Work
    from resonate_nb.execution import Execution
    from resonate_nb.fingerprint import Fingerprint

_MOST_BYTES = 512  # of one key
_MOST_WORKS = 1_024  # of one function
_EXACT = 2  # the version of marshal in which a key neither rounds numbers nor depends on shared objects


class KnownCalls:
    """The works of one function."""

    def __init__(self) -> None:
        self._era: tuple[Fingerprint, Execution, dict[bytes, Work]] | None = None

    def works(self, code: Fingerprint, execution: Execution) -> dict[bytes, Work]:
        """Return the works by their keys that were made with this code under this root."""
        era = self._era
        if era is None or era[0] is not code or era[1] is not execution:
            # A table of its own: another thread may still be adding to the former one.
            self._era = era = code, execution, {}
        works = era[2]
        if len(works) > _MOST_WORKS:
            works.clear()
        return works


def key_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes | None:
    """Return what tells a call from all others; None for one with arguments that could change."""
    for argument in args:
        if type(argument) not in UNCHANGING:
            return None
    if not kwargs:
        key = marshal.dumps(args, _EXACT)
    elif all(type(argument) in UNCHANGING for argument in kwargs.values()):
        key = marshal.dumps((args, tuple(kwargs.items())), _EXACT)
    else:
        return None
    return key if len(key) <= _MOST_BYTES else None
