"""Maps over processes from a notebook: its classes, its data and its interrupts."""

import time

import psutil

from resonate_nb.promise import State
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore

SETUP = """
import os, time
from pathlib import Path
from resonate_nb import configure, durable
configure("store")
%load_ext resonate_nb

class Point:
    def __init__(self, x):
        self.x = x

offset = [10]

def moved_by(point, distance):
    return Point(point.x + distance)

@durable
def moved(point):
    return moved_by(point, offset[0]), os.getpid()
"""
MAP = """%%durable --quiet
values = moved.map([Point(n) for n in range(6)], executor="processes", workers=2, progress=False)
"""
SLOW = """
@durable
def slow(x):
    Path(f"pid-{os.getpid()}").touch()
    time.sleep(600 if x else 0)
    return x
slow.map(range(4), executor="processes", workers=2, chunksize=1, progress=False)
"""


def test_classes_and_data_of_the_notebook_travel_and_the_next_kernel_finds_all(kernel):
    assert kernel.run(SETUP).error is None
    assert kernel.run(MAP).error is None
    shown = kernel.run(
        "print([point.x for point, _ in values], {type(point) is Point for point, _ in values},"
        "os.getpid() in {pid for _, pid in values}, len({pid for _, pid in values}))"
    )
    assert shown.text.split("] ")[0] == "[10, 11, 12, 13, 14, 15"
    assert "{True} False" in shown.text
    before = kernel.run("print([pid for _, pid in values])").text

    kernel.restart()
    kernel.run(SETUP)
    again = kernel.run(MAP.removeprefix("%%durable --quiet") + "print([pid for _, pid in values])")
    assert again.text == before


def test_an_interrupt_ends_the_processes_and_keeps_what_was_done(kernel):
    kernel.run(SETUP)
    begun = kernel.begin(SLOW)
    deadline = time.monotonic() + 60
    while len(list(kernel.cwd.glob("pid-*"))) < 2 or not resolved(kernel.cwd):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    kernel.interrupt()
    assert kernel.finish(begun).error[0] == "KeyboardInterrupt"
    pids = [int(path.name.partition("-")[2]) for path in kernel.cwd.glob("pid-*")]
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert len(resolved(kernel.cwd)) == 1


def resolved(folder):
    """Return the promises of the slow function that are settled in a kernel's store."""
    if not (folder / "store" / "format").exists():
        return ()
    store = DiskStore(folder / "store")
    page = store.list(Query(prefix="slow@", state=State.RESOLVED), 0)
    store.close()
    return page.promises
