"""Exceptions as pickles: kept as they are if they come back as they were, else as text."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING

from resonate_nb.errors import LostException
from resonate_nb.values.pickling import Pickled

if TYPE_CHECKING:
    from resonate_nb.values.pickling import Pickling

NOTE = "Original traceback:\n"
NOTHING = Pickled(b"", b"", ())


def dump(error: BaseException, pickling: Pickling) -> tuple[Pickled, bytes]:
    """Return the pickled exception, empty if it can't be kept as such, and the facts about it as JSON."""
    facts = {
        "type": type(error).__qualname__,
        "text": _text(error),
        "traceback": "".join(traceback.format_exception(error)),
    }
    pickled = _dump_faithfully(error, pickling) or _dump_alone(error, pickling) or NOTHING
    return pickled, json.dumps(facts).encode()


def load(pickled: Pickled, facts: bytes, pickling: Pickling) -> BaseException:
    """Return the exception, or a `LostException` that stands for it, with the traceback as a note."""
    known = json.loads(facts)
    error = _load(pickled, pickling) or LostException(known["type"], known["text"])
    notes = getattr(error, "__notes__", [])
    if not any(str(note).startswith(NOTE) for note in notes):  # one that was kept twice tells its origin
        error.add_note(NOTE + known["traceback"])
    return error


def _dump_faithfully(error: BaseException, pickling: Pickling) -> Pickled | None:
    """Return the pickle if it comes back as the same class with the same text."""
    try:
        pickled = pickling.dump(error)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - attributes of an exception are anything
        return None
    loaded = _load(pickled, pickling)
    return pickled if type(loaded) is type(error) and _text(loaded) == _text(error) else None


def _dump_alone(error: BaseException, pickling: Pickling) -> Pickled | None:
    """Return the pickle without cause and context, which may be what can't be kept."""
    chain = error.__cause__, error.__context__, error.__suppress_context__
    error.__cause__ = error.__context__ = None
    try:
        return _dump_faithfully(error, pickling)
    finally:
        error.__cause__, error.__context__, error.__suppress_context__ = chain


def _load(pickled: Pickled, pickling: Pickling) -> BaseException | None:
    if not pickled.stream:
        return None
    try:
        loaded = pickling.load(pickled)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - its class may be gone, or refuse its own arguments
        return None
    return loaded if isinstance(loaded, BaseException) else None


def _text(error: object) -> str:
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001 - `__str__` is anybody's code
        return f"<its text can't be had: {type(failure).__name__}>"
