"""Waiting for somebody to write into a folder: the kernel tells on Linux, elsewhere one looks often.

Only Linux is asked, by inotify: two calls of the C library, which need neither a thread nor a package.
The other systems' ways watch open files, and a store's are opened and replaced by SQLite.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import sys
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_LISTENERS = 4  # of one store in one process; a user has 128 for all programs together
_LONGEST_PAUSE = 0.250  # seconds without a look, for what the kernel may not tell
_SOON = 0.0001  # seconds: a log is written a moment before what is in it counts
_SHORTEST_POLL = 0.001  # seconds; the system call counts in milliseconds
_FIRST_LOOK, _LAST_LOOK = 0.005, 0.050  # seconds between two looks where nobody tells
_MODIFY, _CREATE, _DELETE_SELF, _MOVE_SELF, _ONLY_FOLDERS = 0x2, 0x100, 0x400, 0x800, 0x0100_0000
_EVENTS = _MODIFY | _CREATE | _DELETE_SELF | _MOVE_SELF | _ONLY_FOLDERS


class Pause(Protocol):
    """How to pass the time between two looks for changes."""

    def wait(self, seconds: float) -> None:
        """Return when it is worth looking, after `seconds` at the latest."""
        ...


class Changes:
    """Tells any number of threads when it is worth looking whether a folder has changed.

    A listener is lent to one thread at a time. When all are out, or the system has no more, a thread looks
    every few milliseconds instead: nothing is missed, only later noticed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._idle: deque[_Listener] = deque()
        # Weak: one that an interrupt took away from both borrower and shelf does not count for ever.
        self._made: WeakSet[_Listener] = WeakSet()

    @contextmanager
    def listening(self) -> Iterator[Pause]:
        """Listen from now on: what is written afterwards ends a `wait`, also if it was written before it."""
        listener = self._borrow()
        if listener is None:
            yield _Looking()
            return
        try:
            yield listener
        finally:
            self._idle.append(listener)

    def _borrow(self) -> _Listener | None:
        try:
            listener = self._take()
            if listener is not None:
                listener.begin(self._folder)
        except OSError:  # there is no inotify, no more of it, or no folder now
            return None
        return listener

    def _take(self) -> _Listener | None:
        try:
            return self._idle.pop()
        except IndexError:
            if len(self._made) >= _MOST_LISTENERS:
                return None
        listener = _Listener()
        self._made.add(listener)
        return listener

    def begin_in_child(self) -> None:
        """Leave the listeners to the process that this one was forked from: both would read one queue."""
        self._idle, self._made = deque(), WeakSet()

    def close(self) -> None:
        """Let go of the listeners that nobody uses; the others go when their threads are done."""
        self._idle.clear()


class _Looking:
    """Longer and longer pauses."""

    def __init__(self) -> None:
        self._pause = _FIRST_LOOK

    def wait(self, seconds: float) -> None:
        time.sleep(min(self._pause, seconds))
        self._pause = min(self._pause * 1.2, _LAST_LOOK)


class _Listener:
    """One queue of the kernel's, with the events of one folder."""

    def __init__(self) -> None:
        self._queue = -1
        self._queue = _call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._queue, select.POLLIN)
        self._watched: int | None = None
        self._pause = _LONGEST_PAUSE

    def begin(self, folder: Path) -> None:
        """Listen to what is at this path now: it may have been made again."""
        # For the same folder the kernel returns the same number.
        watched = _call("inotify_add_watch", self._queue, os.fsencode(folder), _EVENTS)
        if self._watched not in {None, watched}:
            with suppress(OSError):  # it went with its folder
                _call("inotify_rm_watch", self._queue, self._watched)
        self._watched = watched
        self._pause = _LONGEST_PAUSE

    def wait(self, seconds: float) -> None:
        # The event comes with the write to the log. The commit follows, after an fsync if it is to survive a
        # power cut, without an event of its own: hence a few quick looks, further and further apart.
        pause = min(self._pause, seconds)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        if pause < _SHORTEST_POLL:
            time.sleep(pause)
        elif self._poll.poll(pause * 1_000):
            with suppress(BlockingIOError):
                os.read(self._queue, 2**16)
            self._pause = _SOON

    def __del__(self) -> None:
        if self._queue >= 0:
            os.close(self._queue)


def _call(name: str, *arguments: object) -> int:
    """Call a function of the C library; raises `OSError` where it fails or there is none."""
    function = getattr(_LIBRARY, name, None)
    if function is None:
        raise OSError(errno.ENOSYS, f"this system has no {name}")
    result = int(function(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


_LIBRARY = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
