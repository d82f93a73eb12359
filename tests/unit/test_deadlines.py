"""Deadlines: whatever runs the body, the caller hears in time, and a late outcome is discarded."""

import asyncio
import signal
import threading
import time
from datetime import timedelta

import pytest

from resonate_nb import Constant, PromiseTimedOut, State, durable
from resonate_nb.errors import UsageError

pytestmark = pytest.mark.usefixtures("root")
LONG = 60  # seconds, longer than any test may take


class Witness:
    """Sees what bodies do, and is no input of what it sees."""

    def __init__(self):
        self.seen = []
        self.lock = threading.Lock()
        self.go = threading.Event()

    def __durable_digest__(self):
        return "witness"


@pytest.fixture
def witness():
    made = Witness()
    yield made
    made.go.set()


def spin():
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        pass


def sleep():
    time.sleep(LONG)


def wait():
    threading.Event().wait(LONG)


@pytest.mark.parametrize("busy", [spin, sleep, wait])
@pytest.mark.parametrize("where", ["main", "thread"])
def test_a_body_ends_at_its_deadline(busy, where, in_thread):
    @durable(name=f"slow {busy.__name__} {where}", timeout="200ms")
    def slow():
        busy()

    call = slow if where == "main" else lambda: in_thread(slow)
    with pytest.raises(PromiseTimedOut) as caught:
        call()
    assert slow.promise().state is State.TIMEDOUT
    assert caught.value.id == slow.promise().id
    assert slow.promise().timeout_at - slow.promise().created_at == 200


@pytest.fixture
def in_thread():
    """Return a function that calls another in a thread and gives what it gives."""

    def call(function):
        outcome = []

        def run():
            try:
                outcome.append((function(), None))
            except BaseException as error:  # noqa: BLE001 - raised again by the caller
                outcome.append((None, error))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(LONG / 2)
        ((value, error),) = outcome
        if error is not None:
            raise error
        return value

    return call


def test_what_the_body_holds_is_released(witness):
    @durable(name="holding", timeout=0.2)
    def holding():
        with witness.lock:
            time.sleep(LONG)

    with pytest.raises(PromiseTimedOut):
        holding()
    assert witness.lock.acquire(blocking=False)


def test_a_body_in_time_is_not_disturbed_and_handlers_are_as_before():
    before = signal.getsignal(signal.SIGURG)

    @durable(name="quick", timeout=timedelta(minutes=1))
    def quick(x):
        return x

    assert quick(1) == 1
    assert quick.promise(1).state is State.RESOLVED
    assert signal.getsignal(signal.SIGURG) is before


def test_a_call_that_timed_out_is_computed_anew_by_the_next_one(witness):
    @durable(name="sometimes", timeout=0.2)
    def sometimes():
        if not witness.seen:
            witness.seen.append("slow")
            time.sleep(LONG)
        return "done"

    with pytest.raises(PromiseTimedOut):
        sometimes()
    assert sometimes() == "done"
    assert sometimes.promise().id.endswith("~2")


def test_an_explicit_id_stays_timed_out_until_a_rerun(root):
    @durable(name="report", timeout=0.1)
    def report():
        time.sleep(LONG)

    for _ in range(2):
        with pytest.raises(PromiseTimedOut):
            report.run("reports/11")
    assert root.execution.store.get("reports/11").latest == 1


def test_no_time_at_all_is_no_loop():
    @durable(name="hopeless", timeout=0)
    def hopeless():
        return 1

    with pytest.raises(PromiseTimedOut):
        hopeless()


def test_the_body_may_not_swallow_its_end(witness):
    @durable(name="stubborn", timeout=0.2)
    def stubborn():
        try:
            time.sleep(LONG)
        except BaseException:  # noqa: BLE001 - bodies do such things
            witness.seen.append("swallowed")
        return "late"

    with pytest.raises(PromiseTimedOut):
        stubborn()
    assert witness.seen == ["swallowed"]
    assert stubborn.promise().state is State.TIMEDOUT


def test_an_error_after_the_deadline_is_told_as_context():
    @durable(name="cleaning", timeout=0.2)
    def cleaning():
        try:
            time.sleep(LONG)
        finally:
            raise LookupError("while cleaning up")

    with pytest.raises(PromiseTimedOut) as caught:
        cleaning()
    assert isinstance(caught.value.__context__, LookupError)


def test_a_thread_that_does_not_end_is_left_behind_and_its_outcome_discarded(witness, in_thread):
    @durable(name="deaf", timeout=0.2)
    def deaf():
        end = time.monotonic() + LONG
        while not witness.go.is_set() and time.monotonic() < end:
            try:
                spin()
            except BaseException:  # noqa: BLE001
                witness.go.wait(LONG)
        witness.seen.append("late")
        return "late"

    with pytest.raises(PromiseTimedOut):
        in_thread(deaf)
    witness.go.set()
    until(lambda: witness.seen == ["late"])
    assert deaf.promise().state is State.TIMEDOUT


def test_a_thread_that_was_left_behind_begins_nothing_further(witness, in_thread):
    @durable(name="inner")
    def inner(x):
        witness.seen.append(x)

    @durable(name="outer", timeout=0.2)
    def outer():
        try:
            time.sleep(1)
        except BaseException:  # noqa: BLE001
            witness.go.wait(LONG)
        try:
            inner(1)
        finally:
            witness.seen.append("ended")

    with pytest.raises(PromiseTimedOut):
        in_thread(outer)
    witness.go.set()
    until(lambda: witness.seen == ["ended"])


@pytest.mark.parametrize(
    ("outer_limit", "inner_limit", "heard"), [(0.2, LONG, "outer"), (LONG, 0.2, "inner")]
)
@pytest.mark.parametrize("where", ["main", "thread"])
def test_of_nested_deadlines_the_earliest_wins(outer_limit, inner_limit, heard, where, in_thread):
    @durable(name=f"inner {heard} {where}", timeout=inner_limit)
    def inner():
        time.sleep(LONG)

    @durable(name=f"outer {heard} {where}", timeout=outer_limit)
    def outer():
        try:
            inner()
        except PromiseTimedOut as error:
            return error.id.partition(" ")[0]

    call = outer if where == "main" else lambda: in_thread(outer)
    if heard == "inner":
        assert call() == "inner"
    else:
        with pytest.raises(PromiseTimedOut, match="outer"):
            call()


def test_items_of_a_map_time_out_each_for_itself():
    @durable(name="item", timeout=0.3)
    def item(x):
        if x == 1:
            time.sleep(LONG)
        return x

    results = item.map(range(3), workers=3, return_exceptions=True, progress=False)
    assert [results[0], results[2]] == [0, 2]
    assert isinstance(results[1], PromiseTimedOut)


def test_a_map_under_a_deadline_ends_with_its_items():
    @durable(name="sleeper")
    def sleeper(_x):
        time.sleep(0.05)

    @durable(name="everything", timeout=0.3)
    def everything():
        sleeper.map(range(1_000), workers=2, progress=False)

    with pytest.raises(PromiseTimedOut, match="everything"):
        everything()


def test_the_deadline_is_for_the_further_attempts_too():
    @durable(name="hopeless", timeout=0.5, retry=Constant(1_000, every=0.1))
    def hopeless():
        raise LookupError("again")

    with pytest.raises(PromiseTimedOut) as caught:
        hopeless()
    assert "LookupError: again" in caught.value.__notes__[0]


def test_after_a_failure_the_next_call_has_the_whole_time_again(root):
    @durable(name="flaky", timeout=LONG)
    def flaky():
        raise LookupError

    with pytest.raises(LookupError):
        flaky()
    entry = root.execution.store.get(flaky.promise().id)
    assert entry.promise.timeout_at > entry.promise.created_at + 1_000 * LONG


def test_a_coroutine_is_cancelled_at_its_deadline(witness):
    @durable(name="napping", timeout=0.2)
    async def napping():
        try:
            await asyncio.sleep(LONG)
        finally:
            witness.seen.append("cleaned up")

    with pytest.raises(PromiseTimedOut) as caught:
        asyncio.run(napping())
    assert caught.value.id == napping.promise().id
    assert witness.seen == ["cleaned up"]


def test_a_coroutine_that_does_not_end_is_left_behind(witness):
    @durable(name="stubborn", timeout=0.2)
    async def stubborn():
        while not witness.go.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                witness.seen.append("swallowed")
        return "late"

    async def main():
        with pytest.raises(PromiseTimedOut):
            await stubborn()
        witness.go.set()

    asyncio.run(main())
    assert witness.seen[0] == "swallowed"
    assert stubborn.promise().state is State.TIMEDOUT


def test_a_cancelled_caller_cancels_its_body_and_gives_the_lease_back(witness):
    @durable(name="napping")
    async def napping():
        witness.seen.append("began")
        if len(witness.seen) == 1:
            await asyncio.sleep(LONG)
        return "done"

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(napping(), 0.2)
        return await napping()

    assert asyncio.run(main()) == "done"


def test_what_is_no_duration_is_refused_at_the_decorator():
    with pytest.raises(UsageError, match="soon"):
        durable(timeout="soon")(lambda: 1)


def until(claim):
    end = time.monotonic() + 30
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.01)
