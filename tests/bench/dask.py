"""What an item costs on a Dask cluster, beside `client.map` alone: two workers with one thread each."""

import statistics
import tempfile
import time
from itertools import count
from pathlib import Path

from resonate_nb.resonate import Resonate

ITEMS = 2_000
ROUNDS = 3
_fresh = count(0, ITEMS)


def body(x):
    return 3 * x


def main() -> None:
    from distributed import Client, LocalCluster

    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        root = Resonate(Path(folder) / "store")
        durable = root.durable(name="body")(body)
        quiet = {"executor": client, "progress": False}
        ways = {
            "client.map alone, a task for each item": lambda xs: client.gather(
                client.map(body, xs, pure=False)
            ),
            "f.map, chunksize=1": lambda xs: durable.map(xs, chunksize=1, **quiet),
            "f.map": lambda xs: durable.map(xs, **quiet),
            "f.map, all settled": lambda _: durable.map(range(ITEMS), **quiet),
            "f.map here, without a cluster": lambda xs: durable.map(xs, progress=False),
        }
        durable.map(range(ITEMS), **quiet)
        next(_fresh)
        for name, way in ways.items():
            print(f"{name:42s} {_microseconds(way):8.0f} µs an item")
        root.close()


def _microseconds(way) -> float:
    taken = []
    for _ in range(ROUNDS):
        first = next(_fresh)
        began = time.perf_counter()
        way(range(first, first + ITEMS))
        taken.append((time.perf_counter() - began) / ITEMS * 1e6)
    return statistics.median(taken)
