"""Maps over processes: of our own, and over pools of concurrent.futures."""

import asyncio
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from joblib.externals import loky

from resonate_nb import Pending, Resonate, ask, durable, find
from resonate_nb.corridor.children import idempotency_key
from resonate_nb.enquiry import answers
from resonate_nb.errors import (
    PoolBroken,
    PromiseTimedOut,
    Unpicklable,
    UsageError,
    WorkerDied,
)
from resonate_nb.promise import State
from resonate_nb.store.memory import MemoryStore
from resonate_nb.values.keys import SigningKey

PROCESSES = {"executor": "processes", "workers": 2, "progress": False}
OFFSET = 3


@pytest.fixture(autouse=True)
def _root(root):
    """Every test has a store of its own."""


class Point:
    def __init__(self, x):
        self.x = x


def plus_offset(x):
    return x + OFFSET


def test_items_are_computed_by_other_processes_and_settled_for_this_one():
    @durable(name="square")
    def square(x):
        return plus_offset(x * x), os.getpid()

    values = square.map(range(60), **PROCESSES)
    assert [value for value, _ in values] == [n * n + 3 for n in range(60)]
    assert os.getpid() not in {pid for _, pid in values}
    assert square.map(range(60), progress=False) == values  # found, without any process
    assert square(7) == values[7]


def test_values_stream_as_they_finish_and_few_items_are_taken_ahead():
    taken = []

    def numbers():
        for number in range(10**9):
            taken.append(number)
            yield number

    @durable(name="double")
    def double(x):
        return 2 * x

    values = double.map(numbers(), ordered=False, chunksize=2, **PROCESSES)
    assert taken == []
    assert {next(values), next(values)} <= {2 * number for number in taken}
    values.close()
    assert len(taken) < 200


def test_a_failing_item_does_not_stop_the_others_and_its_own_exception_is_raised():
    @durable(name="picky")
    def picky(x):
        if x == 3:
            raise KeyError(x)
        return x

    with pytest.raises(KeyError, match="3") as raised:
        picky.map(range(10), **PROCESSES)
    assert "1 of 10 items failed" in raised.value.__notes__[-1]
    assert len(find("picky@", state="resolved")) == 9


def test_a_process_that_dies_is_named_and_the_item_is_tried_again(tmp_path, capsys):
    flag = tmp_path / "died"

    @durable(name="frail")
    def frail(x):
        if x == 5 and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), 9)
        return x

    assert frail.map(range(20), **PROCESSES) == list(range(20))
    told = capsys.readouterr().err
    assert "died (SIGKILL) while it computed 'frail@" in told
    assert "tried once more" in told


def test_an_item_that_kills_every_process_is_reported_and_the_others_are_kept():
    @durable(name="deadly")
    def deadly(x):
        if x == 5:
            os._exit(3)
        return x

    with pytest.raises(WorkerDied, match=r"died \(exit code 3\) while it computed 'deadly@") as raised:
        deadly.map(range(20), **PROCESSES)
    assert raised.value.pid != os.getpid()
    assert len(find("deadly@", state="resolved")) == 19


def test_a_body_that_does_not_end_at_its_deadline_is_killed_with_its_process():
    @durable(name="stuck", timeout=0.5)
    def stuck(x):
        if x == 1:
            ctypes.PyDLL(None).sleep(60)  # holds the interpreter, so that nothing in the process can end it
        return x

    began = time.monotonic()
    values = stuck.map(range(6), return_exceptions=True, **PROCESSES)
    assert time.monotonic() - began < 40
    assert [value for value in values if not isinstance(value, Exception)] == [0, 2, 3, 4, 5]
    assert isinstance(values[1], PromiseTimedOut)


SCRIPT = """
from resonate_nb import configure, durable
from beside import plus
configure("store")
print("begins")
@durable
def square(x):
    return plus(x * x)
print(square.map(range(5), executor="processes", workers=2, progress=False))
"""


def test_a_script_needs_no_guard_for_its_main_part_and_brings_its_modules(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text("def plus(x):\n    return x + 1\n")
    command = [sys.executable, tmp_path / "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split("\n") == ["begins", "[1, 2, 5, 10, 17]", ""]


def test_objects_of_own_classes_travel_both_ways():
    @durable(name="moved")
    def moved(point):
        return Point(point.x + 1)

    [value] = moved.map([Point(1)], **PROCESSES)
    assert type(value) is Point
    assert value.x == 2


def test_nested_maps_and_calls_work_in_a_process():
    @durable(name="inner")
    def inner(x):
        return x + 1

    @durable(name="outer")
    def outer(x):
        return sum(inner.map(range(x), workers=2, progress=False))

    assert outer.map([3, 4], **PROCESSES) == [6, 10]
    assert len(find("inner@", state="resolved")) == 4


def test_calls_known_by_their_place_keep_it():
    @durable(name="drawn", identity="call")
    def drawn(x):
        return x, idempotency_key()

    @durable(name="all")
    def everything(count):
        return drawn.map(range(count), **PROCESSES)

    keys = everything(3)
    assert len(set(keys)) == 3
    id = everything.promise(3).id
    assert [each.id for each in find(f"{id}.")] == [f"{id}.1.{n}" for n in (1, 2, 3)]


def test_a_store_in_memory_is_settled_by_the_process_that_has_it():
    root = Resonate(MemoryStore())

    @root.durable(name="square")
    def square(x):
        return x * x, os.getpid()

    values = square.map([1, 2, 2, 3], **PROCESSES)
    assert [value for value, _ in values] == [1, 4, 4, 9]
    assert os.getpid() not in {pid for _, pid in values}
    assert square(2) == values[1]
    root.close()


def test_a_store_whose_values_another_key_signs_is_settled_by_the_process_that_has_it(tmp_path):
    root = Resonate(tmp_path / "theirs", key=SigningKey(b"k" * 32))

    @root.durable(name="pair")
    def pair(x):
        return {x, os.getpid()}

    [value] = pair.map([-1], **PROCESSES)
    assert os.getpid() not in value
    assert pair(-1) == value
    root.close()


def test_a_question_in_a_process_waits_and_its_answer_is_found_by_the_next_map(root):
    @durable(name="asking")
    def asking(x):
        return x * ask(f"How many for {x}?", type=int)

    with pytest.raises(Pending) as waiting:
        asking.map([2, 3], **{**PROCESSES, "workers": 1})
    assert len(waiting.value.ids) == 2
    for id, answer in zip(waiting.value.ids, (5, 7), strict=True):
        answers.settle(root.execution.store, id, answer, now=root.execution.clock.now())
    assert sorted(asking.map([2, 3], **PROCESSES)) in ([10, 21], [14, 15])


def test_the_loop_goes_on_while_processes_compute():
    @durable(name="double")
    def double(x):
        return 2 * x

    async def main():
        return [value async for value in double.amap(range(5), **PROCESSES)]

    assert asyncio.run(main()) == [0, 2, 4, 6, 8]


def test_equal_items_come_to_their_end_where_they_kill_their_process():
    root = Resonate(MemoryStore(), say=[].append)

    @root.durable(name="deadly")
    def deadly(x):
        if x == 1:
            os._exit(3)
        return x

    values = deadly.map([1, 1, 2], return_exceptions=True, **PROCESSES)
    assert [type(value) for value in values] == [WorkerDied, WorkerDied, int]
    root.close()


class Unsendable:
    """Has content to be identified by, and can't be pickled."""

    def __durable_digest__(self):
        return "the only one"

    def __reduce__(self):
        raise TypeError("stays here")


@pytest.mark.parametrize("store", ["folder", "memory"])
def test_an_argument_that_cannot_travel_is_named_and_can_be_computed_here_afterwards(store, tmp_path):
    root = Resonate(MemoryStore() if store == "memory" else tmp_path / "theirs")

    @root.durable(name="kind")
    def kind(thing):
        return type(thing).__name__

    with pytest.raises(Unpicklable, match=r"arguments\[0\]\[0\].*stays here"):
        kind.map([Unsendable()], **PROCESSES)
    assert kind.map([Unsendable()], progress=False) == ["Unsendable"]
    root.close()


@pytest.mark.parametrize("method", ["fork", "spawn", "loky", "threads"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_pools_of_concurrent_futures_compute_items(method):
    @durable(name="square")
    def square(x):
        return x * x, os.getpid()

    if method == "threads":
        pool = ThreadPoolExecutor(2)
    elif method == "loky":
        pool = loky.ProcessPoolExecutor(2)
    else:
        pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method))
    with pool:
        values = square.map(range(50), executor=pool, progress=False)
    assert [value for value, _ in values] == [n * n for n in range(50)]
    assert (os.getpid() in {pid for _, pid in values}) is (method == "threads")
    assert square.map(range(50), progress=False) == values


def test_a_pool_that_breaks_is_named_and_another_goes_on(tmp_path):
    flag = tmp_path / "died"
    marks = tmp_path / "marks"

    @durable(name="frail")
    def frail(x):
        with marks.open("a") as file:
            file.write(f"{x}\n")
        if x == 5 and not flag.exists():
            flag.touch()
            os._exit(1)
        return x

    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=context) as pool,
        pytest.raises(PoolBroken, match="with a new pool the same call goes on"),
    ):
        frail.map(range(10), executor=pool, progress=False)
    assert frail.map(range(10), progress=False) == list(range(10))
    assert sorted(map(int, marks.read_text().split())) == sorted([*range(10), 5])


@pytest.mark.parametrize(
    ("options", "named"),
    [({"chunksize": 0}, "chunksize"), ({"workers": True}, "workers"), ({"executor": "process"}, "processes")],
)
def test_what_is_no_option_is_refused_by_name(options, named):
    @durable(name="double")
    def double(x):
        return 2 * x

    with pytest.raises(UsageError, match=named):
        double.map([1], **options)


def test_processes_end_with_the_one_that_started_them(tmp_path):
    (tmp_path / "script.py").write_text(ENDLESS)
    with subprocess.Popen([sys.executable, tmp_path / "script.py"], cwd=tmp_path) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    worker = psutil.Process(int((tmp_path / "pid").read_text()))
    assert psutil.wait_procs([worker], timeout=30)[1] == []


ENDLESS = """
import os, time
from pathlib import Path
from resonate_nb import configure, durable
configure("store")
@durable
def endless(x):
    Path("new").write_text(str(os.getpid()))
    Path("new").rename("pid")
    time.sleep(600)
endless.map([1], executor="processes", workers=1, progress=False)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_keeps_what_was_done_and_ends_the_processes(tmp_path):
    pids = tmp_path / "pids"

    @durable(name="slow")
    def slow(x):
        with pids.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.05 if x < 4 else 60)
        return x

    def interrupt():
        deadline = time.monotonic() + 30
        while len(find("slow@", state=State.RESOLVED)) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        slow.map(range(100), chunksize=1, **PROCESSES)
    thread.join()
    assert len(find("slow@", state="resolved")) == 4
    assert not [pid for pid in set(pids.read_text().split()) if Path(f"/proc/{pid}").exists()]
