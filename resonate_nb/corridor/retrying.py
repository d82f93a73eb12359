"""The further attempts of a body: when they begin, and what is recorded so that they outlive the process."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonate_nb.errors import NotKept, StoreUnavailable
from resonate_nb.promise import UNBOUND_TAG
from resonate_nb.store.operations import Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonate_nb.clock import Clock
    from resonate_nb.corridor.attempts import Attempt
    from resonate_nb.store.base import Store

_SLICE_SECONDS = 0.2  # a pause can be interrupted this often
_WORTH_TELLING = 2.0  # seconds; a person need not hear of shorter pauses


@dataclass(frozen=True, slots=True)
class Retrying:
    """What lies between a failed attempt and the next. The lease is held meanwhile: nobody starts earlier."""

    store: Store
    clock: Clock
    say: Callable[[str], None]
    draw: Callable[[], float]

    def wait(self, attempt: Attempt, *, worth_telling: float = _WORTH_TELLING) -> None:
        """Wait until the next attempt is due, which a process that died may have determined."""
        self._announce(attempt, worth_telling)
        while (left := self._left(attempt)) > 0:
            self.clock.pause(min(left, _SLICE_SECONDS))

    async def wait_async(self, attempt: Attempt, *, worth_telling: float = _WORTH_TELLING) -> None:
        """Wait as `wait` does, without blocking the loop."""
        self._announce(attempt, worth_telling)
        while (left := self._left(attempt)) > 0:
            await self.clock.apause(min(left, _SLICE_SECONDS))

    def goes_on(self, attempt: Attempt, error: Exception) -> bool:
        """Return whether another attempt is to follow a failed one, after recording when."""
        failures = attempt.trail.failures
        pause = attempt.work.retry.wait(failures.series + 1, error, self.draw)
        if pause is None or not _finds_its_inputs(attempt, error):
            return False
        now = self.clock.now()
        attempt.trail.failures = failures.and_then(error, at=now, due=now + round(pause * 1_000))
        try:
            return self.store.do(
                Note(
                    id=attempt.promise.id,
                    owner=attempt.owner.text,
                    # Who comes next if this process dies in the pause may bring code with the bug fixed.
                    tags=attempt.trail.failures.tags | {UNBOUND_TAG: "ended"},
                    now=now,
                    power_safe=attempt.work.explicit,
                )
            )
        except StoreUnavailable as problem:
            unrecorded = (
                f"{attempt.work.name}: its failed attempt is not recorded, but tried again: {problem}"
            )
            warnings.warn(unrecorded, NotKept, stacklevel=4)
            return True

    def _left(self, attempt: Attempt) -> float:
        """Return the seconds until the next attempt is due."""
        failures = attempt.trail.failures
        if failures.due is None or failures.series > attempt.work.retry.retries:
            return 0.0  # no series is under way, or the policy has become a shorter one
        return (failures.due - self.clock.now()) / 1_000

    def _announce(self, attempt: Attempt, worth_telling: float) -> None:
        left, failures = self._left(attempt), attempt.trail.failures
        under_way = failures.due is not None and failures.series <= attempt.work.retry.retries
        if under_way and left >= worth_telling:
            self.say(
                f"{attempt.work.name}: attempt {failures.series} failed ({failures.recent[-1]}), "
                f"attempt {failures.series + 1} of {attempt.work.retry.retries + 1} "
                f"begins in {max(left, 0):.0f} s"
            )


def _finds_its_inputs(attempt: Attempt, error: Exception) -> bool:
    """Return whether a further attempt would begin with what this one did, else say in the error why not."""
    changed = attempt.work.changed()
    if changed:
        names = ", ".join(f"`{name}`" for name in changed)
        error.add_note(
            f"{attempt.work.name} is not tried again: it failed after it changed {names} in place, so that "
            "another attempt would begin with other arguments"
        )
    return not changed
