"""Side by side: gathered, raced and slept through, in synchronous and asynchronous code."""

import asyncio
import threading
import time

import pytest

from resonate_nb import (
    Handle,
    PromiseConflict,
    PromiseTimedOut,
    State,
    aapprove,
    approve,
    current,
    durable,
    find,
    gather,
    race,
    sleep,
)
from resonate_nb.cli import main
from resonate_nb.errors import UsageError
from resonate_nb.promise import TIMER_TAG
from resonate_nb.resonate import default

pytestmark = pytest.mark.usefixtures("root")
LONG = 60  # seconds, longer than any test may take


class Witness:
    """Sees and steers what bodies do, and is no input of what it sees."""

    def __init__(self):
        self.seen = []
        self.go = threading.Event()
        self.pauses = {}

    def __durable_digest__(self):
        return "witness"

    def run(self, name):
        self.seen.append(name)
        self.go.wait(self.pauses.get(name, 0))
        return name


@pytest.fixture
def witness():
    made = Witness()
    yield made
    made.go.set()


@durable(name="double")
def double(x):
    return 2 * x


@durable(name="adouble")
async def adouble(x):
    await asyncio.sleep(0)
    return 2 * x


@durable(name="send", identity="call")
def send(what):
    return what, current().id


def questions(number=1):
    """The ids of the questions that wait, once there are so many."""
    end = time.monotonic() + 30
    while len(found := find("ask/", state="pending")) < number:
        assert time.monotonic() < end
        time.sleep(0.01)
    return [each.id for each in found]


def answer(id, text):
    assert main(["answer", id, text, "--store", str(default().execution.store.location)]) == 0


class Thread(threading.Thread):
    """Does something as soon as it is made."""

    def __init__(self, target):
        super().__init__(target=target)
        self.start()


def state(id):
    return Handle(id)._promise().state


def test_what_is_gathered_comes_in_the_order_in_which_it_was_given():
    def slow():
        time.sleep(0.1)
        return "slow"

    assert gather(double.submit(1), slow, lambda: double(3), double.submit(4)) == [2, "slow", 6, 8]
    assert gather() == []

    async def awaiting():
        assert await gather() == []
        return await gather(adouble(1), double.submit(2), lambda: double(3), asyncio.sleep(0.1, "slept"))

    assert asyncio.run(awaiting()) == [2, 4, 6, "slept"]


def test_all_that_is_gathered_comes_to_its_end_and_the_first_error_is_raised():
    ended = []

    def failing(text, pause):
        time.sleep(pause)
        ended.append(text)
        raise ValueError(text)

    parts = (lambda: failing("first", 0.1), lambda: failing("second", 0), lambda: ended.append("third"))
    with pytest.raises(ValueError, match="first") as raised:
        gather(*parts)
    assert set(ended) == {"first", "second", "third"}
    assert "2 of 3" in raised.value.__notes__[0]
    errors = gather(*parts, return_exceptions=True)
    assert [repr(each) for each in errors] == ["ValueError('first')", "ValueError('second')", "None"]

    async def awaiting():
        async def fails():
            raise ValueError("awaited")

        return await gather(fails(), adouble(1), return_exceptions=True)

    error, value = asyncio.run(awaiting())
    assert (str(error), value) == ("awaited", 2)


def test_calls_of_gathered_items_are_numbered_by_item_whichever_comes_first():
    pauses = [0.15, 0.0]

    def item(name):
        time.sleep(pauses[name == "b"])
        return send(name)[1], send(name + name)[1]

    @durable(name="parent", version=1)
    def parent():
        sent = send("before")[1]
        return sent, gather(lambda: item("a"), lambda: item("b")), send("after")[1]

    before, [a, b], after = parent()
    id = before.removesuffix(".1")
    assert (a, b, after) == ((f"{id}.2.1.1", f"{id}.2.1.2"), (f"{id}.2.2.1", f"{id}.2.2.2"), f"{id}.3")
    assert {each.tags["rnb:parent"] for each in find(id + ".")} == {id}


def test_the_same_question_of_two_gathered_items_is_two_questions():
    @durable(name="asking")
    def asking():
        return gather(lambda: approve("Same?"), lambda: approve("Same?"))

    thread = Thread(
        lambda: [answer(id, text) for id, text in zip(questions(2), ["true", "false"], strict=True)]
    )
    assert asking() == [True, False]
    thread.join()


def test_sleeping_goes_on_from_its_first_call():
    began = time.time()
    sleep("300ms", id="nap")
    assert time.time() - began >= 0.3
    promise = Handle("nap")._promise()
    assert (promise.state, promise.tags[TIMER_TAG]) == (State.RESOLVED, "true")
    assert promise.timeout_at - promise.created_at == 300
    sleep("300ms", id="nap")
    assert Handle("nap").result() is None
    with pytest.raises(PromiseConflict, match="300 ms"):
        sleep("400ms", id="nap")
    with pytest.raises(UsageError, match="id="):
        sleep("1h")

    async def awaiting():
        await sleep("10ms", id="anap")
        return [await each for each in [sleep("10ms", id=f"nap/{n}") for n in range(2)]]

    assert asyncio.run(awaiting()) == [None, None]


def test_a_function_that_sleeps_again_after_a_failure_does_not_sleep_anew(witness):
    @durable(name="sleepy")
    def sleepy():
        sleep("400ms")
        witness.seen.append(time.monotonic())
        if len(witness.seen) == 1:
            raise OSError("later")
        return current().id

    with pytest.raises(OSError, match="later"):
        sleepy()
    id = sleepy()
    assert witness.seen[1] - witness.seen[0] < 0.4
    assert state(f"{id}.1") is State.RESOLVED


def test_who_sleeps_can_be_woken(root):
    def wake():
        while not find("long"):
            time.sleep(0.01)
        assert main(["resolve", "long", "--store", str(root.execution.store.location)]) == 0

    thread = Thread(wake)
    sleep("1h", id="long")
    thread.join()
    assert state("long") is State.RESOLVED


def test_an_answer_wins_over_a_timer_which_is_canceled():
    @durable(name="deciding")
    def deciding():
        return race(lambda: approve("Drop?"), lambda: sleep("2d")), current().id

    thread = Thread(lambda: answer(*questions(), "true"))
    won, id = deciding()
    thread.join()
    assert won is True
    assert state(f"{id}.1") is State.RESOLVED
    assert state(f"{id}.1.2.1") is State.CANCELED
    assert Handle(f"{id}.1").result() is True


def test_a_timer_wins_over_a_question_which_is_canceled():
    @durable(name="undecided")
    def undecided():
        return race(lambda: approve("Drop?"), lambda: sleep("150ms")), current().id

    won, id = undecided()
    [question] = find("ask/")
    assert won is None
    assert question.state is State.CANCELED
    assert undecided() == (None, id)
    assert len(find("ask/")) == 1


def test_coroutines_race_as_functions_do():
    @durable(name="adeciding")
    async def adeciding():
        return await race(aapprove("Drop?"), sleep("150ms")), current().id

    won, id = asyncio.run(adeciding())
    [question] = find("ask/")
    assert (won, question.state) == (None, State.CANCELED)
    assert state(f"{id}.1.2.1") is State.RESOLVED

    async def outside():
        thread = Thread(lambda: answer(*questions(), "false"))
        won = await race(aapprove("Keep?"), sleep("2d"), id="keep")
        thread.join()
        return won

    assert asyncio.run(outside()) is False
    assert state("keep.2.1") is State.CANCELED

    async def again():
        return await race(aapprove("Keep?"), sleep("2d"), id="keep")

    assert asyncio.run(again()) is False


def test_losers_are_canceled_unless_somebody_else_waits_for_them(witness):
    @durable(name="patient")
    def patient(x):
        while not witness.go.wait(0.01):
            pass
        return x

    @durable(name="apatient")
    async def apatient(x):
        while not witness.go.is_set():  # noqa: ASYNC110 (a thread sets it)
            await asyncio.sleep(0.01)
        return x

    lost = patient.submit(1)
    assert race(lost, lambda: patient(2), double.submit(1), id="first") == 2
    assert patient.promise(1).state is State.CANCELED
    assert patient.promise(2).state is State.CANCELED
    with pytest.raises(PromiseConflict, match="race"):
        race(lost, lambda: patient(3), double.submit(1), id="first")

    async def awaiting():
        shared = asyncio.ensure_future(apatient(1))
        await asyncio.sleep(0.1)
        won = await race(apatient(1), apatient(2), adouble(3), id="second")
        states = apatient.promise(1).state, apatient.promise(2).state
        witness.go.set()
        return won, states, await shared

    assert asyncio.run(awaiting()) == (6, (State.PENDING, State.CANCELED), 1)


def test_a_decision_is_kept_although_what_raced_would_end_otherwise(witness):
    def decide():
        return race(lambda: witness.run("a"), lambda: witness.run("b"), id="kept")

    witness.pauses = {"b": LONG}
    assert decide() == "a"
    witness.pauses = {"a": LONG}
    seen = len(witness.seen)
    assert decide() == "a"
    assert len(witness.seen) == seen
    with pytest.raises(PromiseConflict, match="race"):
        race(lambda: witness.run("a"), lambda: witness.run("c"), id="kept")


def test_an_exception_wins_and_is_kept_where_it_is_final(witness):
    @durable(name="deciding")
    def deciding(kind):
        try:
            race(lambda: witness.seen.append(kind) or kind(), lambda: sleep("2d"))
        finally:
            witness.seen.append(current().id)

    def broken():
        raise ValueError("broken")

    def late():
        return approve("Late?", timeout="100ms")

    for kind, error, tries in ((broken, ValueError, 2), (late, PromiseTimedOut, 1)):
        for _ in range(2):
            with pytest.raises(error):
                deciding(kind)
        assert witness.seen.count(kind) == tries
        assert state(f"{witness.seen[-1]}.1") is (State.PENDING if tries == 2 else State.REJECTED)


def test_what_cannot_be_waited_for_is_refused_by_name():
    with pytest.raises(UsageError, match="argument 2 is a int"):
        gather(lambda: 1, 3)
    with pytest.raises(UsageError, match="competitors"):
        race()
    with pytest.raises(UsageError, match="await race"):
        race(adouble(1))
    with pytest.raises(UsageError, match="id="):
        race(lambda: 1)
