"""Edits and non-edits of programs, and processes that run them through every door."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(folder, steps, doors, *, seed):
    """Start a process that runs steps (0: before the edit, 1: after it) of all cases."""
    command = [sys.executable, "-m", "tests.edits.runner", str(folder), steps, ",".join(doors)]
    env = {**os.environ, "PYTHONHASHSEED": str(seed), "IPYTHONDIR": str(folder / "ipython")}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, cwd=ROOT)


def finish(process, timeout=280):
    """Return what the process found: by case and door the last value and how often the body ran for it."""
    try:
        shown, _ = process.communicate(timeout=timeout)
    finally:
        process.kill()
    if process.returncode:
        raise RuntimeError(f"the runner ended with {process.returncode}")
    return json.loads(shown.splitlines()[-1])


def restarted(folder, doors):
    """Return what all cases give after the edit, in another process than before it."""
    finish(start(folder, "0", doors, seed=1))
    return finish(start(folder, "1", ["plain", *doors], seed=2))


def verdict(case, plain, found):
    """Return "wrong", "needless" or "right"."""
    if found["value"] != plain["value"]:
        return "wrong"
    return "needless" if found["runs"] and not case.means else "right"
