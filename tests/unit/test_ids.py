"""Ids: what the store takes, what is escaped, and how generations are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonate_nb.errors import InvalidId
from resonate_nb.ids import MAX_BYTES, escape, generation, split_generation, validate, validate_explicit

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
IDS = TEXTS.filter(lambda text: text and "\0" not in text)


@given(IDS)
def test_text_without_nul_is_an_id(id):
    assert validate(id) == id


@pytest.mark.parametrize(
    ("id", "reason"),
    [
        ("", "empty"),
        ("a\0b", "NUL"),
        ("\udc80", "Unicode"),
        ("x" * (MAX_BYTES + 1), "1,025 bytes"),
        ("é" * 513, "1,026 bytes"),
        (7, "int"),
    ],
)
def test_what_the_store_can_not_take_is_refused_with_the_reason(id, reason):
    with pytest.raises(InvalidId, match=reason) as caught:
        validate(id)
    assert len(str(caught.value)) < 300


def test_the_limit_counts_bytes():
    assert validate("é" * 512)


@given(IDS.map(escape), st.integers(1, 10**6))
def test_a_generation_leads_back_to_its_id(id, number):
    assert split_generation(generation(id, number)) == (id, number)


@given(IDS)
def test_splitting_and_joining_gives_the_same_id(id):
    assert generation(*split_generation(id)) == id


@pytest.mark.parametrize("id", ["a", "a~1", "a~0", "a~02", "a~", "a~2b", "a~-2", "a~²"])
def test_what_does_not_end_like_a_generation_is_the_first(id):
    assert split_generation(id) == (id, 1)


@given(TEXTS, TEXTS)
def test_escaping_keeps_different_texts_different(one, other):
    assert (escape(one) == escape(other)) == (one == other)


@given(TEXTS)
def test_escaped_text_has_nothing_that_means_something_in_an_id(text):
    escaped = escape(text)
    assert not set(":~\0") & set(escaped)
    head, dot, digits = escaped.rpartition(".")
    assert not (dot and digits.isascii() and digits.isdigit()), head


@given(IDS)
def test_an_id_that_a_person_chose_names_no_generation(id):
    if split_generation(id)[1] == 1 and not id.endswith("~1"):
        assert validate_explicit(id) == id
    with pytest.raises(InvalidId, match="rerun"):
        validate_explicit(f"{id}~2")
