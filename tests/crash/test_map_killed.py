"""Ten thousand items, killed again and again: each is settled once, only what was under way is repeated."""

import os
import random
import subprocess
import sys
import time

import psutil
import pytest

from resonate_nb.promise import State
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore

ITEMS, KILLS, WORKERS = 10_000, 5, 3
SCRIPT = """
import os, sys
from resonate_nb import configure, durable
configure("store")
@durable
def square(x):
    marks = os.open("marks", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(marks, b"%d\\n" % x)
    os.close(marks)
    return x * x
executor, workers = sys.argv[1:] or (None, None)
print(sum(square.map(range(ITEMS), executor=executor, workers=workers and int(workers), progress=False)))
""".replace("ITEMS", str(ITEMS))


@pytest.mark.parametrize(
    ("options", "in_flight"),
    [((), 1), (("threads", str(WORKERS)), WORKERS), (("processes", str(WORKERS)), WORKERS)],
    ids=["inline", "threads", "processes"],
)
def test_killed_again_and_again_each_item_is_settled_once(tmp_path, options, in_flight):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py", *options]
    kills = 0
    for moment in sorted(random.sample(range(50, ITEMS - 500), KILLS)):
        process = subprocess.Popen(command, cwd=tmp_path, env=os.environ, stdout=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while marked(tmp_path) < moment and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        kills += process.poll() is None
        kill_all(process)
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ, capture_output=True, timeout=120, text=True, check=True
    )
    assert int(done.stdout) == sum(n * n for n in range(ITEMS))
    assert kills >= 3
    # A worker begins its next item only when the one before is committed, so these were in its hands.
    assert ITEMS <= marked(tmp_path) <= ITEMS + kills * in_flight
    store = DiskStore(tmp_path / "store")
    page = store.list(Query(prefix="square@", state=State.RESOLVED, limit=ITEMS + 1), 0)
    pending = store.list(Query(prefix="square@", state=State.PENDING, limit=10), 0)
    store.close()
    assert len(page.promises) == ITEMS
    assert not pending.promises


def kill_all(process):
    """Kill a process with those that it started, all at once."""
    if process.poll() is None:
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for each in family:
            each.kill()
        psutil.wait_procs(family, timeout=30)
    process.communicate(timeout=30)


def marked(folder):
    marks = folder / "marks"
    return marks.read_bytes().count(b"\n") if marks.exists() else 0
