"""Durable cells in a real kernel that is really killed: delivered again, resumed, refused."""

import pytest

LOAD = "%load_ext resonate_nb"
COUNT = "import pathlib; pathlib.Path('runs').open('a').write('x')"


def runs(kernel):
    marks = kernel.cwd / "runs"
    return len(marks.read_text()) if marks.exists() else 0


def run(kernel, *cells):
    kernel.run(LOAD)
    replies = [kernel.run(cell) for cell in cells]
    return [(reply.outputs, reply.error) for reply in replies]


CELLS = {
    "values, prints and the last expression": (
        f"%%durable\n{COUNT}\nx = [1, 2]\nprint('made')\nsum(x)",
        "print(x, _)",
    ),
    "arrays changed in place, and who shares them": (
        "import numpy as np\nX = np.arange(4.0)\nframes = [X]",
        f"%%durable change\n{COUNT}\nX[0] = 99",
        "print(X, frames[0] is X)",
    ),
    "classes and their instances": (
        f"%%durable\n{COUNT}\nclass Point:\n    def __init__(self, x):\n        self.x = x\np = Point(3)",
        "print(isinstance(p, Point), p.x)",
    ),
    "top-level await": (
        f"%%durable waited\n{COUNT}\nimport asyncio\nawait asyncio.sleep(0)\nz = 5\nz",
        "print(z, _)",
    ),
    "functions see the notebook": (
        f"%%durable\n{COUNT}\nscale = 3\ndef scaled(x):\n    return x * scale",
        "print(scaled(2))",
    ),
}


@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS.keys())
def test_after_a_kill_a_cell_is_delivered_as_it_was_computed(kernel, cells):
    plain = run(kernel, *cells)
    assert runs(kernel) == 1
    kernel.kill()
    kernel.restart()
    assert run(kernel, *cells) == plain
    assert runs(kernel) == 1


def test_an_edit_computes_again_and_a_comment_does_not(kernel):
    run(kernel, f"%%durable a\n{COUNT}\nx = 1", f"%%durable a\n{COUNT}\nx = 1  # the same")
    assert runs(kernel) == 1
    kernel.run(f"%%durable a\n{COUNT}\nx = 2")
    assert runs(kernel) == 2


def test_a_changed_input_or_helper_computes_again(kernel):
    cell = f"%%durable a\n{COUNT}\ny = helper(data[0])"
    run(kernel, "data = [1]", "def helper(x):\n    return x", cell, cell)
    assert runs(kernel) == 1
    run(kernel, "data = [2]", cell)
    assert runs(kernel) == 2
    run(kernel, "def helper(x):\n    return -x", cell)
    assert runs(kernel) == 3


def test_an_exception_is_shown_as_ever_and_the_cell_is_tried_again(kernel):
    cell = f"%%durable broken\n{COUNT}\n1 / 0"
    replies = run(kernel, cell, cell)
    assert [error[0] for _, error in replies] == ["ZeroDivisionError"] * 2
    assert runs(kernel) == 2


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%%time\n%%durable\nx = 1", "One cell magic only"),
        ("%%durable --never\nx = 1", "--never"),
        ("%%durable --version zero\nx = 1", "whole number"),
    ],
)
def test_what_cannot_be_durable_is_refused_with_the_reason(kernel, cell, words):
    [(_, (name, text))] = run(kernel, cell)
    assert name == "UsageError"
    assert words in text


def test_an_input_without_content_that_no_cell_was_seen_to_assign_is_named(kernel):
    kernel.run("import threading\nlock = threading.Lock()")
    [(_, (name, text))] = run(kernel, "%%durable\nwith lock:\n    x = 1")
    assert name == "UndigestibleInput"
    assert "lock" in text


def test_an_output_that_cannot_be_kept_leaves_the_cell_whole_and_computes_again(kernel):
    cell = f"%%durable\n{COUNT}\nimport threading\nlock = threading.Lock()\nw = 3"
    replies = run(kernel, cell, cell, "print(w)")
    assert [error for _, error in replies] == [None] * 3
    assert runs(kernel) == 2


def test_a_map_in_a_killed_kernel_computes_only_the_rest(kernel):
    define = (
        "import os, signal, pathlib\nfrom resonate_nb import durable\n@durable\ndef square(x):\n"
        "    pathlib.Path('runs').open('a').write('x')\n    return x * x"
    )
    die = (
        "def until(n):\n    for x in range(50):\n        if x == n:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n        yield x"
    )
    run(kernel, define, die, "square.map(list(range(20)), progress=False)")
    assert kernel.run("[square(x) for x in until(30)]").status == "dead"
    kernel.restart()
    [_, (outputs, error)] = run(kernel, define, "print(sum(square.map(range(50), progress=False)))")
    assert error is None
    assert outputs[0]["text"] == f"{sum(x * x for x in range(50))}\n"
    assert runs(kernel) == 50


NAMES = {
    "bound by a function's global statement": (
        "def setup():\n    global chosen\n    chosen = [7]",
        f"%%durable\n{COUNT}\nsetup()",
        "print(chosen)",
    ),
    "deleted inputs": (
        "big = [1, 2]",
        f"%%durable\n{COUNT}\ntotal = sum(big)\ndel big",
        "print(total, 'big' in globals())",
    ),
    "private names": ("_index = [1]", f"%%durable\n{COUNT}\n_item = _index[0]", "print(_item)"),
}


@pytest.mark.parametrize("cells", NAMES.values(), ids=NAMES.keys())
def test_every_name_that_a_cell_changed_is_as_it_was_after_a_kill(kernel, cells):
    plain = run(kernel, *cells)
    assert runs(kernel) == 1
    kernel.kill()
    kernel.restart()
    assert run(kernel, *cells) == plain
    assert runs(kernel) == 1


def test_a_private_name_is_an_input_like_any_other(kernel):
    cell = f"%%durable a\n{COUNT}\ny = _index[0]"
    run(kernel, "_index = [1]", cell, "_index = [2]", cell)
    assert kernel.run("print(y)").text == "2\n"


def test_a_cell_that_reads_the_last_result_computes_each_time(kernel):
    cell = f"%%durable a\n{COUNT}\ny = _ + 1"
    run(kernel, "1", cell, "5", cell)
    assert kernel.run("print(y)").text == "6\n"


@pytest.mark.parametrize(("reads", "computed"), [("", 1), ("frames[0]; ", 2)])
def test_with_other_aliases_than_before_only_those_see_the_change_that_would(kernel, reads, computed):
    cell = f"%%durable change\n{COUNT}\n{reads}df.append(9)"
    run(kernel, "df = [1]\nframes = [df]", cell)
    assert kernel.run("print(df, frames)").text == "[1, 9] [[1, 9]]\n"
    run(kernel, "df = [1]\nframes = [[1]]", cell)
    assert kernel.run("print(df, frames)").text == "[1, 9] [[1]]\n"
    assert runs(kernel) == computed


def test_a_cell_over_a_module_that_was_saved_and_not_reloaded_is_not_kept(kernel):
    (kernel.cwd / "helpers.py").write_text("def half(x):\n    return x / 2\n")
    cell = f"%%durable a\n{COUNT}\ny = helpers.half(4)"
    run(kernel, "import helpers")
    (kernel.cwd / "helpers.py").write_text("def half(x):\n    return x / 2 + 100\n")
    [_, (outputs, error)] = run(kernel, cell, cell)
    assert error is None
    assert runs(kernel) == 2
    assert "helpers on disk is not the code that runs" in str(outputs)
