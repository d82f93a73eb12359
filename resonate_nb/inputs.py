"""What a computation reads: values by name, their common digest, and which of them it changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from resonate_nb.about import recorded
from resonate_nb.corridor.mutating import Mutation
from resonate_nb.corridor.shortcut import UNCHANGING
from resonate_nb.corridor.work import nothing_changed
from resonate_nb.errors import ResonateError
from resonate_nb.fingerprint import content_digest
from resonate_nb.promise import NO_TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from resonate_nb.fingerprint import Capture
    from resonate_nb.promise import Value

    # For an object and its name: what gives text that identifies a part without content, or None.
    Identify = Callable[[object, str], Callable[[object], str | None]]


@dataclass(frozen=True, slots=True)
class Identified:
    """What identifies a call by what it reads."""

    digest: str
    about: Callable[[], Value]  # gives what the promise records
    changed: Callable[[], list[str]]  # gives the names of what the body changed
    mutation: Mutation | None = None  # where it may change some of it


def identified(
    name: str, given: Mapping[str, object], captures: Iterable[Capture], mutates: frozenset[str]
) -> Identified:
    """Return what identifies the call of a function that reads these values, and may change some of them.

    Raises
    ------
    UndigestibleInput
        Names the value that has no content to identify it.
    """
    captures = tuple(captures)
    if not captures and all(type(each) in UNCHANGING for each in given.values()):
        digest = content_digest(dict(given), f"the arguments of {name}")
        return Identified(digest, partial(recorded, dict(given), NO_TEXTS), nothing_changed)
    inputs = Inputs(given, captures)
    if not mutates:
        return Identified(inputs.digest, inputs.about, inputs.changed)
    mutation = Mutation(mutates, inputs)
    digest = content_digest([inputs.digest, mutation.overlaps]) if mutation.overlaps else inputs.digest
    return Identified(digest, inputs.about, inputs.changed, mutation)


def by_content_alone(_owner: object, _path: str) -> Callable[[object], str | None]:
    """Identify no part that has no content."""
    return lambda _part: None


class Inputs:
    """Values as they are when it is made; it holds them, so that what happens to them can be seen later.

    `identify` may tell what a part without content is identified by; such a part counts as unchanged.

    Raises
    ------
    UndigestibleInput
        Names the value that has no content to identify it.
    """

    def __init__(
        self,
        given: Mapping[str, object],
        captures: Iterable[Capture],
        identify: Identify = by_content_alone,
    ) -> None:
        began = perf_counter()
        self._identify = identify
        self.given = dict(given)
        self._captures = tuple(captures)
        self.captured = {each.path: each.read() for each in self._captures}
        self._stand_ins: dict[str, list[str]] = {}  # what parts without content are identified by
        self._digests_of_given = self._digests(self.given)
        self._digests_of_captured = self._digests(self.captured)
        self.digest = self.digest_of(self.captured)  # of one walk, which sees who shares an object
        self.seconds = perf_counter() - began  # that digests took so far

    @property
    def without_content(self) -> list[str]:
        """The names of values with parts that have no content, and are identified by something else."""
        return sorted(self._stand_ins)

    @property
    def digests(self) -> Mapping[str, str]:
        """The digests of what was captured, each for itself, by path."""
        return self._digests_of_captured

    def about(self) -> Value:
        """Return what a promise records about these inputs; to be asked before the body runs."""
        digests = {**self._digests_of_captured, **self._digests_of_given}
        return recorded({**self.captured, **self.given}, digests)

    def changed(self) -> list[str]:
        """Return the names of the values that are not what they were, or lead to others."""
        return self.mutated() + self.rebound()

    def mutated(self) -> list[str]:
        """Return the names of the values that are not what they were."""
        began = perf_counter()
        changed = self._changed(self.given, self._digests_of_given)
        changed += self._changed(self.captured, self._digests_of_captured)
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
        return gone + self._changed(other, self._digests_of_captured)

    def read_again(self) -> dict[str, object]:
        """Return the captured values as they are bound now."""
        return {each.path: each.read() for each in self._captures}

    def digest_of(self, captured: Mapping[str, object]) -> str:
        """Return the digest that the inputs would have if these values were the captured ones."""
        values = [self.given, dict(captured)]
        if not self._stand_ins:
            return content_digest(values)
        return content_digest([*values, self._stand_ins], stand_in=lambda _part: "")

    def _digests(self, values: Mapping[str, object]) -> dict[str, str]:
        return {
            name: content_digest(value, name, stand_in=self._noting(value, name))
            for name, value in values.items()
        }

    def _noting(self, owner: object, name: str) -> Callable[[object], str | None]:
        identify = self._identify(owner, name)

        def note(part: object) -> str | None:
            text = identify(part)
            if text is not None:
                self._stand_ins.setdefault(name, []).append(text)
            return text

        return note

    def _changed(self, values: Mapping[str, object], before: Mapping[str, str]) -> list[str]:
        return [name for name, value in values.items() if self._digest_now(name, value) != before[name]]

    def _digest_now(self, name: str, value: object) -> str | None:
        try:
            return content_digest(value, name, stand_in=self._identify(value, name))
        except ResonateError:  # it has no content any more, and that is a change, too
            return None
