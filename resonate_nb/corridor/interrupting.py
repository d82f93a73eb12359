"""How synchronous code is made to end from another thread: by raising `Interruption` in it.

The main thread gets a signal, which also wakes it from sleeping and waiting. It is SIGURG, whose default is
to be ignored, so that a late one does no harm, and which leaves Ctrl-C to whoever handles it. Other threads,
and the main thread where there are no such signals, get the exception at their next bytecode.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from typing import TYPE_CHECKING, Any, Protocol, Self

from resonate_nb.errors import Interruption

if TYPE_CHECKING:
    from types import FrameType

_SIGNAL: int | None = getattr(signal, "SIGURG", None) if hasattr(signal, "pthread_kill") else None


class Interruptible(Protocol):
    """A block of code in the thread that enters it."""

    def __enter__(self) -> Self:
        """Begin the block."""
        ...

    def __exit__(self, *_: object) -> None:
        """End the block: what was on its way to it is taken back."""
        ...

    def interrupt(self) -> None:
        """Raise `Interruption` in the block, if it is not left yet."""
        ...


def in_main_thread() -> bool:
    """Return whether the calling thread is the one that gets signals."""
    return threading.current_thread() is threading.main_thread()


def interruptible() -> Interruptible:
    """Return a block of the calling thread that can be interrupted."""
    return _BySignal(_SIGNAL) if _SIGNAL is not None and in_main_thread() else _ByException()


class _BySignal:
    """A block in the main thread."""

    def __init__(self, signal_number: int) -> None:
        self.wanted = False
        self._signal = signal_number

    def __enter__(self) -> Self:
        if not _entered:
            former = signal.signal(self._signal, _raise_if_wanted)
            if former is not _raise_if_wanted:  # an interrupt may have left ours behind
                _former[:] = [former]
        _entered.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.wanted = False
        if self in _entered:
            _entered.remove(self)
        if not _entered:
            # None: it was no handler of Python's, which Python can't set again.
            signal.signal(self._signal, signal.SIG_DFL if _former[0] is None else _former[0])

    def interrupt(self) -> None:
        """Raise `Interruption` in the block."""
        self.wanted = True
        ident = threading.main_thread().ident
        if ident is not None:
            signal.pthread_kill(ident, self._signal)


_entered: list[_BySignal] = []  # of the main thread, from the outside in
_former: list[Any] = []  # the handler that ours stands in for


def _raise_if_wanted(number: int, frame: FrameType | None) -> None:
    if any(block.wanted for block in _entered):
        raise Interruption
    if callable(_former[0]):
        _former[0](number, frame)


class _ByException:
    """A block in any thread."""

    def __init__(self) -> None:
        self.wanted = False
        self._thread = threading.get_ident()
        self._open = True
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        _of_thread.blocks = [*_blocks(), self]
        return self

    def __exit__(self, *_: object) -> None:
        while self._open or self in _blocks():
            try:
                self._close()
            except Interruption:
                continue  # it was meant for the block that is being left
        if any(outer.wanted for outer in _blocks()):
            raise Interruption  # closing took away what was on its way to the outer block

    def _close(self) -> None:
        with self._lock:
            self._open = False
            _set_exception(self._thread, None)
        _of_thread.blocks = [block for block in _blocks() if block is not self]

    def interrupt(self) -> None:
        """Raise `Interruption` in the block."""
        with self._lock:
            if self._open:
                self.wanted = True
                _set_exception(self._thread, Interruption)


_of_thread = threading.local()


def _blocks() -> list[_ByException]:
    blocks: list[_ByException] = getattr(_of_thread, "blocks", [])
    return blocks


def _set_exception(thread: int, kind: type[BaseException] | None) -> None:
    raised = None if kind is None else ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)
