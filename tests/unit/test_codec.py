"""The codec: what goes in comes out, or an error says why not."""

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import math
import pathlib
import random
import re
import types
import uuid

import numpy as np
import pandas as pd
import pytest

from resonate_nb.codec import HEADER, Codec
from resonate_nb.errors import (
    DamagedValue,
    MissingReference,
    StoreFormat,
    Unpicklable,
    UnreadableValue,
    UntrustedValue,
)
from resonate_nb.promise import Buffer, Value
from resonate_nb.values.keys import SigningKey

ID = "f@1/abc"
CODEC = Codec(SigningKey(b"k" * 32))

# Never change these: values of format 1 are read for ever.
GOLDEN_ID = "golden/1"
GOLDEN_VALUE = (1, 2.5, "three", {4, 5}, b"six")
GOLDEN = (
    "726e629301008d48f1fe31494dbc6733040d453930985c1abd856bb6ca7a619d9f8d684fb2deef3a9bccce4389911ac7"
    "99ffda054754e15c8ad6bd78934000000000000000308005952500000000000000284b014740040000000000008c0574"
    "68726565948f94284b044b059043037369789474942e00000000000000000000000000000000"
)


def through(value, **options):
    return CODEC.decode(CODEC.encode(value, id=ID, **options), id=ID, **options)


def with_buffers_of(value, change):
    """The value with the bytes of its first buffer changed, as a disk might."""
    first, *others = value.buffers

    def load():
        view = bytearray(first.load())
        return memoryview(change(view))

    changed = Buffer(first.digest, first.size, load)
    return Value(value.headers, value.data, (changed, *others))


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: list


Pair = collections.namedtuple("Pair", "left right")  # noqa: PYI024 - this kind is written in notebooks, too


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a

    def __eq__(self, other):
        return self.a == other.a and hasattr(self, "b") == hasattr(other, "b")

    __hash__ = None


class Counter(dict):
    """A dict that carries state of its own."""

    def __init__(self, *pairs):
        super().__init__(*pairs)
        self.note = "kept"


def half_used():
    iterator = iter([1, 2, 3])
    next(iterator)
    return iterator


EQUAL = [
    None, True, False, 0, 1, -1, 2**53, 2**53 + 1, -(2**80), 0.0, 1.0, math.inf, 1e-320, 1j,
    "", "text", "\ud800", "é\0", b"", b"bytes", bytearray(b"mutable"), b"x" * 100_000,
    (), (1,), (1, (2, [3])), [], [1, "a", None], {}, {"a": 1}, {1: "a", (2,): "b"}, {None: 0},
    set(), {1, 2}, frozenset({1}), range(3), slice(1, 2), ..., NotImplemented,
    collections.OrderedDict(b=1, a=2), collections.deque([1], 5), collections.Counter("aab"),
    collections.defaultdict(list, a=[1]), types.SimpleNamespace(a=1), array.array("d", [1.0]),
    dt.datetime(2026, 1, 2, tzinfo=dt.UTC), dt.timedelta(1), decimal.Decimal("1.10"),
    fractions.Fraction(1, 3), pathlib.PurePosixPath("a/b"), uuid.UUID(int=1), re.compile("a+"),
    Colour.RED, [Colour.RED, Colour.BLUE], Point(1, [2]), Pair(1, [2]), Slotted(3), Counter({"a": 1}),
    int, Colour, len, math.sin, np.float64(1.5), np.dtype("i4"), np.sum,
    pd.Timestamp("2026-01-01"), pd.Timedelta("1s"), "s" * 100_000, list(range(5_000)),
]  # fmt: skip


@pytest.mark.parametrize("value", EQUAL, ids=lambda value: ascii(value)[:40].partition(" at 0x")[0])
def test_a_value_comes_back_equal_and_of_the_same_type(value):
    back = through(value)

    assert type(back) is type(value)
    assert back == value
    if isinstance(value, float):
        assert math.copysign(1, back) == math.copysign(1, value)


def test_a_nan_and_a_negative_zero_come_back():
    assert math.isnan(through(math.nan))
    assert math.copysign(1, through(-0.0)) == -1
    assert through(Counter()).note == "kept"


ARRAYS = {
    "small": np.arange(10),
    "large": np.arange(100_000.0),
    "empty": np.empty((0, 3)),
    "scalar": np.array(5),
    "fortran": np.asfortranarray(np.arange(100_000.0).reshape(100, 1_000)),
    "strided": np.arange(100_000.0)[::3],
    "reversed": np.arange(100_000.0)[::-1],
    "objects": np.array([1, "a", None, [2]], dtype=object),
    "structured": np.zeros(5_000, dtype=[("a", "i4"), ("b", "f8")]),
    "bools": np.ones(50_000, dtype=bool),
    "texts": np.array(["a", "bcd"] * 10_000),
    "dates": np.arange("2026-01-01", "2026-02-01", dtype="datetime64[D]"),
    "big-endian": np.arange(10_000, dtype=">i4"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_with_its_type_and_can_be_written(name):
    value = ARRAYS[name]

    back = through(value)

    np.testing.assert_array_equal(back, value)
    assert back.dtype == value.dtype
    assert back.flags.writeable


def test_a_fortran_array_keeps_its_order():
    assert through(ARRAYS["fortran"]).flags.f_contiguous


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_read_only_array_stays_read_only(size):
    value = np.arange(size)
    value.flags.writeable = False

    assert not through(value).flags.writeable


FRAMES = {
    "numbers": pd.DataFrame({"a": np.arange(10_000), "b": np.arange(10_000.0)}),
    "mixed": pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, math.nan], "d": [[1], {}]}),
    "categories": pd.DataFrame({"a": pd.Categorical(["x", "y", "x"])}),
    "multi": pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, "a"), (2, "b")])),
    "dates": pd.DataFrame({"a": pd.date_range("2026-01-01", periods=3, tz="Europe/Berlin")}),
    "nullable": pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}),
    "empty": pd.DataFrame(),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_comes_back_and_can_be_written(name):
    back = through(FRAMES[name])

    pd.testing.assert_frame_equal(back, FRAMES[name])
    back["new"] = 1
    if "a" in back:
        back.loc[back.index[0], "a"] = back["a"].iloc[-1]


def test_a_fitted_estimator_predicts_the_same():
    linear = pytest.importorskip("sklearn.linear_model")
    rows = np.random.default_rng(0).normal(size=(100, 3))
    model = linear.LogisticRegression().fit(rows, rows[:, 0] > 0)

    np.testing.assert_array_equal(through(model).predict_proba(rows), model.predict_proba(rows))


def test_a_generator_of_random_numbers_goes_on_where_it_was():
    for value in (random.Random(1), np.random.default_rng(1)):
        assert through(value).random() == value.random()


def test_a_half_used_iterator_goes_on_where_it_was():
    assert list(through(half_used())) == [2, 3]


def test_functions_without_a_name_come_back():
    outer = 10

    def inner(x, *, y=2):
        return x + y + outer

    assert through(inner)(1) == 13
    assert through(lambda x: x * outer)(2) == 20
    assert through(functools.partial(inner, y=0))(1) == 11


def test_functions_that_share_a_variable_share_it_afterwards():
    def counter():
        count = 0

        def increase():
            nonlocal count
            count += 1

        return increase, lambda: count

    increase, read = through(counter())
    increase()

    assert read() == 1


@pytest.mark.parametrize("captured", [None, 0, False, ()], ids=repr)
def test_a_captured_variable_may_be_empty(captured):
    assert through(lambda: captured)() == captured


def test_a_function_that_calls_itself_comes_back():
    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)

    assert through(factorial)(5) == 120


def test_a_class_inside_a_function_stays_the_same_class_while_it_lives():
    class Local:
        hits = 0

    value = Local()
    encoded = CODEC.encode([value, Local], id=ID)
    Local.hits = 5

    back, kind = CODEC.decode(encoded, id=ID)

    assert type(back) is kind is Local
    assert Local.hits == 5, "loading must not undo what happened to the class"


def test_identity_inside_a_value_is_kept():
    shared = [1]
    cyclic = {"list": [shared, shared]}
    cyclic["self"] = cyclic

    back = through(cyclic)

    assert back["list"][0] is back["list"][1]
    assert back["self"] is back


def test_what_json_holds_is_json_without_a_header_and_the_rest_has_one():
    assert CODEC.encode({"a": [1]}, id=ID) == Value(data=b'{"a":[1]}')
    assert CODEC.encode((1,), id=ID).headers == {HEADER: "1"}
    assert CODEC.decode(Value(), id=ID) is None


@pytest.mark.parametrize(
    "text", [b"{", b"\xff", b"nonsense", b"[" * 100_000], ids=["cut", "utf", "word", "deep"]
)
def test_what_is_no_json_is_damage(text):
    with pytest.raises(DamagedValue):
        CODEC.decode(Value(data=text), id=ID)


def test_small_buffers_stay_in_the_stream_and_equal_large_ones_share_a_digest():
    small = CODEC.encode(np.zeros(100), id=ID)
    large = CODEC.encode([np.zeros(10_000), np.zeros(10_000)], id=ID)

    assert small.buffers == ()
    assert len({buffer.digest for buffer in large.buffers}) == 1
    assert large.buffers[0].size == 80_000


def test_a_buffer_that_is_loaded_twice_gives_two_private_copies():
    original = np.zeros(10_000)
    encoded = CODEC.encode([original, np.zeros(10_000)], id=ID)

    first, second = CODEC.decode(encoded, id=ID)
    first[0] = 1
    again, _ = CODEC.decode(encoded, id=ID)

    assert original[0] == second[0] == again[0] == 0


def test_a_value_that_changed_before_its_buffers_were_read_is_damage_not_a_wrong_value():
    original = np.zeros(10_000)
    encoded = CODEC.encode(original, id=ID)
    original[0] = 1

    with pytest.raises(DamagedValue):
        CODEC.decode(encoded, id=ID)


@pytest.mark.parametrize("place", [0, 1, 40_000, 79_999])
def test_a_flipped_bit_in_a_buffer_is_damage(place):
    def flip(view):
        view[place] ^= 1
        return view

    with pytest.raises(DamagedValue, match="buffer"):
        CODEC.decode(with_buffers_of(CODEC.encode(np.zeros(10_000), id=ID), flip), id=ID)


def test_a_truncated_buffer_is_damage():
    with pytest.raises(DamagedValue, match="buffer"):
        CODEC.decode(with_buffers_of(CODEC.encode(np.zeros(10_000), id=ID), lambda view: view[:-1]), id=ID)


def test_a_buffer_that_is_gone_is_damage():
    def load():
        raise FileNotFoundError(2, "No such file or directory")

    encoded = CODEC.encode(np.zeros(10_000), id=ID)
    gone = tuple(Buffer(buffer.digest, buffer.size, load) for buffer in encoded.buffers)

    with pytest.raises(DamagedValue, match="can't be read"):
        CODEC.decode(Value(encoded.headers, encoded.data, gone), id=ID)


def test_nothing_is_unpickled_before_the_signature_was_checked():
    class Trap:
        def __reduce__(self):
            return print, ("executed",)

    planted = Codec(SigningKey(b"x" * 32)).encode(Trap(), id=ID)

    with pytest.raises(UntrustedValue):
        CODEC.decode(planted, id=ID)


def test_no_trap_fires_while_a_foreign_value_is_refused(capsys):
    class Trap:
        def __reduce__(self):
            return print, ("executed",)

    planted = Codec(SigningKey(b"x" * 32)).encode(Trap(), id=ID)
    for codec_call in (CODEC.decode, CODEC.decode_error):
        with pytest.raises(UntrustedValue):
            codec_call(planted, id=ID)

    assert capsys.readouterr().out == ""


def test_a_value_can_not_be_moved_to_another_promise():
    with pytest.raises(UntrustedValue):
        CODEC.decode(CODEC.encode((1,), id=ID), id="f@1/abd")


def test_an_error_is_no_value_and_a_value_no_error():
    with pytest.raises(UntrustedValue):
        CODEC.decode(CODEC.encode_error(ValueError("a"), id=ID), id=ID)
    with pytest.raises(UntrustedValue):
        CODEC.decode_error(CODEC.encode((1,), id=ID), id=ID)


def test_a_newer_format_is_refused_and_a_broken_header_is_damage():
    data = CODEC.encode((1,), id=ID).data

    with pytest.raises(StoreFormat, match="upgrade"):
        CODEC.decode(Value({HEADER: "2"}, data), id=ID)
    with pytest.raises(DamagedValue):
        CODEC.decode(Value({HEADER: "one"}, data), id=ID)


def test_a_pickle_without_its_header_is_no_json():
    with pytest.raises(DamagedValue):
        CODEC.decode(Value(data=CODEC.encode((1,), id=ID).data), id=ID)


def test_an_object_in_references_is_kept_by_name_not_as_a_copy():
    frame, other = pd.DataFrame({"a": [1]}), [1]
    references = {"df": frame, "other": other}

    encoded = CODEC.encode({"df": frame, "list": [other, frame]}, id=ID, references=references)
    back = CODEC.decode(encoded, id=ID, references=references)

    assert back["df"] is back["list"][1] is frame
    assert back["list"][0] is other


def test_the_value_itself_can_be_a_reference():
    rows = [1, 2]

    assert through(rows, references={"rows": rows}) is rows


def test_what_has_no_identity_is_never_kept_by_name():
    references = {"nothing": None, "empty": (), "word": "text"}

    encoded = CODEC.encode([(), "text", {None}], id=ID, references=references)

    assert CODEC.decode(encoded, id=ID) == [(), "text", {None}]


def test_a_reference_that_is_not_there_is_named():
    rows = [1]
    encoded = CODEC.encode([rows], id=ID, references={"rows": rows})

    with pytest.raises(MissingReference, match="rows"):
        CODEC.decode(encoded, id=ID, references={"lines": rows})


def test_a_class_that_is_gone_makes_a_value_unreadable_not_damaged(monkeypatch):
    module = types.ModuleType("module_that_goes")
    exec("class Thing: pass", module.__dict__)
    monkeypatch.setitem(__import__("sys").modules, "module_that_goes", module)
    encoded = CODEC.encode(module.Thing(), id=ID)
    monkeypatch.undo()

    with pytest.raises(UnreadableValue, match="module_that_goes"):
        CODEC.decode(encoded, id=ID)


def test_code_of_another_python_is_not_run(monkeypatch):
    monkeypatch.setattr("resonate_nb.values.rebuilding.BYTECODE", "cpython-27")
    encoded = CODEC.encode(lambda: 1, id=ID)
    monkeypatch.undo()

    with pytest.raises(UnreadableValue, match="cpython-27"):
        CODEC.decode(encoded, id=ID)


def test_a_value_nested_too_deeply_is_refused_with_the_reason():
    deep = ()
    for _ in range(200_000):
        deep = (deep,)

    with pytest.raises(Unpicklable, match="nested too deeply"):
        CODEC.encode(deep, id=ID)


class Exhausting:
    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        raise self.error


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_exhaustion_and_interrupts_pass_through(error):
    with pytest.raises(error):
        CODEC.encode(Exhausting(error()), id=ID)


def test_a_value_of_format_one_is_read_for_ever():
    golden = Value({HEADER: "1"}, bytes.fromhex(GOLDEN))

    assert Codec(SigningKey(bytes(range(32)))).decode(golden, id=GOLDEN_ID) == GOLDEN_VALUE


@pytest.mark.parametrize(
    ("mode", "buffering"),
    [("r", -1), ("w", -1), ("r+", -1), ("rb", -1), ("wb", -1), ("r+b", -1), ("rb", 0), ("r+b", 0)],
)
def test_a_closed_file_comes_back_closed_and_says_the_same_of_itself(tmp_path, mode, buffering):
    # `with open(path) as file:` leaves one behind in a notebook.
    (tmp_path / "data").touch()
    with (tmp_path / "data").open(mode, buffering) as file:
        pass
    made = through(file)
    assert made.closed
    assert type(made) is type(file)
    for name in ("name", "mode", "encoding", "errors"):
        assert getattr(made, name, None) == getattr(file, name, None)
