"""Arguments of every shape identify a call by what they are, and reach the body as they are."""

import functools
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from resonate_nb import MutatedArgument, durable, find

pytestmark = pytest.mark.usefixtures("root")
SCALE = [2]


@durable(name="drawn")
def drawn(value):
    """Give another text at each run."""
    return type(value).__name__ + uuid4().hex


def test_a_recursive_function_computes_each_call_once():
    @durable(name="fibonacci")
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    assert fibonacci(40) == 102_334_155
    assert len(find("fibonacci@")) == 41
    assert fibonacci(42) == 267_914_296
    assert len(find("fibonacci@")) == 43


def test_a_million_numbers_are_one_argument():
    numbers = list(range(1_000_000))
    before = drawn(numbers)
    assert drawn(list(range(1_000_000))) == before
    numbers[500_000] += 1
    after = drawn(numbers)
    numbers[500_000] -= 1
    assert drawn(numbers) == before != after


def test_an_array_of_200_megabytes_is_one_argument():
    array = np.zeros(25_000_000)
    before = drawn(array)
    array[12_345_678] = np.nextafter(0, 1)
    after = drawn(array)
    array[12_345_678] = 0
    assert drawn(array) == drawn(np.asfortranarray(array)) == before != after
    assert drawn(array.astype("float32")) != before
    assert drawn(array.reshape(2, -1)) != before


def test_a_frame_counts_with_its_types_its_index_and_the_order_of_its_columns():
    frame = pd.DataFrame({"a": range(1_000), "b": np.linspace(0, 1, 1_000), "c": ["x"] * 1_000})
    same = pd.concat([frame[:10], frame[10:]])
    others = [frame[["b", "a", "c"]], frame.set_index("a"), frame.astype({"a": "int32"}), frame[::-1]]
    assert drawn(frame) == drawn(same) == drawn(frame.copy())
    assert len({drawn(each) for each in [frame, *others]}) == 5


def test_positions_keywords_and_rests_are_told_apart():
    @durable(name="spread")
    def spread(a, *rest, b=2, **more):
        return a, rest, b, more, uuid4().hex

    value = spread(1, 3, b=2)
    assert spread(1, 3) == spread(1, *[3], b=2) == value
    others = [spread((1, 3)), spread(1, (3,)), spread(1, 3, 2), spread(1, b=3), spread(1, 3, c=2)]
    assert len({value[-1], *(each[-1] for each in others)}) == 6
    assert spread(1, c=3, d=4) == spread(1, c=3, d=4)
    with pytest.raises(TypeError, match="missing a required argument: 'a'"):
        spread(b=1)


def test_a_default_that_is_an_object_counts_by_its_content():
    @durable(name="collected")
    def collected(x, into=[]):  # noqa: B006
        return [x, *into, uuid4().hex]

    value = collected(1)
    assert collected(1) == value
    collected.__wrapped__.__defaults__[0].append(1)
    after = collected(1)
    assert collected(1) == after != value
    collected.__wrapped__.__defaults__[0].pop()
    assert collected(1) == value


def test_a_default_that_the_body_changes_is_named():
    @durable(name="grown")
    def grown(x, into=[]):  # noqa: B006
        into.append(x)

    with pytest.warns(MutatedArgument, match="`into`"):
        grown(1)


def test_functions_count_by_what_they_do():
    def double(x):
        return x * 2

    def also_doubles(x):
        # Another name, another place.
        return x * 2

    assert drawn(lambda x: x * 2) == drawn(lambda x: x * 2)
    assert drawn(double) == drawn(double)
    values = {drawn(double), drawn(lambda x: x * 3), drawn(functools.partial(double, 4)), drawn(len)}
    assert len(values) == 4
    assert drawn(len) == drawn(len) != drawn(max)


def test_a_function_that_reads_data_counts_with_the_data():
    def scaled(x):
        return x * SCALE[0]

    value = drawn(scaled)
    SCALE[0] = 3
    assert drawn(scaled) != value
    SCALE[0] = 2
    assert drawn(scaled) == value


def test_a_durable_function_is_an_argument_like_its_plain_one():
    @durable(name="inner")
    def inner(x):
        return x + 1

    @durable(name="outer")
    def outer(function, x):
        return function(x), uuid4().hex

    value = outer(inner, 1)
    assert value[0] == 2
    assert outer(inner, 1) == value
    assert [each.tags["rnb:name"] for each in find("inner@")] == ["inner"]


def test_a_method_counts_with_the_state_and_the_class_of_its_object():
    class Model:
        rate = 1

        def __init__(self, weights):
            self.weights = weights

        @durable(name="predict")
        def predict(self, x):
            return x * self.rate * self.weights[0], uuid4().hex

    value = Model([2]).predict(3)
    assert value[0] == 6
    assert Model([2]).predict(3) == Model.predict(Model([2]), x=3) == value
    assert Model([3]).predict(3) != value
    model = Model([2])
    model.weights.append(5)
    assert model.predict(3) != value
    bound = Model([2]).predict
    assert bound(3) == value


def test_what_the_body_gets_is_what_the_caller_has():
    seen = []

    @durable(name="looking", mutates=("items",))
    def looking(items, *rest):
        items.append(rest[0] is items)

    looking(seen, seen)
    assert seen == [True]
