"""What asking for a work ends in, a delivered outcome or the right to compute, and what the asker brings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resonate_nb.corridor.context import Context
    from resonate_nb.corridor.failures import Failures
    from resonate_nb.corridor.leases import Owner
    from resonate_nb.corridor.work import Outcome, Work
    from resonate_nb.promise import Promise


@dataclass(frozen=True, slots=True)
class Delivered:
    """A settled promise's outcome, from the store."""

    promise: Promise
    outcome: Outcome


class Trail:
    """What went wrong under a promise so far, kept up to date while it is computed."""

    def __init__(self, failures: Failures) -> None:
        self.failures = failures


@dataclass(frozen=True, slots=True)
class Attempt:
    """The right to compute a work, fenced by its lease: once, and again as its policy says."""

    work: Work
    promise: Promise
    fence: int
    owner: Owner
    context: Context
    started: int  # milliseconds since the epoch
    timeout_at: int  # when the body has to end
    trail: Trail

    body: Callable[[], Any] | None = None  # of the version that the promise is bound to, if not the caller's

    @property
    def number(self) -> int:
        """Which run of the body under this promise the next one is.

        Every claim and every failure counts. A run that died under the lease of a failed one is not known.
        """
        return max(self.fence, self.trail.failures.total + 1)


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What whoever asks for a work brings along."""

    references: Mapping[str, object] = field(default_factory=dict)  # objects that values may share, by name
    prepare: Callable[[], None] = _nothing  # called before a value is decoded: defines the classes in it
    since: int | None = None  # when the request was made, if that was before it comes to the corridor
