"""The demo, as a user starts it: a real kernel is really killed, and nothing of it is left over."""

import contextlib
import re
import signal
import subprocess
import sys

import psutil
import pytest

from resonate_nb.demo import NOTEBOOK, STORE
from tests.nbval_runs import in_store, nbval, settled

DEMO = """
import pathlib, sys
from resonate_nb.demo import run_demo
sys.exit(run_demo(pathlib.Path(sys.argv[1])))
"""
INTERRUPTED = """
import threading
start = threading.Thread.start
def interrupted(self):
    start(self)
    if self.name == "resonate-nb-demo-killer":
        raise KeyboardInterrupt
threading.Thread.start = interrupted
"""


@pytest.mark.timeout(600)
def test_the_demo_resumes_in_the_middle_of_a_map_and_of_a_cell_and_ends_with_equal_results(tmp_path):
    with _demo(DEMO, tmp_path / "demo") as demo:
        shown, _ = demo.communicate(timeout=500)

    assert demo.returncode == 0, shown
    killed, again, resumed, undisturbed = re.split(r"^[1234]\. .*$", shown, flags=re.MULTILINE)[1:]
    kept = int(re.search(r"kernel killed \(SIGKILL\) with (\d+) of 24 items settled", killed)[1])
    for cell in ("load", "clean", "features"):
        assert re.search(rf"{cell} +replayed", again)
        assert re.search(rf"{cell} +replayed", resumed)
        assert re.search(rf"{cell} +computed", undisturbed)
    assert f"resumed at item {kept + 1} of 24" in again
    assert "replayed, 24 items" in resumed
    statements = int(re.search(r"kernel killed \(SIGKILL\) with (\d+) statements done", again)[1])
    assert re.search(rf"drivers +resumed at statement {statements + 1} ", resumed)
    assert re.search(r"drivers +computed", undisturbed)
    assert "computed, 24 items" in undisturbed
    assert "equal, bit for bit" in shown
    _run_once_more_shows_the_same_and_computes_nothing(tmp_path / "demo")


def test_an_interrupted_demo_leaves_no_kernel(tmp_path):
    with _demo(DEMO, tmp_path / "demo") as demo:
        for line in demo.stdout:
            if "settings" in line:
                break
        kernels = psutil.Process(demo.pid).children(recursive=True)
        assert kernels

        demo.send_signal(signal.SIGINT)

        demo.communicate(timeout=60)
        assert demo.returncode != 0
        _, alive = psutil.wait_procs(kernels, timeout=30)
        assert not alive


def test_an_interrupt_while_the_watch_begins_ends_the_demo(tmp_path):
    # The thread runs already, and the one who started it has not been told: nobody would stop it.
    with _demo(INTERRUPTED + DEMO, tmp_path / "demo") as demo:
        shown, _ = demo.communicate(timeout=60)

    assert demo.returncode != 0
    assert "KeyboardInterrupt" in shown


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("do not touch")

    with _demo(DEMO, tmp_path) as demo:
        shown, _ = demo.communicate(timeout=60)

    assert demo.returncode == 1
    assert "is not empty" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def _run_once_more_shows_the_same_and_computes_nothing(folder):
    store = folder / STORE
    before = settled(store)

    in_store(store, [*nbval(folder), str(folder / NOTEBOOK)])

    assert settled(store) == before


@contextlib.contextmanager
def _demo(code, folder):
    command = [sys.executable, "-u", "-c", code, str(folder)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield demo
    finally:
        demo.kill()
        demo.communicate(timeout=30)
