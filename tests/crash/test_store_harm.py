"""A store that comes to harm keeps what it acknowledged, leaves nothing torn, and says what happened."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from resonate_nb.errors import StoreFull, StoreUnavailable
from resonate_nb.promise import State, Value
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from making import NOW, create, settle

HERE = Path(__file__).parent
LARGE = b"0123456789abcdef" * 3_000


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def start():
    """Start a part of `store_victims.py` as a process; what still runs at the end is killed."""
    processes = []

    def start(part, *arguments):
        process = subprocess.Popen(
            [sys.executable, HERE / "store_victims.py", part, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def check_whole(promise):
    """A promise is pending without a value, or settled with all of it."""
    if promise.state is State.PENDING:
        assert promise.value.data == b""
        return
    assert promise.state is State.RESOLVED
    if promise.value.data == b"small":
        return
    number = promise.id.rpartition("/")[2].encode()
    assert promise.value.data == LARGE + number
    (buffer,) = promise.value.buffers
    assert buffer.load() == LARGE * 2 + number


def test_death_at_the_nth_chance_for_every_n(folder, start):
    drivers = [start("die_at_every_chance", folder, first, 2) for first in (1, 2)]
    reports = [line for driver in drivers for line in driver.communicate(timeout=200)[0].splitlines()]
    assert [driver.returncode for driver in drivers] == [0, 0]
    assert len(reports) > 100
    for report in reports:
        place, code, acknowledged = report.split("|")
        assert code in {"9", "0"}
        store = DiskStore(place)
        for each in filter(None, acknowledged.split(",")):
            id, state = each.split()
            promise = store.get(id).promise
            check_whole(promise)
            assert state == "pending" or promise.settled
        for listed in store.list(Query(), NOW).promises:
            check_whole(store.get(listed.id).promise)
        for number in range(2):  # the next process does the same work
            store.do(create(f"n/{number}"))
            store.do(settle(f"n/{number}"))
        store.close()
    assert sum(report.split("|")[1] == "0" for report in reports) == 2


@pytest.mark.parametrize("writers", [2, 3, 4])
def test_processes_killed_at_any_time_lose_nothing_acknowledged(folder, start, writers):
    chance = random.Random(writers)
    acknowledged = []
    for turn in range(4):
        victims = [start("write_until_killed", folder, f"{turn}/{name}") for name in range(writers)]
        for victim in victims:
            assert victim.stdout.readline() == "ready\n"
        for victim in victims:
            time.sleep(chance.uniform(0.01, 0.25))
            victim.send_signal(signal.SIGKILL)
        for victim in victims:
            lines = victim.communicate(timeout=30)[0]
            acknowledged += lines.split("\n")[:-1]  # the last line may be torn by the kill
    assert acknowledged
    store = DiskStore(folder)
    found = store.get_many(acknowledged)
    children = store.get_many(f"{id}/{child}" for id in acknowledged for child in range(5))
    assert len(found) == len(acknowledged)
    assert len(children) == 5 * len(acknowledged)
    assert all(entry.promise.settled for entry in found.values())
    check_everything(store)
    store.do(create("after"))  # no lock is left
    store.close()
    connection = sqlite3.connect(folder / "cache.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def check_everything(store):
    cursor = None
    while True:
        page = store.list(Query(limit=1_000, cursor=cursor), NOW)
        for entry in store.get_many(promise.id for promise in page.promises).values():
            check_whole(entry.promise)
        cursor = page.cursor
        if cursor is None:
            return


def test_a_storm_of_interrupts_leaves_the_store_usable_for_all(folder, start):
    victim = start("be_interrupted", folder, 4)
    other = DiskStore(folder)
    for number in range(20):  # another process writes meanwhile
        other.do(create(f"other/{number}"))
        time.sleep(0.05)
    out, err = victim.communicate(timeout=60)
    assert (victim.returncode, err) == (0, "")
    interrupts, acknowledged, settled = map(int, out.split())
    assert interrupts > 100
    assert acknowledged == settled > 0
    assert other.get("last") is not None
    other.do(create("after"))
    other.close()


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting a small disk takes rights that are not there")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def check_kept(folder, lines):
    store = DiskStore(folder)
    kept = [line for line in lines if line.startswith("n/")]
    assert len(kept) > 5
    assert len(store.get_many(kept)) == len(kept)
    assert all(len(entry.promise.param.data) == 20_000 for entry in store.get_many(kept).values())
    return store


def test_a_full_disk_is_named_and_loses_nothing(small_disk, start):
    folder = small_disk / "store"
    out, err = start("fill", folder, 0).communicate(timeout=60)
    lines = out.splitlines()
    assert (lines[-2:], err) == (["full", "full"], "")
    store = check_kept(folder, lines)
    with pytest.raises(StoreFull, match="make room"):
        store.do(create("large", param=Value({}, b"x" * 3_000_000)))
    store.close()


def test_a_full_disk_has_no_room_for_a_new_store(small_disk):
    (small_disk / "ballast").write_bytes(b"x" * (2 * 2**20 - 4 * 4096))
    with pytest.raises(StoreFull):
        DiskStore(small_disk / "store")


def test_a_limit_on_files_is_a_lack_of_room_and_the_store_goes_on_after_it(folder, start):
    out, err = start("fill", folder, 600_000).communicate(timeout=60)
    lines = out.splitlines()
    assert (lines[-3:], err) == (["full", "full", "room again"], "")
    check_kept(folder, lines).close()


def test_a_read_only_folder_is_refused(small_disk):
    folder = small_disk / "store"
    store = DiskStore(folder)
    store.do(create("a"))
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StoreUnavailable, match="read-only"):
        DiskStore(folder)
    with pytest.raises(StoreUnavailable):
        DiskStore(small_disk / "another")


def test_a_disk_that_becomes_read_only_is_reported_and_recovers(small_disk):
    folder = small_disk / "store"
    store = DiskStore(folder)
    store.close()
    store = DiskStore(folder)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StoreUnavailable):
        store.do(create("a"))
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert store.do(create("a")).id == "a"
    store.close()
