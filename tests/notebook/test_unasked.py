"""`%durable on` makes every cell durable that is worth it; `%durable stats` tells what that saved."""

import pytest

SETUP = """
%load_ext resonate_nb
import os, threading, time
def slow(what):
    with open('ran', 'a') as file:
        file.write(f'{what} ')
    time.sleep(0.1)
    return what
def quick(what):
    with open('ran', 'a') as file:
        file.write(f'{what} ')
    return what
"""
ON = "%durable on"


def ran(kernel):
    return (kernel.cwd / "ran").read_text().split()


def twice(kernel, *cells, setup=SETUP):
    """Run the cells under `%durable on`, in one kernel and in the next; return the last reply."""
    kernel.run(setup)
    for cell in (ON, *cells):
        assert kernel.run(cell).error is None
    kernel.restart()
    kernel.run(setup)
    replies = [kernel.run(cell) for cell in (ON, *cells)]
    assert [reply.error for reply in replies] == [None] * len(replies)
    return replies[-1]


def test_following_cells_are_durable_without_a_header(kernel):
    assert twice(kernel, "x = slow(1)\nprint(x)", "y = [x, slow(2)]\nprint(y)").text == "[1, 2]\n"
    assert ran(kernel) == ["1", "2"]


def test_off_ends_it_and_without_a_word_it_tells_which_it_is(kernel):
    assert twice(kernel, "%durable off", "x = slow(1)", "%durable").text == "%durable is off\n"
    assert ran(kernel) == ["1", "1"]
    assert kernel.run("%durable on\n%durable").text == "%durable is on\n"
    assert kernel.run("%durable maybe").error[0] == "UsageError"


@pytest.mark.parametrize(
    "cell",
    [
        "#| durable off\nx = slow(1)",
        "\n# | durable off\nx = slow(1)",
        "%time x = slow(1)",
        "%%time\nx = slow(1)",
        "files = !ls\nx = slow(1)",
        "x = slow(1)\nget_ipython().set_custom_exc",
        "x = quick(1)",
        "x = slow(1) if lock else input()",
        "lock\nx = slow(1)",
        "numbers\nx = slow(1)",
        "def fresh(a=slow(1)):\n    return a",
    ],
    ids=lambda cell: cell.replace("\n", " ; "),
)
def test_cells_that_are_left_alone_run_as_plain_ones(kernel, cell):
    twice(kernel, cell, setup=SETUP + "lock = threading.Lock()\nnumbers = iter([1])\n")
    assert ran(kernel) == ["1", "1"]


def test_a_cell_that_takes_less_than_the_digests_of_its_inputs_is_left_alone_until_it_changes(kernel):
    setup = SETUP + "large = [str(n) for n in range(3_000_000)]\n"
    twice(kernel, "time.sleep(0.06)\nn = len(large) + quick(1)", setup=setup)
    assert ran(kernel) == ["1", "1"]
    assert "left alone  1 cell" in kernel.run("%durable stats").text
    assert "%durable on leaves it alone: it takes" in kernel.run("%why n").text
    assert "cell/n@" not in kernel.run("%promises").text
    kernel.run("n = slow(2)")
    kernel.run("n = slow(2)")
    assert ran(kernel) == ["1", "1", "2"]


@pytest.mark.parametrize(
    ("made", "times"),
    [("display(ipywidgets.IntSlider())", 2), ("list(tqdm.notebook.tqdm(range(3)))", 1)],
    ids=["a slider", "a progress bar"],
)
def test_a_cell_that_makes_widgets_runs_again_so_that_they_are_there_unless_they_tell_progress(
    kernel, made, times
):
    twice(kernel, f"x = slow(1)\n{made};", setup=SETUP + "import ipywidgets, tqdm.notebook")
    assert len(ran(kernel)) == times


def test_a_header_asks_for_what_is_left_alone_otherwise(kernel):
    twice(kernel, "%%durable\nx = quick(1)")
    assert ran(kernel) == ["1"]


def test_a_failed_cell_goes_on_at_its_statement(kernel):
    setup = SETUP + "from resonate_nb.notebook import budget\nbudget.SHARE = 1_000\ndel budget"
    kernel.run(setup)
    kernel.run(ON)
    assert kernel.run("a = slow(1)\nb = slow(2)\nc = nonsense").error[0] == "NameError"
    kernel.restart()
    kernel.run(setup)
    kernel.run(ON)
    assert kernel.run("a = slow(1)\nb = slow(2)\nc = a + b").error is None
    assert ran(kernel) == ["1", "2"]
    assert kernel.run("%durable stats").text.count("resumed     1 cell, saved") == 1


def test_calls_that_hang_on_their_place_are_made_once(kernel):
    """Such a call is refused in a plain cell, so one that makes it is not left alone, however quick it is."""
    setup = (
        SETUP
        + "from resonate_nb import durable\n@durable(identity='call')\ndef send(x):\n    return quick(x)"
    )
    twice(kernel, "mail = send(1)", setup=setup)
    assert ran(kernel) == ["1"]


def test_stats_tell_what_was_computed_and_saved_and_what_was_most_expensive(kernel):
    text = twice(kernel, "x = slow(1)", "%%durable\ny = 2", "z = slow(3)", "%durable stats").text
    lines = [line.strip() for line in text.splitlines()]
    assert lines[:2] == ["in this kernel", "computed    0 cells"]
    assert lines[2].startswith("replayed    3 cells, saved ")
    assert lines[3] == "resumed     0 cells"
    assert lines[5].startswith("in ")
    assert lines[6].startswith("promises     3, ")
    assert lines[7] == "checkpoints  0, 0 bytes"
    assert lines[8] == "most expensive"
    assert {line.split("@")[0] for line in lines[9:11]} == {"cell/x", "cell/z"}


def test_without_a_store_every_cell_runs_as_it_always_did(kernel):
    (kernel.cwd / ".resonate").write_text("no folder")
    kernel.run(SETUP)
    kernel.run(ON)
    for n in (1, 2):
        reply = kernel.run(f"x = slow({n})")
        assert reply.error is None
        assert "Traceback" not in reply.text
    assert "2\n" in kernel.run("print(x)").text
