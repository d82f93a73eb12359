"""Work: what is to be computed, before anyone decides where; its guard and its outcome."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from resonate_nb.about import shown
from resonate_nb.errors import Diverged, PromiseConflict
from resonate_nb.promise import CHILD_TAG, EMPTY, NEVER, NO_TEXTS, SEED_TAG, Promise, State, Value
from resonate_nb.retry import NEVER_AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resonate_nb.corridor.children import Place
    from resonate_nb.corridor.context import Context
    from resonate_nb.corridor.mutating import Mutation
    from resonate_nb.corridor.shortcut import Shortcut
    from resonate_nb.retry import Policy

# What is no answer under an id made from content: the next call begins a new generation.
_NO_ANSWERS = frozenset({State.TIMEDOUT, State.CANCELED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a body gave: a value, or the exception that it raised."""

    value: object = None
    error: BaseException | None = None
    kept: bool = False  # the store knows it already, or is not to: nothing is left to settle

    def deliver(self) -> object:
        """Return the value or raise the exception."""
        if self.error is not None:
            raise self.error
        return self.value


def nothing_changed() -> list[str]:
    """Return the names of the inputs that the body changed: none."""
    return []


def nothing_recorded() -> Value:
    """Return the param of a promise that says nothing about its work."""
    return EMPTY


@dataclass(frozen=True, slots=True)
class Bound:
    """The work as the code computes it that a pending promise is bound to, and that code's body."""

    work: Work
    body: Callable[[], Any] | None = None  # None: the caller's own


def nothing_given_up() -> tuple[str, ...]:
    """Return the ids of the promises that are given up with the outcome: none."""
    return ()


def nothing_to_record() -> None:
    """Record no version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One computation: its identity and its policy. The body stays with whoever runs it."""

    id: str  # the plain id, prefix included
    kind: str  # "function" or "cell"
    name: str
    version: str  # "v2" when pinned, else the first characters of the fingerprint
    inputs: str  # digest of arguments and captured data
    fingerprint: str  # of the code
    arguments: str = ""  # digest of the arguments alone; only where a person chose the id
    place: Place | None = None  # in the promise that makes the call, where that decides the id
    explicit: bool = False  # a person chose the id: errors are final and the record survives a power cut
    keep_errors: bool = False
    answers: tuple[type[Exception], ...] = ()  # exceptions that settle the promise, whatever else does not
    given_up: Callable[[], tuple[str, ...]] = nothing_given_up  # asked when it is settled: see `Settle`
    retry: Policy = NEVER_AGAIN
    timeout: int | None = None  # in milliseconds, for everything
    tags: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    about: Callable[[], Value] = nothing_recorded  # gives what the promise records, asked when one is made
    root: str = "value"  # how a path to a part that can't be kept begins
    changed: Callable[[], list[str]] = nothing_changed  # asked after the body: inputs that it mutated
    record: Callable[[], None] = nothing_to_record  # keeps the version, before its first promise is made
    # How a promise goes on that is bound to other code; None: with this work's, whatever it started with.
    bound: Callable[[Promise], Bound] | None = None
    mutation: Mutation | None = None  # of a function that declares which arguments it changes
    shortcut: Shortcut | None = None  # for a work that is asked for again and again

    @property
    def unless(self) -> frozenset[State]:
        """The settled states that are no answer to this work."""
        return frozenset() if self.explicit else _NO_ANSWERS

    def is_final(self, error: BaseException) -> bool:
        """Return whether an exception of the body settles the promise."""
        if isinstance(error, self.answers):
            return True
        return (self.keep_errors or self.explicit) and not isinstance(error, Diverged)

    def deadline(self, now: int) -> int:
        """Return when a call that begins now has to end."""
        latest = NEVER if self.place is None else self.place.latest
        return latest if self.timeout is None else min(now + self.timeout, latest)

    def promise(self, parent: Context | None, *, timeout_at: int = NEVER) -> Promise:
        """Return the promise to be created for this work."""
        identity = self._identity()
        parent = parent if self.place is None or self.place.parent is None else self.place.parent
        if parent is not None:
            identity |= {"rnb:parent": parent.id, "rnb:origin": parent.origin}
        if self.place is not None and self.place.extends:
            identity |= {CHILD_TAG: "true", **self.place.tags}
        tags = {**self.tags, **identity, SEED_TAG: secrets.token_hex(6)}
        return Promise(id=self.id, param=self.about(), tags=tags, timeout_at=timeout_at)

    def guard(self, found: Promise) -> None:
        """Refuse a promise that belongs to other work.

        Raises
        ------
        PromiseConflict
            The names both sides and the ways out. A promise that another client made under an explicit
            id carries no work, so it is taken as it is.
        """
        mine = self._identity()
        what = conflict(mine, found)
        if what is not None and self.place is not None and self.place.holds(found):
            recorded, wanted = shown(found.param), shown(self.about())
            raise Diverged(self.id, describe(found.tags, what) + recorded, describe(mine, what) + wanted)
        if what is not None:
            older = self._older(found.tags) if what == "the code" else ""
            raise PromiseConflict(self.id, describe(mine, what), describe(found.tags, what), older)
        if self.place is not None and not self.place.holds(found):
            raise PromiseConflict(self.id, f"a call inside {self.place.parent_id!r}", "one made elsewhere")

    def same_code(self, promise: Promise) -> bool:
        """Return whether the promise belongs to the very code of this work."""
        return _same_code(self._identity(), promise.tags)

    def _older(self, tags: Mapping[str, str]) -> str:
        """Return how the version is called that a settled promise belongs to."""
        version = tags.get("rnb:version", "")
        number = version[1:] if version.startswith("v") else repr(version)
        return f"{self.name}.at({number}).run({self.id!r}, ...)" if self.kind == "function" else ""

    def _identity(self) -> dict[str, str]:
        identity = {
            "rnb:kind": self.kind,
            "rnb:name": self.name,
            "rnb:version": self.version,
            "rnb:inputs": self.inputs,
            "rnb:fingerprint": self.fingerprint,
        }
        if self.arguments:
            identity["rnb:arguments"] = self.arguments
        return identity

    def under(self, prefix: str) -> Work:
        """Return the work with a prefix in front of its id."""
        extends = self.place is not None and self.place.extends
        return replace(self, id=prefix + self.id) if prefix and not extends else self


def conflict(mine: Mapping[str, str], found: Promise) -> str | None:
    """Return what of a promise shows that it belongs to other work than that with these tags, in words."""
    others = found.tags
    if "rnb:name" not in others:
        return None
    if mine.get("rnb:name") != others["rnb:name"]:
        return "the name"
    if not found.settled and not _same_code(mine, others):
        # Other code may read other data, so only what is given to both can be compared.
        return None if mine.get("rnb:arguments") == others.get("rnb:arguments") else "the arguments"
    if mine.get("rnb:inputs") != others.get("rnb:inputs"):
        return "the arguments"
    version = mine.get("rnb:version", "")
    same_number = version.startswith("v") and version == others.get("rnb:version")
    return None if same_number or _same_code(mine, others) else "the code"


def _same_code(mine: Mapping[str, str], others: Mapping[str, str]) -> bool:
    return mine.get("rnb:fingerprint") == others.get("rnb:fingerprint", mine.get("rnb:fingerprint"))


def describe(tags: Mapping[str, str], what: str = "") -> str:
    """Return in words which work the tags of a promise stand for."""
    name = f"{tags.get('rnb:kind', 'work')} {tags.get('rnb:name', '?')}@{tags.get('rnb:version', '?')}"
    digest = tags.get("rnb:inputs", "")[:8]
    return f"{name} with inputs {digest}" if what == "the arguments" else name
