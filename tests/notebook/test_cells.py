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


def test_an_input_without_content_is_named(kernel):
    _, (_, (name, text)) = run(
        kernel, "import threading\nlock = threading.Lock()", "%%durable\nwith lock:\n    x = 1"
    )
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
