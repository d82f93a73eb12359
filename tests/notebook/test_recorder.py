"""What a cell shows is recorded as the front end received it, and shown again the same."""

import io
import json
import re
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from resonate_nb.notebook.recorder import Recorder, show

PREPARE = """
import io, json, sys, threading, time, os, subprocess
from IPython.display import display, HTML, clear_output
from resonate_nb.notebook.recorder import Recorder, show

armed, recorders, recorded = [], [], []

def start(info):
    if armed:
        armed.pop()
        recorders.append(Recorder(get_ipython()))
        recorders[0].start()

def stop(result):
    if recorders:
        recorded[:] = recorders.pop().stop()

get_ipython().events.register("pre_run_cell", start)
get_ipython().events.register("post_run_cell", stop)
"""

CELLS = {
    "nothing": "x = 1",
    "print": "print('a'); print('b')",
    "stderr": "print('a'); print('e', file=sys.stderr); print('b'); sys.stderr.write('f\\n');",
    "print before a display": "print('a'); display(HTML('<b>x</b>')); print('b')",
    "last expression": "print('a')\n[1, 2]",
    "rich last expression": "HTML('<b>x</b>')",
    "metadata": "display(HTML('x'), metadata={'text/html': {'isolated': True}})",
    "raw JSON": "display({'application/json': {'a': [1, 2.5, None]}, 'text/plain': 'j'}, raw=True)",
    "figure": "import matplotlib.pyplot as plt\nlines = plt.plot([1, 2])",
    "figure shown": "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show(); print('after')",
    "display_id": "h = display('a', display_id=True)\nprint('b')\nh.update('c')",
    "clear_output": "print('a'); clear_output(); print('b')",
    "clear_output wait": "for i in range(5):\n    clear_output(wait=True)\n    print(i)\n    display(i)",
    "tqdm": "from tqdm import tqdm\nfor i in tqdm(range(50), ncols=60, bar_format='{l_bar}{bar}'): pass",
    "carriage return": "for i in range(3):\n    print(f'\\r{i}', end='', flush=True)",
    "shell": "!echo hello; echo there >&2",
    "native": "os.system('echo native'); subprocess.run('echo sub', shell=True);",
    "thread": "t = threading.Thread(target=print, args=('from a thread',)); t.start(); t.join()",
    "thread display": "t = threading.Thread(target=display, args=('d',)); t.start(); t.join()",
    "await": "import asyncio\nprint('a'); await asyncio.sleep(0.01); print('b')\n7",
    "error": "print('a')\n1 / 0",
    "magic": "%time x = 1\nprint(x)",
    "unflushed": "sys.stdout.write('no newline');",
    "own stream": "print('a')\nold, sys.stdout = sys.stdout, io.StringIO()\nprint('no')\nsys.stdout = old",
    "large": "print('x' * 300_000)",
    "many": "for i in range(2000): print(i)",
    "unicode": "print('ü 🎉'); display('ß')",
}


@pytest.fixture(scope="module")
def notebook(kernel_pool, tmp_path_factory):
    """One kernel for all cells of this module, in which the next cell is recorded when told so."""
    made = kernel_pool.kernel(tmp_path_factory.mktemp("recorder"))
    assert made.run(PREPARE).error is None
    yield made
    made.kill()


def recording_of(notebook, source):
    """Run a cell while it is recorded; return what the client received and what was recorded."""
    notebook.run("armed.append(True)")
    reply = notebook.run(source)
    # Not printed: a cell may have put its own stream in the place of the kernel's.
    recorded = notebook.run("display({'application/json': recorded, 'text/plain': ''}, raw=True)")
    return reply, recorded.outputs[0]["data"]["application/json"]


def without_names(outputs):
    return [{key: value for key, value in output.items() if key != "transient"} for output in outputs]


@pytest.mark.parametrize("source", CELLS.values(), ids=CELLS)
def test_what_is_recorded_is_what_the_front_end_received_and_is_shown_again_the_same(notebook, source):
    reply, recorded = recording_of(notebook, source)
    again = notebook.run("show(get_ipython(), recorded)")

    assert without_names(recorded) == reply.outputs
    assert again.error is None
    assert again.outputs == reply.outputs


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        ("stderr", ["a\n", "e\n", "b\n", "f\n"]),
        ("print before a display", ["a\n", None, "b\n"]),
        ("clear_output", ["b\n"]),
        ("clear_output wait", ["4\n", None]),
        ("carriage return", ["2"]),
        ("thread", ["from a thread\n"]),
        ("unflushed", ["no newline"]),
        ("nothing", []),
    ],
)
def test_recordings_hold_what_a_reader_saw(notebook, cell, texts):
    _, recorded = recording_of(notebook, CELLS[cell])

    if cell == "stderr":  # the kernel sends its two streams in an order of its own
        assert sorted(output["name"] for output in recorded) == ["stderr", "stdout"]
        assert {output["text"] for output in recorded} == {"a\nb\n", "e\nf\n"}
    else:
        assert [output.get("text") for output in recorded] == texts


def test_a_stream_of_the_user_s_own_that_stays_is_recorded_as_the_front_end_receives_it(notebook):
    reply, recorded = recording_of(
        notebook,
        "old = sys.stdout\nclass Own:\n  def write(self, text): return old.write(text.upper())\n"
        "  def flush(self): old.flush()\nsys.stdout = Own()\nprint('a')",
    )
    assert notebook.run("sys.stdout = old").error is None

    assert recorded == reply.outputs == [{"output_type": "stream", "name": "stdout", "text": "A\n"}]


def test_what_a_forked_process_prints_is_recorded(notebook):
    """It comes through a pipe, past the kernel's own way of sending."""
    reply, recorded = recording_of(
        notebook,
        "import multiprocessing, warnings\nwarnings.simplefilter('ignore')\n"
        "child = multiprocessing.get_context('fork').Process(target=print, args=('forked',))\n"
        "child.start(); child.join()\n"
        "while not recorders[0].so_far(): time.sleep(0.01)",
    )

    assert recorded == reply.outputs == [{"output_type": "stream", "name": "stdout", "text": "forked\n"}]


def test_a_shown_result_has_the_number_of_the_cell_that_shows_it_and_its_value_becomes_out(notebook):
    recording_of(notebook, "[1, 2]")
    again = notebook.run("value = [1, 2]\nshow(get_ipython(), recorded, result=value)")
    results = [each for each in again.messages if each["msg_type"] == "execute_result"]

    assert [each["content"]["execution_count"] for each in results] == [again.execution_count]
    assert results[0]["content"]["data"] == {"text/plain": "[1, 2]"}
    assert notebook.run(f"print(_ is value, Out[{again.execution_count}] is value)").text == "True True\n"


def test_a_display_that_is_shown_again_can_still_be_updated(notebook):
    recording_of(notebook, "handle = display('a', display_id='mine')")
    again = notebook.run("show(get_ipython(), recorded)\nhandle.update('b')")

    assert [output["data"]["text/plain"] for output in again.outputs] == ["'b'"]


def test_outputs_so_far_are_known_while_the_cell_runs(notebook):
    reply, recorded = recording_of(notebook, "print('a')\nbefore = recorders[0].so_far()\nprint('b')")

    assert recorded == reply.outputs
    assert notebook.run("print(before[0]['text'])").text == "a\n\n"


def test_nothing_is_left_behind_in_the_kernel(notebook):
    recording_of(notebook, "print('a')")

    assert notebook.run("print('send' in vars(get_ipython().kernel.session))").text == "False\n"


def test_starting_twice_records_once_and_stopping_twice_gives_the_same(notebook):
    reply = notebook.run(
        "r = Recorder(get_ipython()); r.start(); r.start(); print('a'); one = r.stop(); two = r.stop()\n"
        "print(one == two, len(one))"
    )

    assert reply.text == "a\nTrue 1\n"


def test_two_recorders_at_once_do_not_mix(notebook):
    """Two cells run at the same time in subshells; each recorder has its own cell's outputs."""
    subshell = notebook.new_subshell()
    if subshell is None:
        pytest.skip("this kernel has no subshells")
    notebook.run("started, done = threading.Event(), threading.Event()")
    first = notebook.begin(
        "a = Recorder(get_ipython()); a.start()\nprint('main 1'); started.set(); done.wait(30)\n"
        "print('main 2'); display('main'); main = a.stop()"
    )
    second = notebook.begin(
        "started.wait(30)\nb = Recorder(get_ipython()); b.start(); print('sub'); display('sub')\n"
        "sub = b.stop(); done.set()",
        subshell=subshell,
    )
    received = [notebook.finish(second).outputs, notebook.finish(first).outputs]

    recorded = notebook.run("print(json.dumps([sub, main]))").text
    assert json.loads(recorded) == received
    assert received[0][0]["text"] == "sub\n"
    assert received[1][0]["text"] == "main 1\nmain 2\n"
    assert notebook.run("print('send' in vars(get_ipython().kernel.session))").text == "False\n"


@pytest.fixture
def terminal():
    """A shell without a kernel."""
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(config=Config(HistoryManager={"hist_file": ":memory:"}))
    made.run_cell("import sys, threading\nfrom IPython.display import display, HTML, clear_output")
    yield made
    made.reset()
    InteractiveShell.clear_instance()


@contextmanager
def screen():
    """Collect what a terminal would show on its standard output."""
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()) as text:
        yield text


def without_number(text):
    return re.sub(r"Out\[\d+\]", "Out[]", text.getvalue())


TERMINAL_CELLS = {
    "print('a'); print('e', file=sys.stderr)": [("stdout", "a\n"), ("stderr", "e\n")],
    "print('a')\n[1, 2]": [("stdout", "a\n"), ("execute_result", "[1, 2]")],
    "display('x'); print('b')": [("display_data", "'x'"), ("stdout", "b\n")],
    "display(HTML('<b>x</b>'))": [("display_data", "<IPython.core.display.HTML object>")],
    "print('a'); clear_output(); print('b')": [("stdout", "b\n")],
    "t = threading.Thread(target=print, args=('t',)); t.start(); t.join()": [("stdout", "t\n")],
    "5;": [],
}


@pytest.mark.parametrize("source", TERMINAL_CELLS)
def test_a_terminal_is_recorded_and_shows_the_same_again(terminal, source):
    def run(*, recorder=None):
        with screen() as text:
            if recorder is not None:
                recorder.start()
            terminal.run_cell(source, store_history=True)
            return without_number(text), recorder and recorder.stop()

    plain, _ = run()
    live, outputs = run(recorder=Recorder(terminal))
    with screen() as again:
        show(terminal, outputs)

    assert live == plain
    assert [
        (output.get("name", output["output_type"]), output.get("text") or output["data"]["text/plain"])
        for output in outputs
    ] == TERMINAL_CELLS[source]
    assert without_number(again) == plain.rpartition("\x1b[2K\r")[2]  # what was cleared is gone


def test_nothing_is_left_behind_in_a_terminal(terminal):
    recorder = Recorder(terminal)
    with screen() as text:
        recorder.start()
        recorder.stop()

    assert "write" not in vars(text)
    assert not {"publish", "clear_output"} & vars(terminal.display_pub).keys()
    assert not {"write_format_data", "finish_displayhook"} & vars(terminal.displayhook).keys()


def test_a_stream_that_can_t_be_listened_to_does_not_stop_the_cell(terminal):
    class Sealed:
        __slots__ = ()

        def write(self, text):
            return len(text)

        def flush(self):
            raise RuntimeError

    recorder = Recorder(terminal)
    with screen(), redirect_stderr(Sealed()):
        recorder.start()
        print("a")
        outputs = recorder.stop()

    assert outputs == ({"output_type": "stream", "name": "stdout", "text": "a\n"},)
