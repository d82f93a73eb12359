"""The one audit hook of the process, which hands events that somebody asked for to their handlers."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[[tuple[Any, ...]], None]

CALLER = 3  # frames from a handler's helper up to the code that raised the event

_handlers: dict[str, Handler] = {}
_installing = threading.Lock()
_installed: list[Handler] = []


class _Here(threading.local):
    """What is so in this thread alone."""

    deaf = False  # what our own code does is no event


_here = _Here()


def hear(handlers: dict[str, Handler]) -> None:
    """Call these handlers, by event, from now on. A hook can't be removed, so the first call installs it.

    A handler gets the event's arguments, in the thread that raised it. What it raises is raised by the
    code that it only listens to, so it had better not. Events of its own making are not heard.
    """
    _handlers.update(handlers)
    if _installed:
        return
    with _installing:
        if not _installed:
            sys.addaudithook(_hook)
            _installed.extend(handlers.values())


class unheard:  # noqa: N801 (used like a function: `with unheard():`)
    """A block whose events nobody hears: our own reading of files."""

    def __enter__(self) -> None:
        self._before, _here.deaf = _here.deaf, True

    def __exit__(self, *_: object) -> None:
        _here.deaf = self._before


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    # Called for every event of the process, hundreds of kinds: the first line is all that most of them cost.
    handler = _handlers.get(event)
    if handler is None or _here.deaf:
        return
    _here.deaf = True
    try:
        handler(arguments)
    finally:
        _here.deaf = False
