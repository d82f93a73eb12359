"""What goes on in a process beside the running cell: threads and child processes."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

# What their executors start stays for the next call and ends by itself; an executor can't be kept anyway.
_EXECUTORS = ("joblib.", "loky.", "concurrent.futures.process")
_OURS = "resonate"


def activities(namespace: Mapping[str, object]) -> dict[tuple[str, int | None], str]:
    """Return what is at work, in words, by what identifies it.

    A thread counts if it keeps the process alive or runs code of the notebook, whatever started it; one of
    a pool that waits for work does not. A child process counts if it is no daemon and no worker
    of an executor, or if nobody holds it.
    """
    found = {("thread", each.ident): f"the thread {each.name}" for each in _threads(namespace)}
    return found | {("process", pid): f"the process {pid}" for pid in _processes()}


def _threads(namespace: Mapping[str, object]) -> Iterator[threading.Thread]:
    frames = sys._current_frames()  # noqa: SLF001 (documented, for debuggers and for us)
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if thread is threading.current_thread() or frame is None or thread.name.startswith(_OURS):
            continue
        lasting = not (thread.daemon or _waits_for_work(frame) or _is_executors(thread))
        if lasting or any(each.f_globals is namespace for each in _outwards(frame)):
            yield thread


def _waits_for_work(frame: FrameType) -> bool:
    """Return whether a thread of a `ThreadPoolExecutor` runs nothing that was given to it."""
    pools: Any = sys.modules.get("concurrent.futures.thread")
    return pools is not None and frame.f_code is pools._worker.__code__  # noqa: SLF001 (has no public name)


def _is_executors(worker: object) -> bool:
    return type(worker).__module__.startswith(_EXECUTORS)


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _processes() -> Iterator[int]:
    multiprocessing: Any = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None:
        for child in multiprocessing.active_children():
            if not child.daemon and not _is_executors(child):
                yield child.pid
    subprocess: Any = sys.modules.get("subprocess")
    if subprocess is not None:
        # Those whose `Popen` is gone while they run; one that a variable holds can't be kept anyway.
        yield from (child.pid for child in subprocess._active or () if child.poll() is None)  # noqa: SLF001
