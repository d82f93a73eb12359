"""Going on inside a cell, in a real kernel, after a kill, an edit or a failure; what checkpoints cost."""

import os
import queue
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.manager import KernelManager

SETUP = """
%load_ext resonate_nb
import os, signal, time
import numpy as np
def work(n, seconds={seconds}):
    time.sleep(seconds)
    return np.full(125_000, n, float)
def die_once():
    if not os.path.exists('died'):
        open('died', 'w').close()
        os.kill(os.getpid(), signal.SIGKILL)
warm = 1
"""
LAST = {
    "its kernel was killed in the last": ("die_once(); y = sum(x8)", "die_once(); y = sum(x8)"),
    "the last was edited": ("y = sum(x8)", "y = sum(x7)"),
    "the last failed and was fixed, no restart": ("y = sum(x8) / nonsense", "y = sum(x8)"),
}
STATEMENTS = 12
ARRAYS = 25  # of 8 MB
STATE = f"""
model = [np.random.default_rng(n).random(1_000_000) for n in range({ARRAYS})]
def train(model, n, seconds=5):
    time.sleep(seconds)
    model[n][:] += n
"""


def main():
    print("a cell of ten statements goes on at its tenth:")
    for what, (first, then) in LAST.items():
        full, resumed = of_ten(first, then, restarts="restart" not in what)
        share = resumed / full
        print(f"  {what:42} {resumed * 1e3:6.0f} ms of {full:4.1f} s: 1/{1 / share:.0f} of its time")
    print(f"a cell of 60 s, {STATEMENTS} statements, 200 MB of state that they change:")
    taken = {share: of_a_minute(share) for share in ("0", "0.05")}
    (without, _), (with_them, kept) = taken.values()
    more = with_them - without
    print(f"  {without:.2f} s without checkpoints, {with_them:.2f} s with {kept} of them: ", end="")
    print(f"{more:.2f} s more, {more / without:.1%}")


def of_ten(first, then, *, restarts):
    """Return the seconds that ten statements take in all, and those of the run that goes on at the tenth."""
    nine = "\n".join(f"x{n} = work({n})" for n in range(9))
    with tempfile.TemporaryDirectory() as folder:
        with kernel(folder) as run:
            run(SETUP.format(seconds=1))
            full = run(f"%%durable ten\n{nine}\n{first}")
            if not restarts:
                return full, run(f"%%durable ten\n{nine}\n{then}")
        with kernel(folder) as run:
            run(SETUP.format(seconds=1))
            run("%%durable warm\nwarm = 2")  # opens the store, which is no part of the question
            return full, run(f"%%durable ten\n{nine}\n{then}")


def of_a_minute(share):
    """Return the seconds that the cell takes, and how many checkpoints it left."""
    body = "\n".join(f"train(model, {n})" for n in range(STATEMENTS))
    with tempfile.TemporaryDirectory() as folder, kernel(folder, share) as run:
        run(SETUP.format(seconds=1) + STATE)
        seconds = run(f"%%durable minute\n{body}")
        run("%promises chain/")
        return seconds, run.printed.count("chain/")


@contextmanager
def kernel(folder, share="0.05"):
    """Give what runs a cell and returns its seconds, until its answer or its kernel's death."""
    manager = KernelManager(kernel_name="python3")
    key = {"RESONATE_NB_KEY_FILE": str(Path(folder) / "key"), "RESONATE_NB_CHECKPOINT_SHARE": share}
    manager.start_kernel(cwd=folder, env={**os.environ, **key}, stderr=subprocess.DEVNULL)
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        yield Runner(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


class Runner:
    """Runs cells one after the other."""

    def __init__(self, manager, client):
        self._manager, self._client = manager, client
        self.printed = ""  # by the last cell

    def __call__(self, code):
        """Run a cell and return its seconds."""
        began, self.printed = time.perf_counter(), ""
        cell = self._client.execute(code, allow_stdin=False)
        while self._manager.is_alive():
            try:
                message = self._client.get_iopub_msg(timeout=0.5)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != cell:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                self.printed += content["text"]
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                break
        return time.perf_counter() - began
