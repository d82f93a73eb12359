"""A process that is killed between two attempts: whoever comes next waits the rest and makes the next one."""

import os
import signal
import subprocess
import sys
import time

from resonate_nb.corridor.failures import Failures
from resonate_nb.promise import State
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore

SCRIPT = """
import os, time
from resonate_nb import Constant, configure, current, durable
configure("store")
@durable(name="flaky", retry=Constant(2, every=4))
def flaky():
    with open("marks", "a") as marks:
        marks.write(f"{current().attempt} {time.time()} {os.getpid()}\\n")
    if current().attempt < 3:
        raise ConnectionError(f"refused {current().attempt}")
    return "page"
if __name__ == "__main__":
    print(flaky())
"""


def test_killed_while_waiting_for_attempt_3_the_next_process_waits_the_rest_and_makes_it(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    first = started(tmp_path)
    until(lambda: failures(tmp_path).series == 2, first)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=30)
    due = failures(tmp_path).due

    second = started(tmp_path)
    third = started(tmp_path)  # of two that come at once, one makes the attempt
    shown = [process.communicate(timeout=60)[0].strip() for process in (second, third)]

    assert shown == ["page", "page"]
    attempts = [line.split() for line in (tmp_path / "marks").read_text().splitlines()]
    assert [number for number, _, _ in attempts] == ["1", "2", "3"]
    assert float(attempts[2][1]) * 1_000 >= due
    assert attempts[0][2] == attempts[1][2] != attempts[2][2]
    kept = failures(tmp_path, State.RESOLVED)
    assert [each.message for each in kept.recent] == ["refused 1", "refused 2"]


def started(folder):
    return subprocess.Popen(
        [sys.executable, "script.py"], cwd=folder, env=os.environ, stdout=subprocess.PIPE, text=True
    )


def until(claim, process):
    deadline = time.monotonic() + 60
    while not claim():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def failures(folder, state=State.PENDING):
    if not (folder / "marks").exists():
        return Failures()
    store = DiskStore(folder / "store")
    found = store.list(Query(prefix="flaky@", state=state), 0).promises
    store.close()
    return Failures.of(found[0].tags) if found else Failures()
