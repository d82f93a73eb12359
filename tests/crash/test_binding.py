"""A promise that was cut off goes on with the code it started with, whatever the source says by then."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

HEAD = """
import asyncio, os, pathlib, sys, time
import resonate_nb
from resonate_nb import configure, durable, restart
configure("store")
FACTOR = [1]
def mark(text):
    with open("marks", "a") as marks:
        marks.write(text + "\\n")
def reached(text):
    mark(text)
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
"""
ONE = """
def helper(x):
    return f"one-{x}-{FACTOR[0]}"
@durable
def report(month):
    reached("one")
    return helper(month)
"""
TWO = """
def helper(x):
    return f"two-{x}-{FACTOR[0]}"
@durable
def report(month):
    mark("two")
    return helper(month)
"""
CALL = """
if __name__ == "__main__":
    print(report.run("report/2026-11", 11))
"""


def script(folder, *parts):
    (folder / "script.py").write_text("".join((HEAD, *parts)))


def run(folder, *, check=True):
    """Run the script to its end and return what came of it."""
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=check,
    )


def killed_in_the_middle(folder, *, times=1):
    """Run the script until bodies have marked that they run, and kill it there."""
    process = subprocess.Popen([sys.executable, "script.py"], cwd=folder, env=os.environ)
    deadline = time.monotonic() + 60
    while marks(folder).count("one") < times:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    (folder / "go").touch()


def marks(folder):
    file = folder / "marks"
    return file.read_text().split() if file.exists() else []


def test_a_killed_call_goes_on_with_the_code_it_started_with_though_the_source_has_other(tmp_path):
    script(tmp_path, ONE, CALL)
    killed_in_the_middle(tmp_path)

    script(tmp_path, TWO, "FACTOR[0] = 1\n", CALL)
    done = run(tmp_path)

    assert done.stdout == "one-11-1\n"
    assert "report: resumes with the code it started with" in done.stderr
    assert marks(tmp_path) == ["one", "one"]

    conflict = run(tmp_path, check=False)
    assert "PromiseConflict" in conflict.stderr
    older = re.search(r"`(report\.at\('\w+'\)\.run\('report/2026-11', )\.\.\.\)`", conflict.stderr)
    script(tmp_path, TWO, f"print({older[1]}11))\n")
    assert run(tmp_path).stdout == "one-11-1\n"
    assert marks(tmp_path) == ["one", "one"]


def test_restart_lets_it_go_on_with_the_present_code(tmp_path):
    script(tmp_path, ONE, CALL)
    killed_in_the_middle(tmp_path)

    script(tmp_path, TWO, 'if __name__ == "__main__":\n    restart("report/2026-11")\n', CALL)

    assert run(tmp_path).stdout == "two-11-1\n"
    assert marks(tmp_path) == ["one", "two"]


def test_a_changed_helper_or_module_does_not_change_what_is_under_way(tmp_path):
    (tmp_path / "own_helpers.py").write_text("def suffix():\n    return 'old'\n")
    calling = ONE.replace("FACTOR[0]}", "own_helpers.suffix()}").replace(
        "def helper", "import own_helpers\ndef helper"
    )
    script(tmp_path, calling, CALL)
    killed_in_the_middle(tmp_path)

    (tmp_path / "own_helpers.py").write_text("def suffix():\n    return 'new and longer'\n")
    script(tmp_path, calling.replace('f"one-', 'f"changed-'), CALL)

    assert run(tmp_path).stdout == "one-11-old\n"


def test_the_data_that_the_code_reads_must_be_what_it_was(tmp_path):
    script(tmp_path, ONE, CALL)
    killed_in_the_middle(tmp_path)

    script(tmp_path, TWO, "FACTOR[0] = 2\n", CALL)

    refused = run(tmp_path, check=False)
    assert "PromiseConflict" in refused.stderr
    assert marks(tmp_path) == ["one"]


GENERATOR = """
@durable
def report(month):
    yield "start"
    reached("one")
    yield f"one-{month}"
if __name__ == "__main__":
    print(*report.run("report/2026-11", 11))
"""


def test_a_killed_generator_goes_on_with_the_code_it_started_with_behind_what_it_yielded(tmp_path):
    script(tmp_path, GENERATOR)
    killed_in_the_middle(tmp_path)

    script(tmp_path, GENERATOR.replace("one", "two"))
    done = run(tmp_path)

    assert done.stdout == "start one-11\n"
    assert "report: resumes with the code it started with" in done.stderr
    assert marks(tmp_path) == ["one", "one"]


PINNED = "@durable(version=1, on_change='accept')"


def test_items_of_a_map_under_a_pinned_number_go_on_each_with_its_code(tmp_path):
    mapped = """
if __name__ == "__main__":
    print(report.map([11, 12, 13], workers=2, progress=False))
"""
    script(tmp_path, ONE.replace("@durable", PINNED), mapped)
    killed_in_the_middle(tmp_path, times=2)

    script(tmp_path, TWO.replace("@durable", "@durable(version=1)"), mapped)
    assert "VersionConflict" in run(tmp_path, check=False).stderr

    script(tmp_path, TWO.replace("@durable", PINNED), mapped)
    assert run(tmp_path).stdout == "['one-11-1', 'one-12-1', 'two-13-1']\n"


def test_a_killed_coroutine_goes_on_with_the_code_it_started_with(tmp_path):
    calling = CALL.replace('report.run("report/2026-11", 11)', 'asyncio.run(report.run("id", 11))')
    script(tmp_path, ONE.replace("def report", "async def report"), calling)
    killed_in_the_middle(tmp_path)

    script(tmp_path, TWO.replace("def report", "async def report"), calling)

    assert run(tmp_path).stdout == "one-11-1\n"


def test_a_failed_call_goes_on_with_the_fixed_code_which_a_kill_then_binds(tmp_path):
    fails = ONE.replace("@durable", "@durable(version=1)").replace('reached("one")', "1 / 0")
    fixed = ONE.replace("@durable", "@durable(version=1)").replace('f"one-', 'f"fixed-')
    script(tmp_path, fails, "report(11)\n")
    assert "ZeroDivisionError" in run(tmp_path, check=False).stderr

    script(tmp_path, fixed, "print(report(11))\n")
    killed_in_the_middle(tmp_path)
    script(tmp_path, TWO.replace("@durable", PINNED), "print(report(11))\n")

    assert run(tmp_path).stdout == "fixed-11-1\n"


@pytest.mark.parametrize("lost", ["forgotten", "never kept", "other arguments"])
def test_code_that_cannot_be_had_any_more_is_an_error_with_the_ways_out(tmp_path, lost):
    one, two = ONE, TWO
    if lost == "never kept":
        one = one.replace("return helper", "import own_late\n    return helper")
        (tmp_path / "own_late.py").touch()
    if lost == "other arguments":
        two = two.replace("report(month)", "report(month, year)")
    script(tmp_path, one, CALL)
    killed_in_the_middle(tmp_path)

    forget = """
from resonate_nb.resonate import default
from resonate_nb.views import listing
for each in listing(default().execution, prefix="version/"):
    default().execution.forget(each.id)
"""
    years = CALL.replace("11)", "11, 2026)") if lost == "other arguments" else CALL
    script(tmp_path, two, forget if lost == "forgotten" else "", years)
    for _ in range(2):
        missing = run(tmp_path, check=False).stderr
        assert "VersionMissing" in missing or lost == "other arguments"
        assert "PromiseConflict" in missing or lost != "other arguments"
        assert "restart('report/2026-11')" in missing or lost == "other arguments"
    assert marks(tmp_path) == ["one"]

    script(tmp_path, one, CALL)  # defined again
    assert run(tmp_path).stdout == "one-11-1\n"
