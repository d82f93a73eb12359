"""Every shape of durable call holds to what all of them promise."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from resonate_nb.clock import SystemClock
from resonate_nb.promise import EMPTY, State
from resonate_nb.store.operations import Settle
from tests.corpus.calling import World
from tests.corpus.shapes import CORPUS

HERE = Path(__file__).parent
# One of each way through the corridor: the bodies make no difference to an interrupt.
INTERRUPTED = [
    "plain",
    "coroutine",
    "generator",
    "retries",
    "gather inside",
    "race inside",
    "map inside",
    "map of children by place",
    "submit and Handle inside",
    "argument that is changed as declared",
]
KEPT = [name for name, shape in CORPUS.items() if shape.kept]


@pytest.fixture
def world(tmp_path):
    with World(tmp_path / "world") as world:
        yield world


def check_value(name, value):
    expected = CORPUS[name].value
    assert expected is None or value == expected
    assert value is not None


@pytest.mark.parametrize("name", CORPUS)
def test_a_replay_gives_what_the_first_call_gave(world, name):
    value = world.call(CORPUS[name])
    check_value(name, value)
    ran = len(world.marks)
    assert world.call(CORPUS[name]) == value
    assert ran > 0
    assert (len(world.marks) == ran) is CORPUS[name].kept


@pytest.mark.parametrize("name", CORPUS)
def test_the_door_does_not_matter(world, name):
    shape = CORPUS[name]
    called = world.call(shape)
    ran = len(world.marks)
    if "submit" in shape.doors:
        assert world.call(shape, "submit") == called
        assert (len(world.marks) == ran) is shape.kept
    named = world.call(shape, "run")
    check_value(name, named)
    ran = len(world.marks)
    assert world.call(shape, "run") == named
    assert (len(world.marks) == ran) is (shape.kept or isinstance(named, str))  # an id's exception is final


@pytest.mark.parametrize("name", CORPUS)
def test_what_is_settled_never_changes(world, name):
    world.call(CORPUS[name])
    settled = world.settled()
    assert settled
    for id in settled:
        for state in (State.RESOLVED, State.REJECTED, State.CANCELED):
            world.store.do(Settle(id=id, state=state, value=EMPTY, now=SystemClock().now()))
    for door in CORPUS[name].doors:
        if door != "cell":
            world.call(CORPUS[name], door)
    assert {id: record for id, record in world.settled().items() if id in settled} == settled


@pytest.mark.parametrize("name", KEPT)
def test_calls_at_the_same_time_run_each_step_once(world, name):
    values = []
    threads = [
        threading.Thread(target=lambda: values.append(world.call(CORPUS[name])), daemon=True)
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(values) == 3
    assert all(value == values[0] for value in values)
    bodies = world.marks
    tries = 3 if name == "retries" else 1
    assert len(bodies) == tries * len(set(bodies))


@pytest.fixture(scope="module")
def deaths():
    """Return what a call comes to that was killed, for every operation at which it can be."""
    command = [sys.executable, "-m", "tests.corpus.victims"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parents[1],
        env=os.environ,
        bufsize=1,
    )

    def deaths(how, name, folder):
        process.stdin.write(f"{how}|{name}|{folder}\n")
        return json.loads(process.stdout.readline())

    yield deaths
    process.kill()
    process.communicate()


def check_report(name, report):
    assert "error" not in report, report
    assert CORPUS[name].value is None or report["value"] == repr(CORPUS[name].value), report
    assert report["replay"] == report["value"], report
    assert (report["changed"], report["ran again"]) == ([], []), report
    assert bool(report["ran at replay"]) is not CORPUS[name].kept, report


@pytest.mark.parametrize("name", CORPUS)
def test_killed_at_every_operation_of_the_store_the_end_is_the_same(deaths, tmp_path, name):
    reports = deaths("everywhere", name, tmp_path)
    assert len(reports) > 10
    for report in reports:
        check_report(name, report)


@pytest.mark.parametrize("name", CORPUS)
def test_killed_again_and_again_the_end_is_the_same(deaths, tmp_path, name):
    (report,) = deaths("again and again", name, tmp_path)
    assert report["deaths"] > 3
    check_report(name, report)


@pytest.mark.parametrize("name", INTERRUPTED)
def test_interrupted_at_every_operation_the_next_call_in_the_same_process_gives_the_same(
    deaths, tmp_path, name
):
    reports = deaths("interrupted", name, tmp_path)
    assert len(reports) > 10
    for report in reports:
        check_report(name, report)
