"""The further attempts of a cell that failed: from the last checkpoint, or from the cell's beginning.

An attempt begins only where nothing is left of what the failed one did to the cell's inputs. What that one
showed stays, with its exception in one line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonate_nb.execution import Attempt, Execution
    from resonate_nb.notebook.chain import Chain
    from resonate_nb.notebook.reading import Reading
    from resonate_nb.notebook.recorder import Recorder

NO_WAY_BACK = (
    "it is not tried again: it changed what it had read, and no checkpoint would bring that back; work on a "
    "copy, or change it behind what may fail"
)


class Tries:
    """The attempts of one run of a cell."""

    def __init__(
        self,
        execution: Execution,
        attempt: Attempt,
        reading: Reading,
        chain: Chain,
        *,
        recorder: Recorder,
        rerun: bool,
    ) -> None:
        self._execution, self._attempt, self._recorder = execution, attempt, recorder
        self._reading, self._chain, self._rerun = reading, chain, rerun
        self._go_back: Callable[[], None] | None = None

    def follows(self, error: BaseException, filename: str) -> bool:
        """Return whether another attempt follows one that failed with this, after recording when."""
        retry, series = self._attempt.work.retry, self._attempt.trail.failures.series
        if not isinstance(error, Exception) or retry.wait(series + 1, error, lambda: 0.0) is None:
            return False
        self._recorder.flush()
        self._go_back = self._way_back(filename)
        if self._go_back is None:
            error.add_note(NO_WAY_BACK)
            return False
        return self._execution.goes_on(self._attempt, error)

    def wait(self) -> bool:
        """Wait until the attempt is due, then go back to where it begins; return whether that was needed."""
        self._execution.pause(self._attempt)
        return self._went_back()

    async def wait_async(self) -> bool:
        """Do as `wait` does, without blocking the loop."""
        await self._execution.pause_async(self._attempt)
        return self._went_back()

    def _went_back(self) -> bool:
        go_back, self._go_back = self._go_back, None
        if go_back is not None:
            go_back()
        return go_back is not None

    def _way_back(self, filename: str) -> Callable[[], None] | None:
        """Return what brings back the state in which the next attempt begins, if anything does."""
        keeping = self._reading.keeping
        self._attempt.context.trace.begin()
        if not self._rerun and self._chain.look_again(filename, keeping):
            return self._chain.go_on_again
        return self._begin_anew if keeping.untouched() else None

    def _begin_anew(self) -> None:
        self._reading.keeping.rewind()
        self._reading.draws.undo()
        self._chain.begin_anew()
