"""The fields of a question: which there are, and the answer in what a browser sent for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonate_nb.enquiry.hints import hint
from resonate_nb.server.pages.controls import MISSING, Control, Unreadable, control_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from resonate_nb.enquiry.questions import Question

COMMENT = "comment"
DECISION = "decision"  # what the two buttons of an approval send
_DECISIONS = {"approve": True, "reject": False}

Sent = dict[str, list[str]]  # what a browser sends of a form, by the names of its controls


@dataclass(frozen=True)
class Field:
    """One thing to enter."""

    name: str
    control: Control
    initial: object
    key: str | None = None  # in the answer, where that is an object; else the field is the whole answer
    label: str = ""
    help: str = ""
    hint: str = ""  # which answers fit
    required: bool = True

    def entered(self, sent: Sent | None) -> Sequence[str]:
        """Return what stands in the field: what was sent before, else the default."""
        if sent is not None:
            return sent.get(self.name, [])
        return [] if self.initial is None else self.control.entered(self.initial)


def fields_of(question: Question) -> list[Field]:
    """Return the fields of a question; an approval has none."""
    schema, properties = question.schema, question.schema.get("properties")
    if question.kind == "approve":
        return []
    if question.kind != "form" or not isinstance(properties, dict) or not properties:
        return [Field("field", control_of(schema, required=True), question.default, hint=hint(schema))]
    required = schema.get("required", [])
    defaults = question.default if isinstance(question.default, dict) else {}
    return [
        _property(f"field-{number}", key, part, defaults.get(key), required=key in required)
        for number, (key, part) in enumerate(properties.items())
    ]


def answer_in(question: Question, sent: Sent) -> object:
    """Return the answer that was sent.

    Raises
    ------
    Unreadable
        It is no answer at all; the reason, for a person.
    """
    if question.kind == "approve":
        return _decision(sent)
    values = [(field.key, field.control.read(sent.get(field.name, []))) for field in fields_of(question)]
    if values[0][0] is not None:
        return {key: value for key, value in values if value is not MISSING}
    if values[0][1] is MISSING:
        raise Unreadable("an answer has to be entered first")
    return values[0][1]


def comment_in(sent: Mapping[str, Sequence[str]]) -> str:
    """Return the comment that was sent."""
    return "\n".join(sent.get(COMMENT, ())).replace("\r\n", "\n").strip()


def _property(name: str, key: str, part: Any, default: object, *, required: bool) -> Field:
    schema = part if isinstance(part, dict) else {}  # `true` is a schema too
    return Field(
        name,
        control_of(schema, required=required),
        schema.get("default") if default is None else default,
        key=key,
        label=str(schema.get("title", key)),
        help=str(schema.get("description", "")),
        hint=hint(schema),
        required=required,
    )


def _decision(sent: Sent) -> bool:
    [decision] = sent.get(DECISION) or [""]
    if decision not in _DECISIONS:
        raise Unreadable("press Approve or Reject")
    return _DECISIONS[decision]
