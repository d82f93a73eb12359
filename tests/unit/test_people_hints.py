"""What a form says of the answers that fit."""

import pytest

from resonate_nb.enquiry.hints import hint, hints_of
from resonate_nb.enquiry.questions import Question


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 10}, "1 to 10"),
        ({"type": "integer", "minimum": 0}, "0 or more"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}, "more than 0, 0.5 or less"),
        ({"type": "number", "exclusiveMaximum": -1, "multipleOf": 2}, "less than -1, in steps of 2"),
        ({"type": "number"}, ""),
        ({"type": "string"}, ""),
        ({"type": "string", "minLength": 2, "maxLength": 40}, "2 to 40 characters"),
        ({"type": "string", "maxLength": 1}, "at most 1 character"),
        ({"type": "string", "minLength": 3, "maxLength": 3}, "3 characters"),
        (
            {"type": "string", "minLength": 1, "pattern": "^(?:[A-Z].*)$"},
            "at least 1 character, in the pattern [A-Z].*",
        ),
        ({"type": "string", "format": "date", "formatMinimum": "2026-01-01"}, "2026-01-01 or later"),
        ({"type": "string", "format": "date", "formatMaximum": "2026-12-31"}, "2026-12-31 or earlier"),
        (
            {
                "type": "string",
                "format": "date",
                "formatMinimum": "2026-01-01",
                "formatMaximum": "2026-12-31",
            },
            "2026-01-01 to 2026-12-31",
        ),
        ({"type": "boolean"}, ""),
        ({"enum": [1, 2], "minimum": 1}, ""),
        ({"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 1}, "at least 1 of them"),
        ({"type": "array", "items": {"enum": ["a", "b", "c"]}, "maxItems": 2}, "at most 2 of them"),
        ({"type": "array", "items": {"type": "string"}}, "a list, as JSON"),
        ({"type": "object"}, "an object, as JSON"),
        ({}, "any value, as JSON"),
        # Another program may have asked, whose schema is no better than it is.
        ({"type": "integer", "minimum": "<b>", "maximum": True}, ""),
        ({"type": ["string", "null"]}, "any value, as JSON"),
    ],
)
def test_bounds_are_said_in_words(schema, said):
    assert hint(schema) == said


def test_each_property_of_a_form_has_its_own():
    properties = {"n": {"type": "integer", "minimum": 1}, "s": {"type": "string"}, "any": True}
    schema = {"type": "object", "properties": properties}
    assert hints_of(Question(kind="form", text="?", schema=schema)) == {"n": "1 or more"}
    assert hints_of(Question(kind="ask", text="?", schema={"type": "integer"})) == {}
