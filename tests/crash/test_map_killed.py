"""A map that is killed half-way computes the rest, and nothing twice but what was in flight."""

import os
import signal
import subprocess
import sys
import time

import pytest

from resonate_nb.promise import State
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore

ITEMS = 2_000
SCRIPT = """
import os, sys
from resonate_nb import configure, durable
configure("store")
@durable
def square(x):
    with open("marks", "a") as marks:
        marks.write(f"{x}\\n")
    return x * x
if __name__ == "__main__":
    workers = int(sys.argv[1]) or None
    print(sum(square.map(range(ITEMS), workers=workers, progress=False)))
""".replace("ITEMS", str(ITEMS))


@pytest.mark.parametrize("workers", [0, 4])
def test_killed_again_and_again_each_item_is_settled_once(tmp_path, workers):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py", str(workers)]
    kills = 0
    for wanted in (100, 500, 1_000):
        process = subprocess.Popen(command, cwd=tmp_path, env=os.environ, stdout=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while marked(tmp_path) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate(timeout=30)
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ, capture_output=True, timeout=120, text=True, check=True
    )
    assert int(done.stdout) == sum(n * n for n in range(ITEMS))
    assert kills >= 1
    assert marked(tmp_path) <= ITEMS + kills * max(1, workers)
    store = DiskStore(tmp_path / "store")
    page = store.list(Query(prefix="square@", state=State.RESOLVED, limit=ITEMS + 1), 0)
    store.close()
    assert len(page.promises) == ITEMS


def marked(folder):
    marks = folder / "marks"
    return len(marks.read_text().splitlines()) if marks.exists() else 0
