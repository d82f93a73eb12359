"""The ids of what is known by its place, or by an id of the caller's own: sleeps and races."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonate_nb.corridor.children import next_place
from resonate_nb.corridor.context import current
from resonate_nb.errors import UsageError
from resonate_nb.ids import validate_explicit

if TYPE_CHECKING:
    from resonate_nb.corridor.children import Place


def placed(name: str, id: str | None) -> Place | None:
    """Return the place of a call that is made now; None if it has an id of its own.

    Raises
    ------
    UsageError
        It has none, and the calling code works for no durable promise.
    InvalidId
        The store can't take the id.
    """
    if id is not None:
        validate_explicit(id)
        return None
    if current() is None:
        raise UsageError(
            f"{name} is known by its place in a durable promise, and there is none here: call it in a "
            f'durable cell or function, or give it an id of your own, like {name}(..., id="what/it/is/for")'
        )
    return next_place(name)
