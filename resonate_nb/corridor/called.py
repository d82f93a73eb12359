"""Which versions of durable functions a promise called, as one of its tags tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonate_nb.corridor.context import current

if TYPE_CHECKING:
    from resonate_nb.corridor.context import Context
    from resonate_nb.promise import Promise

TAG = "rnb:called"
_MOST_NAMED = 50  # versions that one promise names
_MOST_CHARACTERS = 4_000


def note_called(promise: Promise) -> None:
    """Remember, for the promise that is being computed, which version of a durable function it called."""
    context = current()
    if context is not None and promise.tags.get("rnb:kind") == "function":
        context.called.add(f"{promise.tags.get('rnb:name')}@{promise.tags.get('rnb:version')}")


def called_tags(context: Context) -> dict[str, str]:
    """Return what the promise tells about what it called; beyond a few dozen versions only their number."""
    listed = sorted(context.called)
    more = [f"and {len(listed) - _MOST_NAMED:,} more"] if len(listed) > _MOST_NAMED else []
    return {TAG: ", ".join(listed[:_MOST_NAMED] + more)[:_MOST_CHARACTERS]} if listed else {}
