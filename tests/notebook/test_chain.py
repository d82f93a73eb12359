"""A cell goes on at the statement at which it was cut off, failed or was edited."""

import pytest

SETUP = """
%load_ext resonate_nb
import os, time, signal
from resonate_nb.notebook import budget
budget.SHARE = 1_000  # what a checkpoint may cost is another test's subject: machines are busy
del budget
def slow(n):
    with open(f'ran-{n}', 'a') as file:
        file.write('x')
    time.sleep(0.05)
    return n
def die_once():
    if not os.path.exists('died'):
        open('died', 'w').close()
        os.kill(os.getpid(), signal.SIGKILL)
base = [0]
"""
BODY = """%%durable numbers
print('first')
a = slow(1)
base.append(a)
both = [base, a]
print('second')
b = slow(2)
{last}"""


def ran(kernel):
    """How often each slow statement ran, in the life of this test."""
    return [len((kernel.cwd / f"ran-{n}").read_text()) for n in (1, 2)]


def last(kernel, statement, *, ok=True):
    """Run the cell with this last statement; return what it printed."""
    reply = kernel.run(BODY.format(last=statement))
    assert (reply.error is None) is ok, reply.error
    return reply.text


def state(kernel):
    return kernel.run("print(a, b, base, both, both[0] is base, y)").text.strip()


def test_a_cell_whose_kernel_died_in_the_last_statement_runs_only_that(kernel):
    kernel.run(SETUP)
    assert kernel.run(BODY.format(last="die_once()\ny = 3")).status == "dead"
    kernel.restart()
    kernel.run(SETUP)
    assert last(kernel, "die_once()\ny = 3") == "first\nsecond\n"
    assert ran(kernel) == [1, 1]
    assert state(kernel) == "1 2 [0, 1] [[0, 1], 1] True 3"


def test_an_edit_of_the_last_statement_runs_only_that_also_after_a_restart(kernel):
    kernel.run(SETUP)
    last(kernel, "y = 3")
    assert last(kernel, "y = 4") == "first\nsecond\n"
    assert state(kernel) == "1 2 [0, 1] [[0, 1], 1] True 4"
    kernel.restart()
    kernel.run(SETUP)
    last(kernel, "y = 5")
    assert state(kernel) == "1 2 [0, 1] [[0, 1], 1] True 5"
    assert ran(kernel) == [1, 1]


def test_a_failed_statement_is_fixed_without_a_restart_and_what_it_changed_is_undone(kernel):
    kernel.run(SETUP)
    last(kernel, "base.append('half done'); y = nonsense", ok=False)
    last(kernel, "y = 3")
    assert ran(kernel) == [1, 1]
    assert state(kernel) == "1 2 [0, 1] [[0, 1], 1] True 3"


def test_a_name_that_was_missing_is_defined_and_the_same_cell_goes_on(kernel):
    kernel.run(SETUP)
    last(kernel, "y = later", ok=False)
    kernel.run("later = 7")
    last(kernel, "y = later")
    assert ran(kernel) == [1, 1]
    assert state(kernel) == "1 2 [0, 1] [[0, 1], 1] True 7"


def test_a_settled_cell_that_is_run_again_over_what_it_changed_computes_as_a_plain_one(kernel):
    kernel.run(SETUP)
    last(kernel, "y = 3")
    last(kernel, "y = 3")
    assert state(kernel) == "1 2 [0, 1, 1] [[0, 1, 1], 1] True 3"


@pytest.mark.parametrize(
    ("change", "expected", "times"),
    [
        ("base = [5]", "1 2 [5, 1] [[5, 1], 1] True 3", [1, 2]),
        ("def slow(n, _then=slow):\n    return _then(n) * 10", "10 20 [0, 10] [[0, 10], 10] True 3", [2, 2]),
    ],
    ids=["an input", "a helper"],
)
def test_what_statements_read_or_call_changes_and_those_behind_run_again(kernel, change, expected, times):
    kernel.run(SETUP)
    last(kernel, "y = nonsense", ok=False)
    kernel.restart()
    kernel.run(SETUP)
    kernel.run(change)
    last(kernel, "y = 3")
    assert state(kernel) == expected
    assert ran(kernel) == times


def test_a_renamed_cell_and_a_later_input_keep_the_checkpoints(kernel):
    kernel.run(SETUP)
    last(kernel, "y = nonsense", ok=False)
    kernel.restart()
    kernel.run(SETUP + "other = [1]")
    reply = kernel.run(BODY.format(last="y = other").replace("numbers", "renamed"))
    assert reply.error is None
    assert ran(kernel) == [1, 1]
    assert state(kernel) == "1 2 [0, 1] [[0, 1], 1] True [1]"


def test_a_cell_with_await_goes_on_too(kernel):
    cell = "%%durable\nimport asyncio\na = slow(1)\nawait asyncio.sleep(0.01)\nb = slow(2)\ny = {}"
    kernel.run(SETUP)
    assert kernel.run(cell.format("nonsense")).error[0] == "NameError"
    kernel.restart()
    kernel.run(SETUP)
    assert kernel.run(cell.format("a + b")).error is None
    assert ran(kernel) == [1, 1]
    assert kernel.run("print(y)").text == "3\n"


def test_no_checkpoint_is_kept_while_the_surroundings_are_changed(kernel):
    kernel.run(SETUP)
    cell = "%%durable\nos.environ['FOR_THIS'] = '1'\na = slow(1)\nb = slow(2)\n{}"
    assert kernel.run(cell.format("nonsense")).error[0] == "NameError"
    kernel.run("os.environ.pop('FOR_THIS', None)")
    kernel.run(cell.format("print(os.environ['FOR_THIS'])"))
    assert ran(kernel) == [2, 2]


def test_rerun_ignores_the_checkpoints(kernel):
    kernel.run(SETUP)
    last(kernel, "y = nonsense", ok=False)
    kernel.restart()
    kernel.run(SETUP)
    kernel.run(BODY.format(last="y = 3").replace("numbers", "numbers --rerun"))
    assert ran(kernel) == [2, 2]


FIRST = "%%durable sums\na = slow(1)\nb = [a, len(base)]\n{}"


def test_what_only_the_failed_statement_changed_is_never_taken_for_the_inputs_of_before(kernel):
    """No checkpoint brings it back, so the cell computes as a plain one, and nothing is kept of that run."""
    kernel.run(SETUP)
    assert kernel.run(FIRST.format("y = [base.append('half'), nonsense]")).error[0] == "NameError"
    assert kernel.run(FIRST.format("y = len(base)")).error is None
    assert kernel.run("print(a, b, base, y)").text == "1 [1, 2] [0, 'half'] 2\n"
    kernel.restart()
    kernel.run(SETUP)
    assert kernel.run(FIRST.format("y = len(base)")).error is None
    assert kernel.run("print(a, b, base, y)").text == "1 [1, 1] [0] 1\n"


def test_an_edit_of_the_first_statement_computes_over_what_the_cell_changed_and_keeps_nothing(kernel):
    cell = "%%durable sums\na = {} + slow(1)\nbase.append(a)\ny = len(base)"
    kernel.run(SETUP)
    kernel.run(cell.format(0))
    kernel.run(cell.format(5))
    assert kernel.run("print(a, base, y)").text == "6 [0, 1, 6] 3\n"
    kernel.restart()
    kernel.run(SETUP)
    kernel.run(cell.format(5))
    assert kernel.run("print(a, base, y)").text == "6 [0, 6] 2\n"


def test_a_checkpoint_belongs_to_the_promise_of_its_cell_and_is_not_among_what_the_user_made(kernel):
    """By that it can be let go once the cell is settled and old."""
    kernel.run(SETUP)
    last(kernel, "y = 3")
    kernel.run("from resonate_nb import find\ncell, kept = find('cell/')[0].id, find('chain/')")
    same = "print(len(kept), {each.tags['rnb:parent'] == cell for each in kept})"
    assert kernel.run(same).text == "6 {True}\n"
    assert "chain/" not in kernel.run("%promises").text


def test_buffers_that_did_not_change_are_written_once(kernel):
    kernel.run(SETUP + "import numpy as np")
    kernel.run("%%durable\nlarge = np.arange(1e6)\na = 1\nb = [a]\nc = [b]\nd = [c]")
    assert kernel.run("%promises chain/").text.count("chain/") == 4
    written = sum(path.stat().st_size for path in (kernel.cwd / ".resonate").rglob("*") if path.is_file())
    assert 8_000_000 < written < 12_000_000


DRAWS = "%%durable\nbase.append(1)\na = slow(1)\ny = {}"


def test_a_fixed_statement_draws_what_it_would_have_drawn_at_first(kernel):
    kernel.run(SETUP + "import random; random.seed(1)")
    assert kernel.run(DRAWS.format("[random.random(), nonsense]")).error[0] == "NameError"
    kernel.run(DRAWS.format("random.random()"))
    assert kernel.run("print(base, y == random.Random(1).random())").text == "[0, 1] True\n"
    assert (
        kernel.run("print(random.random() == [(r := random.Random(1)).random(), r.random()][1])").text
        == "True\n"
    )


def test_a_seed_that_was_set_after_the_failure_counts(kernel):
    """The cell can't both go on where it was and draw from that: it computes as a plain one."""
    kernel.run(SETUP + "import random; random.seed(1)")
    kernel.run(DRAWS.format("[random.random(), nonsense]"))
    kernel.run("random.seed(2)")
    kernel.run(DRAWS.format("random.random()"))
    assert kernel.run("print(base, y == random.Random(2).random())").text == "[0, 1, 1] True\n"


def test_what_a_failed_statement_bound_anew_is_bound_again_before_another_cell_is_replayed(kernel):
    settled = "%%durable\ntotal = len(base)\na = slow(1)"
    kernel.run(SETUP)
    kernel.run(settled)
    kernel.run("%%durable\ntotal = len(base)\nbase = base + [1]\na = slow(1)\nnonsense")
    kernel.run(settled)
    assert kernel.run("print(total, base)").text == "1 [0]\n"
    assert (kernel.cwd / "ran-1").read_text() == "xx"


def test_files_that_were_read_before_the_checkpoint_count_also_without_a_restart(kernel):
    cell = "%%durable\nread = open('list').read()\nbase.append(1)\na = slow(1)\ny = {}"
    (kernel.cwd / "list").write_text("one")
    kernel.run(SETUP)
    kernel.run(cell.format("nonsense"))
    kernel.run(cell.format("read"))
    kernel.restart()
    kernel.run(SETUP)
    (kernel.cwd / "list").write_text("another")
    kernel.run(cell.format("read"))
    assert kernel.run("print(y)").text == "another\n"


def test_a_cell_with_a_deadline_goes_on_after_a_failure_too(kernel):
    kernel.run(SETUP)
    cell = BODY.replace("numbers", "numbers --timeout 5m")
    assert kernel.run(cell.format(last="y = [base.append('half'), nonsense]")).error[0] == "NameError"
    assert kernel.run(cell.format(last="y = 3")).error is None
    assert state(kernel) == "1 2 [0, 1] [[0, 1], 1] True 3"
    assert ran(kernel) == [1, 1]


COMPOUND = """%%durable
import contextlib
with contextlib.suppress(KeyError):
    a = slow(1)
    {{}}['missing']
try:
    b = slow(2)
except ValueError:
    b = None
else:
    base.append(b)
for n in range(3):
    base.append(n)
    {inside}
if a:
    y = {last}"""


def test_a_compound_statement_is_one_and_begins_again_as_a_whole(kernel):
    kernel.run(SETUP)
    cell = COMPOUND.format(inside="n == 1 and die_once()", last="len(base)")
    assert kernel.run(cell).status == "dead"
    kernel.restart()
    kernel.run(SETUP)
    assert kernel.run(cell).error is None
    assert kernel.run("print(a, b, base, y)").text == "1 2 [0, 2, 0, 1, 2] 5\n"
    assert kernel.run(COMPOUND.format(inside="n == 1 and die_once()", last="base[-1]")).error is None
    assert kernel.run("print(a, b, base, y)").text == "1 2 [0, 2, 0, 1, 2] 2\n"
    assert ran(kernel) == [1, 1]


AWAITING = """%%durable
import asyncio
async def numbers():
    for n in (1, 2):
        await asyncio.sleep(0.01)
        yield slow(n)
found = []
async for n in numbers():
    found.append(n)
async with asyncio.Lock():
    base.append(await asyncio.sleep(0.01, found))
lock = None
{last}"""


def test_a_cell_that_awaits_is_killed_edited_and_fixed_like_any_other(kernel):
    kernel.run(SETUP)
    assert kernel.run(AWAITING.format(last="await asyncio.sleep(0.01)\ndie_once()")).status == "dead"
    kernel.restart()
    kernel.run(SETUP)
    assert kernel.run(AWAITING.format(last="await asyncio.sleep(0.01)\ndie_once()")).error is None
    assert kernel.run(AWAITING.format(last="y = await asyncio.sleep(0.01, nonsense)")).error[0] == "NameError"
    assert kernel.run(AWAITING.format(last="y = await asyncio.sleep(0.01, len(base))\ny")).error is None
    assert kernel.run("print(base, found is base[1], y)").text == "[0, [1, 2]] True 2\n"
    assert ran(kernel) == [1, 1]
