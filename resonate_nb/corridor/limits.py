"""A deadline over code that nobody calls: what runs between two points, like the statements of a cell."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from resonate_nb.corridor.computing import call_in
from resonate_nb.corridor.deadlines import Watch
from resonate_nb.corridor.interrupting import interruptible
from resonate_nb.errors import Interruption, PromiseTimedOut

if TYPE_CHECKING:
    from resonate_nb.corridor.attempts import Attempt
    from resonate_nb.corridor.deadlines import Watcher
    from resonate_nb.corridor.interrupting import Interruptible


class Limit:
    """The time that an attempt has. Between `begin` and `end` its code may be interrupted.

    Code that awaits is cancelled instead, since other tasks run in the same thread.
    """

    def __init__(self, attempt: Attempt, watcher: Watcher, *, awaits: bool) -> None:
        self._watch = Watch(attempt.promise.id, attempt.timeout_at)
        self._watcher, self._awaits = watcher, awaits
        self._block: Interruptible | None = None
        self._task: asyncio.Task[object] | None = None

    def begin(self) -> None:
        """Begin, in the code's own thread and context."""
        if self._awaits:
            self._task, loop = asyncio.current_task(), asyncio.get_running_loop()
            cancel = self._task.cancel if self._task is not None else lambda: None
            self._watch.interrupt = lambda: call_in(loop, cancel)
        else:
            self._block = interruptible()
            self._watch.interrupt = self._block.interrupt
            self._block.__enter__()
        self._watch.enter()
        self._watcher.add(self._watch)

    def end(self, error: BaseException | None) -> None:
        """Leave the code, with the exception that ended it.

        Raises
        ------
        PromiseTimedOut
            Its time is over, and that is what ended it.
        """
        self._watcher.remove(self._watch)
        self._watch.leave()
        if self._block is not None:
            try:
                self._block.__exit__()
            except Interruption as late:
                error = late
        if self._watch.timed_out and isinstance(error, Interruption | asyncio.CancelledError):
            if self._task is not None:
                self._task.uncancel()
            raise PromiseTimedOut(self._watch.id) from None
