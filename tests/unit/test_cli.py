"""The command line: what it prints, and its exit codes."""

import json
import subprocess
import sys

import nbformat
import pytest

from resonate_nb import durable
from resonate_nb.cli import main
from resonate_nb.resonate import default


@pytest.fixture
def store(root, tmp_path):
    assert root is default()  # the decorated functions below use it

    @durable(name="leaf")
    def leaf(x):
        return x

    @durable(name="trunk", version=1)
    def trunk():
        return leaf(1)

    trunk()
    return ["--store", str(tmp_path / "store")], trunk.promise().id


def test_a_list_names_every_promise_but_no_pins(store, capsys):
    options, id = store
    assert main(["list", *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert any(line.startswith(id) and "resolved" in line for line in lines)


def test_lists_filter_by_prefix_state_and_tag(store, capsys):
    options, id = store
    main(["list", "leaf", "--json", *options])
    main(["list", "--state", "pending", "--json", *options])
    main(["list", "--tag", f"rnb:parent={id}", "--json", *options])
    leaves, pending, children = map(json.loads, capsys.readouterr().out.splitlines())
    assert [each["tags"]["rnb:name"] for each in leaves] == ["leaf"]
    assert pending == []
    assert children == leaves


def test_a_reader_who_has_seen_enough_of_a_list_gets_no_traceback(store):
    options, _ = store
    command = [sys.executable, "-m", "resonate_nb", "list", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 0
    process.stderr.close()


def test_a_promise_is_shown_with_its_tree_and_forgotten(store, capsys):
    options, id = store
    assert main(["show", id, *options]) == 0
    assert "state: resolved" in capsys.readouterr().out
    assert main([*options, "tree", id]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("  leaf@")
    assert main(["forget", id, *options]) == 0
    assert main(["forget", id, *options]) == 1
    assert main(["show", id, *options]) == 1
    assert id in capsys.readouterr().err


def test_a_state_that_does_not_exist_is_named(store, capsys):
    assert main(["list", "--state", "done", *store[0]]) == 2
    assert "'done'" in capsys.readouterr().err


def test_a_notebook_is_run_in_its_folder_and_keeps_its_outputs(tmp_path, capsys):
    notebook = tmp_path / "small.ipynb"
    cells = ["%load_ext resonate_nb", "%%durable\nx = 1\nprint('made')\nx + 1", "1 / x"]
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), notebook
    )
    assert main(["run", str(notebook)]) == 0
    assert (tmp_path / ".resonate").is_dir()
    done = nbformat.read(notebook, as_version=4)
    assert [output.output_type for output in done.cells[1].outputs] == ["stream", "execute_result"]
    done.cells[2].source = "1 / (x - 1)"
    nbformat.write(done, notebook)
    assert main(["run", str(notebook), "--output", str(tmp_path / "out.ipynb")]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert main(["run", str(tmp_path / "absent.ipynb")]) == 2
