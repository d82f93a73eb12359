"""Promises, tasks and values in the form in which Resonate's protocol carries them.

Values travel as base64 of JSON, as Resonate's SDKs write them, so they are the JSON that a notebook reads.
Data of another form is kept as it came, under a header, and goes out as it came.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from resonate_nb.promise import EMPTY, Promise, Value
from resonate_nb.server.records import texts_of
from resonate_nb.server.refusals import Refused

if TYPE_CHECKING:
    from resonate_nb.store.base import Task

AS_IT_CAME = "resonate-nb-wire"  # the header of data that is no base64


def promise_record(promise: Promise) -> dict[str, Any]:
    """Return a promise as the protocol shows it."""
    record = {
        "id": promise.id,
        "state": promise.state.value,
        "param": value_shown(promise.param),
        "value": value_shown(promise.value),
        "tags": dict(promise.tags),
        "timeoutAt": promise.timeout_at,
        "createdAt": promise.created_at,
    }
    return record if promise.settled_at is None else record | {"settledAt": promise.settled_at}


def task_record(id: str, task: Task) -> dict[str, Any]:
    """Return a task as the protocol shows it."""
    record = {"id": id, "version": task.version, "state": task.state.value, "resumes": list(task.resumes)}
    facts = {"pid": task.pid, "ttl": task.ttl}
    return record | {name: fact for name, fact in facts.items() if fact is not None}


def value_of(content: object, field: str) -> Value:
    """Return what a value on the wire stands for.

    Raises
    ------
    Refused
        It is no object with headers, text to text, and data.
    """
    if content is None:
        return EMPTY
    if not isinstance(content, dict) or content.keys() - {"headers", "data"}:
        raise Refused(400, f"{field} must be an object with headers and data")
    headers, data = texts_of(content.get("headers") or {}, f"{field}.headers"), content.get("data")
    if data is None and not headers:
        return EMPTY
    content_bytes = b"" if data is None else _decoded(data)
    if content_bytes is None:
        return Value({**headers, AS_IT_CAME: "1"}, json.dumps(data).encode())
    return Value(headers, content_bytes)


def value_shown(value: Value) -> dict[str, Any]:
    """Return a value as the protocol shows it."""
    if not value.headers and not value.data:
        return {}
    headers = dict(value.headers)
    came = headers.pop(AS_IT_CAME, None)
    data = json.loads(value.data) if came else base64.b64encode(value.data).decode()
    return {"data": data, "headers": headers} if headers else {"data": data}


def _decoded(data: object) -> bytes | None:
    """Return the bytes of canonical base64, or None."""
    if not isinstance(data, str):
        return None
    try:
        decoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if base64.b64encode(decoded).decode() == data else None
