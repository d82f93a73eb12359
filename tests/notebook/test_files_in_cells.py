"""Cells in a real kernel that read and write files: replayed after a kill until a file changes."""

import csv
import json
import os
import pickle
import sqlite3

import numpy as np
import pytest

LOAD = "%load_ext resonate_nb"
COUNT = "import pathlib; pathlib.Path('runs').open('a').write('x')"


def runs(kernel):
    marks = kernel.cwd / "runs"
    return len(marks.read_text()) if marks.exists() else 0


def run(kernel, cell):
    """Run a cell and return what it printed or displayed; fail if it fails."""
    reply = kernel.run(f"{LOAD}\n")
    reply = kernel.run(cell)
    assert reply.error is None, reply.error
    return reply.text


def save(folder, number):
    """Write the same number in every format."""
    (folder / "n.csv").write_text(f"n\n{number}\n")
    (folder / "n.json").write_text(json.dumps(number))
    (folder / "n.pickle").write_bytes(pickle.dumps(number))
    np.save(folder / "n.npy", np.array([number]))
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerow([number])
    connection = sqlite3.connect(folder / "n.db")
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS numbers (n)")
        connection.execute("DELETE FROM numbers")
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))
    connection.close()


READING = {
    "open": "with open('n.json') as file:\n    n = int(file.read())",
    "pathlib": "n = int(pathlib.Path('n.json').read_text())",
    "json": "import json\nn = json.load(open('n.json'))",
    "pickle": "import pickle\nwith open('n.pickle', 'rb') as file:\n    n = pickle.load(file)",
    "csv": "import csv\nwith open('rows.csv', newline='') as file:\n    n = int(next(csv.reader(file))[0])",
    "pandas": "import pandas as pd\nn = int(pd.read_csv('n.csv').n[0])",
    "numpy": "import numpy as np\nn = int(np.load('n.npy')[0])",
    "sqlite3": "import sqlite3\nconnection = sqlite3.connect('n.db')\n"
    "n = connection.execute('SELECT n FROM numbers').fetchone()[0]\nconnection.close()\ndel connection",
    "a thread": "import threading\nfound = []\nthread = threading.Thread(target=lambda: "
    "found.append(int(open('n.json').read())))\nthread.start()\nthread.join()\nn = found[0]\ndel thread",
    "await": "import asyncio\nn = int(await asyncio.to_thread(pathlib.Path('n.json').read_text))",
    "glob": "import glob\nn = sum(int(pathlib.Path(path).read_text()) for path in glob.glob('*.json'))",
}


def test_cells_that_read_files_are_replayed_after_a_kill_and_computed_again_when_one_changes(kernel):
    # One kernel for all ways to read: each has its own cell and its own count.
    cells = {
        name: f"%%durable\nimport pathlib; pathlib.Path('{n}.runs').open('a').write('x')\n{body}\nprint(n)"
        for n, (name, body) in enumerate(READING.items())
    }

    def counts():
        return {name: (kernel.cwd / f"{n}.runs").stat().st_size for n, name in enumerate(cells)}

    save(kernel.cwd, 7)
    for _ in range(2):
        assert {name: run(kernel, cell) for name, cell in cells.items()} == dict.fromkeys(cells, "7\n")
    kernel.kill()
    assert {name: run(kernel, cell) for name, cell in cells.items()} == dict.fromkeys(cells, "7\n")
    assert counts() == dict.fromkeys(cells, 1)
    save(kernel.cwd, 8)
    for _ in range(2):
        assert {name: run(kernel, cell) for name, cell in cells.items()} == dict.fromkeys(cells, "8\n")
    assert counts() == dict.fromkeys(cells, 2)


def test_a_file_that_a_cell_wrote_is_there_after_its_replay(kernel):
    cell = f"%%durable made\n{COUNT}\npathlib.Path('out.txt').write_text('made')"
    run(kernel, cell)
    run(kernel, cell)
    assert runs(kernel) == 1
    (kernel.cwd / "out.txt").unlink()
    run(kernel, cell)
    assert (kernel.cwd / "out.txt").read_text() == "made"
    assert runs(kernel) == 2


def test_a_cell_that_changes_what_it_reads_computes_each_time_as_a_plain_one_would(kernel):
    (kernel.cwd / "n").write_text("1")
    cell = "%%durable grow\nfrom pathlib import Path\nn = int(Path('n').read_text()) + 1\n"
    cell += "Path('n').write_text(str(n))\nprint(n)"
    assert [run(kernel, cell) for _ in range(3)] == ["2\n", "3\n", "4\n"]


def test_a_durable_function_inside_a_cell_hands_its_files_on(kernel):
    (kernel.cwd / "n").write_text("1")
    run(
        kernel,
        "from resonate_nb import durable\n@durable\ndef load(path):\n"
        "    return int(open(path).read())\nload('n')",
    )
    cell = f"%%durable outer\n{COUNT}\nn = load('n')\nprint(n)"
    assert [run(kernel, cell), run(kernel, cell)] == ["1\n", "1\n"]
    assert runs(kernel) == 1
    (kernel.cwd / "n").write_text("2")
    assert run(kernel, cell) == "2\n"


def test_files_that_are_opened_unseen_can_be_watched(kernel):
    (kernel.cwd / "a.csv").write_text("1")
    cell = f"%%durable seen --watch *.csv,b.txt\n{COUNT}\nshown = !cat a.csv b.txt\nprint(shown)"
    run(kernel, "1")
    assert kernel.run(cell).error == ("UsageError", f"--watch b.txt: there is no file b.txt in {kernel.cwd}")
    (kernel.cwd / "b.txt").write_text("2")
    assert run(kernel, cell) == run(kernel, cell) == "['12']\n"
    assert runs(kernel) == 1
    (kernel.cwd / "a.csv").write_text("3")
    assert run(kernel, cell) == "['32']\n"
    (kernel.cwd / "c.csv").write_text("")
    run(kernel, cell)
    assert runs(kernel) == 3


def test_the_line_under_a_cell_says_which_file_changed(kernel):
    (kernel.cwd / "n").write_text("1")
    cell = "%%durable read\nn = int(open('n').read())"
    run(kernel, cell)
    (kernel.cwd / "n").write_text("2")
    reply = kernel.finish(kernel.begin(cell, allow_stdin=True))
    assert "; n changed" in str(reply.outputs)


@pytest.mark.skipif(os.name == "nt", reason="a kill is a signal")
def test_a_kill_between_writing_and_keeping_leaves_nothing_wrong(kernel):
    cell = "%%durable die\nimport os, pathlib, signal\npathlib.Path('out').write_text('partial')\n"
    cell += "if not pathlib.Path('again').exists():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    cell += "n = pathlib.Path('out').write_text('whole')"
    run(kernel, "1")
    assert kernel.run(cell).status == "dead"
    (kernel.cwd / "again").touch()
    run(kernel, cell)
    assert (kernel.cwd / "out").read_text() == "whole"
