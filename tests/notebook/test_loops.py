"""A loop over `track` in a durable cell goes on at the iteration that was under way."""

import contextlib
import io
import itertools
import random
import time

import pytest

from resonate_nb.track import Progress, track

SETUP = """
%load_ext resonate_nb
import os, random, signal
from resonate_nb import durable, track
from resonate_nb.notebook import budget
budget.SHARE = 1_000  # what a checkpoint may cost is another test's subject: machines are busy
del budget
def ran(what):
    with open('ran', 'a') as file:
        file.write(f'{what} ')
def die_at(n):
    if not os.path.exists(f'died-{n}'):
        open(f'died-{n}', 'w').close()
        os.kill(os.getpid(), signal.SIGKILL)
def die_in(x, *points):
    if x in points:
        die_at(x)
"""


def ran(kernel):
    return (kernel.cwd / "ran").read_text().split()


def ends(kernel, *cells, deaths):
    """Run the cells, again after each death of the kernel, to their end; return the text of the last one."""
    for _ in range(deaths):
        assert [kernel.run(cell).status for cell in [SETUP, *cells]][-1] == "dead"
        kernel.restart()
    replies = [kernel.run(cell) for cell in [SETUP, *cells]]
    assert [reply.error for reply in replies] == [None] * len(replies)
    return replies[-1].text


def shown(kernel, what):
    return kernel.run(f"print({what})").text.strip()


def test_a_killed_loop_repeats_only_the_iteration_under_way(kernel):
    cell = """%%durable
total, seen = 0, []
for x in track(range(6), every=0):
    ran(x)
    die_in(x, 2, 4)
    total += x
    seen.append(x)
else:
    ended = True
print(total)"""
    assert ends(kernel, cell, deaths=2) == "15\n"
    assert ran(kernel) == ["0", "1", "2", "2", "3", "4", "4", "5"]
    assert shown(kernel, "(total, seen, ended, x)") == "(15, [0, 1, 2, 3, 4, 5], True, 5)"


def test_statements_before_the_loop_do_not_run_again_and_the_result_is_kept(kernel):
    loop = "for x in track([1, 2, 3], every=0):\n    ys.append(x)\n    die_in(x, 3)"
    cell = f"%%durable\nran('before')\nys = []\n{loop}"
    ends(kernel, cell, deaths=1)
    kernel.restart()
    kernel.run(SETUP)
    kernel.run(cell)
    assert ran(kernel) == ["before"]
    assert shown(kernel, "ys, x") == "[1, 2, 3] 3"


ITERABLES = {
    "a list that grows": ("todo = [1, 2]", "todo", "todo.append(x + 2) if x < 4 else None"),
    "rows that are changed": ("rows = [{'n': n} for n in range(5)]", "rows", "x['n'] += 10"),
    "a shuffled list": ("rng = random.Random(3)", "rng.sample(range(6), 6)", "y = rng.random()"),
    "a set": ("letters = set('abcdef')", "letters", "seen = seen + 'x'"),
    "a generator": ("source = [3, 1, 4, 1, 5]", "(each * 2 for each in source)", "seen += str(x)"),
    "values of a dict that are set": ("d = dict(a=1, b=2, c=3, e=4)", "d.items()", "d[x[0]] = x[1] * 2"),
    "numbers from the global generator": (
        "random.seed(7)",
        "iter(lambda n=iter(random.sample(range(9), 5)): next(n, None), None)",
        "y = random.random()",
    ),
    "rows of an array": ("import numpy as np; a = np.zeros((5, 2))", "a", "x += 1"),
    "views of an array": ("import numpy as np; a = np.zeros(6)", "np.array_split(a, 3)", "x += 1"),
}


@pytest.mark.parametrize("inside", [True, False], ids=["made in the cell", "an input"])
@pytest.mark.parametrize("case", ITERABLES)
def test_whatever_it_iterates_over_the_end_is_that_of_the_undisturbed_run(kernel, case, inside):
    before, items, body = ITERABLES[case]
    body = f"    ran('once')\n    {body}\n    count += 1\n    all_seen.append(x)"
    state = (
        "[n for n in sorted(globals()) if n[0] != '_' and n in 'todo rows y seen d a count all_seen'.split()]"
    )
    state = f"print({{n: globals()[n] for n in {state}}}, random.random())"
    loop = "count, seen, all_seen = 0, '', []\nfor x in track({items}, every=0):\n{body}\n    {die}"
    cell = f"{before}\n" if inside else ""
    setup = "random.seed(1)" if inside else f"random.seed(1)\n{before}"
    plain = cell + loop.format(items=items, body=body, die="")
    durable = (
        "%%durable\n"
        + cell
        + loop.format(items=items, body=body, die="die_in(count, 2, 3)" if inside else "die_in(count, 3)")
    )
    if case == "a set":  # its order is that of the process
        state = "print(count, sorted(all_seen), seen)"
    times: list = []
    expected = plainly(times.append, setup, plain, state)
    deaths = 2 if inside else 1
    ends(kernel, setup, durable, deaths=deaths)
    assert kernel.run(state).text == expected
    assert len(ran(kernel)) == len(times) + deaths  # the iterations that died ran twice


def plainly(ran, *cells):
    """Run cells without a kernel, and return what they print."""
    names = {"random": random, "track": track, "ran": ran}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for cell in cells:
            exec(cell, names)
    return printed.getvalue()


def test_other_items_are_refused_and_rerun_begins_anew(kernel):
    loop = "for x in track((line for line in read()), every=0):\n    ys.append(x)\n    die_in(len(ys), 2)"
    cell = f"%%durable\nys = []\n{loop}"
    (kernel.cwd / "lines").write_text("1\n2\n3\n")
    kernel.run(SETUP)
    read = "def read():\n    return os.popen('cat lines').read().split()"  # which nobody sees
    kernel.run(read)
    assert kernel.run(cell).status == "dead"
    (kernel.cwd / "lines").write_text("5\n2\n3\n")
    kernel.restart()
    kernel.run(SETUP)
    kernel.run(read)
    name, text = kernel.run(cell).error
    assert name == "OtherItems"
    assert "--rerun" in text
    assert kernel.run(cell.replace("durable", "durable --rerun")).error is None
    assert shown(kernel, "ys") == "['5', '2', '3']"


def test_a_failed_iteration_goes_on_without_a_restart_and_what_it_changed_is_undone(kernel):
    kernel.run(SETUP + "model = []")
    cell = """%%durable
for x in track(range(4), every=0):
    ran(x)
    model.append(x)
    if x == 2 and not os.path.exists('ready'):
        raise RuntimeError('not ready')"""
    assert kernel.run(cell).error[0] == "RuntimeError"
    assert shown(kernel, "model") == "[0, 1, 2]"
    (kernel.cwd / "ready").touch()
    assert kernel.run(cell).error is None
    assert shown(kernel, "model") == "[0, 1, 2, 3]"
    assert ran(kernel) == ["0", "1", "2", "2", "3"]


def test_an_edited_body_begins_the_loop_anew(kernel):
    kernel.run(SETUP)
    cell = "%%durable\nys = []\nfor x in track(range(3), every=0):\n    ys.append({})"
    kernel.run(cell.format("x + (1 // (2 - x))"))
    kernel.run(cell.format("x * 10"))
    assert shown(kernel, "ys") == "[0, 10, 20]"


@pytest.mark.parametrize(
    ("loop", "times"),
    [
        ("for n, x in enumerate(track(range(3), every=0)):", 6),
        ("for x in track(range(3), every=0):", 4),
        ("for x in track(list(track(range(3), every=0)), every=0):", 4),
        ("import resonate_nb as r\nfor x in r.track(range(3), every=0):", 4),
        ("t = track(range(3), every=0)\nfor x in t:", 6),
    ],
    ids=["enumerated", "itself", "nested", "by another name", "a variable"],
)
def test_only_a_loop_over_the_call_itself_has_checkpoints(kernel, loop, times):
    ends(kernel, f"%%durable\n{loop}\n    ran(x)\n    die_in(x, 2)\nran('end')", deaths=1)
    assert len(ran(kernel)) - 1 == times


def test_break_and_continue_leave_and_skip_as_in_any_loop(kernel):
    cell = """%%durable
ys = []
for x in track(range(9), every=0):
    if x % 2: continue
    die_in(x, 2)
    if x == 6: break
    for y in track(range(2), every=0):
        ys.append((x, y))
else:
    ys = None
ys"""
    assert "[(0, 0), (0, 1), (2, 0)" in str(ends_outputs(kernel, cell, deaths=1))
    assert shown(kernel, "len(ys), x") == "6 6"


def ends_outputs(kernel, cell, deaths):
    ends(kernel, cell, deaths=deaths)
    return kernel.run("ys").outputs


def test_a_new_checkpoint_takes_the_place_of_the_one_before(kernel):
    kernel.run(SETUP)
    kernel.run("%%durable\nfor x in track(range(20), every=0):\n    y = x\nz = nonsense")
    kept = kernel.run("%promises chain/").text
    assert kept.count("chain/") == 1  # the one behind the loop


TRAINING = """%%durable
random.seed(5)
np.random.seed(5)
weights, speed, losses = np.zeros(20), np.zeros(20), []
order = list(range(len(rows)))
for epoch in track(range(60), every=0):
    ran(epoch)
    random.shuffle(order)
    for at in order:
        wrong = rows[at] @ weights - targets[at] + np.random.normal()
        speed = 0.9 * speed - 0.001 * wrong * rows[at]
        weights += speed
    losses.append(float(wrong))"""
MODEL = "weights.tobytes().hex(), speed.tobytes().hex(), losses, order, random.random(), np.random.random()"


def test_a_training_loop_killed_ten_times_at_random_ends_with_the_model_of_an_undisturbed_run(kernel):
    setup = SETUP + "import numpy as np\nrows = np.random.default_rng(1).random((1_500, 20))\n"
    setup += "targets = rows @ np.arange(20)"
    seed = random.randrange(1_000_000)
    chance = random.Random(seed)
    kernel.run(setup)
    assert kernel.run(TRAINING.replace("%%durable", "")).error is None
    expected = shown(kernel, MODEL)
    kernel.restart()
    (kernel.cwd / "ran").unlink()

    lives = [killed_while_training(kernel, setup, chance) for _ in range(10)]
    kernel.run(setup)
    already = len(ran(kernel))
    assert kernel.run(TRAINING).error is None
    lives.append([int(each) for each in ran(kernel)[already:]])

    assert shown(kernel, MODEL) == expected, f"seed {seed}"
    for before, after in itertools.pairwise(lives):
        assert after[0] in {before[-1], before[-1] + 1}, f"seed {seed}: {lives}"
    assert all(life == list(range(life[0], life[-1] + 1)) for life in lives), f"seed {seed}: {lives}"
    assert lives[-1][-1] == 59


def killed_while_training(kernel, setup, chance):
    """Run the cell in a new kernel, kill that at some moment, and return the epochs that it began."""
    kernel.run(setup)
    already = len(ran(kernel)) if (kernel.cwd / "ran").exists() else 0
    kernel.begin(TRAINING)
    enough = already + chance.randint(1, 4)
    deadline = time.monotonic() + 60
    while not (kernel.cwd / "ran").exists() or len(ran(kernel)) < enough:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(chance.random() * 0.03)
    kernel.restart()
    return [int(each) for each in ran(kernel)[already:]]


def test_the_bar_tells_what_was_done_before_and_now_at_what_rate_and_what_remains(capsys):
    with Progress(50, before=20) as shown:
        for _ in range(10):
            shown.step()
        time.sleep(0.15)
        shown.step()
    text = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
    assert text.startswith("20 before:")
    assert "31/50" in text
    assert "11 now" in text
    assert "it/s" in text


def test_the_bar_is_a_widget_where_somebody_looks_on_and_nothing_in_a_headless_run(kernel):
    kernel.run(SETUP)
    cell = "%%durable --quiet\nfor x in track(range(3), every=0): pass"
    watched = kernel.finish(kernel.begin(cell, allow_stdin=True))
    kinds = {kind for each in watched.messages for kind in each["content"].get("data", {})}
    assert "application/vnd.jupyter.widget-view+json" in kinds
    assert kernel.run(cell.replace("3", "4")).outputs == []


def test_track_is_a_plain_bar_outside_of_durable_cells(kernel):
    kernel.run(SETUP)
    assert shown(
        kernel, "[x for x in track(range(3))], len(track('ab')), len(track(iter('ab'), total=2))"
    ) == ("[0, 1, 2] 2 2")
    assert kernel.run("track([], every='soon')").error[0] == "UsageError"


def test_what_an_attempt_changed_and_no_checkpoint_brings_back_is_computed_as_in_a_plain_cell(kernel):
    # Else the cell would be kept, for the inputs that it had, with what two attempts have done.
    kernel.run(SETUP + "base = [0]")
    cell = "%%durable\na = ran('first')\ny = [base.append('half'), {}]"
    assert kernel.run(cell.format("nonsense")).error[0] == "NameError"
    assert kernel.run(cell.format("3")).error is None
    kernel.restart()
    kernel.run(SETUP + "base = [0]")
    kernel.run(cell.format("3"))
    assert shown(kernel, "base") == "[0, 'half']"


@pytest.mark.parametrize(
    ("n", "expected", "times"),
    [("[1]", "[1, 2] [1, 2]", 1), ("(1,)", "(1, 2, 2) [1, 2, 2]", 1)],
    ids=["data", "what counts as code"],
)
def test_a_variable_that_was_bound_anew_is_bound_as_it_was_or_nothing_is_undone(kernel, n, expected, times):
    kernel.run(SETUP + f"n = {n}\nm = [1]")
    cell = "%%durable\na = ran('first')\nm.append(2)\nif n := n + type(n)([2]):\n    y = {}"
    assert kernel.run(cell.format("nonsense")).error[0] == "NameError"
    assert kernel.run(cell.format("3")).error is None
    assert shown(kernel, "n, m") == expected
    assert len(ran(kernel)) == times
