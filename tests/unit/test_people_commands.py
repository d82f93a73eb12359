"""The commands with which a person settles promises: what they print, and their exit codes."""

import json
import threading

import pytest

from resonate_nb.cli import main
from resonate_nb.enquiry.questions import Question, typed_schema
from resonate_nb.promise import Promise
from resonate_nb.store.operations import Create


@pytest.fixture
def run(root, tmp_path, capsys):
    """Run a command on the store; return its exit code and what it printed."""
    store = root.execution.store
    now = root.execution.clock.now()
    schema = typed_schema(int, min=1, max=9, pattern=None)
    question = Question(kind="ask", text="How many\nclusters?", schema=schema)
    text = Question(kind="ask", text="Name?", schema={"type": "string"})
    for id, each, notebook in (("ask/n.1", question, "b.ipynb"), ("ask/t.1", text, "a.ipynb")):
        tags = {"rnb:kind": "question", "rnb:notebook": notebook}
        store.do(Create(promise=Promise(id=id, param=each.param(), tags=tags), now=now))
    store.do(Create(promise=Promise(id="plain"), now=now))

    def command(*arguments):
        code = main(["--store", str(tmp_path / "store"), *arguments])
        return code, "".join(capsys.readouterr())

    return command


def test_the_inbox_lists_what_waits_by_notebook_with_the_command_that_answers(run):
    code, said = run("inbox")
    assert (code, said.splitlines()) == (
        0,
        [
            "a.ipynb",
            "  Name?  (resonate-nb answer ask/t.1 VALUE)",
            "b.ipynb",
            "  How many clusters?  (resonate-nb answer ask/n.1 VALUE)",
        ],
    )
    listed = json.loads(run("inbox", "--json")[1])
    assert [(each["id"], each["question"]["kind"]) for each in listed] == [
        ("ask/t.1", "ask"),
        ("ask/n.1", "ask"),
    ]
    run("answer", "ask/n.1", "5")
    run("answer", "ask/t.1", "x")
    assert run("inbox") == (0, "no questions wait\n")


def test_a_notebook_below_the_working_folder_is_named_from_there(run, tmp_path, root, monkeypatch):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        tags = {"rnb:kind": "question", "rnb:notebook": str(tmp_path / folder / "deep" / "c.ipynb")}
        question = Question(kind="ask", text="Where?", schema={"type": "string"})
        promise = Promise(id=f"ask/{folder}", param=question.param(), tags=tags)
        root.execution.store.do(Create(promise=promise, now=root.execution.clock.now()))
    monkeypatch.chdir(tmp_path / "here")
    names = [line for line in run("inbox")[1].splitlines() if line.endswith("c.ipynb")]
    assert names == ["deep/c.ipynb", str(tmp_path / "there" / "deep" / "c.ipynb")]


def test_answers_are_json_else_text(run):
    assert run("answer", "ask/n.1", "5") == (0, "ask/n.1: resolved with 5\n")
    assert run("answer", "ask/t.1", "5") == (0, 'ask/t.1: resolved with "5"\n')
    assert run("answer", "plain", '{"a": 1}') == (0, 'plain: resolved with {"a": 1}\n')


def test_settling_exits_0_when_done_or_the_same_again_1_on_conflict_or_absence_2_when_invalid(run):
    assert run("answer", "ask/n.1", "10") == (
        2,
        "10 is greater than the maximum of 9 (the question 'ask/n.1' stays open)\n",
    )
    assert run("resolve", "ask/n.1", "--value", '"x"')[0] == 2
    assert run("resolve", "ask/n.1")[0] == 2
    assert run("resolve", "ask/n.1", "--value", "{")[0] == 2
    assert run("resolve", "ask/n.1", "--value", "5")[0] == 0
    assert run("answer", "ask/n.1", "5")[0] == 0
    assert run("answer", "ask/n.1", "6")[0] == 1
    assert run("cancel", "ask/n.1")[0] == 1
    assert run("answer", "absent", "1")[0] == 1
    assert run("cancel", "absent")[0] == 1
    assert run("reject", "plain", "--value", '"no"') == (0, 'plain: rejected with "no"\n')
    assert run("reject", "plain", "--value", '"no"')[0] == 0
    assert run("cancel", "ask/t.1") == (0, "ask/t.1: rejected_canceled\n")
    assert run("cancel", "ask/t.1")[0] == 0


def test_waiting_ends_when_the_promise_is_settled(run, root):
    ended = []
    waiting = threading.Thread(target=lambda: ended.append(main(["--store", store, "wait", "plain"])))
    store = root.execution.store.location
    waiting.start()
    assert run("resolve", "plain", "--value", "1")[0] == 0
    waiting.join(timeout=30)
    assert ended == [0]
    run("reject", "ask/t.1")
    assert run("wait", "ask/t.1") == (1, "rejected\n")
    assert run("wait", "absent")[0] == 1


def test_waiting_ends_after_its_time_with_the_exit_code_of_what_is_pending(run, root):
    root.execution.store.do(Create(promise=Promise(id="slow"), now=root.execution.clock.now()))

    assert run("wait", "slow", "--timeout", "100ms") == (75, "slow: not settled after 100ms, it goes on\n")
    assert run("wait", "slow", "--timeout", "soon")[0] == 2
    assert run("resolve", "slow", "--value", "3")[0] == 0
    assert run("wait", "slow", "--timeout", "0") == (0, "resolved with 3\n")
