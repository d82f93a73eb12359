"""The shipped notebooks run as they are shipped, and run again without computing."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from resonate_nb.clock import SystemClock
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
nbformat.write(notebook, sys.argv[2])
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_second_run_shows_the_same_and_computes_nothing(notebook, tmp_path):
    # nbval compares each output of the second run with that of the first, in another kernel.
    store, executed = tmp_path / "store", tmp_path / notebook.name
    _in_store(store, [sys.executable, "-c", RUN, str(notebook), str(executed)])
    first = _settled(store)
    assert first

    _in_store(store, [*_nbval(tmp_path), str(executed)])

    assert _settled(store) == first


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


def _nbval(folder):
    return [
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull),
        *("--rootdir", str(folder), "--nbval", "--nbval-current-env", "--nbval-cell-timeout=300"),
    ]


def _in_store(store, command):
    """Run a command whose kernels use this store, and fail with what it printed."""
    environment = {
        **os.environ,
        "RESONATE_NB_STORE": str(store),
        "RESONATE_NB_KEY_FILE": str(store.parent / "key"),
    }
    done = subprocess.run(
        command, env=environment, cwd=store.parent, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-2_000:]


def _settled(path):
    """Every settled promise with its generation and its times, so that a second computation shows."""
    store = DiskStore(path)
    try:
        page = store.list(Query(limit=1_000), SystemClock().now())
        return {promise.id: promise for promise in page.promises if promise.settled}
    finally:
        store.close()
