"""Threads of our own: for bodies that may be left behind, and for the steps of coroutines."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from resonate_nb.corridor.context import carried
from resonate_nb.store.forks import on_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

P = ParamSpec("P")
R = TypeVar("R")

_IDLE_SECONDS = 10.0  # after which an unused thread ends
_MOST_STEPS = 16  # at once

Task = SimpleQueue["Callable[[], None]"]


class Threads:
    """Runs each task at once, in an idle thread or a new one. A task sees to its own errors."""

    def __init__(self) -> None:
        self._idle: deque[Task] = deque()
        self._process = os.getpid()

    def run(self, task: Callable[[], None]) -> None:
        """Begin the task."""
        if self._process != os.getpid():  # threads do not survive a fork
            self._idle, self._process = deque(), os.getpid()
        try:
            inbox = self._idle.pop()
        except IndexError:
            inbox = SimpleQueue()
            threading.Thread(target=self._work, args=(inbox,), name="resonate-body", daemon=True).start()
        inbox.put(task)

    def _work(self, inbox: Task) -> None:
        while True:
            try:
                task = inbox.get(timeout=_IDLE_SECONDS)
            except Empty:
                try:
                    self._idle.remove(inbox)
                except ValueError:
                    continue  # taken in this very moment: a task is on its way
                return
            task()
            del task  # what it refers to must not live as long as the thread
            self._idle.append(inbox)


class Pool:
    """Runs tasks in so many threads at once, and the others when one is free.

    Nobody waits for it at the end of the process: what is under way is durable, and goes on next time.
    """

    def __init__(self, size: int = 32) -> None:
        self._size = size
        self.begin_in_child()
        on_fork(self)

    def begin_in_child(self) -> None:
        """Start afresh: what was submitted goes on in the parent, not here."""
        self._free = self._size
        self._waiting: deque[Callable[[], None]] = deque()
        self._threads = Threads()
        self._lock = threading.Lock()
        self._mine = threading.local()

    def run(self, task: Callable[[], None]) -> None:
        """Begin the task as soon as a thread is free."""
        with self._lock:
            self._waiting.append(task)
        self._begin_next()

    def withdraw(self, task: Callable[[], None]) -> bool:
        """Take back a task, and return whether it had not begun."""
        with self._lock:
            try:
                self._waiting.remove(task)
            except ValueError:
                return False
            return True

    @contextmanager
    def standing_aside(self) -> Iterator[None]:
        """Let another task run meanwhile, where the calling one belongs to the pool and only waits."""
        mine = getattr(self._mine, "busy", False)
        if mine:
            self._give_back()
        try:
            yield
        finally:
            if mine:
                with self._lock:
                    self._free -= 1  # below zero for a while: the others are not stopped for it

    def _begin_next(self) -> None:
        with self._lock:
            if self._free <= 0 or not self._waiting:
                return
            self._free -= 1
            task = self._waiting.popleft()
        self._threads.run(partial(self._work, task))

    def _work(self, task: Callable[[], None]) -> None:
        self._mine.busy = True
        try:
            task()
        finally:
            self._mine.busy = False
            self._give_back()

    def _give_back(self) -> None:
        with self._lock:
            self._free += 1
        self._begin_next()


class Steps:
    """Runs the short blocking steps of coroutines, so that they do not block the loop.

    Not in the loop's own pool: tasks of the user that wait there for ours would wait for ever.
    """

    def __init__(self) -> None:
        self.begin_in_child()
        on_fork(self)

    def begin_in_child(self) -> None:
        """Start afresh: threads are not copied by a fork."""
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    async def run(self, step: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the step gives; a caller who is cancelled leaves it running."""
        return await asyncio.shield(asyncio.wrap_future(self.begin(step, *args, **kwargs)))

    def begin(self, step: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Begin a step in the present context."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_MOST_STEPS, thread_name_prefix="resonate-step")
            return self._pool.submit(carried().run, partial(step, *args, **kwargs))
