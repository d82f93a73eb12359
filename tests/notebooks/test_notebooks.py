"""The shipped notebooks run as they are shipped, and run again without computing."""

import json
import sys
from pathlib import Path

import nbformat
import pytest

from resonate_nb import Resonate
from resonate_nb.enquiry import inbox
from resonate_nb.cli import main
from tests.nbval_runs import in_store, nbval, settled

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# The demo runs this one three times, and its test runs it once more.
RUN_BY_THE_DEMO = "02-a-real-analysis"
PENDING = 75  # the exit code of a run that stopped at a question


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "notebook",
    [path for path in NOTEBOOKS if path.stem != RUN_BY_THE_DEMO],
    ids=lambda path: path.stem,
)
def test_a_second_run_shows_the_same_and_computes_nothing(notebook, tmp_path):
    # nbval compares each output of the second run with that of the first, in another kernel.
    store, executed = tmp_path / "store", tmp_path / notebook.name
    _run(store, notebook, executed)
    first = settled(store)
    assert first

    in_store(store, [*nbval(tmp_path), str(executed)])

    assert settled(store) == first


def test_nbval_reports_a_question_that_waits(tmp_path):
    with pytest.raises(AssertionError, match="Pending: waiting for: ask/"):
        in_store(tmp_path / "store", [*nbval(tmp_path), str(FOLDER / "06-people.ipynb")])


def test_nbval_fails_when_the_second_run_shows_something_else(tmp_path):
    # Else the test above could not fail.
    executed = tmp_path / "executed.ipynb"
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    cell = next(cell for cell in notebook.cells if cell.get("outputs"))
    cell.outputs[0]["text"] = "another text\n"
    nbformat.write(notebook, executed)

    with pytest.raises(AssertionError, match="another text"):
        in_store(tmp_path / "store", [*nbval(tmp_path), str(executed)])


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
    while in_store(store, run, allowed={0, PENDING}).returncode == PENDING:
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
