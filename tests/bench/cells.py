"""A hundred small cells in a real kernel, plain and durable in turn: medians, all messages included."""

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import KernelManager

CELLS = 100
FIRST = "import math\ndata = list(range(1_000))\ndef scale(x, by):\n    return [each * by for each in x]"
BODY = "y{n} = scale(data, {n})\ntotal{n} = math.fsum(y{n})\nprint(total{n})"


def main():
    with tempfile.TemporaryDirectory() as folder:
        computed, replayed = run(folder), run(folder)
    for name, times in (("computed and kept", computed), ("replayed", replayed)):
        plain, durable = (statistics.median(each) for each in zip(*times, strict=True))
        more = statistics.median(each - before for before, each in times)
        print(
            f"{name:20} {durable * 1e3:6.2f} ms a cell, plain {plain * 1e3:6.2f}: {more * 1e3:6.2f} ms more"
        )


def run(folder):
    """Run each cell of the notebook plainly and durably, in a new kernel, and return the seconds of both."""
    manager = KernelManager(kernel_name="python3")
    env = {**os.environ, "RESONATE_NB_KEY_FILE": str(Path(folder) / "key")}
    manager.start_kernel(cwd=folder, env=env, stderr=subprocess.DEVNULL)  # it warns of the way it is reached
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        for code in ("%load_ext resonate_nb", FIRST, "%%durable warm\nwarm = 1"):
            seconds(client, code)
        bodies = [BODY.format(n=n) for n in range(CELLS)]
        # Taken in turn, so that whatever else the machine does weighs on both.
        return [
            (seconds(client, body), seconds(client, f"%%durable c{n}\n{body}"))
            for n, body in enumerate(bodies)
        ]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def seconds(client, code):
    """Return how long a cell takes, from sending it until its answer and all its outputs are here."""
    began = time.perf_counter()
    reply = client.execute_interactive(code, allow_stdin=False, output_hook=lambda _: None, timeout=60)
    took = time.perf_counter() - began
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"a cell failed: {reply['content']}")
    return took
