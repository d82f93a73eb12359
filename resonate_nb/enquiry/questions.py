"""Questions: what is asked, as data; which answers fit; how an answer reads as a value of Python."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from resonate_nb.digest import digest
from resonate_nb.enquiry.schemas import canonical, check_schema, reason_against
from resonate_nb.errors import UsageError
from resonate_nb.promise import NO_TEXTS, Promise, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

QUESTION = "question"  # the tag `rnb:kind` of a promise that only a person settles
Kind = Literal["ask", "approve", "choose", "form"]
Schema = dict[str, Any]

_TYPES: dict[type, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
}
_BOUNDS = {
    "string": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "date": ("formatMinimum", "formatMaximum"),
    "date-time": ("formatMinimum", "formatMaximum"),
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked; the promise's param in the store."""

    kind: Kind
    text: str
    schema: Mapping[str, Any]  # JSON Schema (2020-12) of the answer
    default: Any = None  # an answer; None where there is none
    shown: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)  # by media type; images in base64
    shown_digest: str = ""  # of the object that is shown, of which `shown` may be an extract
    on_timeout: Literal["raise", "default"] = "raise"
    comment: bool = False  # whether a comment may be given with the answer

    @cached_property
    def digest(self) -> str:
        """What identifies the question: kind, text, schema, default and what is shown."""
        parts = [self.kind, self.text, self.schema, self.default, self.shown_digest]
        return digest(parts, path="the question")

    def reason_against(self, answer: object) -> str | None:
        """Return in words why an answer does not fit, or None if it does."""
        return reason_against(answer, self.schema)

    def read(self, text: str) -> object:
        """Return the answer that a typed text stands for: JSON if that fits, else the text itself."""
        try:
            answer = json.loads(text)
        except ValueError:
            return text
        if self.reason_against(answer) is not None and self.reason_against(text) is None:
            return text
        return cast("object", answer)

    def delivered(self, answer: Any) -> object:
        """Return the value that the caller gets for an answer that fits."""
        match self.schema.get("format"), self.schema.get("type"):
            case "date", "string" if self.kind == "ask":
                return date.fromisoformat(answer)
            case "date-time", "string" if self.kind == "ask":
                return datetime.fromisoformat(answer)
            case _, "number" if self.kind == "ask":
                return float(answer)
            case _:
                return answer

    def param(self) -> Value:
        """Return the question as a promise carries it: JSON, which every client reads."""
        content: dict[str, Any] = {"kind": self.kind, "text": self.text, "schema": self.schema}
        if self.default is not None:
            content["default"] = self.default
        if self.shown:
            content["shown"] = dict(self.shown)
        if self.on_timeout == "default":
            content["onTimeout"] = self.on_timeout
        if self.comment:
            content["comment"] = True
        return Value(data=json.dumps(content, ensure_ascii=False, allow_nan=False).encode())


def question_of(promise: Promise) -> Question | None:
    """Return the question that a promise asks; None if it asks none that can be read."""
    if promise.tags.get("rnb:kind") != QUESTION:
        return None
    try:
        content = json.loads(promise.param.data)
        return Question(
            kind=content["kind"],
            text=str(content["text"]),
            schema=dict(content["schema"]),
            default=content.get("default"),
            shown={str(kind): str(each) for kind, each in content.get("shown", {}).items()},
            on_timeout=content.get("onTimeout", "raise"),
            comment=content.get("comment", False) is True,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def typed_schema(type: type, *, min: Any, max: Any, pattern: str | None) -> Schema:
    """Return the schema of answers of a type of Python, within bounds.

    For text, the bounds are those of its length, and the pattern fits the whole of it.

    Raises
    ------
    UsageError
        The type is none that can be asked for, or it knows no such bounds.
    """
    if type not in _TYPES:
        names = ", ".join(each.__name__ for each in _TYPES)
        raise UsageError(f"a question asks for one of {names}, not for {getattr(type, '__name__', type)!r}")
    schema = dict(_TYPES[type])
    lower, upper = _BOUNDS.get(schema.get("format", schema["type"]), (None, None))
    for keyword, bound in ((lower, min), (upper, max)):
        if bound is None:
            continue
        if keyword is None:
            raise UsageError(f"a {type.__name__} has no least or largest value")
        schema[keyword] = as_json(bound)
    if pattern is not None:
        if type is not str:
            raise UsageError(f"a pattern is for text, not for a {type.__name__}")
        schema["pattern"] = f"^(?:{pattern})$"
    return checked_schema(schema)


def options_schema(options: Iterable[object], *, many: bool) -> Schema:
    """Return the schema of a choice among options.

    Raises
    ------
    UsageError
        There are none, the same one twice, or one that is no text, number or truth value.
    """
    if isinstance(options, str):
        raise UsageError("the options to choose from are a list, not one text")
    listed = [as_json(each) for each in options]
    if wrong := [each for each in listed if not isinstance(each, str | int | float)]:
        raise UsageError(f"an option is a text, a number or a truth value, not {wrong[0]!r}")
    if not listed or len({canonical(each) for each in listed}) < len(listed):
        raise UsageError("a choice needs options, each of them once")
    one: Schema = {"enum": listed}
    return {"type": "array", "items": one, "uniqueItems": True} if many else one


def checked_schema(schema: Mapping[str, Any]) -> Schema:
    """Return a schema that somebody wrote as plain data, refusing what is none."""
    if not isinstance(schema, dict):
        raise UsageError(f"a form is described by a JSON Schema, a dict, not by a {type(schema).__name__}")
    plain: Schema = json.loads(_dumped(schema))
    check_schema(plain)
    return plain


def as_json(value: Any) -> Any:
    """Return a value as an answer holds it: dates as text, tuples as lists, numbers of numpy as numbers.

    Raises
    ------
    UsageError
        JSON does not hold it.
    """
    return json.loads(_dumped(value))


def _dumped(value: object) -> str:
    try:
        return json.dumps(value, default=_plain, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"{value!r:.100} can't be part of a question: {error}") from None


def _plain(value: Any) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a scalar of numpy
        return value.item()
    raise TypeError(f"JSON has no {type(value).__name__}")
