"""A call is computed again exactly when a file that it read, or one that it wrote, is not as it was."""

import asyncio
import glob
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import tokenize
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from resonate_nb import File, NotKept, State, UndigestibleInput, configure, current, durable, files
from resonate_nb.opened.file_records import HEADER
from resonate_nb.retry import Constant

pytestmark = pytest.mark.usefixtures("root", "project")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with data in it, in which the test runs."""
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data.csv").write_text("1,2")
    (folder / "data/a.csv").write_text("a")
    monkeypatch.chdir(folder)
    return folder


class Unseen(list):
    """What a body uses besides, and is no part of its call's identity."""

    def __durable_digest__(self):
        return "unseen"


def counted(body, **options):
    """Return a durable function over a body, and the list of the arguments of its runs."""
    runs = Unseen()

    @durable(name=body.__name__, **options)
    def call(*arguments):
        runs.append(arguments)
        return body(*arguments)

    return call, runs


def change(path, text="3,4"):
    Path(path).write_text(text)


def read(path="data.csv"):
    return Path(path).read_text()


def by_descriptor():
    descriptor = os.open("data.csv", os.O_RDONLY)
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def by_a_path_of_bytes():
    with open(b"data.csv") as file:  # noqa: PTH123
        return file.read()


def in_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(read()))
    thread.start()
    thread.join()
    return found


def in_a_pool():
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(read).result()


def in_tasks():
    async def later():
        return read()

    async def both():
        return await asyncio.gather(asyncio.to_thread(read), asyncio.create_task(later()))

    return asyncio.run(both())


def by_copying():
    return shutil.copyfile("data.csv", "copy.csv")


def what_is_there():
    try:
        return read()
    except FileNotFoundError:
        return "nothing"


READERS = [
    *(read, by_descriptor, by_a_path_of_bytes, in_a_thread, in_a_pool, in_tasks, by_copying, what_is_there)
]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_call_is_replayed_until_a_file_that_it_read_changes(reader):
    call, runs = counted(reader)
    first = call()
    assert call() == first
    assert len(runs) == 1
    change("data.csv")
    call()
    call()
    assert len(runs) == 2


def test_a_pool_that_is_older_than_the_body_reads_for_it():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        pools = Unseen([pool])
        call, _ = counted(lambda: pools[0].submit(read).result())
        assert call() == "1,2"
        change("data.csv")
        assert call() == "3,4"


def test_two_bodies_at_once_record_each_its_own_file():
    met = threading.Barrier(2, timeout=30)
    barriers = Unseen([met])

    def meet_and_read(path):
        barriers[0].wait()
        text = read(path)
        barriers[0].wait()
        return text

    call, runs = counted(meet_and_read)
    change("b.csv")
    assert call.map(["data.csv", "b.csv"], workers=2, progress=False) == ["1,2", "3,4"]
    change("b.csv", "5")
    met.abort()
    assert call("data.csv") == "1,2"
    with pytest.raises(threading.BrokenBarrierError):
        call("b.csv")
    assert len(runs) == 3


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python says nothing of threads that start")
def test_a_thread_that_a_body_starts_works_for_its_promise():
    found = Unseen()

    @durable(name="starts")
    def starts():
        thread = threading.Thread(target=lambda: found.append(current().id))
        thread.start()
        thread.join()
        return current().id

    assert found == [starts()]
    assert current() is None


def test_the_same_content_with_another_time_is_replayed():
    call, runs = counted(read)
    call()
    os.utime("data.csv", (1_000, 1_000))
    change("data.csv", "1,2")
    call()
    assert len(runs) == 1


def test_another_content_of_the_same_size_and_time_is_seen():
    os.utime("data.csv", (1_000, 1_000))
    call, _ = counted(read)
    assert call() == "1,2"
    change("data.csv", "1,3")
    os.utime("data.csv", (1_000, 1_000))
    assert call() == "1,3"


def test_a_file_that_looks_as_it_did_is_not_read_to_be_compared(monkeypatch):
    change("data.csv", "old")
    time.sleep(0.1)
    call, _ = counted(read)
    call()
    monkeypatch.setattr("resonate_nb.opened.file_states._digest_of_bytes", None)
    assert call() == "old"


def test_a_file_that_is_gone_computes_again_and_so_does_one_that_appears():
    call, _ = counted(what_is_there)
    call()
    Path("data.csv").unlink()
    assert call() == "nothing"
    assert call() == "nothing"
    change("data.csv")
    assert call() == "3,4"


def test_a_project_that_moves_is_replayed_and_one_with_other_data_is_not(tmp_path, monkeypatch):
    call, runs = counted(read)
    call()
    shutil.copytree(".", tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    call()
    assert len(runs) == 1
    change("data.csv")
    assert call() == "3,4"


def test_a_relative_path_of_a_body_that_went_elsewhere_is_recorded_as_what_it_meant():
    def elsewhere():
        os.chdir("data")
        try:
            return read("a.csv")
        finally:
            os.chdir("..")

    call, runs = counted(elsewhere)
    assert call() == "a"
    call()
    assert len(runs) == 1
    change("data/a.csv", "b")
    assert call() == "b"


def by_pattern():
    return sorted(glob.glob("data/*.csv"))  # noqa: PTH207


def by_path_pattern():
    return sorted(path.name for path in Path("data").glob("*.csv"))


def by_listing():
    return sorted(os.listdir("data"))  # noqa: PTH208


def by_walking():
    return sorted(name for _, _, names in os.walk("data") for name in names)


@pytest.mark.parametrize("lister", [by_pattern, by_path_pattern, by_listing, by_walking])
def test_a_new_file_in_a_folder_that_was_listed_computes_again(lister):
    call, runs = counted(lister)
    assert len(call()) == 1
    assert len(call()) == len(runs) == 1
    change("data/b.csv")
    assert len(call()) == 2
    Path("data/a.csv").unlink()
    assert len(call()) == 1


def test_what_does_not_match_a_pattern_is_no_change():
    call, runs = counted(by_pattern)
    call()
    change("data/notes.txt")
    call()
    assert len(runs) == 1


def test_a_database_that_was_queried_is_a_file_that_was_read():
    def query():
        connection = sqlite3.connect("base.db")
        try:
            return connection.execute("SELECT sum(n) FROM numbers").fetchone()[0]
        finally:
            connection.close()

    def insert(n):
        connection = sqlite3.connect("base.db")
        with connection:
            connection.execute("CREATE TABLE IF NOT EXISTS numbers (n)")
            connection.execute("INSERT INTO numbers VALUES (?)", (n,))
        connection.close()

    insert(1)
    call, runs = counted(query)
    assert [call(), call()] == [1, 1]
    assert len(runs) == 1
    insert(2)
    assert call() == 3


def write(path="out.csv"):
    return Path(path).write_text("made")


def append(path="out.csv"):
    with Path(path).open("a") as file:
        return file.write("made")


def write_and_move(path="out.csv"):
    Path("partial").write_text("made")
    return os.replace("partial", path)  # noqa: PTH105


def make_folders():
    Path("out/deep").mkdir(parents=True)
    write("out/deep/out.csv")


WRITERS = {write: "out.csv", append: "out.csv", write_and_move: "out.csv", make_folders: "out/deep/out.csv"}


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_a_file_that_was_written_is_there_after_every_call(writer):
    path = Path(WRITERS[writer])
    call, runs = counted(writer)
    call()
    call()
    assert len(runs) == 1
    shutil.rmtree("out", ignore_errors=True)
    path.unlink(missing_ok=True)
    call()
    assert path.read_text() == "made"


def test_a_file_that_was_written_and_is_another_now_is_written_again():
    call, _ = counted(write)
    call()
    change("out.csv")
    call()
    assert read("out.csv") == "made"


def test_what_others_append_to_a_log_undoes_nothing():
    call, runs = counted(append)
    call()
    append()
    call()
    assert len(runs) == 1
    assert read("out.csv") == "mademade"


def test_a_file_that_was_removed_is_gone_after_every_call():
    call, _ = counted(lambda: Path("data.csv").unlink())
    call()
    change("data.csv")
    call()
    assert not Path("data.csv").exists()


def test_temporary_files_leave_no_record():
    def with_temporary_files():
        with (
            tempfile.TemporaryDirectory(dir=".") as folder,
            tempfile.NamedTemporaryFile("w+", dir=folder) as file,
        ):
            file.write("x")
            return len(os.listdir(folder))  # noqa: PTH208

    call, runs = counted(with_temporary_files)
    assert call() == 1
    call()
    assert len(runs) == 1


def test_a_file_that_is_read_after_it_was_written_is_no_input():
    def through_a_file():
        write("between.csv")
        return read("between.csv")

    call, runs = counted(through_a_file)
    assert [call(), call()] == ["made", "made"]
    assert len(runs) == 1


def test_a_folder_that_a_body_lists_and_writes_to_is_replayed_until_others_write_to_it():
    def convert():
        found = by_path_pattern()
        for name in found:
            write(f"data/{name}.out")
        return found

    call, runs = counted(convert)
    assert [call(), call()] == [["a.csv"]] * 2
    assert len(runs) == 1
    change("data/b.csv")
    assert call() == ["a.csv", "b.csv"]


def test_a_body_that_reads_a_file_and_changes_it_computes_each_time():
    def count():
        number = int(read("number")) + 1
        change("number", str(number))
        return number

    change("number", "0")
    call, _ = counted(count)
    for expected in (1, 2):
        with pytest.warns(NotKept, match="it read number and then changed it"):
            assert call() == expected


def test_a_body_that_writes_back_what_it_read_is_kept():
    call, runs = counted(lambda: change("data.csv", read()))
    call()
    call()
    assert len(runs) == 1


def test_reading_a_log_that_was_appended_to_is_reading_what_was_there():
    def grow():
        append("data.csv")
        return read()

    call, _ = counted(grow)
    with pytest.warns(NotKept, match=r"it read data\.csv and then changed it"):
        assert call() == "1,2made"


def test_a_file_that_others_change_while_the_body_runs_leaves_nothing_kept():
    def disturbed():
        text = read()
        outside = threading.Thread(target=os.system, args=("printf 3,4 > data.csv",))
        outside.start()
        outside.join()
        return text

    call, _ = counted(disturbed)
    with pytest.warns(NotKept, match=r"data\.csv changed while it ran"):
        assert call() == "1,2"
    assert call.promise().state is State.PENDING


def test_a_retry_counts_what_it_reads_itself():
    def wait_for_it():
        if what_is_there() == "nothing":
            change("source.csv")
            os.system("mv source.csv data.csv")  # somebody else brings it
            raise LookupError
        return read()

    Path("data.csv").unlink()
    call, runs = counted(wait_for_it, retry=Constant(retries=1, every=0))
    assert [call(), call()] == ["3,4", "3,4"]
    assert len(runs) == 2


def nested():
    inner, inner_runs = counted(read)
    outer, outer_runs = counted(lambda: inner("data.csv") + "!")
    return inner, inner_runs, outer, outer_runs


@pytest.mark.parametrize("replayed", [False, True], ids=["computed", "replayed"])
def test_a_promise_inherits_the_files_of_those_that_it_called(replayed):
    inner, inner_runs, outer, outer_runs = nested()
    if replayed:
        inner("data.csv")
    assert outer() == "1,2!"
    change("data.csv")
    assert outer() == "3,4!"
    assert len(inner_runs) == len(outer_runs) == 2


@pytest.mark.parametrize("workers", [None, 2])
def test_items_of_a_map_are_computed_again_one_by_one_and_inherited_by_its_caller(workers):
    names = [f"data/{n}.csv" for n in range(20)]
    for name in names:
        change(name, name)
    inner, runs = counted(read)
    outer, outer_runs = counted(lambda: len("".join(inner.map(names, workers=workers, progress=False))))
    inner.map(names[:10], workers=workers, progress=False)
    total = outer()
    assert len(runs) == 20
    change(names[3], "longer than before")
    assert outer() > total
    assert [runs[20:], len(outer_runs)] == [[("data/3.csv",)], 2]


def test_a_file_that_a_call_inside_wrote_is_written_again():
    inner, _ = counted(write)
    outer, _ = counted(lambda: [inner()])
    inner()
    outer()
    Path("out.csv").unlink()
    outer()
    assert read("out.csv") == "made"


def test_coroutines_record_their_files_and_inherit_those_of_others():
    @durable(name="inner")
    async def inner(path):
        await asyncio.sleep(0)
        return read(path)

    @durable(name="outer")
    async def outer():
        return await asyncio.gather(inner("data.csv"), inner("data/a.csv"))

    asyncio.run(inner("data.csv"))
    assert asyncio.run(outer()) == ["1,2", "a"]
    change("data.csv")
    assert asyncio.run(outer()) == ["3,4", "a"]


def record(call, *arguments):
    return call.promise(*arguments).value.headers.get(HEADER)


def test_what_is_not_data_leaves_no_record(project):
    (project / "helpers.py").write_text("def half(x):\n    return x / 2\n")
    sys.path.insert(0, str(project))

    def import_and_show():
        import email.mime.audio  # noqa: F401
        import linecache

        import helpers  # noqa: F401

        read("/proc/self/status")
        read(tokenize.__file__)
        linecache.getlines(str(project / "helpers.py"))

    try:
        call, _ = counted(import_and_show)
        call()
    finally:
        sys.path.remove(str(project))
        sys.modules.pop("helpers", None)
    assert record(call) is None


def test_a_body_that_opens_nothing_adds_no_byte():
    call, _ = counted(lambda: 1)
    call()
    assert dict(call.promise().value.headers) == {}


def test_many_files_are_recorded_beside_the_row_that_lists_read(tmp_path):
    for n in range(1_000):
        change(f"data/{n}.csv", str(n))
    call, runs = counted(lambda: sum(int(read(f"data/{n}.csv")) for n in range(1_000)))
    assert [call(), call()] == [499_500] * 2
    assert len(record(call)) < 100
    configure(tmp_path / "store")  # closed and opened again
    assert call() == 499_500
    assert len(runs) == 1
    change("data/500.csv", "0")
    assert call() == 499_000


def test_differences_are_told_in_words(capsys):
    call, _ = counted(lambda: (read(), write(), by_pattern()))
    call()
    assert files.difference(call.promise()) == []
    change("data.csv")
    Path("out.csv").unlink()
    change("data/b.csv")
    told = ["data.csv changed", "out.csv, which it wrote, is gone", "other files match data/*.csv"]
    assert files.difference(call.promise()) == told
    call()
    assert "<lambda> is computed again: data.csv changed, and 2 more" in capsys.readouterr().err
    assert call.promise().tags["rnb:because"] == "data.csv changed, and 2 more"


def test_a_record_that_cannot_be_read_computes_again(root):
    call, runs = counted(read)
    call()
    store = root.execution.store
    entry = store.get(call.promise().id)
    call.forget()
    from dataclasses import replace

    from resonate_nb.store.operations import Create

    damaged = replace(entry.promise, value=replace(entry.promise.value, headers={HEADER: "no json"}))
    store.do(Create(promise=damaged, now=0))
    with pytest.warns(NotKept, match="the record of its files can't be read"):
        assert call() == "1,2"
    assert len(runs) == 2


def test_a_file_as_an_argument_is_identified_by_its_content():
    call, runs = counted(os.fspath)
    assert call(File("data.csv")) == "data.csv"
    os.utime("data.csv", (1_000, 1_000))
    call(File("data.csv"))
    assert len(runs) == 1
    change("data.csv")
    call(File("data.csv"))
    assert len(runs) == 2
    change("data.csv", "1,2")
    call(File("data.csv"))
    assert len(runs) == 2


def test_a_file_goes_wherever_a_path_goes():
    call, _ = counted(lambda file: (file.__fspath__(), open(file).close(), Path(file).name, str(file)))  # noqa: PTH123
    assert call(File(Path("data") / "a.csv")) == ("data/a.csv", None, "a.csv", "data/a.csv")


@pytest.mark.parametrize(
    ("path", "words"), [("gone.csv", "there is no file gone.csv"), ("data", "is a folder")]
)
def test_a_file_that_is_missing_is_named(path, words):
    call, _ = counted(os.fspath)
    with pytest.raises(UndigestibleInput, match=words):
        call(File(path))
