"""Calls against joblib.Memory in the same process: times and ratios."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np

from resonate_nb import configure, durable
from resonate_nb.fingerprint import content_digest

ITEMS = 10_000


def small(a, b, c):
    return a + b + c


def square(x):
    return x * x


def large(array):
    return array + 1


def median(times):
    return statistics.median(times)


def timed(call, *arguments):
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def row(name, ours, theirs):
    print(f"{name:44} {ours * 1e6:14,.1f} µs {theirs * 1e6:14,.1f} µs   {theirs / ours:8.1f} x")


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("RESONATE_NB_KEY_FILE", str(Path(folder) / "key"))
        root = configure(Path(folder) / "store")
        memory = joblib.Memory(Path(folder) / "joblib", verbose=0)
        print(f"{'':44} {'resonate_nb':>17} {'joblib.Memory':>17}   {'ratio':>10}")
        calls(memory)
        many(memory)
        arrays(memory)
        root.close()


def calls(memory):
    ours, theirs = durable(small), memory.cache(small)
    row(
        "miss, three small arguments",
        median([timed(ours, n, 2.0, 3) for n in range(300)]),
        median([timed(theirs, n, 2.0, 3) for n in range(300)]),
    )
    row(
        "hit, three small arguments",
        median([timed(ours, 5, 2.0, 3) for _ in range(2_000)]),
        median([timed(theirs, 5, 2.0, 3) for _ in range(300)]),
    )


def many(memory):
    ours, theirs = durable(square), memory.cache(square)
    half, whole = range(ITEMS // 2), range(ITEMS)
    mine = lambda xs: ours.map(xs, progress=False)  # noqa: E731
    its = lambda xs: [theirs(x) for x in xs]  # noqa: E731
    for name, items in (("none settled: first half", half), ("ten thousand items, half settled", whole)):
        row(name, timed(mine, items), timed(its, items))
    row("ten thousand items, all settled", timed(mine, whole), timed(its, whole))


def arrays(memory):
    array = np.random.default_rng(0).random(12_500_000)  # 100 MB
    row(
        "digest of a 100 MB array",
        median([timed(content_digest, array) for _ in range(5)]),
        median([timed(joblib.hash, array) for _ in range(5)]),
    )
    ours, theirs = durable(large), memory.cache(large)
    row("100 MB in, 100 MB out: computed and saved", timed(ours, array), timed(theirs, array))
    row(
        "100 MB in, 100 MB out: loaded",
        median([timed(ours, array) for _ in range(5)]),
        median([timed(theirs, array) for _ in range(5)]),
    )
