"""The progress of many calls, in a terminal and in a log file."""

import subprocess
import sys

from resonate_nb.many import progress
from resonate_nb.many.progress import Counts, Progress

SCRIPT = """
import sys
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
    assert lines[-1].startswith("square: 4 of 4 (1 replayed, 1 failed)")


def test_what_is_quick_writes_nothing_to_a_log_file(capsys):
    with Progress("square", 2, shown=True) as bar:
        bar.count(replayed=False, failed=False)
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_one_bar_with_what_was_replayed_and_an_inner_one_for_a_while(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with Progress("square", 2, shown=True) as bar:
        with Progress("inner", 1, shown=True) as inner:
            inner.count(replayed=False, failed=False)
        bar.count(replayed=True, failed=False)
        bar.count(replayed=False, failed=True)
    shown = capsys.readouterr().err
    last = shown.rsplit("square", 1)[-1]
    assert "2/2" in last
    assert "1 replayed, 1 failed" in last
    assert "inner" in shown
    assert "\n" in shown.rsplit("inner", 1)[-1]


def test_the_rate_is_that_of_what_is_computed(monkeypatch):
    monkeypatch.setattr(progress.time, "monotonic", lambda: 100.0)
    counts = Counts("square", 1_000)
    monkeypatch.setattr(progress.time, "monotonic", lambda: 110.0)
    for _ in range(500):
        counts.count(replayed=True, failed=False)
    for _ in range(100):
        counts.count(replayed=False, failed=False)
    assert counts.line == "square: 600 of 1,000 (500 replayed), 10 a second, 40.0 s left"
