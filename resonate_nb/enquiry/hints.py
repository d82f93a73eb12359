"""What a form says about the answers that fit, in a few words, before anybody has entered one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resonate_nb.enquiry.schemas import written_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.enquiry.questions import Question

_STRUCTURES = {"array": "a list", "object": "an object"}


def hint(schema: Mapping[str, Any]) -> str:
    """Return which answers fit a schema, as far as a few words can say it; nothing where any does.

    A schema may come from anywhere: bounds that are none are not mentioned.

    >>> hint({"type": "integer", "minimum": 1, "maximum": 10})
    '1 to 10'
    >>> hint({"type": "string", "minLength": 2, "pattern": "^(?:[A-Z].*)$"})
    'at least 2 characters, in the pattern [A-Z].*'
    """
    items = schema.get("items")
    match schema.get("type"):
        case _ if isinstance(schema.get("enum"), list):
            return ""
        case "boolean":
            return ""
        case "integer" | "number":
            return _joined(*_range(schema), _step(schema))
        case "string" if schema.get("format") in {"date", "date-time"}:
            return _dates(schema)
        case "string":
            return _joined(_count(schema, "Length", "character"), _pattern(schema))
        case "array" if isinstance(items, dict) and isinstance(items.get("enum"), list):
            return _count(schema, "Items", "of them")
        case kind:
            return f"{_STRUCTURES.get(str(kind), 'any value')}, as JSON"


def hints_of(question: Question) -> dict[str, str]:
    """Return the hints for the properties of a form, by their names, those that are not empty."""
    properties = question.schema.get("properties")
    if question.kind != "form" or not isinstance(properties, dict):
        return {}
    found = {key: hint(part) for key, part in properties.items() if isinstance(part, dict)}
    return {key: text for key, text in found.items() if text}


def _range(schema: Mapping[str, Any]) -> list[str]:
    least, most = _number(schema, "minimum"), _number(schema, "maximum")
    above, below = _number(schema, "exclusiveMinimum"), _number(schema, "exclusiveMaximum")
    if least and most:
        return [f"{least} to {most}"]
    return [
        f"{least} or more" if least else "",
        f"more than {above}" if above else "",
        f"{most} or less" if most else "",
        f"less than {below}" if below else "",
    ]


def _step(schema: Mapping[str, Any]) -> str:
    step = _number(schema, "multipleOf")
    return f"in steps of {step}" if step else ""


def _dates(schema: Mapping[str, Any]) -> str:
    first, last = schema.get("formatMinimum"), schema.get("formatMaximum")
    if isinstance(first, str) and isinstance(last, str):
        return f"{first} to {last}"
    if isinstance(first, str):
        return f"{first} or later"
    return f"{last} or earlier" if isinstance(last, str) else ""


def _count(schema: Mapping[str, Any], what: str, unit: str) -> str:
    """Return a bound of a number of things, which `minWhat` and `maxWhat` give."""
    least, most = _number(schema, f"min{what}"), _number(schema, f"max{what}")
    if least in {"", "0"} and not most:
        return ""
    if least == most:
        bound = least
    elif least in {"", "0"}:
        bound = f"at most {most}"
    else:
        bound = f"{least} to {most}" if most else f"at least {least}"
    several = "s" if unit == "character" and (most or least) != "1" else ""
    return f"{bound} {unit}{several}"


def _pattern(schema: Mapping[str, Any]) -> str:
    pattern = schema.get("pattern")
    return f"in the pattern {written_pattern(pattern)}" if isinstance(pattern, str) else ""


def _number(schema: Mapping[str, Any], keyword: str) -> str:
    bound = schema.get(keyword)
    return str(bound) if isinstance(bound, int | float) and not isinstance(bound, bool) else ""


def _joined(*parts: str) -> str:
    return ", ".join(each for each in parts if each)
