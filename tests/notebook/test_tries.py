"""A cell with --retry is tried again: from its last checkpoint, or from its beginning."""

import pytest

SETUP = """
%load_ext resonate_nb
import os, random, time
from resonate_nb.notebook import budget
budget.SHARE = {share}
random.SystemRandom.random = lambda _: {draw}
del budget
def fails(times):
    with open('tried', 'a') as file:
        file.write('x')
    tried = os.path.getsize('tried')
    if tried <= times:
        print('trying')
        raise ConnectionError(f'no answer to {{tried}}')
    return tried
def slow(n):
    with open(f'ran-{{n}}', 'a') as file:
        file.write('x')
    return n
base = [0]
"""
NEVER_KEPT = SETUP.format(share=0, draw=0.01)
ALWAYS_KEPT = SETUP.format(share=1_000, draw=0.01)


def size(kernel, name):
    return len((kernel.cwd / name).read_text())


def test_attempts_go_on_at_the_checkpoint_and_what_the_failed_ones_did_is_undone(kernel):
    cell = """%%durable answers --retry 3
a = slow(1)
base.append(a)
print('first')
[base.append('half done'), base.append(fails(2)), base.remove('half done')]
len(base)"""
    kernel.run(ALWAYS_KEPT)
    reply = kernel.run(cell)
    assert reply.error is None
    assert [output.get("text") for output in reply.outputs[:-1]] == [
        "first\ntrying\n",
        "answers: attempt 1 failed (ConnectionError: no answer to 1), attempt 2 of 4 begins in 0 s\n",
        "trying\n",
        "answers: attempt 2 failed (ConnectionError: no answer to 2), attempt 3 of 4 begins in 0 s\n",
    ]
    assert reply.outputs[-1]["data"]["text/plain"] == "3"
    assert (size(kernel, "ran-1"), size(kernel, "tried")) == (1, 3)
    kernel.restart()
    kernel.run(ALWAYS_KEPT)
    assert kernel.run(cell).outputs == reply.outputs
    assert kernel.run("print(base)").text == "[0, 1, 3]\n"
    assert size(kernel, "tried") == 3


def test_without_a_checkpoint_all_begins_anew_with_the_names_and_draws_of_the_beginning(kernel):
    cell = """%%durable --retry 2
drawn = random.random()
count = count + 1
if 'extra' in globals(): count = -1
extra = slow(1)
fails(2)"""
    kernel.run(NEVER_KEPT + "random.seed(3); count = 1")
    assert kernel.run(cell.replace("if 'extra' in globals(): count = -1\n", "")).error is None
    assert kernel.run("print(count, drawn == random.Random(3).random())").text == "2 True\n"
    assert size(kernel, "ran-1") == 3


def test_what_can_not_be_undone_is_not_tried_again_and_says_so(kernel):
    kernel.run(NEVER_KEPT)
    reply = kernel.run("%%durable --retry 3\nbase.append(1)\nfails(9)")
    assert reply.error[0] == "ConnectionError"
    assert "it is not tried again" in str(reply.messages)
    assert size(kernel, "tried") == 1
    assert kernel.run("print(base)").text == "[0, 1]\n"


def test_a_kernel_killed_while_it_waits_for_the_third_attempt_waits_the_rest_and_makes_it(kernel):
    cell = "%%durable answers --retry 3\na = slow(1)\nb = fails(2)"
    kernel.run(SETUP.format(share=1_000, draw=1.0))
    running = kernel.begin(cell)
    kernel.shows(running, "attempt 3 of 4 begins in 2 s")
    kernel.kill()
    kernel.run(SETUP.format(share=1_000, draw=1.0))
    reply = kernel.run(cell)
    assert reply.error is None
    assert "attempt 2 failed (ConnectionError: no answer to 2), attempt 3 of 4 begins in" in reply.text
    assert "attempt 1" not in reply.text
    assert (size(kernel, "ran-1"), size(kernel, "tried")) == (1, 3)


def test_an_interrupt_ends_the_waiting_and_the_next_run_waits_on(kernel):
    cell = "%%durable answers --retry 3\nb = fails(1)"
    kernel.run(SETUP.format(share=0, draw=1.0))
    running = kernel.begin(cell)
    kernel.shows(running, "attempt 2 of 4 begins in 1 s")
    kernel.interrupt()
    assert kernel.finish(running).error[0] == "KeyboardInterrupt"
    assert kernel.run(cell).error is None
    assert size(kernel, "tried") == 2


def test_a_cell_that_awaits_is_tried_again(kernel):
    kernel.run(ALWAYS_KEPT)
    reply = kernel.run(
        "%%durable --retry 2\nimport asyncio\na = slow(1)\nawait asyncio.sleep(0.01)\nb = fails(2)\nb"
    )
    assert reply.outputs[-1]["data"]["text/plain"] == "3"
    assert size(kernel, "ran-1") == 1


def test_when_the_series_is_over_the_last_error_is_raised_and_the_next_run_begins_a_new_one(kernel):
    kernel.run(NEVER_KEPT)
    cell = "%%durable --retry 1\na = 1\nfails(3)"
    reply = kernel.run(cell)
    assert reply.error == ("ConnectionError", "no answer to 2")
    assert kernel.run(cell).error is None
    assert size(kernel, "tried") == 4


def test_the_deadline_counts_for_all_attempts(kernel):
    kernel.run(SETUP.format(share=0, draw=1.0))
    reply = kernel.run("%%durable --retry 3 --timeout 0.5\nfails(9)")
    assert reply.error[0] == "PromiseTimedOut"
    assert size(kernel, "tried") == 1


def test_a_call_by_place_is_not_made_again_by_a_further_attempt(kernel):
    kernel.run(NEVER_KEPT)
    kernel.run("from resonate_nb import durable\n@durable(identity='call')\ndef send(n):\n    return slow(n)")
    assert kernel.run("%%durable --retry 3\nsend(1)\n[send(1), fails(2)]").error is None
    assert size(kernel, "ran-1") == 2


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("%%durable --retry 2\nx = 1\nbreak", "SyntaxError"),
        ("%%durable --retry often\nx = 1", "UsageError"),
    ],
)
def test_a_cell_that_is_none_is_refused(kernel, cell, error):
    kernel.run(NEVER_KEPT)
    assert kernel.run(cell).error[0] == error
