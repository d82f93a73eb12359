"""Whatever is killed, a map on a cluster settles each item once, and finds what was done meanwhile."""

import os
import random
import signal
import subprocess
import sys
import time

from distributed import KilledWorker

from resonate_nb.promise import State
from resonate_nb.store.base import Query

LINE = 16  # bytes of one mark
KERNEL = """
import os, sys, time
from distributed import Client
from resonate_nb import configure, durable
configure("store")
FOLDER = os.getcwd()
@durable
def work(x, seconds):
    with open(FOLDER + "/marks", "a") as marks:
        marks.write(f"{x:6d} {os.getpid():8d}\\n")
    time.sleep(seconds)
    return x * x
if __name__ == "__main__":
    address, count, seconds, chunksize = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    with Client(address) as client:
        options = {"executor": client, "progress": False, "chunksize": chunksize}
        print(sum(work.map(range(count), [seconds] * count, **options)))
"""


def command(folder, client, *arguments):
    (folder / "kernel.py").write_text(KERNEL)
    return [sys.executable, "kernel.py", client.scheduler.address, *map(str, arguments)]


def marks(folder):
    path = folder / "marks"
    return [tuple(map(int, line.split())) for line in path.read_text().splitlines()] if path.exists() else []


def marked(folder):
    """Return how many lines there are, without reading them."""
    path = folder / "marks"
    return path.stat().st_size // LINE if path.exists() else 0


def settled(root):
    query = Query(prefix="work@", state=State.RESOLVED, limit=20_000)
    return root.execution.store.list(query, 0).promises


def wait_until(holds, process=None):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None
        time.sleep(0.005)


def test_what_a_killed_worker_had_is_computed_by_another(client, root, tmp_path):
    process = subprocess.Popen(
        command(tmp_path, client, 30, 0.05, 3), cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    wait_until(lambda: marked(tmp_path) > 5, process)
    os.kill(marks(tmp_path)[-1][1], signal.SIGKILL)
    answer, _ = process.communicate(timeout=60)
    assert int(answer) == sum(n * n for n in range(30))
    assert len(settled(root)) == 30
    assert len(marks(tmp_path)) <= 31  # what was under way, once more
    client.wait_for_workers(2, timeout=60)


def test_an_item_that_kills_its_workers_fails_alone(doomed, root):
    @root.durable(name="work")
    def work(x):
        if x == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    values = work.map(range(6), executor=doomed, chunksize=3, progress=False, return_exceptions=True)
    assert values[:3] + values[4:] == [0, 1, 2, 4, 5]
    assert isinstance(values[3], KilledWorker), values[3]
    assert len(settled(root)) == 5


def test_an_interrupt_keeps_what_was_done_and_takes_back_the_rest(client, root, tmp_path):
    process = subprocess.Popen(
        command(tmp_path, client, 500, 0.05, 4), cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: marked(tmp_path) > 5, process)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in told
    wait_until(lambda: len(settled(root)) == len(marks(tmp_path)))
    begun = len(marks(tmp_path))
    time.sleep(0.3)
    assert len(marks(tmp_path)) == begun < 100


def test_what_finished_while_the_kernel_was_dead_is_found(client, root, tmp_path):
    process = subprocess.Popen(
        command(tmp_path, client, 4, 1.5, 1), cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    wait_until(lambda: marked(tmp_path) == 2, process)
    process.kill()
    process.communicate(timeout=30)
    assert len(settled(root)) < 2
    wait_until(lambda: len(settled(root)) == 2)  # by the workers, for nobody
    done = subprocess.run(
        command(tmp_path, client, 4, 1.5, 1),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert int(done.stdout) == sum(n * n for n in range(4))
    assert sorted(x for x, _ in marks(tmp_path)) == list(range(4))


def test_ten_thousand_items_survive_five_kills_of_the_kernel(client, root, tmp_path):
    count, chance, kills = 10_000, random.Random(6), 0
    order = command(tmp_path, client, count, 0, 100)
    for wanted in sorted(chance.sample(range(500, 9_000), 5)):
        process = subprocess.Popen(order, cwd=tmp_path, stdout=subprocess.PIPE)
        wait_until(lambda wanted=wanted: marked(tmp_path) >= wanted, process)
        process.kill()
        kills += 1
        process.communicate(timeout=30)
    done = subprocess.run(order, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) == sum(n * n for n in range(count))
    assert kills == 5
    assert len(settled(root)) == count
    assert len(marks(tmp_path)) <= count + kills * 2  # an item of each worker
