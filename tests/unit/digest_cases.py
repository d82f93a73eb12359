"""The values that the digest tests share; run as a script it prints their digests as JSON.

Every entry makes its value anew and all of them are different. They are what breaks naive digests: set
order, interning, memos, memory order, views, frames in pieces, code of `__main__`, cycles.
"""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import json
import math
import operator
import pathlib
import random
import re
import sys
import types
import typing
import uuid
import zoneinfo

import numpy as np
import pandas as pd

from resonate_nb.digest import digest


class Plain:
    def __init__(self, **attributes):
        vars(self).update(attributes)

    def method(self):
        return self


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left, right):
        self.left, self.right = left, right


class SlottedChild(Slotted):
    def __init__(self, left, right, more):
        super().__init__(left, right)
        self.more = more


class Named:
    """Identified by its name alone."""

    def __init__(self, name, cache):
        self.name, self.cache = name, cache

    def __durable_digest__(self):
        return self.name


class ListChild(list):
    pass


class TextChild(str):
    __slots__ = ()


class Failure(Exception):
    pass


@dataclasses.dataclass
class Point:
    x: float
    y: float


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: float


class Color(enum.Enum):
    RED = 1
    GREEN = 2


class Size(enum.IntEnum):
    SMALL = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


Pair = collections.namedtuple("Pair", "first second")  # noqa: PYI024  what it makes is no subclass


def function(x):
    return x


def describe(code):
    """Identify code as a fingerprint would: by what it says, not where it stands."""
    return f"code of {code.__qualname__}"


def digest_of(value):
    return digest(value, describe_code=describe)


def cyclic_list():
    value = [1]
    value.append(value)
    return value


def cyclic_objects():
    one, two = Plain(name="one"), Plain(name="two")
    one.other, two.other = two, one
    return one


def neighbours():
    one, two, three = Plain(name="one"), Plain(name="two"), Plain(name="three")
    one.near, two.near, three.near = {two, three}, {one}, {one}
    return one


def shared(count):
    inner = [1, 2]
    return [inner] * count


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def masked(fill_value=None):
    return np.ma.masked_array([1.0, 2.0, 3.0], mask=[False, True, False], fill_value=fill_value)


def frame(**columns):
    return pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"], **columns})


def with_attrs(value, **attrs):
    value.attrs.update(attrs)
    return value


def fielded():
    return np.array([(1, 2.5)], dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True))


MOMENT = dt.datetime(2026, 3, 1, 12, 30, 15, 250)  # noqa: DTZ001  a moment without a zone is a value, too
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
ABC = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])

SCALARS = {
    "none": lambda: None,
    "true": lambda: True,
    "false": lambda: False,
    "zero": lambda: 0,
    "one": lambda: 1,
    "minus one": lambda: -1,
    "float one": lambda: 1.0,
    "float zero": lambda: 0.0,
    "float minus zero": lambda: -0.0,
    "nan": lambda: math.nan,
    "infinity": lambda: math.inf,
    "complex one": lambda: 1 + 0j,
    "big": lambda: 2**64,
    "huge": lambda: 1 << 100_000,
    "empty text": lambda: "",
    "text": lambda: "one",
    "text of a number": lambda: "1",
    "long text": lambda: "ab" * 10_000,
    "half a surrogate": lambda: "\ud800",
    "bytes": lambda: b"one",
    "bytearray": lambda: bytearray(b"one"),
    "memoryview": lambda: memoryview(b"one"),
    "long bytes": lambda: b"ab" * 10_000,
    "ellipsis": lambda: ...,
    "not implemented": lambda: NotImplemented,
    "decimal": lambda: decimal.Decimal("1.0"),
    "decimal with more places": lambda: decimal.Decimal("1.00"),
    "fraction": lambda: fractions.Fraction(1, 3),
    "uuid": lambda: uuid.UUID(int=1),
    "date": lambda: dt.date(2026, 3, 1),
    "time": lambda: dt.time(12, 30),
    "moment": lambda: MOMENT,
    "moment, second time": lambda: MOMENT.replace(fold=1),
    "moment in UTC": lambda: MOMENT.replace(tzinfo=dt.UTC),
    "moment in Berlin": lambda: MOMENT.replace(tzinfo=BERLIN),
    "span": lambda: dt.timedelta(days=1, microseconds=5),
    "timezone": lambda: dt.timezone(dt.timedelta(hours=1)),
    "zone": lambda: BERLIN,
    "path": lambda: pathlib.PurePosixPath("a/b"),
    "windows path": lambda: pathlib.PureWindowsPath("a/b"),
    "concrete path": lambda: pathlib.Path("a") / "b",
    "enum": lambda: Color.RED,
    "other enum": lambda: Color.GREEN,
    "int enum": lambda: Size.SMALL,
    "flag": lambda: Access.READ | Access.WRITE,
    "pattern": lambda: re.compile("a+"),
    "pattern with flag": lambda: re.compile("a+", re.IGNORECASE),
    "range": lambda: range(3),
    "slice": lambda: slice(1, 2),
    "text child": lambda: TextChild("one"),
}

CONTAINERS = {
    "empty list": list,
    "empty tuple": tuple,
    "empty dict": dict,
    "empty set": set,
    "empty frozenset": frozenset,
    "list": lambda: [1, 2],
    "list turned round": lambda: [2, 1],
    "list in a list": lambda: [[1, 2]],
    "list cut otherwise": lambda: [[1], 2],
    "list of text": lambda: ["ab", "c"],
    "list of text cut otherwise": lambda: ["a", "bc"],
    "tuple": lambda: (1, 2),
    "nested tuple": lambda: ((1, 2),),
    "long ints": lambda: list(range(100)),
    "long floats": lambda: [float(number) for number in range(100)],
    "long big ints": lambda: [2**64 + number for number in range(100)],
    "long bools": lambda: [number % 2 == 0 for number in range(100)],
    "long bools as ints": lambda: [int(number % 2 == 0) for number in range(100)],
    "long text": lambda: [str(number) for number in range(100)],
    "long bytes": lambda: [str(number).encode() for number in range(100)],
    "long nones": lambda: [None] * 100,
    "long mixture": lambda: [None, True, 1, 1.0, "1", b"1", [1], (1,)] * 10,
    "long mixture turned": lambda: [True, None, 1, 1.0, "1", b"1", [1], (1,)] * 10,
    "dict": lambda: {"a": 1, "b": 2},
    "dict turned round": lambda: {"b": 2, "a": 1},
    "dict of ints": lambda: {1: "a"},
    "dict of bools": lambda: {True: "a"},
    "dict of tuples": lambda: {(1, 2): [3]},
    "long dict": lambda: {str(number): number for number in range(100)},
    "set": lambda: {"a", "b", "c", 1, 2.5, None},
    "long set": lambda: {str(number) for number in range(1000)},
    "set of tuples": lambda: {("a", 1), ("b", 2), ("c", 3)},
    "set of sets": lambda: {frozenset("abc"), frozenset("abd"), frozenset()},
    "frozenset": lambda: frozenset({"a", "b", "c", 1, 2.5, None}),
    "set of objects": lambda: {Plain(x=1), Plain(x=2), Plain(x=3)},
    "ordered": lambda: collections.OrderedDict(a=1, b=2),
    "default": lambda: collections.defaultdict(list, a=1, b=2),
    "default of ints": lambda: collections.defaultdict(int, a=1, b=2),
    "counter": lambda: collections.Counter("aab"),
    "deque": lambda: collections.deque([1, 2]),
    "short deque": lambda: collections.deque([1, 2], maxlen=2),
    "chain map": lambda: collections.ChainMap({"a": 1}, {"b": 2}),
    "named tuple": lambda: Pair(1, 2),
    "list child": lambda: ListChild([1, 2]),
    "proxy": lambda: types.MappingProxyType({"a": 1, "b": 2}),
    "namespace": lambda: types.SimpleNamespace(a=1, b=2),
    "array of ints": lambda: array.array("i", [1, 2]),
    "array of longs": lambda: array.array("q", [1, 2]),
    "cyclic list": cyclic_list,
    "shared twice": lambda: shared(2),
    "equal twice": lambda: [[1, 2], [1, 2]],
    "deep": lambda: nested(20_000),
}

OBJECTS = {
    "object": lambda: Plain(x=1),
    "object with other attribute": lambda: Plain(y=1),
    "object with other value": lambda: Plain(x=1.0),
    "slots": lambda: Slotted(1, 2),
    "slots and attributes": lambda: SlottedChild(1, 2, 3),
    "own digest": lambda: Named("a", cache=object()),
    "dataclass": lambda: Point(1.0, 2.0),
    "frozen dataclass": lambda: Frozen(1.0),
    "exception": lambda: ValueError("bad"),
    "exception of another class": lambda: KeyError("bad"),
    "exception of one's own": lambda: Failure("bad"),
    "file not found": lambda: FileNotFoundError(2, "no such file", "a"),
    "attribute error": lambda: AttributeError("bad", name="x", obj=1),
    "exception group": lambda: ExceptionGroup("many", [ValueError(1), ValueError(2)]),
    "cyclic objects": cyclic_objects,
    "graph of sets": neighbours,
    "class": lambda: Plain,
    "other class": lambda: Point,
    "builtin class": lambda: int,
    "class of none": lambda: type(None),
    "function": lambda: function,
    "lambda": lambda: lambda x: x,
    "builtin function": lambda: len,
    "builtin of a module": lambda: math.sin,
    "method": lambda: Plain(x=1).method,
    "builtin method": lambda: [1, 2].append,
    "method of a class": lambda: str.upper,
    "partial": lambda: functools.partial(function, 1),
    "partial by name": lambda: functools.partial(function, x=1),
    "cached function": lambda: functools.lru_cache(maxsize=2)(function),
    "module": lambda: math,
    "item getter": lambda: operator.itemgetter(1),
    "generic": lambda: list[int],
    "generic of text": lambda: list[str],
    "union": lambda: int | None,
    "typing": lambda: typing.Callable[[int], str],
    "typing list": lambda: typing.List[int],  # noqa: UP006
    "any": lambda: typing.Any,
    "random": lambda: random.Random(1),
    "random, other seed": lambda: random.Random(2),
}

ARRAYS = {
    "array": ABC.copy,
    "array turned": ABC.T.copy,
    "flat array": lambda: ABC.ravel().copy(),
    "float32": lambda: ABC.astype("f4"),
    "int64": lambda: ABC.astype("i8"),
    "big endian": lambda: ABC.astype(">f8"),
    "array minus zero": lambda: np.array([-0.0]),
    "array zero": lambda: np.array([0.0]),
    "no rows": lambda: np.empty((0, 3)),
    "no columns": lambda: np.empty((3, 0)),
    "large": lambda: np.arange(100_000.0),
    "zero-dimensional": lambda: np.array(1.0),
    "array scalar": lambda: np.float64(1.0),
    "array scalar int": lambda: np.int64(1),
    "text array": lambda: np.array(["a", "bc"]),
    "object array": lambda: np.array(["a", "bc"], dtype=object),
    "object array of lists": lambda: np.array([[1], None], dtype=object),
    "days": lambda: np.array(["2026-03-01"], dtype="M8[D]"),
    "seconds": lambda: np.array(["2026-03-01"], dtype="M8[s]"),
    "fields": fielded,
    "record": lambda: fielded()[0],
    "long double": lambda: np.array([1.0], dtype=np.longdouble),
    "masked": masked,
    "masked, filled": lambda: masked(7.0),
    "matrix-like": lambda: ABC.view(np.recarray),
    "dtype": lambda: np.dtype("f8"),
    "fielded dtype": lambda: np.dtype([("a", "i1"), ("b", "f8")]),
    "ufunc": lambda: np.sin,
    "generator": lambda: np.random.default_rng(1),
    "generator, other seed": lambda: np.random.default_rng(2),
    "random state": lambda: np.random.RandomState(1),
}

FRAMES = {
    "frame": frame,
    "frame with another column": lambda: frame(c=1.0),
    "frame with columns turned": lambda: frame()[["b", "a"]],
    "frame with index": lambda: frame().set_index("b"),
    "frame with named index": lambda: frame().rename_axis("row"),
    "frame with named columns": lambda: frame().rename_axis("name", axis=1),
    "frame with attrs": lambda: with_attrs(frame(), source="a.csv"),
    "frame, missing": lambda: frame(b=["x", None, "z"]),
    "empty frame": pd.DataFrame,
    "frame of objects": lambda: frame().astype(object),
    "mixed frame": lambda: frame(c=[1.0, 2.0, 3.0], d=[True, False, True], e=pd.Categorical(list("xyx"))),
    "series": lambda: pd.Series([1, 2, 3]),
    "named series": lambda: pd.Series([1, 2, 3], name="a"),
    "series of floats": lambda: pd.Series([1.0, 2.0, 3.0]),
    "series with attrs": lambda: with_attrs(pd.Series([1, 2, 3]), unit="m"),
    "series of lists": lambda: pd.Series([[1], [2]]),
    "text": lambda: pd.Series(["a", None], dtype="str"),
    "nullable text": lambda: pd.Series(["a", None], dtype="string"),
    "nullable": lambda: pd.Series([1, None, 3], dtype="Int64"),
    "nullable bools": lambda: pd.Series([True, None], dtype="boolean"),
    "categories": lambda: pd.Categorical(["a", "b"]),
    "more categories": lambda: pd.Categorical(["a", "b"], categories=["a", "b", "c"]),
    "ordered categories": lambda: pd.Categorical(["a", "b"], ordered=True),
    "sparse": lambda: pd.Series(pd.arrays.SparseArray([0, 0, 1])),
    "intervals": lambda: pd.interval_range(0, 2),
    "periods": lambda: pd.period_range("2026-01", periods=3, freq="M"),
    "index": lambda: pd.Index([0, 1, 2]),
    "range index": lambda: pd.RangeIndex(3),
    "named range index": lambda: pd.RangeIndex(3, name="a"),
    "multi-index": lambda: pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", "y"]),
    "moments": lambda: pd.to_datetime(["2026-03-01", "2026-03-05"]),
    "moments in Berlin": lambda: pd.to_datetime(["2026-03-01", "2026-03-05"]).tz_localize("Europe/Berlin"),
    "moments in UTC": lambda: pd.to_datetime(["2026-03-01", "2026-03-05"]).tz_localize("UTC"),
    "days of a year": lambda: pd.date_range("2026-01-01", periods=3),
    "spans": lambda: pd.to_timedelta([1, 2], unit="s"),
    "timestamp": lambda: pd.Timestamp("2026-03-01 12:00:00.000000001"),
    "timestamp in Berlin": lambda: pd.Timestamp("2026-03-01 12:00", tz="Europe/Berlin"),
    "timedelta": lambda: pd.Timedelta("1s"),
    "period": lambda: pd.Period("2026-01", "M"),
    "interval": lambda: pd.Interval(0, 1),
    "NaT": lambda: pd.NaT,
    "NA": lambda: pd.NA,
    "categorical dtype": lambda: pd.CategoricalDtype(["a", "b"]),
    "nullable dtype": pd.Int64Dtype,
    "month end": lambda: pd.offsets.MonthEnd(2),
}

CASES = {
    f"{group}/{name}": make
    for group, cases in {
        "scalar": SCALARS,
        "container": CONTAINERS,
        "object": OBJECTS,
        "array": ARRAYS,
        "frame": FRAMES,
    }.items()
    for name, make in cases.items()
}

NOT_PICKLED = {
    "scalar/memoryview",
    "container/deep",
    "container/proxy",
    "object/lambda",
    "object/cached function",
    "object/module",
}

if __name__ == "__main__":
    json.dump({name: digest_of(make()) for name, make in CASES.items()}, sys.stdout, indent=1)
