"""Ten thousand items, none, half and all settled, against joblib.Memory; a hundred thousand settled."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ITEMS, MANY = 10_000, 100_000
WAYS = {
    "ours, inline": ("ours", ""),
    "ours, threads": ("ours", "threads"),
    "ours, processes": ("ours", "processes"),
    "joblib.Memory, loop": ("joblib", ""),
    "joblib.Parallel over it": ("joblib", "parallel"),
}
WORKERS = 2


def main():
    print(f"{f'{ITEMS:,} items':26}{'none settled':>14}{'half':>10}{'all':>10}")
    for name, way in WAYS.items():
        none, half, everything = measure(*way)
        print(f"{name:26}{none:>12.2f} s{half:>8.2f} s{everything:>8.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        run("ours", "", folder, "a", MANY)
        seconds, megabytes = run("ours", "stream", folder, "a", MANY)
        print(
            f"{MANY:,} settled: {seconds:.2f} s, {megabytes:.0f} MB more at the peak, values taken one by one"
        )


def measure(engine, mode):
    """Return seconds for a map of which none, half and all is settled."""
    with tempfile.TemporaryDirectory() as folder:
        none, _ = run(engine, mode, folder, "a", ITEMS)
        everything, _ = run(engine, mode, folder, "a", ITEMS)
        run(engine, mode, folder, "b", ITEMS // 2)
        half, _ = run(engine, mode, folder, "b", ITEMS)
    return none, half, everything


def run(engine, mode, folder, name, items):
    """Run a map in a process of its own; return its seconds, and the megabytes that the peak rose."""
    program = [sys.executable, "-m", "tests.bench.many", engine, mode, name, str(items)]
    environment = {
        **os.environ,
        "RESONATE_NB_KEY_FILE": str(Path(folder) / "key"),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH")))),
    }
    done = subprocess.run(
        program, check=True, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, timeout=900
    )
    seconds, megabytes = done.stdout.split()[-2:]
    return float(seconds), float(megabytes)


def ours(mode, name, items):
    from resonate_nb import configure, durable

    configure(name)

    @durable
    def square(x):
        return x * x

    if mode == "stream":
        return lambda: sum(square.map(range(items), ordered=False, progress=False))
    options = {"executor": mode, "workers": WORKERS} if mode else {}
    return lambda: sum(square.map(range(items), progress=False, **options))


def by_joblib(mode, name, items):
    import joblib

    square = joblib.Memory(name, verbose=0).cache(plain_square)
    if not mode:
        return lambda: sum(square(x) for x in range(items))
    return lambda: sum(joblib.Parallel(n_jobs=WORKERS)(joblib.delayed(square)(x) for x in range(items)))


def plain_square(x):
    return x * x


def told(engine, mode, name, items):
    """Print the seconds of one map and the rise of the peak of memory."""
    call = (ours if engine == "ours" else by_joblib)(mode, name, items)
    before, began = peak(), time.perf_counter()
    total = call()
    print(time.perf_counter() - began, peak() - before)
    assert total == sum(x * x for x in range(items))


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    told(*sys.argv[1:4], int(sys.argv[4]))
