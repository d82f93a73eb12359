"""Questions in a real kernel: asked, waited for, interrupted, killed, answered from another process."""

import io
import json
import os
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout

import pytest

from resonate_nb.cli import main
from resonate_nb.clock import SystemClock
from resonate_nb.promise import Promise, State
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore
from resonate_nb.store.operations import Create

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
SETUP = "%load_ext resonate_nb\nfrom resonate_nb import *"


class Elsewhere:
    """What happens to the store outside the kernel's process: the command line, and the browser's hello."""

    def __init__(self, folder, env):
        self.folder, self.env = folder, env

    def command(self, *arguments):
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = main([*arguments, "--store", str(self.folder / ".resonate")])
        return code, said.getvalue()

    def questions(self):
        code, said = self.command("inbox", "--json")
        assert code == 0, said
        return json.loads(said)

    def answer(self, id, value, expected=0):
        code, said = self.command("answer", id, value)
        assert code == expected, said
        return said

    def promise(self, id):
        store = DiskStore(self.folder / ".resonate")
        try:
            return store.get(id).promise.seen(SystemClock().now())
        finally:
            store.close()

    def listed(self, **query):
        store = DiskStore(self.folder / ".resonate")
        try:
            return store.list(Query(**query), SystemClock().now()).promises
        finally:
            store.close()


@pytest.fixture
def elsewhere(kernel_pool, tmp_path):
    return Elsewhere(tmp_path, kernel_pool.env)


@pytest.fixture
def ready(kernel):
    reply = kernel.run(SETUP)
    assert reply.status == "ok", reply.error
    return kernel


def shown(reply):
    """The text of every display of a cell."""
    return [output["data"].get("text/plain") for output in reply.outputs if "data" in output]


def greet(kernel, cell, elsewhere):
    """Do what a browser does when it draws a form: say hello through the server into the store."""
    deadline = time.monotonic() + 60
    while not (hellos := hellos_of(kernel, cell)):
        assert time.monotonic() < deadline
        kernel._listen(cell, lambda _: bool(hellos_of(kernel, cell)), 60)
    store = DiskStore(elsewhere.folder / ".resonate")
    for hello in hellos:
        promise = Promise(id=hello, tags={"rnb:kind": "hello"})
        store.do(Create(promise=promise, now=SystemClock().now()))
    store.close()


def hellos_of(kernel, cell):
    opened = [m for m in kernel._replies[cell].messages if m["msg_type"] == "comm_open"]
    states = (m["content"]["data"]["state"] for m in opened)
    return [state["hello"] for state in states if "hello" in state]


def test_a_run_without_a_person_stops_with_pending_and_goes_on_after_the_answer(ready, elsewhere):
    cell = "clusters = ask('How many clusters?', int, min=1, max=9)\nclusters + 1"

    stopped = ready.run(cell)

    [question] = elsewhere.questions()
    id = question["id"]
    assert stopped.error == ("Pending", f"waiting for: {id} (resonate-nb answer {id} VALUE)")
    error = next(m for m in stopped.messages if m["msg_type"] == "error")
    assert error["content"]["traceback"] == [f"Pending: waiting for: {id} (resonate-nb answer {id} VALUE)"]
    assert "10 is greater than the maximum" in elsewhere.answer(id, "10", expected=2)
    assert elsewhere.promise(id).state is State.PENDING
    elsewhere.answer(id, "5")
    elsewhere.answer(id, "5")
    assert "resolved with 5 already" in elsewhere.answer(id, "6", expected=1)
    again = ready.run(cell)
    assert again.outputs[-1]["data"]["text/plain"] == "6"
    assert "How many clusters?\nAnswer: 5" in shown(again)[0]


def test_a_blocked_cell_is_answered_from_another_process_and_leaves_a_card_and_no_widget(ready, elsewhere):
    cell = ready.begin("answer = approve('Drop <b>1,203</b> rows?')\nprint(answer)", allow_stdin=True)
    greet(ready, cell, elsewhere)
    [question] = elsewhere.questions()
    elsewhere.answer(question["id"], "true")

    reply = ready.finish(cell)

    assert reply.text == "True\n"
    card = reply.outputs[0]["data"]
    assert "Drop <b>1,203</b> rows?\nAnswer: approved" in card["text/plain"]
    assert "&lt;b&gt;1,203" in card["text/html"]
    assert not [output for output in reply.outputs if WIDGET_VIEW in output.get("data", {})]
    assert len(reply.outputs) == 2
    assert not elsewhere.listed(prefix="hello/")


def test_without_a_browser_the_kernel_is_freed_and_the_same_form_answers_by_its_own_channel(ready, elsewhere):
    reply = ready.finish(ready.begin("ask('Anybody?', int)", allow_stdin=True))
    assert reply.error[0] == "Pending"
    assert [m for m in reply.messages if WIDGET_VIEW in m["content"].get("data", {})]
    [comm] = [
        m["content"]["comm_id"]
        for m in reply.messages
        if m["msg_type"] == "comm_open" and "hello" in m["content"]["data"]["state"]
    ]
    [question] = elsewhere.questions()

    say(ready, comm, {"kind": "answer", "value": "x"})
    say(ready, comm, {"kind": "answer", "value": 3, "comment": "sure"})

    assert ready.run("ask('Anybody?', int)").outputs[-1]["data"]["text/plain"] == "3"
    promise = elsewhere.promise(question["id"])
    assert promise.tags["rnb:from"] == "form"
    assert promise.tags["rnb:comment"] == "sure"


def say(kernel, comm, content):
    data = {"comm_id": comm, "data": {"method": "custom", "content": content}}
    kernel.client.shell_channel.send(kernel.client.session.msg("comm_msg", data))


def test_killed_while_waiting_and_answered_before_the_restart_is_never_asked_again(ready, elsewhere):
    code = "print('got', ask('Go on?', bool))"
    cell = ready.begin(code, allow_stdin=True)
    greet(ready, cell, elsewhere)
    [question] = elsewhere.questions()
    ready.restart()
    elsewhere.answer(question["id"], "false")

    ready.run(SETUP)
    assert ready.run(code).text == "got False\n"
    assert elsewhere.questions() == []


def test_an_interrupt_while_waiting_leaves_the_question_open(ready, elsewhere):
    cell = ready.begin("ask('Wait?')", allow_stdin=True)
    greet(ready, cell, elsewhere)
    [question] = elsewhere.questions()
    ready.interrupt()
    assert ready.finish(cell).error[0] == "KeyboardInterrupt"
    elsewhere.answer(question["id"], "yes")
    assert ready.run("ask('Wait?')").outputs[-1]["data"]["text/plain"] == "'yes'"


def test_the_same_question_in_a_loop_is_a_new_one_each_time_and_a_plain_cell_counts_anew(ready, elsewhere):
    loop = "print([ask('Next?', int) for _ in range(3)])"
    ids = []
    for number in range(3):
        assert ready.run(loop).error[0] == "Pending"
        [question] = elsewhere.questions()
        ids.append(question["id"])
        elsewhere.answer(question["id"], str(number))
    assert [id.rpartition(".")[2] for id in ids] == ["1", "2", "3"]
    assert ready.run(loop).text == "[0, 1, 2]\n"
    assert ready.run("ask('Next?', int)").outputs[-1]["data"]["text/plain"] == "0"


def test_a_durable_cell_and_a_function_in_it_wait_and_go_on(ready, elsewhere):
    ready.run(
        "@durable\n"
        "def label(x):\n"
        "    return ask('Label?', show=x)\n"
        "def work():\n"
        "    with open('runs', 'a') as runs:\n"
        "        runs.write('x')\n"
        "    try:\n"
        "        return label(7)\n"
        "    finally:\n"
        "        print('left')\n"
    )
    cell = "%%durable labelled\nname = work()\nprint(name)"
    stopped = ready.run(cell)
    assert stopped.error[0] == "Pending"
    assert stopped.text == "left\n"
    [question] = elsewhere.questions()
    pending = elsewhere.listed(state=State.PENDING)
    assert sorted(each.id.split("@")[0].split("/")[0] for each in pending) == ["ask", "cell", "label"]
    assert not any("rnb:last_error" in each.tags for each in pending)
    elsewhere.answer(question["id"], "cat")

    assert ready.run(cell).text == "left\ncat\n"
    replayed = ready.run(cell)
    assert replayed.text == "left\ncat\n"
    assert (elsewhere.folder / "runs").read_text() == "xx"
    assert "Label?\n7\nAnswer: cat" in shown(replayed)[0]


def test_a_map_asks_all_its_questions_at_once_and_takes_the_answers_in_any_order(ready, elsewhere):
    ready.run("@durable\ndef label(x):\n    return x, ask('Label?', show=x)")
    for code in ("label.map([1, 2, 3], progress=False)", "label.map([1, 2, 3], workers=2, progress=False)"):
        stopped = ready.run(code)
        waiting = elsewhere.questions()
        assert len(waiting) == 3
        assert all(each["id"] in stopped.error[1] for each in waiting)
    for each in reversed(waiting):
        elsewhere.answer(each["id"], each["question"]["text"])
    assert ready.run(code).outputs[-1]["data"]["text/plain"] == (
        "[(1, 'Label?'), (2, 'Label?'), (3, 'Label?')]"
    )


def test_gathered_questions_are_all_asked_and_other_tasks_go_on(ready, elsewhere):
    code = (
        "import asyncio, itertools\n"
        "ticks = itertools.count()\n"
        "async def tick():\n"
        "    while True:\n"
        "        next(ticks)\n"
        "        await asyncio.sleep(0.01)\n"
        "ticking = asyncio.ensure_future(tick())\n"
        "tell = lambda id, link: print(id, file=open('told', 'a'))\n"
        "answers = await asyncio.gather(\n"
        "    aask('A?', int, notify=tell),\n"
        "    aapprove('B?', notify=tell),\n"
        "    achoose('C?', ['x', 'y'], notify=tell),\n"
        ")\n"
        "ticking.cancel()\n"
        "print(answers, next(ticks) > 5)"
    )
    assert ready.run(code).error[0] == "Pending"
    assert len(elsewhere.questions()) == 3
    assert sorted((elsewhere.folder / "told").read_text().split()) == sorted(
        each["id"] for each in elsewhere.questions()
    )

    cell = ready.begin(code, allow_stdin=True)
    greet_all(ready, cell, elsewhere, 3)
    for question in elsewhere.questions():
        elsewhere.answer(question["id"], {"A?": "1", "B?": "true", "C?": "y"}[question["question"]["text"]])
    assert ready.finish(cell).text == "[1, True, 'y'] True\n"


def greet_all(kernel, cell, elsewhere, count):
    kernel._listen(cell, lambda _: len(hellos_of(kernel, cell)) == count, 60)
    greet(kernel, cell, elsewhere)


def test_an_interrupt_ends_an_asynchronous_wait(ready, elsewhere):
    cell = ready.begin("await aask('Wait?')", allow_stdin=True)
    greet(ready, cell, elsewhere)
    ready.interrupt()
    assert ready.finish(cell).status == "error"
    assert len(elsewhere.questions()) == 1


def test_at_the_deadline_the_default_counts_or_the_question_times_out(ready):
    reply = ready.finish(
        ready.begin("ask('Quick?', int, default=4, timeout=0.5, on_timeout='default')", allow_stdin=True)
    )
    assert reply.outputs[-1]["data"]["text/plain"] == "4"
    assert "the default counts: 4" in shown(reply)[0]
    late = ready.finish(ready.begin("ask('Quick?', int, timeout='500ms')", allow_stdin=True))
    assert late.error[0] == "PromiseTimedOut"


def test_an_explicit_id_belongs_to_one_question(ready, elsewhere):
    assert ready.run("ask('A?', id='review/1')").error[0] == "Pending"
    elsewhere.answer("review/1", "fine")
    assert ready.run("ask('A?', id='review/1')").outputs[-1]["data"]["text/plain"] == "'fine'"
    assert ready.run("ask('B?', id='review/1')").error[0] == "PromiseConflict"


def test_notify_is_called_once_although_the_kernel_restarts(ready, elsewhere):
    code = "ask('Told?', notify=lambda *told: print(*told, file=open('told', 'a')))"
    ready.run(code)
    ready.restart()
    ready.run(SETUP)
    ready.run(code)
    [question] = elsewhere.questions()
    assert (elsewhere.folder / "told").read_text() == f"{question['id']} None\n"


def test_a_question_names_its_notebook_in_a_tag_and_not_in_its_id(ready, elsewhere):
    ready.run("ask('Where?')")
    [one] = elsewhere.questions()
    ready.run("import os; os.environ['JPY_SESSION_NAME'] = 'folder/a.ipynb'; ask('Where now?')")
    assert [each["notebook"] for each in elsewhere.questions()] == ["elsewhere", "folder/a.ipynb"]
    ready.run("ask('Where?')")
    assert one["id"] in [each["id"] for each in elsewhere.questions()]


def test_a_script_prints_how_to_answer_and_waits(elsewhere):
    script = "from resonate_nb import ask\nprint(ask('How many?', int))"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=elsewhere.folder,
        env={**os.environ, **elsewhere.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stderr.readline()
    [question] = elsewhere.questions()
    assert line == f"How many? (waiting: resonate-nb answer {question['id']} VALUE)\n"
    elsewhere.answer(question["id"], "7")
    assert process.communicate(timeout=60)[0] == "7\n"
