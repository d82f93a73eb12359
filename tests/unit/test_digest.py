from __future__ import annotations

import _thread
import copy
import hashlib
import importlib.util
import io
import itertools
import json
import os
import pathlib
import pickle
import queue
import socket
import sqlite3
import subprocess
import sys
import threading
import weakref

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonate_nb.digest import digest
from resonate_nb.errors import UndigestibleInput

CASES_FILE = pathlib.Path(__file__).with_name("digest_cases.py")


def load_cases():
    spec = importlib.util.spec_from_file_location("digest_cases", CASES_FILE)
    module = sys.modules["digest_cases"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cases = load_cases()
digest_of = cases.digest_of
corpus = pytest.mark.parametrize("name", cases.CASES)

# No digest of a store would be found again if one of these changed.
GOLDEN = {
    "scalar/none": "b6203bfe8862d11e23174f9cb1ec82bf",
    "scalar/true": "b44be8dd0896f3174cce86606a6ae60f",
    "scalar/one": "c8fd5fb6efa188d7b42d16e50ec766ff",
    "scalar/float one": "261f2d4b46b7318f190d3f75a8ff0759",
    "scalar/nan": "f5b5caa11818ed78159eea0536852c9d",
    "scalar/huge": "679c0e04bc34364f5b0eac62040d0815",
    "scalar/long text": "cfc3df04178bf5f80ec1428cf60e1171",
    "scalar/moment in Berlin": "834527873e2d217330f641d8c50f8bfb",
    "scalar/path": "95c892256a93c9478957f4b784b9fd3a",
    "container/list": "99303bccc24789ca72ae72b34bc4673c",
    "container/dict": "0a7cd2a53067188480a08830a597fd28",
    "container/set": "714af948e9cbb0b1ded070ae255babd8",
    "container/long mixture": "76545d58954d0709bfdf9d50cbca45b0",
    "container/set of objects": "6a6bfa1bd39301da65aba34bb2a6fff4",
    "container/cyclic list": "fd3a66f5abbb143520313a0159eab13d",
    "container/ordered": "bfa7014e1f0686e007fc02e122f272f2",
    "object/object": "bf0ae3212d140d3ca2ce03704681e17d",
    "object/slots and attributes": "9facec8175504eadc9be1ede14067644",
    "object/attribute error": "5a3829fefbcb3f95b3d1c149e11a7b35",
    "object/method": "1661c8fd59cd34b2930d64470b2d428a",
    "array/array": "008549106b372807a2b7330ddbd4a080",
    "array/large": "b6e5080a176acc13a53475b9b77c6c82",
    "array/fields": "c37c7db9c227a8578378312819429840",
    "array/object array": "0c34e55187d4cffa6c83d3b9f01539a9",
    "array/generator": "6fb0b2309b49e692faf1606fa129bdb5",
    "frame/mixed frame": "34359f07e50dc17c1d2a4f7a55dc98ff",
    "frame/multi-index": "3c21e991ff16bfa1e0e73858c9bb01ec",
    "frame/nullable": "2e087b59f74a8201b766c448c3ed0494",
    "frame/moments in Berlin": "e1e003e72df911036ca5fe099b5c3319",
}


class TestEveryProcessAgrees:
    def test_under_any_hash_seed(self):
        processes = [
            subprocess.Popen(
                [sys.executable, CASES_FILE],
                env={**os.environ, "PYTHONHASHSEED": seed},
                stdout=subprocess.PIPE,
                text=True,
            )
            for seed in ("0", "1", "2", "3")
        ]
        answers = [json.loads(process.communicate(timeout=120)[0]) for process in processes]

        here = {name: digest_of(make()) for name, make in cases.CASES.items()}
        assert answers == [here] * 4

    @pytest.mark.parametrize("name", GOLDEN)
    def test_and_every_version_of_the_package(self, name):
        assert digest_of(cases.CASES[name]()) == GOLDEN[name]

    def test_down_to_the_last_scalar_and_container(self):
        names = [name for name in cases.CASES if name.startswith(("scalar/", "container/"))]
        together = "".join(digest_of(cases.CASES[name]()) for name in names)
        assert (
            hashlib.sha256(together.encode()).hexdigest()
            == "577a0af7fd48f672da8a06fde99840a51a56eec6ffd022b347ad7f12bd184fda"
        )

    @corpus
    def test_a_value_made_again_has_the_same_digest(self, name):
        make = cases.CASES[name]
        assert digest_of(make()) == digest_of(make())


class TestDifferentValuesDiffer:
    def test_all_over_the_corpus(self):
        seen = {}
        for name, make in cases.CASES.items():
            seen.setdefault(digest_of(make()), []).append(name)
        assert [names for names in seen.values() if len(names) > 1] == []

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (1, True),
            (1, 1.0),
            (1.0, np.float64(1.0)),
            ([1], (1,)),
            ([1, 2], [[1, 2]]),
            (["a", "b"], ["ab"]),
            ({1: 2}, {1: 2.0}),
            ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
            ({1}, frozenset({1})),
            ({1}, {1.0}),
            ({1}, {True}),
            ([0] * 100, [False] * 100),
            ([0.0] * 100, [-0.0] * 100),
            ([2**63] * 50, [2**63 - 1] * 50),
            ([1] * 50 + [1.0], [1.0] + [1] * 50),
            (["a"] * 40 + ["bc"], ["a"] * 39 + ["ab", "c"]),
            (["1"] * 40, [b"1"] * 40),
            (np.zeros(3), np.zeros((3, 1))),
            (np.zeros(1000), np.zeros(1000, dtype="i8")),
            (np.array([0, 1], dtype="M8[s]"), np.array([0, 1], dtype="m8[s]")),
            (np.array([["a"], [1]], dtype=object), np.array([["a"], [1.0]], dtype=object)),
            (pd.Index([1, 2]), pd.Series([1, 2])),
            (ValueError(1), ValueError(1.0)),
        ],
    )
    def test_in_these_pairs(self, one, other):
        assert digest_of(one) != digest_of(other)

    def test_sharing_a_mutable_part_counts(self):
        for make in (list, dict, set, bytearray, lambda: np.zeros(2), lambda: cases.Plain(x=1)):
            one = make()
            assert digest_of([one, one]) != digest_of([one, make()])

    def test_sharing_an_immutable_part_does_not(self):
        for make in (
            lambda: (1, "".join("ab")),
            lambda: frozenset((1, 2)),
            lambda: 2**70,
            lambda: cases.Pair(1, 2),
            lambda: np.float64(1.5),
            lambda: pd.Timestamp("2026-01-01"),
            lambda: pd.Index([1, 2]),
            lambda: cases.MOMENT.replace(hour=3),
        ):
            one = make()
            assert digest_of([one, one]) == digest_of([one, make()])

    def test_where_a_cycle_leads_counts(self):
        to_outer, to_inner = [1, []], [1, []]
        to_outer[1].append(to_outer)
        to_inner[1].append(to_inner[1])
        assert digest_of(to_outer) != digest_of(to_inner)

    def test_a_change_is_seen_at_once(self):
        value = {"rows": [1, 2], "array": np.zeros(5)}
        before = digest_of(value)
        value["array"][3] = 1
        changed = digest_of(value)
        value["array"][3] = 0
        assert changed != before
        assert digest_of(value) == before

    def test_the_state_of_a_random_generator_counts(self):
        generator = np.random.default_rng(1)
        before = digest_of(generator)
        generator.random()
        assert digest_of(generator) != before


class TestEqualTwinsAgree:
    @pytest.mark.parametrize("name", [name for name in cases.CASES if name not in cases.NOT_PICKLED])
    def test_pickled_and_loaded(self, name):
        value = cases.CASES[name]()
        assert digest_of(pickle.loads(pickle.dumps(value, protocol=5))) == digest_of(value)

    @pytest.mark.parametrize("shape", [(6,), (2, 3), (300, 400), (3, 4, 500), (1, 5), (0, 2)])
    def test_arrays_in_any_order_of_memory(self, shape):
        array = np.arange(float(np.prod(shape))).reshape(shape)
        spread = np.zeros(tuple(2 * size for size in shape))
        spread[tuple(slice(None, None, 2) for _ in shape)] = array
        frozen = array.copy()
        frozen.flags.writeable = False
        twins = [
            np.asfortranarray(array),
            spread[tuple(slice(None, None, 2) for _ in shape)],
            array[::-1].copy()[::-1],
            np.broadcast_to(array, shape),
            frozen,
        ]
        assert {digest_of(twin) for twin in twins} == {digest_of(array)}

    def test_bytes_between_the_fields_of_a_record(self):
        array = cases.fielded()
        twin = np.frombuffer(bytearray(b"\xff" * array.nbytes), dtype=array.dtype)
        for name in array.dtype.names:
            twin[name] = array[name]
        assert twin.tobytes() != array.tobytes()
        assert digest_of(twin) == digest_of(array)

    def test_frames_in_pieces(self):
        whole = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=list("abc"))
        pieces = pd.DataFrame({"a": whole["a"].copy()})
        pieces["b"], pieces["c"] = whole["b"].copy(), whole["c"].copy()
        assert digest_of(pieces) == digest_of(whole) == digest_of(whole.copy())

    def test_values_under_the_mask_of_a_nullable_column(self):
        one = pd.arrays.IntegerArray(np.array([1, 7]), np.array([False, True]))
        other = pd.arrays.IntegerArray(np.array([1, 8]), np.array([False, True]))
        assert digest_of(pd.Series(one)) == digest_of(pd.Series(other))

    def test_text_columns_of_any_backend(self):
        pytest.importorskip("pyarrow")
        for missing in (np.nan, pd.NA):
            texts = ["a", None, "bc"]
            twins = [pd.Series(texts, dtype=pd.StringDtype(kind, missing)) for kind in ("python", "pyarrow")]
            assert digest_of(twins[0]) == digest_of(twins[1])

    def test_text_interned_or_not(self):
        one, other = (sys.intern("some") + end for end in (" text", " text"))
        assert one is not other
        assert digest_of([one, one]) == digest_of([one, other])

    def test_sets_filled_in_another_order(self):
        numbers = [n * 2**32 for n in range(50)]
        backwards = numbers[::-1]
        assert list(set(numbers)) != list(set(backwards))
        assert digest_of(set(numbers)) == digest_of(set(backwards))

    def test_objects_of_a_class_that_was_defined_again(self):
        def define():
            namespace = {"__name__": "__main__"}
            exec("class Model:\n    def __init__(self): self.weights = [1, 2]", namespace)
            return namespace["Model"]

        assert digest_of(define()()) == digest_of(define()())

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_whatever_they_are(self, data):
        value, other = data.draw(VALUES), data.draw(VALUES)
        twin = pickle.loads(pickle.dumps(value))
        assert digest_of(twin) == digest_of(value)
        assert (digest_of(other) == digest_of(value)) == (exactly(other) == exactly(value))


KEYS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    KEYS | st.complex_numbers() | st.datetimes() | st.decimals() | st.sets(KEYS) | st.frozensets(KEYS),
    lambda inner: (
        st.lists(inner)
        | st.lists(st.integers() | st.booleans(), min_size=30, max_size=60)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner)
        | inner.map(lambda value: cases.Plain(value=value))
    ),
)


def exactly(value):
    """Return what tells values apart by type and content; the strategies share no mutable parts."""
    if isinstance(value, dict):
        return ("dict", [(exactly(key), exactly(item)) for key, item in value.items()])
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [exactly(item) for item in value])
    if isinstance(value, (set, frozenset)):
        return (type(value).__name__, sorted(repr(exactly(item)) for item in value))
    if isinstance(value, cases.Plain):
        return ("Plain", exactly(vars(value)))
    if isinstance(value, float):
        return ("float", pickle.dumps(value))
    if isinstance(value, complex):
        return ("complex", pickle.dumps((value.real, value.imag)))
    return (type(value).__name__, repr(value))


def half_used():
    iterator = iter([1, 2, 3])
    next(iterator)
    return iterator


def locked():
    value = cases.Plain()
    value._inner = _thread.allocate_lock()
    return value


class TestRefused:
    @pytest.mark.parametrize(
        ("make", "path", "type_name"),
        [
            (lambda: {"lock": locked()}, "x['lock']._inner", "_thread.lock"),
            (lambda: [1, {"a": (2, half_used())}], "x[1]['a'][1]", "list_iterator"),
            (lambda: (n for n in ()), "x", "generator"),
            (lambda: map(len, []), "x", "map"),
            (lambda: zip([], [], strict=True), "x", "zip"),
            (itertools.count, "x", "itertools.count"),
            ({}.keys, "x", "dict_keys"),
            (lambda: weakref.ref(cases.Plain), "x", "weakref.ReferenceType"),
            (weakref.WeakSet, "x", "_weakrefset.WeakSet"),
            (queue.Queue, "x.mutex", "_thread.lock"),
            (lambda: cases.Slotted(1, _thread.allocate_lock()), "x.right", "_thread.lock"),
            (lambda: cases.Pair(1, _thread.allocate_lock()), "x[1]", "_thread.lock"),
            (lambda: cases.ListChild([_thread.allocate_lock()]), "x[0]", "_thread.lock"),
            (lambda: {_thread.allocate_lock()}, "x{_thread.lock}", "_thread.lock"),
            (lambda: {_thread.allocate_lock(): 1}, "x.keys()[0]", "_thread.lock"),
            (lambda: [0] * 50 + [_thread.allocate_lock()], "x[50]", "_thread.lock"),
            (lambda: ValueError(_thread.allocate_lock()), "x.args[0]", "_thread.lock"),
            (lambda: np.array([None, _thread.allocate_lock()]), "x[1]", "_thread.lock"),
            (lambda: pd.DataFrame({"a": [1], "b": [locked()]}), "x['b'][0]._inner", "_thread.lock"),
            (lambda: pd.Series([locked()]), "x[0]._inner", "_thread.lock"),
            (lambda: locked().method, "x.__self__._inner", "_thread.lock"),
            (lambda: np.frompyfunc(len, 1, 1), "x", "numpy.ufunc"),
            (lambda: [property(len)], "x[0]", "property"),
            (sys._getframe, "x", "frame"),
            (lambda: (lambda: 0).__code__, "x", "code"),
        ],
    )
    def test_names_the_way_to_the_part(self, make, path, type_name):
        with pytest.raises(UndigestibleInput) as caught:
            digest(make(), path="x", describe_code=cases.describe)
        assert (caught.value.path, caught.value.type_name) == (path, type_name)

    def test_what_is_open_or_alive(self, tmp_path):
        thread = threading.Thread(target=print)
        with (
            (tmp_path / "a.txt").open("w") as file,
            socket.socket() as connection,
            sqlite3.connect(":memory:") as database,
        ):
            for value in (file, file.buffer, connection, database, thread):
                with pytest.raises(UndigestibleInput):
                    digest_of(value)
        database.close()

    def test_a_released_view(self):
        view = memoryview(b"one")
        view.release()
        with pytest.raises(UndigestibleInput):
            digest(view)

    def test_the_message_says_what_to_do(self):
        with pytest.raises(UndigestibleInput, match="pass the collection"):
            digest(half_used())

    def test_objects_that_refer_to_all_others_through_sets(self):
        crowd = [cases.Plain() for _ in range(12)]
        for one in crowd:
            one.friends = set(crowd)
        with pytest.raises(UndigestibleInput, match="through sets"):
            digest_of(crowd[0])

    def test_sets_in_sets_without_end(self):
        value = frozenset()
        for _ in range(10_000):
            value = frozenset({value})
        with pytest.raises(UndigestibleInput, match="nested too deeply"):
            digest(value)

    def test_an_object_that_makes_up_parts_for_ever(self):
        class Endless:
            def __getstate__(self):
                return {"next": Endless()}

        with pytest.raises(UndigestibleInput, match="parts inside parts") as caught:
            digest_of(Endless())
        assert len(caught.value.path) < 1000


class TestCode:
    def test_without_a_description_goes_by_its_importable_name(self):
        assert digest(json.dumps) == digest(json.dumps)
        assert digest(json.dumps) != digest(json.loads)
        assert digest(pathlib.PurePath) != digest(json.JSONEncoder)

    @pytest.mark.parametrize("code", [lambda x: x, type("Local", (), {}), exec])
    def test_without_a_description_or_a_name_is_refused(self, code):
        if code is exec:
            namespace = {"__name__": "__main__"}
            exec("def code(): pass", namespace)
            code = namespace["code"]
        with pytest.raises(UndigestibleInput, match="can't be imported"):
            digest([code])

    def test_is_what_its_description_says(self):
        def one():
            """Return nothing."""

        def other():
            """Return nothing, too."""

        assert digest(one, describe_code=lambda _: "same") == digest(other, describe_code=lambda _: "same")
        assert digest(one, describe_code=lambda _: "a") != digest(one, describe_code=lambda _: "b")

    def test_of_an_objects_class_is_part_of_its_digest(self):
        point = cases.Point(1.0, 2.0)
        assert digest(point, describe_code=lambda _: "a") != digest(point, describe_code=lambda _: "b")

    def test_that_cannot_be_described_ends_the_digest(self):
        def refuse(_):
            raise LookupError("no source")

        with pytest.raises(LookupError, match="no source"):
            digest([cases.function], describe_code=refuse)

    def test_built_in_is_never_described(self):
        assert digest([int, len, type(None)], describe_code=lambda _: 1 / 0)


class TestOwnDigest:
    def test_replaces_the_state(self):
        assert digest_of(cases.Named("a", cache=locked())) == digest_of(cases.Named("a", cache=None))
        assert digest_of(cases.Named("a", cache=None)) != digest_of(cases.Named("b", cache=None))

    def test_comes_before_what_the_class_inherits(self):
        class Table(pd.DataFrame):
            def __durable_digest__(self):
                return "fixed"

        assert digest_of(Table({"a": [1]})) == digest_of(Table({"a": [2]}))


class TestNothingIsTouched:
    @corpus
    def test_by_being_digested(self, name):
        value = cases.CASES[name]()
        first = digest_of(value)
        assert digest_of(value) == first

    def test_a_bytearray_can_still_grow(self):
        value = bytearray(b"x" * 10_000)
        digest(value)
        value.append(1)
        assert len(value) == 10_001

    def test_streams_stay_where_they_are(self):
        stream = io.BytesIO(b"abc")
        stream.read(1)
        digest(stream)
        assert stream.read() == b"bc"

    def test_a_masked_array_gets_no_fill_value(self):
        value = cases.masked()
        before = digest_of(value)
        assert value._fill_value is None
        assert value.fill_value == 1e20
        assert digest_of(value) == before

    def test_attributes_are_not_made(self):
        value = cases.Plain(x=[1])
        twin = copy.deepcopy(vars(value))
        digest_of(value)
        assert vars(value) == twin


def test_a_sparse_matrix_is_the_same_after_it_was_used():
    sparse = pytest.importorskip("scipy.sparse")
    matrix = sparse.csr_matrix(np.eye(3))
    before = digest_of(matrix)
    assert matrix.has_canonical_format
    assert digest_of(matrix) == before
    assert digest_of(sparse.csr_matrix(np.eye(3) * 2)) != before


def test_an_estimator_is_its_parameters_and_what_it_learned():
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = np.arange(6.0).reshape(3, 2), np.arange(3.0)
    model = linear_model.Ridge()
    before = digest_of(model)
    fitted = digest_of(model.fit(x, y))
    assert fitted != before
    assert digest_of(linear_model.Ridge().fit(x, y)) == fitted
    assert digest_of(pickle.loads(pickle.dumps(model))) == fitted


def test_a_name_that_belongs_to_something_else_is_refused():
    class Pretender:
        __module__ = "json"

        def __reduce__(self):
            return "dumps"

    with pytest.raises(UndigestibleInput, match="under its name"):
        digest_of(Pretender())


def test_nested_deep_is_no_obstacle():
    assert digest(cases.nested(10_000)) != digest(cases.nested(10_001))
