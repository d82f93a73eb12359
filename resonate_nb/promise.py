"""The durable promise: its fields, and the state machine that every reader and writer goes through.

The rules are Resonate's (protocol version 2026-04-01): the deadline comes first, create is idempotent
by id, settling happens once, and no settled record ever changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NEVER = 2**53 - 1  # no deadline: the largest integer that JSON holds exactly
NO_TEXTS: Mapping[str, str] = MappingProxyType({})
TIMER_TAG = "resonate:timer"
UNBOUND_TAG = "rnb:unbound"  # why the next attempt may run other code: "ended" or "restarted"
_OF_THE_SAME_WORK = ("rnb:kind", "rnb:name", "rnb:arguments")  # equal, or it is not bound anew
CHILD_TAG = "rnb:child"  # on promises whose ids extend that of the promise which they belong to
SEED_TAG = "rnb:seed"  # drawn when a promise is made: tells it from one that is made again after a `forget`
_LINEAGE = ("rnb:parent", "rnb:origin")
_OF_THE_FIRST_CALLER = (*_LINEAGE, SEED_TAG)


class State(StrEnum):
    """Where a promise stands, in Resonate's spelling."""

    PENDING = "pending"
    RESOLVED = "resolved"
    REJECTED = "rejected"
    CANCELED = "rejected_canceled"
    TIMEDOUT = "rejected_timedout"


SETTLED_BY_CLIENTS = frozenset({State.RESOLVED, State.REJECTED, State.CANCELED})


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes that are kept beside a value: named by content, loaded when asked for."""

    digest: str  # 32 hexadecimal digits, xxh3-128 of the bytes
    size: int  # in bytes
    load: Callable[[], memoryview] = field(compare=False, repr=False)  # private, writable, copy on write


@dataclass(frozen=True, slots=True)
class Value:
    """What a promise carries in or out: text headers, bytes, and buffers beside them."""

    headers: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    data: bytes = b""
    buffers: tuple[Buffer, ...] = ()

    @property
    def size(self) -> int:
        """How many bytes the value has, its buffers included."""
        return len(self.data) + sum(buffer.size for buffer in self.buffers)


EMPTY = Value()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the store keeps of one promise: text, bytes and times, never live objects.

    Times are integer milliseconds since the epoch.
    """

    id: str
    state: State = State.PENDING
    param: Value = EMPTY
    value: Value = EMPTY
    tags: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    timeout_at: int = NEVER
    created_at: int = 0
    settled_at: int | None = None

    @property
    def settled(self) -> bool:
        """Whether the promise is final."""
        return self.state is not State.PENDING

    @property
    def unbound(self) -> bool:
        """Whether the promise may go on with other code than it started with.

        A pending promise is bound, also after it was cut off and while it waits, until an attempt comes to
        its end without settling it, in an exception above all.
        """
        return not self.settled and UNBOUND_TAG in self.tags

    def taken_as(self, asked: Promise, *, rebind: bool = False) -> Promise:
        """Return the pending promise as its next attempt holds it, which asked for it with `asked`.

        An unbound promise takes over what is asked for, its code above all, if that is the same function
        with the same arguments; a bound one stays as it is, unless it is to be bound anew. A child goes over
        to the parent that asks for it, with which it is to end.
        """
        goes_over = CHILD_TAG in asked.tags
        lineage = {tag: asked.tags[tag] for tag in _LINEAGE if goes_over and tag in asked.tags}
        tags = {**self.tags, **lineage}
        same = all(tags.get(tag) == asked.tags.get(tag) for tag in _OF_THE_SAME_WORK)
        if not same or not (rebind or self.unbound):
            return replace(self, tags=tags)
        first = {tag: tags[tag] for tag in _OF_THE_FIRST_CALLER if tag in tags}
        kept = {tag: text for tag, text in tags.items() if tag != UNBOUND_TAG}
        return replace(self, tags={**kept, **asked.tags, **first}, param=asked.param)

    def created(self, now: int) -> Promise:
        """Return the record that is stored when nothing with this id exists yet.

        A promise that is past its deadline already is born settled, at its deadline.
        """
        if self.timeout_at <= now:
            return replace(self, created_at=self.timeout_at).seen(now)
        return replace(self, created_at=now)

    def seen(self, now: int) -> Promise:
        """Return the promise as every answer at this time must show it: the deadline comes first.

        >>> Promise(id="a", timeout_at=1_000).seen(1_000).state
        <State.TIMEDOUT: 'rejected_timedout'>
        """
        if self.state is not State.PENDING or self.timeout_at > now:
            return self
        timer = self.tags.get(TIMER_TAG) == "true"
        return replace(
            self,
            state=State.RESOLVED if timer else State.TIMEDOUT,
            value=EMPTY,
            settled_at=self.timeout_at,
        )

    def settled_as(self, state: State, value: Value, now: int) -> Promise:
        """Return the settled promise; a promise that is settled already stays as it is.

        A late writer gets the earlier outcome instead of an error,
        which is what makes running twice harmless.

        Raises
        ------
        ValueError
            The state is one that a client may not choose.
        """
        if state not in SETTLED_BY_CLIENTS:
            allowed = ", ".join(sorted(SETTLED_BY_CLIENTS))
            raise ValueError(f"a promise can't be settled as {state!r}: choose one of {allowed}")
        current = self.seen(now)
        if current.settled:
            return current
        return replace(current, state=state, value=value, settled_at=now)

    def tagged(self, **tags: str | None) -> Promise:
        """Return the promise with more tags; a tag of None is taken away.

        Underscores after a prefix stand for Resonate's colon: ``rnb_parent`` is the tag ``rnb:parent``.
        """
        changed = {key.replace("_", ":", 1): tag for key, tag in tags.items()}
        merged = {**self.tags, **changed}
        return replace(self, tags={key: tag for key, tag in merged.items() if tag is not None})
