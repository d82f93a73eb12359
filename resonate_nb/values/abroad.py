"""What is the user's own, in a process that is not the notebook's: found in the world of the code it got."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Gives what a module of the user's own has under a dotted name there, or None.
finder: ContextVar[Callable[[str, str], object | None] | None] = ContextVar(
    "resonate_nb_finder", default=None
)


def own(module: str, qualified_name: str) -> object | None:
    """Return a thing of the user's own that came with the running code, or None."""
    find = finder.get()
    return None if find is None else find(module, qualified_name)
