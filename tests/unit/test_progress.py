"""The progress of many calls, in a terminal and in a log file."""

import os
import pty
import subprocess
import sys
import termios
from contextlib import suppress

from resonate_nb.many import progress
from resonate_nb.many.progress import Counts, Progress

SCRIPT = """
import sys
import termios
from resonate_nb.many import progress
progress._LINE_SECONDS = 0.0
with progress.Progress("square", 4, shown=True) as bar:
    for replayed, failed in ((True, False), (False, False), (False, True), (False, False)):
        with progress.Progress("inner", 1, shown=True) as inner:
            inner.count(replayed=False, failed=False)
        bar.count(replayed=replayed, failed=failed)
"""


def test_a_log_file_gets_whole_lines_of_the_outer_map_alone():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True
    )
    lines = done.stderr.splitlines()
    assert "\r" not in done.stderr
    assert all(line.startswith("square: ") for line in lines)
    assert lines[-1].startswith("square: 4 of 4 (1 before, 3 now, 1 failed)")


def test_what_is_quick_writes_nothing_to_a_log_file(capsys):
    with Progress("square", 2, shown=True) as bar:
        bar.count(replayed=False, failed=False)
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_one_bar_with_what_was_done_before_and_a_slow_inner_one_for_a_while():
    shown = in_terminal(SCRIPT.replace("_LINE_SECONDS", "_LATE_SECONDS"))
    last = shown.rstrip().rsplit("\r", 1)[-1]
    assert last.startswith("square: 100%")
    assert "4/4" in last
    assert "1 before, 3 now, 1 failed" in last
    assert "inner: 100%" in shown
    assert "inner" not in last


def test_a_quick_inner_map_shows_nothing():
    assert "inner" not in in_terminal(SCRIPT.replace("_LINE_SECONDS = 0.0", "_LATE_SECONDS = 60.0"))


def test_maps_in_worker_processes_leave_the_terminal_alone():
    script = """
import tempfile
from resonate_nb import configure, durable
from resonate_nb.many import progress
configure(tempfile.mkdtemp())
@durable
def inner(x): return x
@durable
def outer(x):
    progress._LATE_SECONDS = progress._LINE_SECONDS = 0.0
    return sum(inner.map(range(x)))
print(outer.map([3, 4], executor="processes", workers=1))
"""
    shown = in_terminal(script)
    assert "[3, 6]" in shown
    assert "outer: 100%" in shown
    assert "inner" not in shown


def in_terminal(script):
    """Return what a script writes to a terminal."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        pieces = []
        with suppress(OSError):  # Linux says so at the end
            while piece := os.read(master, 65536):
                pieces.append(piece)
        assert process.wait(timeout=60) == 0
    os.close(master)
    return b"".join(pieces).decode()


def test_the_rate_is_that_of_what_is_computed(monkeypatch):
    monkeypatch.setattr(progress.time, "monotonic", lambda: 100.0)
    counts = Counts("square", 1_000)
    monkeypatch.setattr(progress.time, "monotonic", lambda: 110.0)
    for _ in range(500):
        counts.count(replayed=True, failed=False)
    for _ in range(100):
        counts.count(replayed=False, failed=False)
    assert counts.line == "square: 600 of 1,000 (500 before, 100 now), 10 a second, 40.0 s left"
