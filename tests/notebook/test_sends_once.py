"""A call in a cell that is identified by its place is not repeated by an edit further down."""

import pytest

SETUP = """
%load_ext resonate_nb
import os, random, signal, sys
from resonate_nb import durable, current, find
from resonate_nb.notebook import budget
budget.SHARE = {share}
del budget
@durable(identity="call")
def send(text):
    print(f'sending {{text}}')
    with open('mail', 'a') as file:
        file.write(f'{{text}} ')
    return current().id
def die_once():
    if not os.path.exists('died'):
        open('died', 'w').close()
        os.kill(os.getpid(), signal.SIGKILL)
to = ['a', 'b']
"""
NEVER_KEPT, ALWAYS_KEPT = SETUP.format(share=0), SETUP.format(share=1_000)


def run(kernel, cell, *, ok=True):
    reply = kernel.run(cell)
    assert (reply.error is None) is ok, reply.error
    return reply.text


def mail(kernel):
    return (kernel.cwd / "mail").read_text().split()


CELL = """%%durable letters
first = send(to[0])
both = [send(each) for each in to]
{last}"""


@pytest.mark.parametrize("setup", [NEVER_KEPT, ALWAYS_KEPT], ids=["no checkpoints", "checkpoints"])
def test_an_edit_further_down_a_new_name_and_a_restart_send_nothing_again(kernel, setup):
    run(kernel, setup)
    run(kernel, CELL.format(last="y = 1"))
    run(kernel, CELL.format(last="y = 2"))
    run(kernel, CELL.format(last="y = 2\nz = send('more')"))
    run(kernel, CELL.format(last="y = 2\nz = send('more')\nw = 3").replace("letters", "renamed"))
    kernel.restart()
    run(kernel, setup)
    run(kernel, CELL.format(last="y = 2\nz = send('more')\nw = 4"))
    run(kernel, CELL.format(last="w = 5"))
    assert mail(kernel) == ["a", "a", "b", "more"]
    assert run(kernel, "print(first.count('.'), len({first, *both}), w)") == "1 3 5\n"


def test_a_kernel_that_died_after_sending_sends_the_rest(kernel):
    cell = CELL.format(last="for each in to:\n    send(each * 2)\n    die_once()")
    run(kernel, NEVER_KEPT)
    assert kernel.run(cell).status == "dead"
    kernel.restart()
    run(kernel, NEVER_KEPT)
    run(kernel, cell)
    assert mail(kernel) == ["a", "a", "b", "aa", "bb"]


def test_a_loop_that_goes_on_at_an_iteration_counts_on(kernel):
    cell = "%%durable\nfrom resonate_nb import track\nsent = []\nfor n in track([1, 2, 3], every=0):\n"
    cell += "    sent.append(send(str(n)))\n    if n == 2:\n        die_once()"
    run(kernel, ALWAYS_KEPT)
    assert kernel.run(cell).status == "dead"
    kernel.restart()
    run(kernel, ALWAYS_KEPT)
    run(kernel, cell)
    assert mail(kernel) == ["1", "2", "3"]
    assert run(kernel, "print([each.rpartition('.')[2] for each in sent])") == "['1', '2', '3']\n"


@pytest.mark.parametrize(
    ("change", "edit", "expected"),
    [
        ("", ("to[0])", "to[0] + '!')"), "a a b a! a b"),
        ("", ("for each in to]", "for each in to if each]"), "a a b a b"),
        ("to = ['c']", ("", ""), "a a b c c"),
        ("other = 1", ("y = 1", "y = other"), "a a b"),
    ],
    ids=["an earlier statement", "the statement", "an input", "a later input"],
)
def test_what_leads_to_a_call_changes_and_it_is_made_anew(kernel, change, edit, expected):
    run(kernel, NEVER_KEPT)
    run(kernel, CELL.format(last="y = 1"))
    run(kernel, change)
    run(kernel, CELL.format(last="y = 1").replace(*edit))
    assert " ".join(mail(kernel)) == expected


def test_a_file_that_an_earlier_statement_read_changes_and_the_calls_behind_it_are_made_anew(kernel):
    cell = "%%durable\nsend('before')\nread = open('list').read()\nsend('behind')\ny = {}"
    (kernel.cwd / "list").write_text("one")
    run(kernel, NEVER_KEPT)
    run(kernel, cell.format(1))
    run(kernel, cell.format(2))
    (kernel.cwd / "list").write_text("another")
    run(kernel, cell.format(2))
    assert mail(kernel) == ["before", "behind", "behind"]


def test_only_what_the_cell_has_drawn_itself_counts_of_the_random_state(kernel):
    cell = "%%durable\nsend('before')\nx = random.random()\nsend('behind')\ny = {}"
    run(kernel, NEVER_KEPT)
    run(kernel, "random.seed(1)")
    run(kernel, cell.format(1))
    run(kernel, "random.seed(2)")
    run(kernel, cell.format(2))
    assert mail(kernel) == ["before", "behind", "behind"]


def test_rerun_sends_all_again_but_not_twice_when_it_was_cut_off(kernel):
    cell = "%%durable letters {}\nsend('a')\ndie_once()\nsend('b')"
    run(kernel, NEVER_KEPT + "\nopen('died', 'w').close()")
    run(kernel, cell.format(""))
    (kernel.cwd / "died").unlink()
    assert kernel.run(cell.format("--rerun")).status == "dead"
    kernel.restart()
    run(kernel, NEVER_KEPT)
    run(kernel, cell.format("--rerun"))
    assert mail(kernel) == ["a", "b", "a", "b"]
    run(kernel, cell.format("--rerun"))
    assert mail(kernel) == ["a", "b", "a", "b", "a", "b"]


def test_another_call_in_a_place_than_the_recorded_one_is_shown(kernel):
    run(kernel, NEVER_KEPT)
    cell = "%%durable\nimport time\nsend(time.time())\ny = {}"
    run(kernel, cell.format(1))
    assert kernel.run(cell.format(2)).error[0] == "Diverged"
    assert len(mail(kernel)) == 1


def test_a_task_of_an_earlier_statement_counts_on_in_that_statement(kernel):
    cell = """%%durable
import asyncio
async def later(text):
    await asyncio.sleep(0.1)
    return send(text)
task = asyncio.create_task(later('task'))
here = send('here')
there = await task
del task
y = {}"""
    run(kernel, NEVER_KEPT)
    run(kernel, cell.format(1))
    run(kernel, cell.format(2))
    assert sorted(mail(kernel)) == ["here", "task"]
    assert run(kernel, "print(here != there, here[-2:], there[-2:])") == "True .1 .1\n"


def test_what_is_read_once_by_a_program_that_remembers_it_is_no_reason_to_send_again(kernel):
    cell = "%%durable\nread()\nsend('once')\ny = {}"
    (kernel.cwd / "list").write_text("one")
    run(kernel, NEVER_KEPT)
    run(kernel, "import functools\n@functools.cache\ndef read():\n    return open('list').read()")
    run(kernel, cell.format(1))
    run(kernel, cell.format(2))
    assert mail(kernel) == ["once"]


ANSWERING = """
from resonate_nb import State
from resonate_nb.enquiry import answers
from resonate_nb.resonate import default
def answer(value):
    store, now = default().execution.store, default().execution.clock.now()
    question, = [each.id for each in find('ask/') if each.state is State.PENDING]
    answers.settle(store, question, value, now=now)
"""


def test_what_goes_on_side_by_side_counts_in_its_statement_and_its_questions_in_the_cell(kernel):
    cell = """%%durable
from resonate_nb import approve, gather, sleep
one = gather(lambda: send('one'), lambda: sleep(0.01), lambda: approve('Go on?'))
several = send.map(['a', 'b'], progress=False)
two = gather(lambda: send('two'), lambda: send('two'), lambda: approve('Go on?'))
y = {}"""
    run(kernel, NEVER_KEPT + ANSWERING)
    for answer in (True, False):
        assert kernel.run(cell.format(1)).error[0] == "Pending"
        run(kernel, f"answer({answer})")
    run(kernel, cell.format(1))
    run(kernel, cell.format(2))
    assert sorted(mail(kernel)) == ["a", "b", "one", "two", "two"]
    assert run(kernel, "print(one[2], two[2], len({one[0], *several, *two[:2]}))") == "True False 5\n"


CHILDREN = """
from resonate_nb import Handle, views
from resonate_nb.resonate import default
@durable(identity="call", timeout='1d')
def inner():
    return current().timeout_at
@durable(identity="call")
def broken(deeper):
    deeper()
    raise LookupError
def cells():
    return [each.id for each in find('cell/')]
def below(id):
    rows = views.tree(default().execution, id)
    return [(depth, each.tags['rnb:name'], str(each.state)) for depth, each in rows]
"""
FAILS = "%%durable letters --timeout 1h\nuntil = inner() == current().timeout_at\nbroken(inner)\ny = {}"


def test_children_of_a_cell_are_in_its_tree_and_end_with_it(kernel):
    """What is pending goes over to the cell that goes on with it; what is settled stays with who made it."""
    run(kernel, NEVER_KEPT + CHILDREN)
    run(kernel, FAILS.format(1), ok=False)
    assert run(kernel, "first, = cells(); print(until, below(first))") == (
        "True [(0, 'letters', 'pending'), (1, 'inner', 'resolved'), (1, 'broken', 'pending'), "
        "(2, 'inner', 'resolved')]\n"
    )
    run(kernel, FAILS.format(2), ok=False)
    assert run(kernel, "second, = {*cells()} - {first}; print(below(second))") == (
        "[(0, 'letters', 'pending'), (1, 'broken', 'pending')]\n"
    )
    run(kernel, "assert Handle(second).cancel()")
    assert run(kernel, "print(below(second))") == (
        "[(0, 'letters', 'rejected_canceled'), (1, 'broken', 'rejected_canceled')]\n"
    )


def test_a_forgotten_cell_sends_again(kernel):
    run(kernel, NEVER_KEPT + CHILDREN)
    for _ in range(2):
        run(kernel, "%%durable letters\nsend('a')\ny = 1")
        run(kernel, "id, = cells(); default().execution.forget(id); assert not find()")
    assert mail(kernel) == ["a", "a"]
