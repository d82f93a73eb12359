"""What a computation reads: values by name, their common digest, and which of them it changed."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from resonate_nb.about import recorded
from resonate_nb.errors import UndigestibleInput
from resonate_nb.fingerprint import content_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from resonate_nb.fingerprint import Capture
    from resonate_nb.promise import Value


class Inputs:
    """Values as they are when it is made; it holds them, so that what happens to them can be seen later.

    Raises
    ------
    UndigestibleInput
        Names the value that has no content to identify it.
    """

    def __init__(self, given: Mapping[str, object], captures: Iterable[Capture]) -> None:
        began = perf_counter()
        self._given = dict(given)
        self._captures = tuple(captures)
        self.captured = {each.path: each.read() for each in self._captures}
        self._digests_of_given = _digests(self._given)
        self._digests_of_captured = _digests(self.captured)
        # One walk over all of them also sees which of them share an object, however deep.
        self.digest = content_digest([self._given, self.captured])
        self.seconds = perf_counter() - began  # that digests took so far

    def about(self) -> Value:
        """Return what a promise records about these inputs; to be asked before the body runs."""
        digests = {**self._digests_of_captured, **self._digests_of_given}
        return recorded({**self.captured, **self._given}, digests)

    def mutated(self) -> list[str]:
        """Return the names of the values that are not what they were."""
        began = perf_counter()
        changed = _changed(self._given, self._digests_of_given)
        changed += _changed(self.captured, self._digests_of_captured)
        self.seconds += perf_counter() - began
        return changed

    def rebound(self) -> list[str]:
        """Return the captured names that lead to other content now, or nowhere."""
        now: dict[str, object] = {}
        for each in self._captures:
            try:
                now[each.path] = each.read()
            except (NameError, AttributeError):
                continue
        same = {path for path, value in now.items() if value is self.captured[path]}
        other = {path: value for path, value in now.items() if path not in same}
        gone = [path for path in self.captured if path not in now]
        return gone + _changed(other, self._digests_of_captured)


def _digests(values: Mapping[str, object]) -> dict[str, str]:
    return {name: content_digest(value, name) for name, value in values.items()}


def _changed(values: Mapping[str, object], before: Mapping[str, str]) -> list[str]:
    return [name for name, value in values.items() if _digest_now(name, value) != before[name]]


def _digest_now(name: str, value: object) -> str | None:
    try:
        return content_digest(value, name)
    except UndigestibleInput:  # it has become so, and that is a change, too
        return None
