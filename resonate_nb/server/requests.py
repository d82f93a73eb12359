"""Requests of Resonate's protocol: the envelope, and which fields each kind has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonate_nb.errors import InvalidId
from resonate_nb.ids import validate
from resonate_nb.promise import NEVER, SETTLED_BY_CLIENTS, State
from resonate_nb.server.records import text_of, texts_of
from resonate_nb.server.refusals import Refused
from resonate_nb.server.wire import value_of
from resonate_nb.store.base import TaskState
from resonate_nb.store.tasks import TARGET_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VERSION = "2026-04-01"
MOST_ON_A_PAGE = 1_000

Fields = dict[str, "Callable[[object, str], Any]"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, checked: its data holds what its kind needs and nothing of another type."""

    kind: str
    head: Mapping[str, Any]
    data: Mapping[str, Any]


def parse(content: object) -> Request:
    """Return the request in an envelope.

    Raises
    ------
    Refused
        400, with the field that is wrong.
    """
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        raise Refused(400, "a request is an object with kind, head and data")
    kind, head, data = content["kind"], content.get("head"), content.get("data")
    if kind not in _KINDS:
        raise Refused(400, f"there is no request {kind[:80]!r}")
    if not isinstance(head, dict) or not isinstance(head.get("corrId"), str):
        raise Refused(400, "head must be an object with corrId and version")
    if head.get("version") != VERSION:
        raise Refused(400, f"head.version must be {VERSION}")
    if not isinstance(data, dict):
        raise Refused(400, "data must be an object")
    checked = {name: check(data.get(name), f"data.{name}") for name, check in _KINDS[kind].items()}
    reason = _contradiction(kind, checked)
    if reason is not None:
        raise Refused(400, reason)
    return Request(kind, head, checked)


def _contradiction(kind: str, data: Mapping[str, Any]) -> str | None:
    """Return what is wrong with fields that are right each for itself."""
    match kind:
        case "promise.register_callback" if data["awaited"] == data["awaiter"]:
            return "Awaited and awaiter must be different"
        case "task.suspend" if not data["actions"]:
            return "Actions list must not be empty"
        case "task.suspend" if any(each.data["awaiter"] != data["id"] for each in data["actions"]):
            return "Awaiter must be the suspending task"
        case "task.suspend" if any(each.data["awaited"] == data["id"] for each in data["actions"]):
            return "Task cannot await its own promise"
        case "task.create" if not data["action"].data["tags"].get(TARGET_TAG):
            return "Action must have a resonate:target tag"
        case "task.fulfill" if data["action"].data["id"] != data["id"]:
            return "Promise ID must match task ID"
        case "schedule.create" if TARGET_TAG not in data["promiseTags"]:
            return "promiseTags must include a resonate:target tag"
    return None


def _id(content: object, field: str) -> str:
    try:
        return validate(text_of(content, field))
    except InvalidId as problem:
        raise Refused(400, f"{field}: {problem}") from None


def _whole(content: object, field: str) -> int:
    if type(content) is not int or not 0 <= content <= NEVER:
        raise Refused(400, f"{field} must be a whole number up to 2**53 - 1")
    return content


def _settling(content: object, field: str) -> State:
    if content not in SETTLED_BY_CLIENTS:
        raise Refused(400, f"{field} must be one of {', '.join(sorted(SETTLED_BY_CLIENTS))}")
    return State(str(content))


def _any_state(content: object, field: str) -> State | None:
    return None if content is None else _member(State, content, field)


def _any_task_state(content: object, field: str) -> TaskState | None:
    return None if content is None else _member(TaskState, content, field)


def _member(states: Any, content: object, field: str) -> Any:
    try:
        return states(content)
    except ValueError:
        raise Refused(400, f"{field} must be one of {', '.join(states)}") from None


def _texts_or_none(content: object, field: str) -> Mapping[str, str]:
    return texts_of({} if content is None else content, field)


def _limit(content: object, field: str) -> int:
    limit = 100 if content is None else _whole(content, field)
    if not 1 <= limit <= MOST_ON_A_PAGE:
        raise Refused(400, f"{field} must be from 1 to {MOST_ON_A_PAGE:,}")
    return limit


def _text_or_none(content: object, field: str) -> str | None:
    return None if content is None else text_of(content, field)


def _action(*kinds: str) -> Callable[[object, str], Request]:
    def check(content: object, field: str) -> Request:
        if not isinstance(content, dict) or content.get("kind") not in kinds:
            raise Refused(400, f"{field} must be a request of kind {' or '.join(kinds)}")
        return parse(content)

    return check


def _actions(content: object, field: str) -> list[Request]:
    if not isinstance(content, list):
        raise Refused(400, f"{field} must be a list")
    return [_action("promise.register_callback")(each, field) for each in content]


def _references(content: object, field: str) -> list[tuple[str, int]]:
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
        raise Refused(400, f"{field} must be a list of objects with id and version")
    return [(_id(each.get("id"), field), _whole(each.get("version"), field)) for each in content]


_CREATE: Fields = {"id": _id, "timeoutAt": _whole, "param": value_of, "tags": texts_of}
_TASK: Fields = {"id": _id, "version": _whole}
_LEASE: Fields = {"pid": text_of, "ttl": _whole}
_PAGE: Fields = {"limit": _limit, "cursor": _text_or_none}
_KINDS: dict[str, Fields] = {
    "promise.get": {"id": _id},
    "promise.create": _CREATE,
    "promise.settle": {"id": _id, "state": _settling, "value": value_of},
    "promise.register_callback": {"awaited": _id, "awaiter": _id},
    "promise.register_listener": {"awaited": _id, "address": text_of},
    "promise.search": {"state": _any_state, "tags": _texts_or_none, **_PAGE},
    "task.get": {"id": _id},
    "task.create": {**_LEASE, "action": _action("promise.create")},
    "task.acquire": {**_TASK, **_LEASE},
    "task.release": _TASK,
    "task.suspend": {**_TASK, "actions": _actions},
    "task.halt": {"id": _id},
    "task.continue": {"id": _id},
    "task.fulfill": {**_TASK, "action": _action("promise.settle")},
    "task.fence": {**_TASK, "action": _action("promise.create", "promise.settle")},
    "task.heartbeat": {"pid": text_of, "tasks": _references},
    "task.search": {"state": _any_task_state, **_PAGE},
    "schedule.get": {"id": _id},
    "schedule.create": {
        "id": _id,
        "cron": text_of,
        "promiseId": text_of,
        "promiseTimeout": _whole,
        "promiseParam": value_of,
        "promiseTags": texts_of,
    },
    "schedule.delete": {"id": _id},
    "schedule.search": {"tags": _texts_or_none, **_PAGE},
}


def from_text(body: bytes) -> object:
    """Return the JSON in a body.

    Raises
    ------
    Refused
        It is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise Refused(400, f"the body is no JSON: {problem}") from None
