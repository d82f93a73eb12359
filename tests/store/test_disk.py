"""What the store in a folder promises beyond the contract: its folder, its files, its neighbours."""

import errno
import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import diskcache
import pytest
from making import NOW, acquire, buffer_of, create, settle

from resonate_nb.errors import DamagedValue, StoreFormat, StoreFull, StoreUnavailable
from resonate_nb.promise import State, Value
from resonate_nb.store import cache_table
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore
from resonate_nb.store.failures import unavailable
from resonate_nb.store.folder import file_system, open_folder
from resonate_nb.store.operations import SetAside

BIG = b"0123456789abcdef" * 10_000


def change_database(folder, statement, parameters=()):
    connection = sqlite3.connect(folder / "cache.db")
    try:
        with connection:
            return connection.execute(statement, parameters).fetchall()
    finally:
        connection.close()


def buffer_files(folder):
    return [path for path in (folder / "buffers").rglob("*") if path.is_file()]


class Planted:
    """Pickled, it would run code when loaded."""

    def __reduce__(self):
        return (os.mkdir, (str(Planted.folder),))


@pytest.mark.usefixtures("disk")
def test_the_folder_is_a_store_that_git_ignores(folder):
    assert json.loads((folder / "format").read_text()) == {"format": 1}
    assert (folder / ".gitignore").read_text() == "*\n"


def test_what_was_acknowledged_is_there_after_reopening(folder):
    store = DiskStore(folder)
    store.do(create("a"))
    store.do(settle("a", Value({}, BIG, (buffer_of(BIG * 2),))))
    store.close()
    store = DiskStore(folder)
    promise = store.get("a").promise
    assert promise.value.data == BIG
    assert promise.value.buffers[0].load() == BIG * 2
    store.close()


def test_what_was_posted_is_there_after_closing(folder):
    store = DiskStore(folder)
    for n in range(2_000):
        store.post(create(f"n/{n}"))
    store.close()
    store = DiskStore(folder)
    assert len(store.get_many(f"n/{n}" for n in range(2_000))) == 2_000
    store.close()


def test_reading_starts_no_thread(folder):
    DiskStore(folder).close()
    before = threading.active_count()
    store = DiskStore(folder)
    store.list(Query(), NOW)
    assert threading.active_count() == before
    store.do(create("a"))
    assert threading.active_count() == before + 1
    store.close()
    assert threading.active_count() == before


@pytest.mark.usefixtures("disk")
def test_a_newer_format_is_refused(folder):
    (folder / "format").write_text('{"format": 2}')
    with pytest.raises(StoreFormat) as caught:
        DiskStore(folder)
    assert (caught.value.found, caught.value.readable) == ("2", 1)


@pytest.mark.parametrize("text", ["", "2", "{}", '{"format": "1"}', '{"format": true}'])
@pytest.mark.usefixtures("disk")
def test_a_format_that_is_none_is_refused(folder, text):
    (folder / "format").write_text(text)
    with pytest.raises(StoreFormat):
        DiskStore(folder)


def test_a_folder_of_something_else_is_refused_and_left_alone(folder):
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreUnavailable, match="is no store"):
        DiskStore(folder)
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_place_of_the_folder_is_refused(folder):
    folder.write_text("not a folder")
    with pytest.raises(StoreUnavailable, match="is a file"):
        DiskStore(folder)
    with pytest.raises(StoreUnavailable):
        DiskStore(folder / "below")


def test_a_place_that_can_not_be_written_is_refused():
    with pytest.raises(StoreUnavailable):
        DiskStore("/proc/resonate")


def test_a_network_file_system_is_recognised(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "root / ext4 rw 0 0\n"
        "server:/home /home nfs4 rw 0 0\n"
        "//nas/data /mnt/my\\040data cifs rw 0 0\n"
        "disk /home/local xfs rw 0 0\n"
    )
    assert file_system(Path("/home/me/.resonate"), mounts) == "nfs4"
    assert file_system(Path("/mnt/my data/.resonate"), mounts) == "cifs"
    assert file_system(Path("/home/local/x"), mounts) == "xfs"
    assert file_system(Path("/homework"), mounts) == "ext4"


def test_a_network_file_system_is_refused_naming_the_variable(monkeypatch, tmp_path):
    monkeypatch.setattr("resonate_nb.store.folder.file_system", lambda _: "nfs4")
    with pytest.raises(StoreUnavailable, match="RESONATE_NB_STORE"):
        open_folder(tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_path_with_spaces_and_signs_works(tmp_path):
    store = DiskStore(tmp_path / "a b?#%20é")
    store.do(create("a"))
    assert store.get("a") is not None
    store.close()


def test_eight_processes_create_one_store_at_once(folder):
    script = (
        "import sys; from resonate_nb.store.disk import DiskStore\n"
        "sys.path.insert(0, sys.argv[2]); from making import create\n"
        "sys.stdin.readline(); store = DiskStore(sys.argv[1])\n"
        "store.do(create('p/' + sys.argv[3])); store.close()"
    )
    here = str(Path(__file__).parent)
    processes = [
        subprocess.Popen([sys.executable, "-c", script, folder, here, str(n)], stdin=subprocess.PIPE)
        for n in range(8)
    ]
    for process in processes:
        process.stdin.write(b"\n")
        process.stdin.close()
    assert [process.wait(60) for process in processes] == [0] * 8
    store = DiskStore(folder)
    assert len(store.list(Query(prefix="p/"), NOW).promises) == 8
    store.close()


def test_a_folder_deleted_under_an_open_store_is_made_again(folder, disk):
    disk.do(create("old"))
    shutil.rmtree(folder)
    assert disk.get("old") is None
    disk.do(create("new"))
    assert disk.get("new") is not None
    shutil.rmtree(folder)
    disk.do(create("newer", param=Value({}, BIG)))
    assert [promise.id for promise in disk.list(Query(), NOW).promises] == ["newer"]


def test_a_folder_replaced_by_another_store_is_followed(folder, tmp_path, disk):
    disk.do(create("old"))
    other = DiskStore(tmp_path / "other")
    other.do(create("theirs"))
    other.close()
    shutil.rmtree(folder)
    (tmp_path / "other").rename(folder)
    assert disk.get("theirs") is not None
    disk.do(create("mine"))
    assert [promise.id for promise in disk.list(Query(), NOW).promises] == ["mine", "theirs"]


def test_the_settings_in_the_folder_are_ours_whatever_they_were(folder):
    folder.mkdir()
    (folder / "format").write_text('{"format": 1}')
    diskcache.Cache(str(folder), size_limit=1_000, cull_limit=10, statistics=1).close()
    store = DiskStore(folder)
    for n in range(60):
        store.do(create(f"n/{n}", param=Value({}, b"x" * 30_000)))
    assert len(store.get_many(f"n/{n}" for n in range(60))) == 60
    store.close()


def test_diskcache_keeps_the_table_that_the_reader_relies_on(folder, disk):
    disk.do(create("a", tags={"k": "v"}))
    disk.do(settle("a"))
    ((key, raw, tag, mode, filename, value, expire_time),) = change_database(
        folder, "SELECT key, raw, tag, mode, filename, value, expire_time FROM Cache"
    )
    assert (key, raw, tag, mode, filename, expire_time) == ("p:a", 1, "resolved", 1, None, None)
    assert type(value) is bytes
    plan = change_database(
        folder,
        "EXPLAIN QUERY PLAN SELECT value FROM Cache WHERE raw = 1 AND key >= ? AND key < ? ORDER BY key",
        "ab",
    )
    assert "Cache_key_raw" in plan[0][-1]
    assert cache_table.SETTINGS.keys() <= diskcache.core.DEFAULT_SETTINGS.keys()


@pytest.mark.parametrize(("durability", "expected"), [("default", [1, 2, 1]), ("power", [2, 2, 2])])
def test_what_must_survive_a_power_cut_is_committed_with_full_synchronous(folder, durability, expected):
    class Pragma:
        def __init__(self, power_safe):
            self.power_safe = power_safe

        def apply(self, rows):
            ((found,),) = rows._table._cache._sql("PRAGMA synchronous").fetchall()
            return found

    store = DiskStore(folder, durability=durability)
    assert [store.do(Pragma(power_safe)) for power_safe in (False, True, False)] == expected
    store.close()


@pytest.mark.parametrize("place", [0, 9, -1])
def test_a_changed_bit_in_a_row_is_noticed(folder, disk, place):
    disk.do(create("a"))
    ((row,),) = change_database(folder, "SELECT value FROM Cache WHERE key = 'p:a'")
    bad = bytearray(row)
    bad[place] ^= 1
    change_database(folder, "UPDATE Cache SET value = ? WHERE key = 'p:a'", (bytes(bad),))
    for read in (lambda: disk.get("a"), lambda: disk.list(Query(), NOW), lambda: disk.do(create("a"))):
        with pytest.raises(DamagedValue) as caught:
            read()
        assert caught.value.id == "a"
    disk.do(SetAside(id="a"))
    assert disk.get("a") is None
    assert change_database(folder, "SELECT value FROM Cache WHERE key = 'a:a'") == [(bytes(bad),)]


def test_a_row_copied_under_another_id_is_refused(folder, disk):
    disk.do(create("a"))
    disk.do(create("b"))
    change_database(
        folder, "UPDATE Cache SET value = (SELECT value FROM Cache WHERE key = 'p:a') WHERE key = 'p:b'"
    )
    with pytest.raises(DamagedValue):
        disk.get("b")


def test_a_planted_pickle_is_never_loaded(folder, tmp_path, disk):
    Planted.folder = tmp_path / "executed"
    payload = pickle.dumps(Planted())
    disk.do(create("a"))
    change_database(folder, "UPDATE Cache SET value = ?, mode = 4 WHERE key = 'p:a'", (payload,))
    change_database(
        folder, "INSERT INTO Cache (key, raw, mode, value) VALUES (?, 0, 4, ?)", (payload, payload)
    )
    for use in (lambda: disk.get("a"), lambda: disk.list(Query(), NOW), lambda: disk.do(settle("a"))):
        with pytest.raises(DamagedValue):
            use()
    cache = diskcache.Cache(str(folder), disk=cache_table.RecordDisk)
    with pytest.raises(DamagedValue):
        list(cache)
    with pytest.raises(DamagedValue):
        cache.get("p:a")
    with pytest.raises(TypeError):
        cache.set("p:b", {"not": "bytes"})
    with pytest.raises(TypeError):
        cache.set(("not", "text"), b"")
    cache.close()
    disk.do(SetAside(id="a"))
    assert disk.do(create("a")).state is State.PENDING
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("harm", ["missing", "short", "changed"])
def test_damaged_data_beside_the_row_is_reported_and_can_be_kept_anew(folder, disk, harm):
    disk.do(create("a"))
    disk.do(settle("a", BIG))
    (path,) = buffer_files(folder)
    if harm == "missing":
        path.unlink()
    elif harm == "short":
        path.write_bytes(BIG[:-1])
    else:
        path.write_bytes(b"X" + BIG[1:])
    with pytest.raises(DamagedValue):
        disk.get("a")
    disk.do(SetAside(id="a"))
    disk.do(create("a"))
    disk.do(settle("a", BIG))
    assert disk.get("a").promise.value.data == BIG


@pytest.mark.parametrize("harm", ["missing", "short"])
def test_a_damaged_buffer_is_reported_when_it_is_loaded(folder, disk, harm):
    disk.do(create("a", param=Value({}, b"", (buffer_of(BIG),))))
    (path,) = buffer_files(folder)
    path.unlink() if harm == "missing" else path.write_bytes(b"")
    (buffer,) = disk.get("a").promise.param.buffers
    with pytest.raises(DamagedValue):
        buffer.load()


def test_a_buffer_that_was_changed_is_kept_anew_after_its_row_was_set_aside(folder, disk):
    value = Value({}, b"", (buffer_of(BIG),))
    disk.do(create("a", param=value))
    (path,) = buffer_files(folder)
    path.write_bytes(b"X" + BIG[1:])
    disk.do(SetAside(id="a"))
    disk.do(create("a", param=value))
    assert disk.get("a").promise.param.buffers[0].load() == BIG


def test_no_temporary_file_is_left(folder, disk):
    disk.do(create("a", param=Value({}, BIG, (buffer_of(BIG * 2), buffer_of(BIG)))))
    assert sorted(len(path.name) for path in buffer_files(folder)) == [32, 32]


def test_a_page_does_not_read_what_is_beyond_it(folder, disk):
    replies = [disk.post(create(f"n/{n:05}")) for n in range(20_000)]
    replies[-1].get()
    change_database(folder, "UPDATE Cache SET value = x'00' WHERE key > 'p:n/00020'")
    page = disk.list(Query(prefix="n/", limit=10), NOW)
    assert [promise.id for promise in page.promises] == [f"n/{n:05}" for n in range(10)]
    page = disk.list(Query(prefix="n/", limit=10, cursor=page.cursor), NOW)
    assert page.cursor == "n/00019"
    with pytest.raises(DamagedValue):
        disk.list(Query(prefix="n/", limit=10, cursor=page.cursor), NOW)


def test_two_stores_on_one_folder_see_each_other(folder, disk):
    other = DiskStore(folder)
    disk.do(acquire("a", "one"))
    assert other.do(acquire("a", "two")).holder.owner == "one"
    other.wait_for_change(0)
    disk.do(settle("a"))
    other.wait_for_change(60)
    assert other.get("a").promise.state is State.RESOLVED
    other.close()


def test_a_database_that_is_none_is_reported(folder):
    DiskStore(folder).close()
    for path in folder.glob("cache.db*"):
        path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StoreUnavailable, match="no database"):
        DiskStore(folder)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_lack_of_room_is_told_from_other_failures(number):
    assert isinstance(unavailable("here", OSError(number, "no room")), StoreFull)
    assert not isinstance(unavailable("here", OSError(errno.EACCES, "no")), StoreFull)


def test_a_failing_disk_fails_the_group_and_the_next_one_works(disk, monkeypatch):
    disk.do(create("a"))
    table = disk._writer._table
    real = type(table).write

    def write(self, changes, aside):
        real(self, changes, aside)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(type(table), "write", write)
    replies = [disk.post(create(f"n/{n}")) for n in range(3)]
    for reply in replies:
        with pytest.raises(StoreUnavailable, match="I/O"):
            reply.get()
    monkeypatch.undo()
    assert disk.get("n/0") is None
    assert disk.do(create("n/0")).id == "n/0"


FORKING = """
import os, sys, warnings, threading
warnings.simplefilter("ignore", DeprecationWarning)
from resonate_nb.store.disk import DiskStore
sys.path.insert(0, sys.argv[2])
from making import create
store = DiskStore(sys.argv[1])
store.do(create("parent"))
store.wait_for_change(0)
stop = threading.Event()
def work(n):
    i = 0
    while not stop.is_set():
        store.do(create(f"busy/{n}/{i}")); store.get(f"busy/{n}/{i}"); i += 1
threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
for thread in threads: thread.start()
children = []
for n in range(20):
    pending = store.post(create(f"pending/{n}"))
    child = os.fork()
    if not child:
        assert store.get("parent") is not None
        store.do(create(f"child/{n}"))
        store.wait_for_change(0)
        store.close()
        os._exit(0)
    children.append(child)
    pending.get()
codes = [os.waitpid(child, 0)[1] for child in children]
stop.set()
for thread in threads: thread.join()
found = store.get_many([f"child/{n}" for n in range(20)] + [f"pending/{n}" for n in range(20)])
store.close()
print(codes == [0] * 20, len(found))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_uses_the_store_on_its_own(folder):
    done = subprocess.run(
        [sys.executable, "-c", FORKING, folder, Path(__file__).parent],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("True 40", "")


def test_what_was_posted_is_committed_when_the_process_ends(folder):
    script = (
        "import sys; from resonate_nb.store.disk import DiskStore\n"
        "sys.path.insert(0, sys.argv[2]); from making import create\n"
        "store = DiskStore(sys.argv[1])\n"
        "for n in range(500): store.post(create(f'n/{n}'))\n"
    )
    subprocess.run([sys.executable, "-c", script, folder, Path(__file__).parent], timeout=60, check=True)
    store = DiskStore(folder)
    assert len(store.get_many(f"n/{n}" for n in range(500))) == 500
    store.close()


def test_a_store_that_only_read_is_closed_without_starting_its_writer(tmp_path):
    # At the interpreter's end no thread can start any more, from Python 3.12 on.
    store = DiskStore(tmp_path / "store")
    assert store.get("a") is None
    store.close()
    assert store._writer._thread is None
