"""A fork leaves SQLite usable in the child: no thread is inside it while the process is copied.

SQLite's locks are copied as they are. One that another thread holds at that instant stays locked in the
child for ever, since the thread that would unlock it is not copied.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Protocol

_PATIENCE_SECONDS = 5.0  # that a fork waits for the others, and they for the fork


class Inheriting(Protocol):
    """What holds connections or threads that a child must not use."""

    def begin_in_child(self) -> None:
        """Start afresh, without closing or freeing what belongs to the parent."""
        ...


class Gate:
    """Lets any number of threads into SQLite at once, and none during a fork."""

    def __init__(self) -> None:
        # By thread: an entry that an interrupt left behind is put right by the thread's next use.
        self._inside: dict[int, None] = {}
        self._forking = threading.Lock()
        self._closed = False

    def __enter__(self) -> None:
        me = threading.get_ident()
        self._inside[me] = None
        while self._closed:
            del self._inside[me]
            if self._forking.acquire(timeout=_PATIENCE_SECONDS):
                self._forking.release()
            self._inside[me] = None

    def __exit__(self, *_: object) -> None:
        self._inside.pop(threading.get_ident(), None)

    def close(self) -> None:
        """Keep further threads out, and wait until all are out."""
        self._forking.acquire()
        self._closed = True
        me = threading.get_ident()
        end = time.monotonic() + _PATIENCE_SECONDS
        while any(thread != me for thread in list(self._inside)) and time.monotonic() < end:
            time.sleep(0.0005)

    def open(self) -> None:
        """Let threads in again."""
        self._closed = False
        self._forking.release()

    def begin_in_child(self) -> None:
        """Forget the threads that were not copied."""
        self._inside.clear()
        self.open()


gate = Gate()
_inheriting: weakref.WeakSet[Inheriting] = weakref.WeakSet()
_left_behind: list[object] = []


def on_fork(inheriting: Inheriting) -> None:
    """Have `begin_in_child` called in every process that is forked from this one."""
    _inheriting.add(inheriting)


def leave_behind(*belongings: object) -> None:
    """Keep what a forked process must neither use nor close: closing would wait for its parent's locks."""
    _left_behind.extend(belongings)


def _begin_in_child() -> None:
    gate.begin_in_child()
    for each in list(_inheriting):
        each.begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=gate.close, after_in_parent=gate.open, after_in_child=_begin_in_child)
