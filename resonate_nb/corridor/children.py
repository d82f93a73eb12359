"""Calls that belong to the promise that makes them: their place in it, and what happens to them with it."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from resonate_nb.corridor.context import current
from resonate_nb.errors import DamagedValue, UsageError
from resonate_nb.ids import generation, split_generation
from resonate_nb.promise import CHILD_TAG, NEVER, NO_TEXTS, State
from resonate_nb.store.base import Query
from resonate_nb.store.operations import Forget, Settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from resonate_nb.corridor.context import Context
    from resonate_nb.promise import Promise
    from resonate_nb.store.base import Store

SECTIONS = "link/"  # in front of the ids that calls by place extend inside a cell: one for each statement
YIELDS = "/yield/"  # between the id of a generator's promise and the number of what it yielded
_PLACES = "."  # the series of numbers of such calls
_DRAWN = "drawn"  # the series of numbers of calls whose ids are drawn
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Place:
    """The id of a call that is not made from its content, and the promise in which it stands there."""

    id: str
    parent: Context | None  # None: the call stands alone
    extends: bool  # whether the id extends the parent's, or its section's, prefix included
    tags: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)  # of the call's promise

    @property
    def parent_id(self) -> str:
        """The id of the promise in which the call stands."""
        return "" if self.parent is None else self.parent.id

    @property
    def latest(self) -> int:
        """When the call has to end because its parent has to."""
        return NEVER if self.parent is None else self.parent.timeout_at

    @property
    def ours_alone(self) -> bool:
        """Whether nobody but this process can make the call: it holds the lease of the promise around it.

        A section of a cell is the same one in other kernels.
        """
        around = self.parent
        if around is None or not self.extends or not self.id.startswith(around.id):
            return False
        return around.trace.running and around.process == os.getpid()

    def holds(self, found: Promise) -> bool:
        """Return whether a promise was made by the call that stands here.

        The ids of a section are made from all that leads to the call, whichever promise it is computed for.
        """
        if self.extends and not self.id.startswith(self.parent_id):
            return found.tags.get(CHILD_TAG) == "true"
        return found.tags.get("rnb:parent", "") == self.parent_id

    def item(self, number: int) -> Place:
        """Return the place of the n-th of several calls that are made here, counted from 1."""
        id = f"{self.id}.{number}" if self.extends else _digest(self.id, str(number))
        return replace(self, id=id)


def next_place(name: str) -> Place:
    """Return the place of the call of a function that is made now: `{parent}.{n}`, or `{section}.{n}`.

    Raises
    ------
    UsageError
        The calling code works for no durable promise.
    """
    parent = parent_of(name)
    number, section = next_number(parent), parent.section
    if section is None:
        return Place(parent.id + number, parent, extends=True)
    id, tags = section.locate(number)
    return Place(id, parent, extends=True, tags=tags)


def next_number(parent: Context) -> str:
    """Return the number of a call that is made now, to be joined to an id: `.3`, beside others `.2.1.3`."""
    section = None if parent.item else parent.section
    numbering = parent.numbering if section is None else section.numbering
    return f"{parent.item}.{numbering.next(_PLACES)}"


def drawn_place(name: str) -> Place:
    """Return a place without meaning: inside a promise, the same again when that is resumed."""
    parent = current()
    if parent is None:
        return Place(secrets.token_hex(16), None, extends=False)
    _refuse_elsewhere(name, parent)
    number = parent.numbering.next(_DRAWN)
    return Place(_digest(parent.seed, parent.place, name, str(number)), parent, extends=False)


def parent_of(name: str) -> Context:
    """Return the promise to which a call made now belongs.

    Raises
    ------
    UsageError
        There is none, or none is known.
    """
    parent = current()
    if parent is not None:
        _refuse_elsewhere(name, parent)
        return parent
    if threading.current_thread() is not threading.main_thread():
        raise UsageError(
            f"{name} is identified by its place in the promise that calls it, and this thread is not known "
            "to work for one: use `submit` or `map`, or start the thread in a copy of the body's context "
            "(contextvars.copy_context().run)"
        )
    raise UsageError(
        f"{name} is identified by its place in the promise that calls it, and there is none here: call it in "
        f"a durable cell or function, in the process of that, or under an id of your own with "
        f"`{name}.run(id, ...)`"
    )


def _refuse_elsewhere(name: str, parent: Context) -> None:
    """Refuse a call in another process than that of its promise, where several may count their calls."""
    if parent.process != os.getpid():
        raise UsageError(
            f"{name} is identified by its place in the promise that calls it, and {parent.id!r} is computed "
            "in another process than this: call it there, or let `map` take it to other processes"
        )


def idempotency_key() -> str:
    """Return text that is the same in every attempt of the running promise, and in no other promise.

    For the outside world: a service that is told the same key twice does the same thing once. It is made from
    the promise's id, generation included, and from what was drawn when the promise was made: 32 hexadecimal
    digits.

    Raises
    ------
    UsageError
        The calling code works for no durable promise.
    """
    context = current()
    if context is None:
        raise UsageError("idempotency_key() belongs to a promise: call it in the body of a durable function")
    if context.begun is not None:
        context.begun()  # a key that the world has seen must not be lost with its promise
    return _digest(context.seed, context.id)


def cancel(store: Store, id: str, now: int) -> list[str]:
    """Cancel the pending children of a promise, with theirs, and return their ids."""
    pending = [child.id for child in _children(store, id, now, state=State.PENDING)]
    pending += _in_sections(store, id, now, state=State.PENDING)
    replies = [store.post(Settle(id=child, state=State.CANCELED, now=now)) for child in pending]
    return [reply.get().id for reply in replies]


def forget(store: Store, id: str, now: int, *, only: str = "") -> None:
    """Delete the children of all generations of a promise: what is made under its id anew has its own.

    With `only`, those whose ids go on with this.
    """
    found = [child.id for child in _children(store, id, now) if child.id.startswith(id + only)]
    if not only:
        found += [child for each in _generations(store, id) for child in _in_sections(store, each, now)]
    ids = {split_generation(child)[0] for child in found}
    for reply in [store.post(Forget(id=child)) for child in ids]:
        reply.get()


def _generations(store: Store, id: str) -> list[str]:
    """Return the ids of all generations of a promise that can be read."""
    try:
        newest = store.latest(id)
    except DamagedValue:
        return []
    latest = 0 if newest is None else split_generation(newest.promise.id)[1]
    return [generation(id, number + 1) for number in range(latest)]


def _in_sections(store: Store, id: str, now: int, *, state: State | None = None) -> Iterator[str]:
    """Give the ids of a cell's children that extend those of its sections, with theirs."""
    entry = store.get(id)
    if entry is None or entry.promise.tags.get("rnb:kind") != "cell":
        return
    query = Query(state=state, tags=((CHILD_TAG, "true"), ("rnb:parent", id)), limit=_PAGE)
    for child in _all(store, query, now):
        yield child.id
        yield from (each.id for each in _children(store, child.id, now, state=state))


def _children(store: Store, id: str, now: int, *, state: State | None = None) -> Iterator[Promise]:
    of_this = re.compile(re.escape(id) + rf"(~[0-9]+)?((\.|{YIELDS})[0-9]+(~[0-9]+)?)+")
    for prefix in (f"{id}.", f"{id}~", id + YIELDS):
        query = Query(prefix=prefix, state=state, tags=((CHILD_TAG, "true"),), limit=_PAGE)
        yield from (each for each in _all(store, query, now) if of_this.fullmatch(each.id))


def _all(store: Store, query: Query, now: int) -> Iterator[Promise]:
    """Give all promises that a query is about, page by page."""
    while True:
        page = store.list(query, now)
        yield from page.promises
        if page.cursor is None:
            return
        query = replace(query, cursor=page.cursor)


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
