"""Two processes on one store: one computes, the other waits and says for whom; interrupts free leases."""

import subprocess
import sys
import time

SCRIPT = """
import pathlib, sys, time
from resonate_nb import configure, durable
configure("store")
@durable
def slow(x):
    with open("runs", "a") as runs:
        runs.write("x")
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return x * 2
if __name__ == "__main__":
    print("result", slow(21), flush=True)
"""


def start(folder):
    return subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(folder):
    return len((folder / "runs").read_text()) if (folder / "runs").exists() else 0


def test_one_computes_and_the_other_waits_and_says_for_whom(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    first = start(tmp_path)
    wait_for(lambda: runs(tmp_path) == 1)
    second = start(tmp_path)
    said = second.stderr.readline()
    assert f"slow: waiting for process {first.pid} on this machine" in said
    (tmp_path / "go").touch()
    assert first.communicate(timeout=60)[0] == second.communicate(timeout=60)[0] == "result 42\n"
    assert runs(tmp_path) == 1


def test_a_killed_owner_is_taken_over_at_once(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    first = start(tmp_path)
    wait_for(lambda: runs(tmp_path) == 1)
    second = start(tmp_path)
    second.stderr.readline()
    first.kill()
    first.communicate(timeout=60)
    wait_for(lambda: runs(tmp_path) == 2)
    (tmp_path / "go").touch()
    assert second.communicate(timeout=60)[0] == "result 42\n"


def test_an_interrupted_cell_gives_its_lease_back_and_the_kernel_goes_on(kernel):
    kernel.run("%load_ext resonate_nb")
    interrupt = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(30)"
    reply = kernel.run(f"%%durable stopped\n{interrupt}\nx = 1")
    assert reply.error[0] == "KeyboardInterrupt"
    held = (
        "from resonate_nb.resonate import default\nfrom resonate_nb.store.base import Query\n"
        "store = default().execution.store\n[page] = store.list(Query(prefix='cell/stopped'), 0).promises\n"
        "print(page.state, repr(store.get(page.id).lease.owner))"
    )
    assert kernel.run(held).text == "pending ''\n"
    assert kernel.run("%%durable after\ny = 2\nprint(y)").text == "2\n"
