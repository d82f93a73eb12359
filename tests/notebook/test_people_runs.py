"""Notebooks with questions in them, run without a person: by our command, nbclient, papermill, nbconvert."""

import json
import subprocess
import sys
import time

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter, LatexExporter

from resonate_nb.cli import main
from resonate_nb.promise import TIMER_TAG, Promise
from resonate_nb.running import tell_and_wait
from resonate_nb.store.operations import Create
from tests.asking import Asker

CELLS = [
    "%load_ext resonate_nb\nfrom resonate_nb import ask, approve, durable\nfactor = 1",
    "%%durable weighed\nweight = ask('How <heavy>?', int, min=1) * factor",
    "if approve('Print?', show={'weight': weight}):\n    print('weight', weight)",
]


@pytest.fixture
def notebook(tmp_path, kernel_pool, monkeypatch):
    for name, value in kernel_pool.env.items():
        if name.startswith(("RESONATE", "IPYTHON", "MPL", "PYDEVD")):
            monkeypatch.setenv(name, value)
    monkeypatch.delenv("RESONATE_NB_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    content = nbformat.v4.new_notebook(cells=cells)
    content.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content.cells[0].metadata["tags"] = ["parameters"]
    path = tmp_path / "asking.ipynb"
    nbformat.write(content, path)
    return path


def waiting(capsys):
    capsys.readouterr()
    assert main(["inbox", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def printed(path):
    outputs = nbformat.read(path, as_version=4).cells[-1].outputs
    return "".join(output["text"] for output in outputs if output["output_type"] == "stream")


def test_the_command_stops_at_each_question_with_75_and_goes_on_after_the_answer(notebook, capsys):
    assert main(["run", str(notebook)]) == 75
    said = capsys.readouterr().out
    [question] = waiting(capsys)
    assert said == f"{notebook.name}\n  How <heavy>?  (resonate-nb answer {question['id']} VALUE)\n"
    assert main(["answer", question["id"], "3"]) == 0
    assert main(["run", str(notebook)]) == 75
    [question] = waiting(capsys)
    assert question["question"]["text"] == "Print?"
    assert main(["answer", question["id"], "true"]) == 0
    assert main(["run", str(notebook)]) == 0
    assert printed(notebook) == "weight 3\n"


def test_the_command_waits_for_answers_if_asked_to(notebook, capsys, tmp_path):
    command = [sys.executable, "-m", "resonate_nb", "run", str(notebook), "--wait", "--output", "out.ipynb"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, **pipes, text=True)
    deadline = time.monotonic() + 120
    for value in ("4", "true"):
        while not (found := waiting(capsys)):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        main(["answer", found[0]["id"], value])
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert printed(tmp_path / "out.ipynb") == "weight 4\n"
    assert nbformat.read(notebook, as_version=4).cells[0].execution_count is None


def test_other_runners_stop_with_pending_and_go_on_and_pages_show_question_and_answer(
    notebook, capsys, tmp_path
):
    content = nbformat.read(notebook, as_version=4)
    with pytest.raises(CellExecutionError) as stopped:
        NotebookClient(content, kernel_name="python3").execute()
    [question] = waiting(capsys)
    assert stopped.value.ename == "Pending"
    assert (
        stopped.value.evalue == f"waiting for: {question['id']} (resonate-nb answer {question['id']} VALUE)"
    )
    main(["answer", question["id"], "5"])

    out = str(tmp_path / "out.ipynb")
    with pytest.raises(papermill.PapermillExecutionError) as stopped:
        papermill.execute_notebook(str(notebook), out, parameters={"factor": 2}, progress_bar=False)
    assert stopped.value.ename == "Pending"
    [question] = waiting(capsys)
    assert question["question"]["text"] == "Print?"
    main(["answer", question["id"], "true"])
    papermill.execute_notebook(str(notebook), out, parameters={"factor": 2}, progress_bar=False)
    assert printed(out) == "weight 10\n"

    page, _ = HTMLExporter().from_filename(out)
    assert "How &lt;heavy&gt;?" in page
    assert "Answer:<strong> 5</strong>" in page
    assert "widget-view" not in page
    paper, _ = LatexExporter().from_filename(out)  # of which a PDF is made
    assert "How <heavy>?" in paper
    assert "Answer: 5" in paper
    assert "Answer: approved" in paper


def test_a_run_that_waits_goes_on_when_a_timer_passes_as_in_a_race(root):
    store, clock = root.execution.store, root.execution.clock
    Asker(store.location).ask("ask/slow.1", "Slow?", {"type": "boolean"})
    timer = Promise(id="soon", tags={TIMER_TAG: "true"}, timeout_at=clock.now() + 200)
    store.do(Create(promise=timer, now=clock.now()))
    assert tell_and_wait(store.location, "waiting for: ask/slow.1", wait=True)
    assert store.get("soon").promise.timeout_at <= clock.now()
