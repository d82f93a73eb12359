"""Durable cells while people work: live output, interrupts at every stage, subshells, spellings, no store."""

import os
import re
import subprocess
import sys
import time

import pytest

LOAD = "%load_ext resonate_nb"
COUNT = "import pathlib; _ = pathlib.Path('runs').open('a').write('x')"
INTERRUPT = "__import__('os').kill(__import__('os').getpid(), __import__('signal').SIGINT)"
UNTIL = "import time, pathlib\nwhile not pathlib.Path({!r}).exists():\n    time.sleep(0.01)"


def runs(kernel):
    marks = kernel.cwd / "runs"
    return len(marks.read_text()) if marks.exists() else 0


def begin(kernel, *cells):
    kernel.run(LOAD)
    return [kernel.run(cell) for cell in cells]


def hooks(kernel):
    """Return whether a recorder still listens in the kernel."""
    return kernel.run("print('send' in vars(get_ipython().kernel.session))").text.strip() == "True"


def test_output_arrives_while_the_cell_runs(kernel):
    begin(kernel)
    cell = kernel.begin(f"%%durable a\nprint('begun')\n{UNTIL.format('go')}\nprint('done')")
    kernel.shows(cell, "begun")
    (kernel.cwd / "go").touch()
    assert kernel.finish(cell).text == "begun\ndone\n"


STAGES = {
    "in the body": ("x = 0", f"{INTERRUPT}\nimport time\ntime.sleep(30)"),
    "while an input is digested": (
        (
            "class Slow:\n    def __durable_digest__(self):\n        if not pathlib.Path('again').exists():\n"
            f"            {INTERRUPT}\n            time.sleep(30)\n        return 1\n"
            "import pathlib, time\nx = Slow()"
        ),
        "y = x",
    ),
    "while an output is saved": (
        (
            "class Slow:\n    def __reduce__(self):\n        if not pathlib.Path('again').exists():\n"
            f"            {INTERRUPT}\n            time.sleep(30)\n        return Slow, ()\n"
            "import pathlib, time"
        ),
        "y = Slow()",
    ),
}


@pytest.mark.parametrize(("before", "body"), STAGES.values(), ids=STAGES)
def test_an_interrupted_cell_leaves_the_kernel_as_it_was_and_computes_next_time(kernel, before, body):
    begin(kernel, before)
    kernel.run(f"%%durable a\n{COUNT}\n{body}")
    assert not hooks(kernel)
    (kernel.cwd / "again").touch()
    assert kernel.run("%%durable b\nz = 3\nprint(z)").text == "3\n"
    body = "y = 1" if "sleep(30)" in body else body
    before_it = runs(kernel)
    assert kernel.run(f"%%durable a\n{COUNT}\n{body}").error is None
    assert runs(kernel) == before_it + 1


def test_an_interrupt_ends_the_wait_for_another_kernel(kernel, another_kernel):
    other, cell = another_kernel(), f"%%durable a\n{COUNT}\n{UNTIL.format('go')}\nx = 1"
    begin(kernel), begin(other)
    computing = kernel.begin(cell)
    while not runs(kernel):
        time.sleep(0.01)
    waiting = other.begin(cell)
    other.shows(waiting, "waiting for")
    other.interrupt()
    assert other.finish(waiting).error[0] == "KeyboardInterrupt"
    (kernel.cwd / "go").touch()
    assert kernel.finish(computing).status == "ok"
    assert other.run(cell).status == "ok"
    assert runs(kernel) == 1


def test_an_interrupted_await_ends_the_cell(kernel):
    begin(kernel, "import asyncio")
    cell = kernel.begin("%%durable a\nprint('begun')\nfor _ in range(300):\n    await asyncio.sleep(0.1)")
    kernel.shows(cell, "begun")
    kernel.interrupt()
    assert kernel.finish(cell).status == "error"
    assert not hooks(kernel)
    assert kernel.run("%%durable b\nz = 3\nprint(z)").text == "3\n"


def test_a_cell_that_changed_its_input_and_failed_is_computed_again_with_what_it_left(kernel):
    replies = begin(
        kernel,
        "xs = [1]",
        "%%durable a\nxs.append(2)\n1 / 0",
        "%%durable a\nxs.append(2)\n1 / 0",
        "print(xs)",
    )
    assert replies[-1].text == "[1, 2, 2]\n"


def test_two_cells_at_once_in_two_subshells_are_both_kept(kernel):
    begin(kernel, "import threading\nstarted, done = threading.Event(), threading.Event()")
    subshell = kernel.new_subshell()
    if subshell is None:
        pytest.skip("this kernel has no subshells")
    cells = (
        "%%durable main --ignore started,done\nprint('main')\nstarted.set()\nfinished = done.wait(30)\nx = 1",
        "%%durable sub --ignore started,done\nbegun = started.wait(30)\nprint('sub')\ny = 2\ndone.set()",
    )
    first = kernel.begin(cells[0])
    second = kernel.begin(cells[1], subshell=subshell)
    replies = kernel.finish(first), kernel.finish(second)
    assert [(reply.text, reply.error) for reply in replies] == [("main\n", None), ("sub\n", None)]
    assert kernel.run("print(x, y, [n for n in dir() if 'rnb' in n])").text == "1 2 []\n"
    assert "resolved" in kernel.run("%promises cell/main").text
    assert "resolved" in kernel.run("%promises cell/sub").text


def test_a_durable_cell_inside_a_durable_cell_is_kept_and_the_outer_one_computes(kernel):
    inner = f"%%durable inner\\n{COUNT}\\ninner = [5]"
    outer = f'%%durable outer\nget_ipython().run_cell("{inner}")\nprint(inner)'
    assert [reply.text for reply in begin(kernel, outer, outer)] == ["[5]\n"] * 2
    assert runs(kernel) == 1


@pytest.mark.parametrize(
    "header",
    [
        "#| durable a",
        "# | durable a",
        "# %%durable a",
        "#|durable a",
        "\n%%durable a",
        "%%durable a   ",
        "%%durable\ta",
    ],
)
def test_every_spelling_of_the_header_makes_the_cell_durable(kernel, header):
    cell = f"{header}\n{COUNT}\nx = 4"
    begin(kernel, cell, cell)
    assert runs(kernel) == 1
    assert kernel.run("print(x)").text == "4\n"


@pytest.mark.parametrize(
    "cell", ["%%durable off\nx =", "%%durable a\nx = 1\n\n  y = 2", "%%durable a\nx = (1"]
)
def test_a_syntax_error_is_that_of_the_plain_cell(kernel, cell):
    plain = kernel.run(cell.replace("%%durable", "# "))
    [reply] = begin(kernel, cell)
    assert without_file(reply.error) == without_file(plain.error)


def without_file(error):
    return error[0], re.sub(r"\(\w+\.py", "(", error[1])


def traceback_lines(reply):
    [error] = [each["content"] for each in reply.messages if each["msg_type"] == "error"]
    text = "\n".join(error["traceback"])
    return [line for line in text.splitlines() if "->" in line]


def test_an_error_is_shown_at_the_line_where_it_is(kernel):
    define = "def half(x):\n    y = x\n    return y / 0"
    begin(kernel, f"%%durable d\n{define}")
    plain = kernel.run("# plain\nx = 1\n\nhalf(x)")
    durable = kernel.run("%%durable e\nx = 1\n\nhalf(x)")
    assert durable.error == plain.error
    assert traceback_lines(durable) == traceback_lines(plain)
    kernel.restart()
    begin(kernel, f"%%durable d\n{define}")
    assert traceback_lines(kernel.run("# plain\nx = 1\n\nhalf(x)")) == traceback_lines(plain)


def test_what_is_printed_after_an_exception_and_at_exit_breaks_nothing(kernel):
    begin(kernel, "import atexit", "%%durable a\natexit.register(print, 'bye')\n1 / 0")
    assert kernel.run("print('next')").text == "next\n"


def test_a_cell_that_runs_silently_is_a_plain_one(kernel):
    begin(kernel)
    kernel.client.execute(f"%%durable a\n{COUNT}\nx = 6", silent=True, reply=True)
    assert kernel.run("print(x)").text == "6\n"
    assert not hooks(kernel)


def test_a_kernel_without_a_store_runs_cells_plainly_and_says_why(kernel):
    (kernel.cwd / "file").touch()
    kernel.run("import os\nos.environ['RESONATE_NB_STORE'] = 'file/store'")
    cell = f"%%durable a\n{COUNT}\nx = 1\nprint(x)"
    replies = begin(kernel, cell, cell)
    assert [reply.error for reply in replies] == [None] * 2
    assert all("1\n" in reply.text and "RESONATE_NB_STORE" in reply.text for reply in replies)
    assert runs(kernel) == 2


def test_a_store_that_is_deleted_under_the_kernel_costs_only_what_was_in_it(kernel):
    cell = f"%%durable a\n{COUNT}\nx = 1\nprint(x)"
    begin(kernel, cell)
    kernel.run("import shutil\nshutil.rmtree('.resonate')")
    replies = [kernel.run(cell) for _ in range(3)]
    assert [reply.error for reply in replies] == [None] * 3
    assert all("1\n" in reply.text for reply in replies)
    assert kernel.run("print(x)").text == "1\n"


def test_another_store_is_used_from_the_next_cell_on(kernel):
    cell = f"%%durable a\n{COUNT}\nx = 1"
    choose = "from resonate_nb import configure\nconfigure({!r});"
    begin(kernel, choose.format("one"), cell, choose.format("two"), cell, choose.format("one"), cell)
    assert runs(kernel) == 2


def test_the_extension_unloads_and_loads_again_also_from_inside_a_durable_cell(kernel):
    cell = f"%%durable a\n{COUNT}\nx = 1"
    begin(
        kernel,
        cell,
        "%%durable leave\nget_ipython().run_line_magic('unload_ext', 'resonate_nb')\nprint('left')",
    )
    assert not hooks(kernel)
    assert "%%durable" in kernel.run(cell).text or kernel.run(cell).error is not None
    begin(kernel, LOAD, cell)
    assert runs(kernel) == 1


SCRIPT = """
%load_ext resonate_nb
from IPython.display import display
get_ipython().run_cell("%%durable a\\nprint('printed')\\ndisplay('shown')\\nx = [1]\\nx")
print("value", x)
"""


def test_a_terminal_computes_and_replays_with_the_same_text(tmp_path):
    def run():
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "IPython",
                "--simple-prompt",
                "--no-banner",
                "--colors=NoColor",
                "-c",
                SCRIPT,
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                "IPYTHONDIR": str(tmp_path / "ipython"),
                "RESONATE_NB_KEY_FILE": str(tmp_path / "key"),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    computed, replayed = run(), run()
    assert "a: computed" in computed
    assert "a: replayed" in replayed
    shown = [[line for line in text.splitlines() if "a: " not in line] for text in (computed, replayed)]
    assert shown[0] == shown[1]
    assert "value [1]" in computed
