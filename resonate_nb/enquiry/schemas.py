"""Whether a JSON value fits a JSON Schema, and if not, why, in one sentence for a person.

The schema comes from a store and is not trusted: nothing that it refers to is fetched.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from resonate_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ORDERED = {"date": date.fromisoformat, "date-time": datetime.fromisoformat}
_NAMES = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "date": "a date like 2026-11-24",
    "date-time": "a time like 2026-11-24T10:05",
}
_LONGEST = 200  # characters of a reason


def reason_against(value: object, schema: Mapping[str, Any]) -> str | None:
    """Return why the value does not fit the schema, or None if it does.

    >>> reason_against(11, {"type": "integer", "maximum": 10})
    '11 is greater than the maximum of 10'
    >>> reason_against("x", {"type": "integer"})
    "'x' is not a whole number"
    """
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        fault = best_match(_validator(canonical(schema)).iter_errors(value))
    except (Unresolvable, RecursionError, ValueError, TypeError) as error:
        return f"the schema can't be used: {error!s:.{_LONGEST}}"
    return None if fault is None else _sentence(fault)


def check_schema(schema: Mapping[str, Any]) -> None:
    """Refuse what is no JSON Schema of the draft 2020-12.

    Raises
    ------
    UsageError
        The place of the fault and the reason.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as fault:
        raise UsageError(f"the schema is not valid at {fault.json_path}: {fault.message}") from None


def canonical(value: object) -> str:
    """Return a text that is the same for the same JSON: numbers by their value, objects in any order.

    >>> canonical({"b": 1.0, "a": True}) == canonical({"a": True, "b": 1})
    True
    >>> canonical(1) == canonical(True)
    False
    """
    return json.dumps(_whole(value), sort_keys=True, ensure_ascii=False)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list | tuple):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    return value


@cache
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.validators import extend
    from referencing import Registry

    formats = FormatChecker()  # a copy of the library's, in which our dates replace its own
    for name, parse in _ORDERED.items():
        formats.checks(name, raises=ValueError)(_parses(parse))
    kind = extend(Draft202012Validator, {"formatMinimum": _format_minimum, "formatMaximum": _format_maximum})
    return kind(json.loads(schema), format_checker=formats, registry=Registry())


def _parses(parse: Any) -> Any:
    return lambda text: not isinstance(text, str) or parse(text) is not None


def _format_minimum(_validator: Any, bound: str, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    return _bounded(value, bound, schema, least=True)


def _format_maximum(_validator: Any, bound: str, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    return _bounded(value, bound, schema, least=False)


def _bounded(value: Any, bound: str, schema: Mapping[str, Any], *, least: bool) -> Iterator[Any]:
    from jsonschema import ValidationError

    parse: Any = _ORDERED.get(schema.get("format", ""))
    if parse is None or not isinstance(value, str):
        return
    try:
        moment, limit = parse(value), parse(bound)
        beyond = moment < limit if least else moment > limit
    except ValueError:  # which the format says by itself
        return
    except TypeError:
        yield ValidationError(f"{value} and {bound} can't be compared: one of them names no time zone")
        return
    if beyond:
        yield ValidationError(f"{value} is {'before' if least else 'after'} {bound}")


def _sentence(fault: Any) -> str:
    where = "" if fault.json_path == "$" else f"{fault.json_path.removeprefix('$.')}: "
    name = _NAMES.get(fault.validator_value) if fault.validator in {"type", "format"} else None
    if fault.instance is None:
        said = "an answer is missing"
    elif fault.validator == "required":
        missing = [each for each in fault.validator_value if each not in fault.instance]
        said = f"an answer is missing: {', '.join(missing)}"
    elif name is not None:
        said = f"{fault.instance!r:.60} is not {name}"
    elif fault.validator == "enum":
        options = ", ".join(json.dumps(each, ensure_ascii=False) for each in fault.validator_value)
        said = f"{fault.instance!r:.60} is none of {options}"
    elif fault.validator == "pattern":
        said = f"{fault.instance!r:.60} does not fit the pattern {written_pattern(fault.validator_value)}"
    else:
        said = str(fault.message)
    return f"{where}{said}"[:_LONGEST]


def written_pattern(pattern: str) -> str:
    """Return a pattern as whoever asks wrote it, without what makes it fit the whole text."""
    return pattern[4:-2] if pattern.startswith("^(?:") and pattern.endswith(")$") else pattern
