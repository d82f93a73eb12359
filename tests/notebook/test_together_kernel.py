"""Races, gathered calls and sleeps in a real kernel: interrupted, killed, resumed, always with one end."""

import time

import pytest
from test_people_kernel import SETUP, Elsewhere, greet, shown

from resonate_nb.promise import State


@pytest.fixture
def elsewhere(kernel_pool, tmp_path):
    return Elsewhere(tmp_path, kernel_pool.env)


@pytest.fixture
def ready(kernel):
    assert kernel.run(SETUP).status == "ok"
    return kernel


PLAIN = "race(lambda: approve('Drop?'), lambda: sleep('{}'), id='drop')"
WORLDS = {
    "a plain cell": PLAIN,
    "a durable cell": "%%durable\nwon = race(lambda: approve('Drop?'), lambda: sleep('{}'))\nwon",
    "an asynchronous plain cell": "await race(aapprove('Drop?'), sleep('{}'), id='drop')",
    "an asynchronous durable cell": "%%durable\nwon = await race(aapprove('Drop?'), sleep('{}'))\nwon",
}


def value(reply):
    [result] = [output for output in reply.outputs if output["output_type"] == "execute_result"]
    return result["data"]["text/plain"]


@pytest.mark.parametrize("world", ["a durable cell", "an asynchronous plain cell"])
def test_killed_while_racing_and_answered_meanwhile_the_answer_has_won_for_good(ready, elsewhere, world):
    code = WORLDS[world].format("2d")
    cell = ready.begin(code, allow_stdin=True)
    greet(ready, cell, elsewhere)
    [question] = elsewhere.questions()
    ready.restart()
    elsewhere.answer(question["id"], "true")

    assert ready.run(SETUP).status == "ok"
    for _ in range(2):
        reply = ready.run(code)
        assert value(reply) == "True"
    [timer] = elsewhere.listed(tags=(("rnb:kind", "timer"),))
    assert timer.state is State.CANCELED
    [race] = elsewhere.listed(tags=(("rnb:kind", "race"),))
    assert race.state is State.RESOLVED


@pytest.mark.parametrize(("first", "duration"), [("the answer", "3s"), ("the timer", "1s")])
def test_what_was_settled_first_while_no_kernel_ran_has_won(ready, elsewhere, first, duration):
    code = WORLDS["a durable cell"].format(duration)
    cell = ready.begin(code, allow_stdin=True)
    greet(ready, cell, elsewhere)
    [question] = elsewhere.questions()
    ready.kill()
    if first == "the timer":
        wait_for_timer(elsewhere)
    elsewhere.answer(question["id"], "true")
    wait_for_timer(elsewhere)
    [timer] = elsewhere.listed(tags=(("rnb:kind", "timer"),))
    answered_first = elsewhere.promise(question["id"]).settled_at < timer.settled_at

    assert ready.run(SETUP).status == "ok"
    ready.run(code)
    assert ready.run("print(won)").text == ("True\n" if answered_first else "None\n")


def wait_for_timer(elsewhere):
    while not all(each.settled for each in elsewhere.listed(tags=(("rnb:kind", "timer"),))):
        time.sleep(0.05)


@pytest.mark.parametrize("world", ["a plain cell", "an asynchronous durable cell"])
def test_an_interrupted_race_cancels_nothing_and_goes_on(ready, elsewhere, world):
    code = WORLDS[world].format("2d")
    cell = ready.begin(code, allow_stdin=True)
    greet(ready, cell, elsewhere)
    ready.interrupt()
    assert ready.finish(cell).error[0] in ("KeyboardInterrupt", "CancelledError")
    [question] = elsewhere.questions()
    [timer] = elsewhere.listed(tags=(("rnb:kind", "timer"),))
    assert timer.state is State.PENDING

    cell = ready.begin(code, allow_stdin=True)
    greet(ready, cell, elsewhere)
    elsewhere.answer(question["id"], "false")
    assert value(ready.finish(cell)) == "False"
    [same] = elsewhere.listed(tags=(("rnb:kind", "timer"),))
    assert (same.id, same.timeout_at) == (timer.id, timer.timeout_at)


def test_the_form_of_a_question_that_lost_says_so(ready, elsewhere):
    for world in ("a durable cell", "an asynchronous durable cell"):
        cell = ready.begin(WORLDS[world].format("1s"), allow_stdin=True)
        greet(ready, cell, elsewhere)
        reply = ready.finish(cell)
        assert "Drop?\nThis question was canceled." in shown(reply)[0]
        assert elsewhere.questions() == []


def test_without_a_person_a_race_waits_for_a_near_timer_only(ready, elsewhere):
    far = "%%durable\nwon = race(lambda: approve('Far?'), lambda: sleep('2d'))\nwon"
    near = "%%durable\nwon = race(lambda: approve('Near?'), lambda: sleep('200ms'))\nprint(won)"
    assert ready.run(far).error[0] == "Pending"
    [question] = elsewhere.questions()
    assert ready.run(near).text == "None\n"
    assert elsewhere.questions() == [question]
    elsewhere.answer(question["id"], "true")
    assert value(ready.run(far)) == "True"


def test_a_sleeping_cell_that_is_killed_sleeps_for_the_rest(ready, elsewhere):
    for code in ("sleep('1500ms')", "await sleep('1500ms')"):
        cell = f"%%durable\nprint('on')\n{code}\nprint('done')"
        begun = ready.begin(cell)
        ready.shows(begun, "on")
        while not (timers := elsewhere.listed(tags=(("rnb:kind", "timer"),), state=State.PENDING)):
            time.sleep(0.01)
        ready.restart()
        wait_for_timer(elsewhere)
        assert ready.run(SETUP).status == "ok"
        assert ready.run(cell).text == "on\ndone\n"
        [timer] = timers
        assert elsewhere.promise(timer.id).settled_at == timer.timeout_at


def test_a_sleep_can_be_interrupted(ready):
    for code in ("sleep('1h', id='long')", "await sleep('1h', id='long')"):
        cell = ready.begin(f"print('on', flush=True)\n{code}")
        ready.shows(cell, "on")
        time.sleep(0.3)
        ready.interrupt()
        assert ready.finish(cell, timeout=10).error[0] in ("KeyboardInterrupt", "CancelledError")


def test_gathered_calls_in_a_cell_are_found_again_after_a_kill(ready, elsewhere):
    calls = """
import os, time
@durable(identity="call")
def send(what):
    with open(f"sent {what}", "a") as file:
        file.write("x")
    while what == "a" and not os.path.exists("go"):
        time.sleep(0.01)
    return what
"""
    code = "%%durable\nprint(gather(lambda: send('a'), lambda: (send('b'), send('c')), send.submit('d')))"
    ready.run(calls)
    ready.begin(code)
    done = [*"bcd"]
    while len(elsewhere.listed(tags=(("rnb:name", "send"),), state=State.RESOLVED)) < len(done):
        time.sleep(0.02)
    ready.restart()
    (elsewhere.folder / "go").touch()
    assert ready.run(SETUP + calls).status == "ok"
    assert ready.run(code).text == "['a', ('b', 'c'), 'd']\n"
    assert [(elsewhere.folder / f"sent {name}").read_text() for name in "abcd"] == ["xx", "x", "x", "x"]
