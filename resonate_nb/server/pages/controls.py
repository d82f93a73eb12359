"""The controls of a form: one for each kind of schema, as HTML and as what a browser sends back.

A browser sends texts. `entered` says which texts stand for a value, `read` which value stands in texts, so
that a default and an answer that was refused are drawn the same way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from resonate_nb.enquiry.schemas import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MISSING: object = object()  # nothing was entered, which is no value
_LONG_TEXT = 200  # characters above which a text gets several lines

Attributes = dict[str, str | bool | None]


class Unreadable(Exception):
    """What was entered stands for no value; the reason, for a person."""


class Control(Protocol):
    """What a person enters a value in."""

    grouped: bool  # whether it is a group of several inputs, which no single label can name

    def entered(self, value: object) -> list[str]:
        """Return the texts that stand for a value."""
        ...

    def read(self, entered: Sequence[str]) -> object:
        """Return the value that texts stand for, or `MISSING`; raises `Unreadable`."""
        ...

    def html(self, entered: Sequence[str], attributes: Attributes) -> str:
        """Return the control with texts in it; the attributes hold its id and its name."""
        ...


def control_of(schema: Mapping[str, Any], *, required: bool) -> Control:
    """Return the control for values of a schema; the last resort is JSON in a box."""
    items = schema.get("items")
    match schema.get("type"):
        case _ if isinstance(schema.get("enum"), list):
            return OneOf(tuple(schema["enum"]), required=required)
        case "boolean":
            return OneOf((True, False), required=required)
        case "array" if isinstance(items, dict) and isinstance(items.get("enum"), list):
            return AnyOf(tuple(items["enum"]), required=required)
        case "integer" | "number" as kind:
            return Number(schema, whole=kind == "integer")
        case "string":
            return Text(schema, required=required)
        case _:
            return Json()


@dataclass(frozen=True)
class OneOf:
    """A choice among options, which are sent by their number."""

    options: tuple[Any, ...]
    required: bool
    grouped = False

    def entered(self, value: object) -> list[str]:
        """Return the number of the option, or nothing if it is none."""
        wanted = canonical(value)
        return [str(number) for number, each in enumerate(self.options) if canonical(each) == wanted]

    def read(self, entered: Sequence[str]) -> object:
        """Return the option with the number."""
        number = entered[0] if entered else ""
        return _option(self.options, number) if number else MISSING

    def html(self, entered: Sequence[str], attributes: Attributes) -> str:
        """Return a list to choose from, in which at first nothing is chosen unless something was entered."""
        chosen = entered[0] if entered else ""
        empty = "" if chosen and self.required else '<option value=""></option>'
        options = (
            f"<option{written({'value': str(number), 'selected': str(number) == chosen})}>"
            f"{escape(_shown(each))}</option>"
            for number, each in enumerate(self.options)
        )
        return f"<select{written(attributes)}>{empty}{''.join(options)}</select>"


@dataclass(frozen=True)
class AnyOf:
    """A choice of several options, which are sent by their numbers."""

    options: tuple[Any, ...]
    required: bool
    grouped = True

    def entered(self, value: object) -> list[str]:
        """Return the numbers of the options in a list."""
        chosen = {canonical(each) for each in value} if isinstance(value, list) else set()
        return [str(number) for number, each in enumerate(self.options) if canonical(each) in chosen]

    def read(self, entered: Sequence[str]) -> object:
        """Return the options with the numbers; where there need be none, none is no answer at all."""
        if not entered and not self.required:
            return MISSING
        return [_option(self.options, number) for number in entered]

    def html(self, entered: Sequence[str], attributes: Attributes) -> str:
        """Return a group of boxes to check."""
        name, focused = attributes.pop("name"), attributes.pop("autofocus", None)
        boxes = (
            f"<label><input{written({**box, 'autofocus': focused if number == 0 else None})}> "
            f"{escape(_shown(each))}</label>"
            for number, each in enumerate(self.options)
            for box in [_box(str(name), str(number), checked=str(number) in entered)]
        )
        return f'<div role="group" class="options"{written(attributes)}>{"".join(boxes)}</div>'


@dataclass(frozen=True)
class Number:
    """A number, whole or not."""

    schema: Mapping[str, Any]
    whole: bool
    grouped = False

    def entered(self, value: object) -> list[str]:
        """Return the number as JSON."""
        return [] if value is None else [json.dumps(value)]

    def read(self, entered: Sequence[str]) -> object:
        """Return the number; whole numbers keep all their digits."""
        text = entered[0].strip() if entered else ""
        if not text:
            return MISSING
        try:
            return int(text)
        except ValueError:
            return self._read_fraction(text)

    def _read_fraction(self, text: str) -> object:
        try:
            number = float(text)
        except ValueError:
            raise Unreadable(f"{text[:60]!r} is not a number") from None
        return int(number) if self.whole and number.is_integer() else number

    def html(self, entered: Sequence[str], attributes: Attributes) -> str:
        """Return a box for a number, with its bounds."""
        bounds = {"min": self.schema.get("minimum"), "max": self.schema.get("maximum")}
        step = "1" if self.whole else "any"
        more = {name: str(each) for name, each in bounds.items() if isinstance(each, int | float)}
        return _input(entered, {**attributes, "type": "number", "step": step, **more})


@dataclass(frozen=True)
class Text:
    """A text, a date or a time."""

    schema: Mapping[str, Any]
    required: bool
    grouped = False

    def entered(self, value: object) -> list[str]:
        """Return the text itself."""
        return [value] if isinstance(value, str) else []

    def read(self, entered: Sequence[str]) -> object:
        """Return the text; an empty one counts where a text has to be, and nothing else could be meant."""
        text = entered[0].replace("\r\n", "\n") if entered else ""
        return text if text or (self.required and self._type == "text") else MISSING

    def html(self, entered: Sequence[str], attributes: Attributes) -> str:
        """Return a box of one line or several."""
        text = entered[0] if entered else ""
        longest = self.schema.get("maxLength", 0)
        if self._type == "text" and ("\n" in text or longest > _LONG_TEXT):
            return f"<textarea{written({**attributes, 'rows': '4'})}>\n{escape(text)}</textarea>"
        bounds = {"min": self.schema.get("formatMinimum"), "max": self.schema.get("formatMaximum")}
        return _input(entered, {**attributes, "type": self._type, **bounds})

    @property
    def _type(self) -> str:
        return {"date": "date", "date-time": "datetime-local"}.get(self.schema.get("format", ""), "text")


class Json:
    """Any value, as JSON."""

    grouped = False

    def entered(self, value: object) -> list[str]:
        """Return the JSON of a value."""
        return [] if value is None else [json.dumps(value, ensure_ascii=False, indent=2)]

    def read(self, entered: Sequence[str]) -> object:
        """Return the value."""
        text = entered[0] if entered else ""
        if not text.strip():
            return MISSING
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise Unreadable(f"This field takes JSON: {problem}") from None

    def html(self, entered: Sequence[str], attributes: Attributes) -> str:
        """Return a box of several lines."""
        text = entered[0] if entered else ""
        more = {"rows": "6", "spellcheck": "false", "class": "json"}
        return f"<textarea{written({**attributes, **more})}>\n{escape(text)}</textarea>"


def written(attributes: Mapping[str, str | bool | None]) -> str:
    """Return attributes as they stand in a tag, with a space in front of each."""
    found = ((name, each) for name, each in attributes.items() if each not in {None, False})
    return "".join(f" {name}" if each is True else f' {name}="{escape(str(each))}"' for name, each in found)


def _input(entered: Sequence[str], attributes: Attributes) -> str:
    return f"<input{written({**attributes, 'value': entered[0] if entered else ''})}>"


def _box(name: str, number: str, *, checked: bool) -> Attributes:
    return {"type": "checkbox", "name": name, "value": number, "checked": checked}


def _option(options: tuple[Any, ...], number: str) -> object:
    if not (number.isascii() and number.isdigit() and int(number[:9]) < len(options)):
        raise Unreadable("that is none of the options")
    return options[int(number[:9])]


def _shown(option: object) -> str:
    if isinstance(option, bool):
        return "Yes" if option else "No"
    return option if isinstance(option, str) else json.dumps(option, ensure_ascii=False)
