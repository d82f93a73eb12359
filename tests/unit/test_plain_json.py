"""Values that JSON holds exactly are JSON, and no others."""

import enum
import json
import math
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonate_nb.values.plain_json import from_json, to_json

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def same(left, right):
    """Equal in type, order, sign and value."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    return left == right


@given(plain)
def test_what_is_written_as_json_comes_back_exactly(value):
    written = to_json(value)

    if written is not None:
        assert same(from_json(written), value)
        assert same(json.loads(written), value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        2**53,
        -(2**53),
        1.0,
        -0.0,
        5e-324,
        1e308,
        "",
        "é\U0001f600\u2028",
        [],
        {},
        {"a": [1]},
    ],
    ids=repr,
)
def test_plain_values_are_json(value):
    assert same(from_json(to_json(value)), value)


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        2**53 + 1,
        math.nan,
        math.inf,
        (1,),
        {1},
        b"a",
        1j,
        {1: "a"},
        {None: 1},
        "\ud800",
        ["\ud800"],
        {"\ud800": 1},
        Colour.RED,
        [Text("a")],
        {Text("a"): 1},
        OrderedDict(a=1),
    ],
    ids=ascii,
)
def test_what_json_would_change_is_not_json(value):
    assert to_json(value) is None


def test_containers_that_are_shared_or_contain_themselves_are_not_json():
    shared = [1]
    cyclic = {}
    cyclic["self"] = cyclic

    assert to_json([shared, shared]) is None
    assert to_json(cyclic) is None
    assert to_json([shared], frozenset({id(shared)})) is None


def test_large_and_deep_containers_are_left_to_pickle():
    deep = []
    for _ in range(100_000):
        deep = [deep]

    assert to_json(list(range(1_001))) is None
    assert to_json([[0] * 500, [0] * 501]) is None
    assert to_json(deep) is None
