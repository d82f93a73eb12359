"""Promises as JSON, as every client of the resource reads and writes them.

What JSON holds exactly travels as JSON. Everything else is opaque: signed bytes in base64 with their
headers, which this side never opens.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from resonate_nb.codec import HEADER
from resonate_nb.promise import NEVER, Promise, Value
from resonate_nb.server.refusals import Refused
from resonate_nb.values.plain_json import from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_LARGEST = NEVER  # the largest integer that JSON holds exactly


def to_record(promise: Promise, *, values: bool = True) -> dict[str, Any]:
    """Return a promise as data for JSON, times in milliseconds since the epoch."""
    record = {
        "id": promise.id,
        "state": promise.state.value,
        "tags": dict(promise.tags),
        "timeoutAt": promise.timeout_at,
        "createdAt": promise.created_at,
        "settledAt": promise.settled_at,
    }
    if values:
        record |= _shown("param", promise.param) | _shown("value", promise.value)
    return record


def _shown(name: str, value: Value) -> dict[str, Any]:
    if HEADER not in value.headers:
        try:
            return {name: from_json(value.data)}
        except (ValueError, RecursionError):
            pass  # bytes of another client that are no JSON: as opaque as ours
    return {
        name: None,
        f"{name}Opaque": {
            "headers": dict(value.headers),
            "data": base64.b64encode(value.data).decode(),
            "buffers": [{"digest": each.digest, "size": each.size} for each in value.buffers],
        },
    }


def to_value(content: object) -> Value:
    """Return JSON as the value of a promise; the absence of a value is no bytes.

    Raises
    ------
    Refused
        The text in it is not valid Unicode.
    """
    if content is None:
        return Value()
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return Value(data=text.encode())
    except (ValueError, RecursionError) as problem:  # a lone surrogate, or nested too deeply
        raise Refused(400, f"the value can't be kept: {problem}") from None


def object_of(body: bytes, *, fields: frozenset[str]) -> dict[str, Any]:
    """Return the JSON object in a request's body.

    Raises
    ------
    Refused
        It is no JSON object in UTF-8, or has other fields than these.
    """
    try:
        content = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise Refused(400, f"the body is no JSON: {problem}") from None
    if not isinstance(content, dict):
        raise Refused(400, f"the body is a JSON {type(content).__name__}, not an object")
    if unknown := sorted(content.keys() - fields):
        raise Refused(400, f"unknown field {unknown[0]!r}: the fields are {', '.join(sorted(fields))}")
    return content


def texts_of(content: object, field: str) -> Mapping[str, str]:
    """Return a mapping of text to text.

    Raises
    ------
    Refused
        It is none.
    """
    if not isinstance(content, dict) or not all(isinstance(each, str) for each in content.values()):
        raise Refused(400, f"{field} must be an object whose values are text")
    return content


def text_of(content: object, field: str) -> str:
    """Return text.

    Raises
    ------
    Refused
        It is none, or no valid Unicode.
    """
    if not isinstance(content, str) or not _encodable(content):
        raise Refused(400, f"{field} must be text")
    return content


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def time_of(content: object, field: str) -> int:
    """Return milliseconds since the epoch.

    Raises
    ------
    Refused
        It is no whole number from 0 to 2**53 - 1.
    """
    if isinstance(content, float) and content.is_integer():
        content = int(content)  # to JSON, 1 and 1.0 are the same number
    if type(content) is not int or not 0 <= content <= _LARGEST:
        raise Refused(400, f"{field} must be milliseconds since the epoch, a whole number up to 2**53 - 1")
    return content


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")
