"""The rule for settling from outside: an answer must fit its question, and the first outcome counts."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from resonate_nb.corridor import children
from resonate_nb.enquiry.questions import question_of
from resonate_nb.enquiry.schemas import canonical
from resonate_nb.errors import AlreadySettled, InvalidAnswer, NoSuchPromise
from resonate_nb.promise import EMPTY, NO_TEXTS, Promise, State, Value
from resonate_nb.store.operations import Settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.store.base import Store

NOTHING: object = object()  # no value at all, which is not the answer `null`
_SHOWN = 200  # characters of an outcome in a message


def check(promise: Promise, answer: object) -> None:
    """Refuse an answer that does not fit the question; a promise that asks none takes any value.

    Raises
    ------
    InvalidAnswer
        The reason, for a person.
    """
    question = question_of(promise)
    reason = None if question is None else question.reason_against(None if answer is NOTHING else answer)
    if reason is not None:
        raise InvalidAnswer(promise.id, reason)


def settle(
    store: Store,
    id: str,
    answer: object = NOTHING,
    *,
    now: int,
    state: State = State.RESOLVED,
    who: str = "",
    where: str = "",
    comment: str = "",
    tags: Mapping[str, str] = NO_TEXTS,
) -> Promise:
    """Settle a promise with a JSON value, and return its record once it survives a power cut.

    Settling with the same outcome again changes nothing and is fine. `who`, `where` and `comment` are kept
    with the time, as tags of the promise beside `tags`.

    Raises
    ------
    NoSuchPromise
        There is none with this id.
    InvalidAnswer
        The question refuses the answer, and stays open.
    AlreadySettled
        Somebody settled it before with another outcome, or its deadline has passed.
    """
    entry = store.get(id)
    if entry is None:
        raise NoSuchPromise(id)
    if state is State.RESOLVED and not entry.promise.seen(now).settled:
        check(entry.promise, answer)
    value = EMPTY if answer is NOTHING else as_value(id, answer)
    about = {"rnb:by": who, "rnb:from": where, "rnb:comment": comment, "rnb:when": _time(now)}
    settled = store.do(
        Settle(
            id=id,
            state=state,
            value=value,
            now=now,
            tags={**tags, **{name: text for name, text in about.items() if text}},
            power_safe=True,
        )
    )
    if settled.state is not state or not same_value(settled.value, value):
        raise AlreadySettled(id, outcome_of(settled))
    if state is State.CANCELED:
        children.cancel(store, id, now)
    return settled


def as_value(id: str, answer: object) -> Value:
    """Return a JSON value as a promise carries it."""
    try:
        return Value(data=json.dumps(answer, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidAnswer(id, f"it is no JSON: {error}") from None


def answer_of(promise: Promise) -> object:
    """Return the JSON that a promise was settled with, or `NOTHING`."""
    if promise.value.headers or not promise.value.data:
        return NOTHING
    try:
        return cast("object", json.loads(promise.value.data))
    except ValueError:
        return NOTHING


def outcome_of(promise: Promise) -> str:
    """Return in a few words how a promise was settled."""
    answer = answer_of(promise)
    shown = "" if answer is NOTHING else json.dumps(answer, ensure_ascii=False)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
    return f"{promise.state} with {shown}" if shown else str(promise.state)


def same_value(one: Value, other: Value) -> bool:
    """Return whether two values are the same JSON, or the same bytes."""
    if one.headers or other.headers or not (one.data and other.data):
        return one == other
    try:
        return canonical(json.loads(one.data)) == canonical(json.loads(other.data))
    except ValueError:
        return one == other


def this_person() -> str:
    """Return who runs this process; nothing where the system has no name for them, as in some containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _time(now: int) -> str:
    return datetime.fromtimestamp(now / 1_000, UTC).isoformat(timespec="seconds")
