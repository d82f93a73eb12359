"""The shipped notebooks run as they are shipped, and run again without computing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from resonate_nb import Resonate
from resonate_nb.enquiry import inbox
from resonate_nb.cli import main
from resonate_nb.clock import SystemClock
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PENDING = 75  # the exit code of a run that stopped at a question


@pytest.mark.timeout(600)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_second_run_shows_the_same_and_computes_nothing(notebook, tmp_path):
    # nbval compares each output of the second run with that of the first, in another kernel.
    store, executed = tmp_path / "store", tmp_path / notebook.name
    _run(store, notebook, executed)
    first = _settled(store)
    assert first

    _in_store(store, [*_nbval(tmp_path), str(executed)])

    assert _settled(store) == first


def test_nbval_reports_a_question_that_waits(tmp_path):
    with pytest.raises(AssertionError, match="Pending: waiting for: ask/"):
        _in_store(tmp_path / "store", [*_nbval(tmp_path), str(FOLDER / "06-people.ipynb")])


def test_nbval_fails_when_the_second_run_shows_something_else(tmp_path):
    # Else the test above could not fail.
    executed = tmp_path / "executed.ipynb"
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    cell = next(cell for cell in notebook.cells if cell.get("outputs"))
    cell.outputs[0]["text"] = "another text\n"
    nbformat.write(notebook, executed)

    with pytest.raises(AssertionError, match="another text"):
        _in_store(tmp_path / "store", [*_nbval(tmp_path), str(executed)])


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_shipped_notebook_was_run_in_order_without_errors_and_carries_no_noise(notebook):
    content = nbformat.read(notebook, as_version=4)
    cells = [cell for cell in content.cells if cell.cell_type == "code"]

    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert set(content.metadata) == {"kernelspec", "language_info"}
    assert not [cell.id for cell in content.cells if cell.metadata]


def _run(store, notebook, executed):
    """Run a notebook, again and again as long as it asks, with an answer to each question."""
    run = [sys.executable, "-m", "resonate_nb", "run", str(notebook), "--output", str(executed)]
    while _in_store(store, run, allowed={0, PENDING}).returncode == PENDING:
        root = Resonate(store)
        for each in inbox.waiting(root.execution):
            answer = json.dumps(_answer_to(each.question.schema))
            assert main(["--store", str(store), "answer", each.promise.id, answer]) == 0
        root.close()


def _answer_to(schema):
    """Some answer that fits."""
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        return {name: _answer_to(each) for name, each in schema["properties"].items()}
    if schema.get("format") == "date":
        return "2026-11-24"
    return {"boolean": True, "integer": schema.get("minimum"), "string": "Ada"}[schema["type"]]


def _nbval(folder):
    return [
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull),
        *("--rootdir", str(folder), "--nbval", "--nbval-current-env", "--nbval-cell-timeout=300"),
    ]


def _in_store(store, command, allowed=(0,)):
    """Run a command whose kernels use this store, and fail with what it printed unless it went well."""
    environment = {
        **os.environ,
        "RESONATE_NB_STORE": str(store),
        "RESONATE_NB_KEY_FILE": str(store.parent / "key"),
    }
    done = subprocess.run(
        command, env=environment, cwd=store.parent, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode in allowed, done.stdout[-5_000:] + done.stderr[-2_000:]
    return done


def _settled(path):
    """Every settled promise with its generation and its times, so that a second computation shows."""
    store = DiskStore(path)
    try:
        page = store.list(Query(limit=1_000), SystemClock().now())
        return {promise.id: promise for promise in page.promises if promise.settled}
    finally:
        store.close()
