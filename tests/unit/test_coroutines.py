"""Coroutine functions: callers share what they ask for, and nothing blocks their loop."""

import asyncio
import threading
import time

import pytest

from resonate_nb import Constant, PromiseTimedOut, Resonate, durable
from resonate_nb.store.memory import MemoryStore
from resonate_nb.store.operations import Release

LONG = 60  # seconds, longer than any test may take


class Witness:
    """Sees what bodies do, and is no input of what it sees."""

    def __init__(self):
        self.seen = []
        self.go = threading.Event()

    async def wait(self):
        end = time.monotonic() + LONG
        while not self.go.is_set() and time.monotonic() < end:  # noqa: ASYNC110 - set from any thread
            await asyncio.sleep(0.01)

    def __durable_digest__(self):
        return "witness"


@pytest.fixture
def witness():
    made = Witness()
    yield made
    made.go.set()


@pytest.fixture
def shared(root, witness):
    """Return a coroutine function whose body waits for the witness."""
    assert root is not None

    @durable(name="shared")
    async def shared(x):
        witness.seen.append("began")
        try:
            await witness.wait()
        except asyncio.CancelledError:
            witness.seen.append("cancelled")
            raise
        witness.seen.append("ended")
        return [x]

    return shared


async def begun(witness):
    while "began" not in witness.seen:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def test_the_body_goes_on_for_the_others_when_its_first_caller_is_cancelled(shared, witness):
    async def main():
        first, second = asyncio.ensure_future(shared(1)), asyncio.ensure_future(shared(1))
        await begun(witness)
        await asyncio.sleep(0.1)
        first.cancel()
        await asyncio.wait({first})
        assert first.cancelled()
        witness.go.set()
        return await second

    assert asyncio.run(main()) == [1]
    assert witness.seen == ["began", "ended"]


def test_the_body_ends_when_nobody_waits_any_more(shared, witness):
    async def main():
        calls = [asyncio.ensure_future(shared(1)) for _ in range(3)]
        await begun(witness)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        witness.go.set()
        return await shared(1)

    assert asyncio.run(main()) == [1]
    assert witness.seen == ["began", "cancelled", "began", "ended"]


def test_the_body_goes_on_when_the_time_of_its_first_caller_is_over(shared, witness):
    @durable(name="hasty", timeout=0.3)
    async def hasty():
        return await shared(1)

    async def main():
        first = asyncio.ensure_future(hasty())
        await begun(witness)
        second = asyncio.ensure_future(shared(1))
        with pytest.raises(PromiseTimedOut, match="hasty"):
            await first
        witness.go.set()
        return await second

    assert asyncio.run(main()) == [1]
    assert witness.seen == ["began", "ended"]


def test_each_caller_has_a_value_of_its_own(shared, witness):
    async def main():
        witness.go.set()
        first, second = await asyncio.gather(shared(1), shared(1))
        first.append("changed")
        return second, await shared(1)

    assert asyncio.run(main()) == ([1], [1])
    assert witness.seen == ["began", "ended"]


@pytest.mark.usefixtures("root")
def test_callers_share_a_failure_too(witness):
    @durable(name="failing")
    async def failing():
        witness.seen.append(1)
        await asyncio.sleep(0.1)
        raise LookupError("gone")

    async def main():
        return await asyncio.gather(failing(), failing(), return_exceptions=True)

    assert [type(each) for each in asyncio.run(main())] == [LookupError, LookupError]
    assert witness.seen == [1]


def test_many_calls_that_wait_for_another_loop_do_not_keep_it_from_ending(shared, witness):
    elsewhere = threading.Thread(target=lambda: asyncio.run(gathered(shared)), daemon=True)
    elsewhere.start()
    end = time.monotonic() + LONG
    while witness.seen.count("began") < 50 and time.monotonic() < end:
        time.sleep(0.01)

    async def main():
        waiting = asyncio.ensure_future(gathered(shared))
        await asyncio.sleep(0.2)
        witness.go.set()
        return await waiting

    assert asyncio.run(main()) == [[x] for x in range(50)]
    elsewhere.join(LONG)
    assert witness.seen.count("began") == 50


async def gathered(function):
    return await asyncio.gather(*(function(x) for x in range(50)))


class Watchful(MemoryStore):
    """A store that notes whatever would block a loop if it took its time."""

    def __init__(self):
        super().__init__()
        self.blocked = []

    def note(self, what):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        self.blocked.append(what)

    def post(self, operation):
        if not isinstance(operation, Release):  # nobody waits for that
            self.note(operation)
        return super().post(operation)

    def get(self, id):
        self.note(id)
        return super().get(id)

    def get_many(self, ids):
        self.note(ids)
        return super().get_many(ids)

    def wait_for_change(self, timeout):
        self.note("wait")
        super().wait_for_change(timeout)


def test_no_store_operation_blocks_the_loop(witness):
    store = Watchful()
    root = Resonate(store, say=lambda _: None)

    @root.durable(name="fine")
    async def fine(x):
        return x

    @root.durable(name="flaky", retry=Constant(2, every=0.01))
    async def flaky():
        witness.seen.append(1)
        if len(witness.seen) < 3:
            raise LookupError
        return "at last"

    @root.durable(name="failing", keep_errors=True)
    async def failing():
        raise LookupError("kept")

    @root.durable(name="late", timeout=0.1)
    async def late():
        await asyncio.sleep(LONG)

    @root.durable(name="outer")
    async def outer():
        return await fine(1) + await fine(2)

    async def main():
        assert await asyncio.gather(fine(1), fine(1), outer(), flaky()) == [1, 1, 3, "at last"]
        assert [await fine(1), await fine.rerun(1), await fine.run("chosen", 1)] == [1, 1, 1]
        for function, error in ((failing, LookupError), (failing, LookupError), (late, PromiseTimedOut)):
            with pytest.raises(error):
                await function()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(late(), 0.01)

    async def clumsy():
        fine.promise(1)

    asyncio.run(main())
    assert store.blocked == []
    asyncio.run(clumsy())
    assert store.blocked
