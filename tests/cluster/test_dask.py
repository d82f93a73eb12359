"""Maps on a cluster of Dask give what they give here, and say by name what they can't."""

import asyncio
import os
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client

from resonate_nb import ask
from resonate_nb.errors import Pending, PromiseTimedOut, UnfitWorker, UsageError
from resonate_nb.executors.fitness import Needs
from resonate_nb.fingerprint import fingerprint
from resonate_nb.promise import State
from resonate_nb.store.base import Query


class Point:
    def __init__(self, x):
        self.x = x


FACTOR = [3]


def plain(point):
    assert isinstance(point, Point)
    return Point(point.x * FACTOR[0])


def marked(folder):
    marks = Path(folder) / "marks"
    return marks.read_text().splitlines() if marks.exists() else []


def settled(root, prefix=""):
    return root.execution.store.list(Query(prefix=prefix, state=State.RESOLVED, limit=10_000), 0).promises


def test_a_map_on_a_cluster_gives_what_it_gives_here_and_computes_nothing_again(client, root, tmp_path):
    folder = str(tmp_path)

    @root.durable(name="scaled")
    def scaled(point):
        with open(folder + "/marks", "a") as marks:
            marks.write(f"{os.getpid()}\n")
        return plain(point)

    values = scaled.map([Point(n) for n in range(40)], executor=client, progress=False)
    assert all(isinstance(value, Point) for value in values)
    assert [value.x for value in values] == [3 * n for n in range(40)]
    assert len(marked(folder)) == 40
    assert str(os.getpid()) not in marked(folder)
    assert [each.x for each in scaled.map(map(Point, range(40)), progress=False)] == [
        3 * n for n in range(40)
    ]
    assert len(marked(folder)) == 40
    assert len(settled(root, "scaled@")) == 40


def test_calls_inside_a_body_are_kept_in_the_notebooks_store(client, root):
    @root.durable(name="inner")
    def inner(x):
        return Point(x + 1)

    @root.durable(name="outer")
    def outer(x):
        return isinstance(inner(x), Point) and isinstance(inner(x), Point)

    assert outer.map(range(6), executor=client, progress=False) == [True] * 6
    found = settled(root, "inner@")
    assert len(found) == 6
    assert all(each.tags["rnb:parent"].startswith("outer@") for each in found)
    assert [each.fingerprint for each in inner.versions()] == [inner.code().digest]


def test_an_older_version_is_computed_with_its_own_code(client, root):
    def numbered(version, factor):
        @root.durable(name="numbered", version=version)
        def body(x):
            return (x, factor)

        return body

    older = numbered(1, "old")
    assert older(0) == (0, "old")

    @root.durable(name="numbered", version=2)
    def newer(x):
        return (x, "new")

    assert newer.map([1, 2], executor=client, progress=False) == [(1, "new"), (2, "new")]
    assert newer.at(1).map([1, 2], executor=client, progress=False) == [(1, "old"), (2, "old")]
    assert older.map([0, 1, 2], progress=False) == [(n, "old") for n in range(3)]


def test_closures_of_the_same_code_keep_their_own_data(client, root):
    def made(k):
        @root.durable(name="times")
        def times(x):
            return k * x

        return times

    assert [made(k).map([1, 2], executor=client, progress=False) for k in (2, 3)] == [[2, 4], [3, 6]]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's own that the workers don't have."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "their_helpers.py").write_text(
        "class Shape:\n    def __init__(self, n):\n        self.n = n\n"
        "def grown(shape):\n    return Shape(shape.n + 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "own")
    import their_helpers

    yield their_helpers
    del sys.modules["their_helpers"]


def test_modules_of_the_users_own_travel_with_the_code(client, root, module):
    their_helpers = module

    @root.durable(name="grow")
    def grow(shape):
        assert isinstance(shape, their_helpers.Shape)
        return their_helpers.grown(shape)

    values = grow.map([module.Shape(n) for n in range(3)], executor=client, progress=False)
    assert [(type(value) is module.Shape, value.n) for value in values] == [(True, n + 1) for n in range(3)]


def test_what_the_workers_have_of_a_module_is_not_taken_for_the_notebooks(client, root, module, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "their_helpers.py").write_text("def grown(shape):\n    return 'wrong'\n")
    client.run(_see, str(other))
    their_helpers = module

    @root.durable(name="grow")
    def grow(n):
        return their_helpers.grown(their_helpers.Shape(n)).n

    try:
        assert grow.map(range(3), executor=client, progress=False) == [1, 2, 3]
    finally:
        client.run(_see_no_more, str(other))


def _see(folder):
    sys.path.insert(0, folder)


def _see_no_more(folder):
    sys.path.remove(folder)
    sys.modules.pop("their_helpers", None)


def test_a_module_that_the_workers_lack_is_named(client, root, module):
    @root.durable(name="see")
    def see(thing):
        return str(thing)

    with pytest.raises(UnfitWorker, match=r"worker tcp://.* lacks the module their_helpers, which arguments"):
        see.map([module.Shape(1)], executor=client, progress=False)


def test_an_argument_whose_class_is_another_one_there_is_refused(client, root, module, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "their_helpers.py").write_text("class Shape:\n    def area(self):\n        return -1\n")
    client.run(_see, str(other))

    @root.durable(name="measure")
    def measure(thing):
        return thing.n

    try:
        with pytest.raises(
            UsageError, match=r"what reached worker tcp://.* is not what was sent as 'measure@"
        ):
            measure.map([module.Shape(1)], executor=client, progress=False)
    finally:
        client.run(_see_no_more, str(other))


@pytest.mark.parametrize(
    "about",
    [
        {
            "METADATA": "Metadata-Version: 2.1\nName: oddlib\nVersion: 2.1\n",
            "RECORD": "oddlib/__init__.py,,\n",
        },
        {},  # installed without saying so
    ],
    ids=["known", "unknown"],
)
def test_a_library_that_the_workers_lack_is_named(client, root, tmp_path, monkeypatch, about):
    site = tmp_path / "site-packages"
    (site / "oddlib").mkdir(parents=True)
    (site / "oddlib" / "__init__.py").write_text("def odd():\n    return 1\n")
    for name, text in about.items():
        (site / "oddlib-2.1.dist-info").mkdir(exist_ok=True)
        (site / "oddlib-2.1.dist-info" / name).write_text(text)
    lacks = (
        "lacks oddlib 2.1: it has none. Give" if about else "lacks the module oddlib, which use needs. Give"
    )
    monkeypatch.syspath_prepend(site)
    import oddlib

    @root.durable(name="use")
    def use(x):
        return x + oddlib.odd()

    try:
        with pytest.raises(UnfitWorker, match=rf"worker tcp://.* {lacks}"):
            use.map(range(3), executor=client, progress=False)
    finally:
        del sys.modules["oddlib"]


def test_a_python_that_the_workers_lack_is_named():
    needs = replace(Needs.of(fingerprint(plain), "major"), bytecode="cpython-39")
    with pytest.raises(UnfitWorker, match=r"worker tcp://here lacks Python 3.9: it runs Python 3"):
        needs.check("tcp://here")


@pytest.mark.usefixtures("module")
def test_code_that_cannot_be_copied_is_refused_with_the_reason(client, root):
    def body(x):
        import their_helpers

        return their_helpers.grown(x)

    with pytest.raises(UsageError, match=r"body can't be sent to workers: .* imports their_helpers inside"):
        root.durable(name="body")(body).map([1], executor=client, progress=False)


def test_few_items_are_under_way_and_the_iterable_is_not_read_ahead(client, root, tmp_path):
    folder, taken = str(tmp_path), []

    @root.durable(name="slow")
    def slow(x):
        with open(folder + "/marks", "a") as marks:
            marks.write(f"{x}\n")
        time.sleep(0.03)
        return x

    def numbers():
        for n in range(1_000):
            taken.append(n)
            yield n

    values = slow.map(numbers(), executor=client, ordered=False, progress=False, chunksize=1)
    assert len({next(values) for _ in range(8)}) == 8
    values.close()
    assert len(taken) < 50
    time.sleep(0.3)
    begun = len(marked(folder))
    time.sleep(0.3)
    assert len(marked(folder)) == begun < 50  # what was not begun was taken back
    assert slow.map(range(begun), progress=False) == list(range(begun))


def test_a_failing_item_stops_no_other_and_its_exception_is_the_bodys(client, root):
    @root.durable(name="fragile")
    def fragile(x):
        if x % 3 == 0:
            raise ZeroDivisionError(x)
        return x

    with pytest.raises(ZeroDivisionError) as caught:
        fragile.map(range(9), executor=client, progress=False)
    assert any("3 of 9 items failed" in note for note in caught.value.__notes__)
    assert any(
        "raise ZeroDivisionError(x)" in note or "in fragile" in note for note in caught.value.__notes__
    )
    assert len(settled(root, "fragile@")) == 6
    values = fragile.map(range(4), executor=client, progress=False, return_exceptions=True)
    assert [type(each) for each in values] == [ZeroDivisionError, int, int, ZeroDivisionError]


def test_attempts_are_repeated_on_the_worker_and_recorded(client, root, tmp_path):
    folder = str(tmp_path)

    @root.durable(name="shaky", retry=3)
    def shaky(x):
        path = f"{folder}/tries-{x}"
        with open(path, "a") as tries:
            tries.write("x")
        if os.path.getsize(path) < 2:
            raise ConnectionError
        return x

    shaky._retry = replace(shaky._retry, base=0.01)
    assert shaky.map([1, 2], executor=client, progress=False) == [1, 2]
    assert [os.path.getsize(f"{folder}/tries-{x}") for x in (1, 2)] == [2, 2]
    assert all("ConnectionError" in each.tags["rnb:failures"] for each in settled(root, "shaky@"))


def test_a_call_ends_at_its_deadline(client, root):
    @root.durable(name="endless", timeout=0.3)
    def endless(x):
        for _ in range(100):
            time.sleep(0.05)
        return x

    began = time.monotonic()
    with pytest.raises(PromiseTimedOut):
        endless.map([1], executor=client, progress=False)
    assert time.monotonic() - began < 5


def test_a_question_in_a_body_is_named_and_can_be_answered(client, root):
    @root.durable(name="asking")
    def asking(x):
        return ask(f"How many for {x}?", type=int)

    with pytest.raises(Pending) as pending:
        asking.map([1, 2], executor=client, progress=False)
    assert len(pending.value.ids) == 2
    for id in pending.value.ids:
        asked = root.execution.store.get(id).promise
        assert asked.state is State.PENDING
        assert asked.tags["rnb:parent"].startswith("asking@")


def test_a_file_that_a_worker_read_counts(client, root, tmp_path):
    data = tmp_path / "data.txt"
    path = str(data)

    @root.durable(name="size")
    def size(x):
        with open(path) as file:
            return len(file.read()) + x

    data.write_text("12345")
    assert size.map([0, 1], executor=client, progress=False) == [5, 6]
    data.write_text("1234567")
    assert size.map([0, 1], executor=client, progress=False) == [7, 8]


def test_what_cannot_be_kept_is_delivered_with_the_reason(client, root):
    @root.durable(name="grows")
    def grows(xs):
        xs.append(1)
        return len(xs)

    with pytest.warns(UserWarning, match="grows changed `xs` in place"):
        assert grows.map([[1, 2]], executor=client, progress=False) == [3]
    assert len(settled(root, "grows@")) == 0


def test_the_loop_goes_on_while_a_cluster_computes(client, root):
    @root.durable(name="twice")
    def twice(x):
        return 2 * x

    async def main():
        return [value async for value in twice.amap(range(10), executor=client, progress=False)]

    assert asyncio.run(main()) == [2 * n for n in range(10)]


@pytest.mark.usefixtures("client")
def test_calls_known_by_their_place_keep_it(root, tmp_path):
    flag = str(tmp_path / "failed")

    @root.durable(name="drawn", identity="call")
    def drawn(x):
        return (x, random.random())

    @root.durable(name="all")
    def everything(count):
        both = [drawn.map(range(count), executor=Client.current(), progress=False) for _ in range(2)]
        if not os.path.exists(flag):
            os.mkdir(flag)
            raise InterruptedError
        return both

    with pytest.raises(InterruptedError):
        everything(4)
    drawn_first = [(each.id, each.settled_at) for each in settled(root, "all@")]
    assert len(drawn_first) == 8
    first, second = everything(4)
    assert [
        (each.id, each.settled_at) for each in settled(root, f"{everything.promise(4).id}.")
    ] == drawn_first
    assert first != second
    assert [x for x, _ in first] == [x for x, _ in second] == [0, 1, 2, 3]


def test_workers_that_do_not_see_the_store_send_what_the_notebook_settles(blind, root, tmp_path):
    folder = str(tmp_path)
    data = tmp_path / "data.txt"
    data.write_text("12345")
    path = str(data)

    @root.durable(name="scaled", retry=1)
    def scaled(point):
        with open(folder + "/marks", "a") as marks:
            marks.write(f"{os.getpid()}\n")
        with open(path) as file:
            return Point(point.x + len(file.read()))

    values = scaled.map(map(Point, range(30)), executor=blind, progress=False)
    assert [isinstance(value, Point) and value.x for value in values] == [n + 5 for n in range(30)]
    assert str(os.getpid()) not in marked(folder)
    assert len(settled(root, "scaled@")) == 30 == len(marked(folder))
    assert [each.x for each in scaled.map(map(Point, range(30)), progress=False)] == [
        n + 5 for n in range(30)
    ]
    assert len(marked(folder)) == 30
    data.write_text("1234567")
    assert [each.x for each in scaled.map([Point(1)], executor=blind, progress=False)] == [8]


def test_workers_that_do_not_see_the_store_can_ask_nobody(blind, root):
    @root.durable(name="asking")
    def asking(x):
        return ask(f"How many for {x}?", type=int)

    with pytest.raises(UsageError, match=r"asks 'ask/.*', and the workers don't see the store"):
        asking.map([1], executor=blind, progress=False)


def test_what_such_workers_cannot_keep_is_not_kept(blind, root):
    @root.durable(name="grows")
    def grows(xs):
        xs.append(1)
        return len(xs)

    with pytest.warns(UserWarning, match="grows changed `xs` in place"):
        assert grows.map([[1, 2]], executor=blind, progress=False) == [3]
    assert len(settled(root, "grows@")) == 0
