"""When a failed body is tried again: a pure function of the attempt's number, the error and a draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

from resonate_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

Errors = type[BaseException] | tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and after how long a body is tried again, and after which errors.

    Parameters
    ----------
    retries
        How many further attempts follow the first.
    on
        The exception types after which the body is tried again.
    unless
        Those among them after which it is not.
    """

    retries: int = 3
    on: Errors = field(default=Exception, kw_only=True)
    unless: Errors = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if type(self.retries) is not int or self.retries < 0:
            raise UsageError(f"retries is a whole number of further attempts, not {self.retries!r}")
        for name, types in (("on", self.on), ("unless", self.unless)):
            several = types if isinstance(types, tuple) else (types,)
            if not all(isinstance(each, type) and issubclass(each, BaseException) for each in several):
                raise UsageError(f"{name} is an exception type or a tuple of them, not {types!r}")

    def wait(self, failed: int, error: BaseException, draw: Callable[[], float]) -> float | None:
        """Return how many seconds to wait after the n-th failed attempt; None: it was the last.

        `draw` gives numbers between 0 and 1.
        """
        if failed > self.retries or not isinstance(error, self.on) or isinstance(error, self.unless):
            return None
        return self._pause(failed, draw)

    def _pause(self, failed: int, draw: Callable[[], float]) -> float:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Exponential(Policy):
    """Wait up to `base`, 2, 4, 8 ... times `base` seconds, never more than `cap`.

    The wait is drawn evenly from zero to that limit ("full jitter": many that failed together do not come
    back together), as in https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.

    >>> [Exponential(9, base=1, cap=5)._pause(n, draw=lambda: 1.0) for n in (1, 2, 3, 4)]
    [1.0, 2.0, 4.0, 5.0]
    """

    base: float = field(default=1.0, kw_only=True)
    cap: float = field(default=60.0, kw_only=True)

    def __post_init__(self) -> None:
        Policy.__post_init__(self)
        _check_seconds(base=self.base, cap=self.cap)

    def _pause(self, failed: int, draw: Callable[[], float]) -> float:
        doublings = min(failed - 1, 64)  # 2.0**1024 would overflow, and no cap is that far away
        return draw() * min(self.cap, self.base * 2.0**doublings)


@dataclass(frozen=True, slots=True)
class Linear(Policy):
    """Wait `step`, 2, 3, 4 ... times `step` seconds, never more than `cap`."""

    step: float = field(default=1.0, kw_only=True)
    cap: float = field(default=60.0, kw_only=True)

    def __post_init__(self) -> None:
        Policy.__post_init__(self)
        _check_seconds(step=self.step, cap=self.cap)

    def _pause(self, failed: int, draw: Callable[[], float]) -> float:
        return min(self.cap, self.step * failed)


@dataclass(frozen=True, slots=True)
class Constant(Policy):
    """Wait the same number of seconds each time."""

    every: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        Policy.__post_init__(self)
        _check_seconds(every=self.every)

    def _pause(self, failed: int, draw: Callable[[], float]) -> float:
        return self.every


@dataclass(frozen=True, slots=True)
class Never(Policy):
    """Do not try again: the next call does."""

    retries: int = 0

    def __post_init__(self) -> None:
        if self.retries != 0:
            raise UsageError("Never() takes no number of retries")


NEVER_AGAIN = Never()


def policy_of(retry: Policy | int | None) -> Policy:
    """Return the policy that a `retry=` option means; a number is `Exponential` with so many retries.

    Raises
    ------
    UsageError
        It is no policy and no number of further attempts.
    """
    if retry is None:
        return NEVER_AGAIN
    if isinstance(retry, Policy):
        return retry
    if type(retry) is not int:
        raise UsageError(
            f"retry is a number of further attempts, or Exponential(...), Linear(...), Constant(...) or "
            f"Never(), not {retry!r}"
        )
    return Exponential(retry)


def _check_seconds(**seconds: float) -> None:
    for name, value in seconds.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not isfinite(value) or value < 0:
            raise UsageError(f"{name} is a number of seconds from 0, not {value!r}")
