"""What a promise remembers of its failed attempts, in one of its tags."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TAG = "rnb:failures"
LAST_ERROR = "rnb:last_error"
_REMEMBERED = 20  # failures; older ones are only counted
_MESSAGE = 300  # characters of a message, in the history


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that ended in an exception."""

    at: int  # milliseconds since the epoch
    type: str
    message: str

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The failed attempts of one promise, of which the present series may not be over."""

    total: int = 0  # of all series
    series: int = 0  # of the present one; 0 when it is over
    due: int | None = None  # when the next attempt of the series may begin, in milliseconds since the epoch
    recent: tuple[Failure, ...] = ()  # the last ones, oldest first

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Failures:
        """Return what the tags of a promise tell."""
        if TAG not in tags:
            return NO_FAILURES
        try:
            total, series, due, recent = json.loads(tags[TAG])
            return cls(total=total, series=series, due=due, recent=tuple(Failure(*each) for each in recent))
        except (ValueError, TypeError):  # another client's idea of the tag
            return NO_FAILURES

    def and_then(self, error: BaseException, *, at: int, due: int | None) -> Failures:
        """Return the failures with one more; without a `due` time, it ends the series."""
        failure = Failure(at, type(error).__qualname__, text_of(error)[:_MESSAGE])
        return Failures(
            total=self.total + 1,
            series=0 if due is None else self.series + 1,
            due=due,
            recent=(*self.recent, failure)[-_REMEMBERED:],
        )

    def ended(self) -> Failures:
        """Return the failures when no further attempt of the series is to follow."""
        return replace(self, series=0, due=None)

    @property
    def tags(self) -> dict[str, str]:
        """What is written to the promise."""
        recent = [(each.at, each.type, each.message) for each in self.recent]
        return {
            TAG: json.dumps([self.total, self.series, self.due, recent]),
            LAST_ERROR: str(self.recent[-1])[:500],
        }


NO_FAILURES = Failures()


def text_of(error: BaseException) -> str:
    """Return the message of an exception, whose `__str__` is anybody's code."""
    try:
        return str(error).encode("utf-8", "replace").decode().replace("\0", "\\0")
    except Exception as failure:  # noqa: BLE001 - a failure to tell is no reason to lose the failure
        return f"<its text can't be had: {type(failure).__name__}>"
