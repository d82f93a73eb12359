"""Whether code is asynchronous, so that what it calls is to be awaited."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_ASYNCHRONOUS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_PART_OF_THE_FRAME_AROUND = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})


def awaits(frame: FrameType | None) -> bool:
    """Return whether code that runs in a frame can await: a coroutine's, or a cell's with an `await` in it.

    Not whether a loop runs in the thread: in a notebook one always does, also under synchronous cells.
    """
    while frame is not None and not frame.f_code.co_flags & _ASYNCHRONOUS:
        if frame.f_code.co_name not in _PART_OF_THE_FRAME_AROUND:
            return False
        frame = frame.f_back
    return frame is not None
