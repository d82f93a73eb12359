"""The resource `/promises`: create, read, settle, list and follow, without any web framework.

Each method takes what a request carries and returns a status with data for JSON, or raises `Refused`.
Nothing here loads a value: what is not JSON stays opaque.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from resonate_nb.enquiry import answers
from resonate_nb.errors import AlreadySettled, InvalidAnswer, InvalidId, NoSuchPromise, StoreUnavailable
from resonate_nb.ids import validate, validate_explicit
from resonate_nb.promise import NEVER, SETTLED_BY_CLIENTS, Promise, State
from resonate_nb.server.records import object_of, text_of, texts_of, time_of, to_record, to_value
from resonate_nb.server.refusals import Refused
from resonate_nb.store.base import Query
from resonate_nb.store.operations import Create

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resonate_nb.clock import Clock
    from resonate_nb.store.base import Rows, Store

Answer = tuple[int, dict[str, Any]]

MOST_ON_A_PAGE = 1_000
_KEYS_WITH_A_COLON = ("rnb:", "resonate:")
_CREATION = frozenset({"param", "tags", "timeoutAt"})
_SETTLEMENT = frozenset({"state", "value", "comment"})
_QUERY = frozenset({"prefix", "state", "tag", "limit", "cursor"})


@dataclass(frozen=True, slots=True)
class Service:
    """The resource over one store."""

    store: Store
    clock: Clock

    def create(self, id: str, body: bytes) -> Answer:
        """Create a pending promise: 201, or 200 with the record that exists already.

        The body is an object with `param` (any JSON), `tags` and `timeoutAt`, all of which may be absent.
        """
        content = object_of(body, fields=_CREATION)
        promise = Promise(
            id=_checked(id, new=True),
            param=to_value(content.get("param")),
            tags=texts_of(content.get("tags", {}), "tags"),
            timeout_at=time_of(content.get("timeoutAt", NEVER), "timeoutAt"),
        )
        try:
            created, promise = self.store.do(_CreateAndTell(promise=promise, now=self.clock.now()))
        except ValueError as problem:  # texts that no store can keep
            raise Refused(400, str(problem)) from None
        except StoreUnavailable as problem:
            raise Refused(503, str(problem)) from None
        return 201 if created else 200, to_record(promise)

    def read(self, id: str) -> Answer:
        """Return the promise with this id."""
        return 200, to_record(self._found(id))

    def settle(self, id: str, body: bytes, *, who: str, where: str) -> Answer:
        """Settle a promise: 200, also when it was settled so before; 409 if its outcome is another one.

        The body is an object with `state` (resolved, rejected or rejected_canceled), `value` (any JSON) and
        `comment`. An answer that its question refuses is 422, and the question stays open.
        """
        content = object_of(body, fields=_SETTLEMENT)
        try:
            promise = answers.settle(
                self.store,
                _checked(id),
                content.get("value", answers.NOTHING),
                now=self.clock.now(),
                state=_settling_state(content.get("state")),
                who=who,
                where=where,
                comment=text_of(content.get("comment", ""), "comment"),
            )
        except NoSuchPromise as problem:
            raise Refused(404, str(problem)) from None
        except AlreadySettled:
            return 409, to_record(self._found(id))
        except InvalidAnswer as problem:
            raise Refused(422, problem.reason) from None
        except StoreUnavailable as problem:
            raise Refused(503, str(problem)) from None
        return 200, to_record(promise)

    def list(self, arguments: Mapping[str, Sequence[str]]) -> Answer:
        """Return a page of promises without their values, in the order of ids.

        The arguments are those of the query string: prefix, state, tag (``key:value``, may repeat), limit
        (100 unless given, 1,000 at most), cursor.
        """
        if unknown := sorted(arguments.keys() - _QUERY):
            raise Refused(400, f"unknown parameter {unknown[0]!r}: there are {', '.join(sorted(_QUERY))}")
        one = {name: values[-1] for name, values in arguments.items() if values}
        query = Query(
            prefix=one.get("prefix", ""),
            state=_listed_state(one.get("state")),
            tags=tuple(map(tag_of, arguments.get("tag", ()))),
            limit=_limit(one.get("limit", "100")),
            cursor=one.get("cursor"),
        )
        try:
            page = self.store.list(query, self.clock.now())
        except ValueError as problem:
            raise Refused(400, str(problem)) from None
        records = [to_record(each, values=False) for each in page.promises]
        return 200, {"promises": records, "cursor": page.cursor}

    def pending(self, prefix: str, tags: tuple[tuple[str, str], ...]) -> dict[str, Promise]:
        """Return all that is pending under a prefix, by id, without values."""
        query = Query(prefix=prefix, state=State.PENDING, tags=tags, limit=MOST_ON_A_PAGE)
        found: dict[str, Promise] = {}
        while True:
            page = self.store.list(query, self.clock.now())
            found |= {each.id: each for each in page.promises}
            if page.cursor is None:
                return found
            query = replace(query, cursor=page.cursor)

    def _found(self, id: str) -> Promise:
        entry = self.store.get(_checked(id))
        if entry is None:
            raise Refused(404, str(NoSuchPromise(id)))
        return entry.promise.seen(self.clock.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class _CreateAndTell:
    """Create a promise, and tell whether it is new."""

    promise: Promise
    now: int
    power_safe: bool = True

    def apply(self, rows: Rows) -> tuple[bool, Promise]:
        """Return whether there was none, and the stored record."""
        created = rows.get(self.promise.id) is None
        return created, Create(promise=self.promise, now=self.now).apply(rows)


def _checked(id: str, *, new: bool = False) -> str:
    try:
        return validate_explicit(id) if new else validate(id)
    except InvalidId as problem:
        raise Refused(400, str(problem)) from None


def _settling_state(text: object) -> State:
    if text not in SETTLED_BY_CLIENTS:
        raise Refused(400, f"state must be one of {', '.join(sorted(SETTLED_BY_CLIENTS))}")
    return State(str(text))


def _listed_state(text: str | None) -> State | None:
    try:
        return None if text is None else State(text)
    except ValueError:
        raise Refused(400, f"state must be one of {', '.join(State)}") from None


def tag_of(text: str) -> tuple[str, str]:
    """Split a tag behind its key, which has a colon of its own in our names and Resonate's."""
    space = next((each for each in _KEYS_WITH_A_COLON if text.startswith(each)), "")
    key, colon, value = text.removeprefix(space).partition(":")
    if not colon:
        raise Refused(400, f"tag must be key:value, not {text[:80]!r}")
    return space + key, value


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_ON_A_PAGE):
        raise Refused(400, f"limit must be a whole number from 1 to {MOST_ON_A_PAGE:,}")
    return int(text)
