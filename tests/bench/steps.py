"""Steps of one workflow against DBOS on SQLite: a function called 2,000 times, gone on with after 1,000."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = 2_000
WAYS = {
    "ours, by arguments": ("ours", "arguments"),
    "ours, by place": ("ours", "call"),
    "DBOS as shipped": ("dbos", "shipped"),
    "DBOS, WAL and NORMAL": ("dbos", "wal"),
}


def main():
    print(f"{'':24}{f'{STEPS:,} steps':>14}{'going on after half':>22}{'a step of 100':>16}{'of 10,000':>12}")
    measured = {name: measure(*way) for name, way in WAYS.items()}
    for name, (whole, rest, few, many) in measured.items():
        print(f"{name:24}{whole:>12.2f} s{rest:>20.2f} s{few * 1e6:>13,.0f} µs{many * 1e6:>9,.0f} µs")
    for theirs in list(WAYS)[2:]:
        for ours in list(WAYS)[:2]:
            ratios = [b / a for a, b in zip(measured[ours], measured[theirs], strict=True)]
            print(f"{theirs} / {ours}: " + ", ".join(f"{ratio:.1f} x" for ratio in ratios))


def measure(engine, mode):
    """Return seconds: for all steps, for the rest after a death half-way, for a step of few, of many."""
    with tempfile.TemporaryDirectory() as folder:
        whole = run(engine, mode, folder, "whole", STEPS)
        run(engine, mode, folder, "cut", STEPS, die=STEPS // 2)
        rest = run(engine, mode, folder, "cut", STEPS)
        few = run(engine, mode, folder, "few", 100) / 100
        many = 0.0 if mode == "shipped" else run(engine, mode, folder, "many", 10_000) / 10_000
    return whole, rest, few, many or whole / STEPS


def run(engine, mode, folder, name, steps, *, die=0):
    """Run a workflow in a process of its own; return the seconds from its call, or recovery, to its value."""
    program = [sys.executable, "-m", "tests.bench.steps", engine, mode, name, str(steps), str(die)]
    environment = {**os.environ, "RESONATE_NB_KEY_FILE": str(Path(folder) / "key")}
    done = subprocess.run(
        program,
        check=False,
        cwd=folder,
        env={**environment, "PYTHONPATH": root()},
        capture_output=True,
        text=True,
    )
    if die:
        assert done.returncode == 9, done.stderr
        return 0.0
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def root():
    return str(Path(__file__).parents[2])


def ours(mode, name, steps, die):
    from resonate_nb import configure, durable

    configure(f"store-{name}")
    step = durable(identity=mode)(plain_step)

    @durable(name="workflow")
    def workflow(steps):
        total = 0
        for number in range(steps):
            total += step(number)
            if number + 1 == sys.bench_die:
                os._exit(9)
        return total

    sys.bench_die = die  # no part of the code
    start = time.perf_counter()
    workflow(steps)
    return time.perf_counter() - start


def dbos(mode, name, steps, die):
    from dbos import DBOS, SetWorkflowID

    if mode == "wal":
        prefer_wal()
    cut = Path(f"{name}.sqlite").exists()
    DBOS(
        config={
            "name": "bench",
            "system_database_url": f"sqlite:///{name}.sqlite",
            "run_admin_server": False,
            "log_level": "ERROR",
            "application_version": "1",
        }
    )
    step = DBOS.step()(plain_step)

    @DBOS.workflow()
    def workflow(steps):
        total = 0
        for number in range(steps):
            total += step(number)
            if number + 1 == die:
                os._exit(9)
        return total

    start = time.perf_counter()  # its recovery begins with the launch
    DBOS.launch()
    if not cut:
        start = time.perf_counter()
        with SetWorkflowID(name):
            workflow(steps)
    else:
        DBOS.retrieve_workflow(name).get_result(polling_interval_sec=0.01)
    seconds = time.perf_counter() - start
    DBOS.destroy()
    return seconds


def plain_step(number):
    return number + 1


def prefer_wal():
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def set_pragmas(connection, _record):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")


if __name__ == "__main__":
    engine, mode, name, steps, die = sys.argv[1:]
    print(json.dumps({"ours": ours, "dbos": dbos}[engine](mode, name, int(steps), int(die))))
