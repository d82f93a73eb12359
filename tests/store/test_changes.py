"""Waiting for changes of a store: none is missed, whatever tells of it."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from making import create, settle

from resonate_nb.errors import StoreUnavailable
from resonate_nb.promise import State
from resonate_nb.store import changes
from resonate_nb.store.disk import DiskStore
from resonate_nb.store.reader import Reader

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
ENOUGH = 60  # seconds; the timeout of the test ends it before


@pytest.fixture(params=[pytest.param("told", marks=LINUX), "looking"], autouse=True)
def way(request, monkeypatch):
    """Both ways: the kernel tells, or there is nothing that does."""
    if request.param == "looking":
        monkeypatch.setattr(changes, "_LIBRARY", None)
    return request.param


@pytest.fixture
def waiting(tmp_path):
    """A store whose first wait, which returns at once, is behind it."""
    store = DiskStore(tmp_path / "store")
    store.wait_for_change(0)
    yield store
    store.close()


@pytest.fixture
def other(tmp_path):
    """Another store on the same folder."""
    store = DiskStore(tmp_path / "store")
    yield store
    store.close()


@LINUX
def test_while_nothing_happens_a_listener_looks_rarely(waiting, monkeypatch, way):
    waiting.wait_for_change(0.5)  # what opening it wrote is heard
    looks = []
    look = Reader._changed
    monkeypatch.setattr(Reader, "_changed", lambda reader: looks.append(1) or look(reader))
    waiting.wait_for_change(1.0)
    assert (len(looks) < 8) == (way == "told")


COMMITS = """
import random, sys, time
sys.path.insert(0, sys.argv[2])
from resonate_nb.store.disk import DiskStore
from making import create
store = DiskStore(sys.argv[1])
for number in range(200):
    time.sleep(random.random() * 0.01)
    store.do(create(f"n/{number}"))
store.close()
"""


def test_no_commit_of_another_process_is_missed(tmp_path, waiting):
    # Each wait is as long as it takes: a missed change would end only with the test.
    process = subprocess.Popen(
        [sys.executable, "-c", COMMITS, str(tmp_path / "store"), str(Path(__file__).parent)]
    )
    for number in range(200):
        while waiting.get(f"n/{number}") is None:
            waiting.wait_for_change(ENOUGH)
    assert process.wait(timeout=30) == 0


def test_more_threads_wait_than_there_are_listeners(waiting, other):
    other.do(create("a"))
    ready = threading.Semaphore(0)
    seen = []

    def wait():
        waiting.wait_for_change(0)
        ready.release()
        while waiting.get("a").promise.state is State.PENDING:
            waiting.wait_for_change(ENOUGH)
        seen.append(waiting.get("a").promise.state)

    threads = [threading.Thread(target=wait) for _ in range(4 * changes._MOST_LISTENERS)]
    for thread in threads:
        thread.start()
    for _ in threads:
        ready.acquire(timeout=30)
    other.do(settle("a"))
    for thread in threads:
        thread.join(timeout=30)
    assert seen == [State.RESOLVED] * len(threads)


def test_a_folder_that_is_deleted_and_made_again_is_still_heard(tmp_path, waiting):
    for number in range(5):
        shutil.rmtree(tmp_path / "store")
        again = DiskStore(tmp_path / "store")
        id = f"n/{number}"
        timer = threading.Timer(random.random() * 0.05, again.do, [create(id)])
        timer.start()
        while waiting.get(id) is None:
            waiting.wait_for_change(ENOUGH)
        timer.join(timeout=30)
        again.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_parent_and_child_of_a_fork_are_both_told(waiting, other):
    other.do(create("a"))
    waiting.wait_for_change(0)
    child = os.fork()
    if not child:
        # Whatever happens, the child must not run on as another pytest.
        with contextlib.suppress(BaseException):
            while waiting.get("a").promise.state is State.PENDING:
                waiting.wait_for_change(ENOUGH)
            os._exit(7)
        os._exit(1)
    time.sleep(0.1)
    other.do(settle("a"))
    while waiting.get("a").promise.state is State.PENDING:
        waiting.wait_for_change(ENOUGH)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers")
def test_an_interrupted_wait_leaves_the_next_one_whole(waiting, other):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(30):
            with contextlib.suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, random.random() * 0.01)
                while True:
                    waiting.wait_for_change(ENOUGH)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    waiting.wait_for_change(0)
    assert len(waiting._reader._changes._made) <= 1
    timer = threading.Timer(0.05, other.do, [create("after")])
    timer.start()
    while waiting.get("after") is None:
        waiting.wait_for_change(ENOUGH)
    timer.join(timeout=30)


def test_closing_ends_a_wait(tmp_path):
    store = DiskStore(tmp_path / "closing")
    ended = []

    def wait():
        try:
            while True:
                store.wait_for_change(ENOUGH)
        except StoreUnavailable as problem:
            ended.append(problem.reason)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    store.close()
    thread.join(timeout=30)
    assert ended == ["it was closed"]
