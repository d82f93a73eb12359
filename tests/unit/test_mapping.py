"""Many calls of one function: in order or as they finish, in bulk, and each item for itself."""

import asyncio
import itertools
import threading
import time

import pytest

from resonate_nb import durable, find
from resonate_nb.errors import UsageError
from resonate_nb.many.rates import Rate


@pytest.fixture(autouse=True)
def _root(root):
    """Every test has a store of its own."""


class Outside(list):
    """What bodies tell the test: no data that they are identified by."""

    def __durable_digest__(self):
        return "outside"


class Signals:
    """Events between bodies and the test."""

    def __init__(self):
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __durable_digest__(self):
        return "outside"


WAYS = pytest.mark.parametrize("workers", [None, 3])


@WAYS
def test_each_item_is_computed_once_and_found_the_next_time(workers):
    runs = Outside()

    @durable
    def square(x):
        runs.append(x)
        return x * x

    assert square.map(range(700), workers=workers, progress=False) == [n * n for n in range(700)]
    assert square.map(range(701), workers=workers, progress=False) == [n * n for n in range(701)]
    assert sorted(runs) == list(range(701))


@WAYS
def test_equal_items_are_computed_once_where_the_first_is_kept(workers):
    runs = Outside()

    @durable
    def square(x):
        runs.append(x)
        return x * x

    assert square.map([3, 4] * 50, workers=workers, progress=False) == [9, 16] * 50
    assert sorted(runs) == [3, 4]


@WAYS
def test_values_come_as_they_finish_and_an_endless_iterable_is_read_as_needed(workers):
    taken = []

    def numbers():
        for number in itertools.count():
            taken.append(number)
            yield number

    @durable
    def double(x):
        return 2 * x

    values = double.map(numbers(), ordered=False, workers=workers, progress=False)
    assert taken == []
    first = sorted(itertools.islice(values, 20))
    values.close()

    assert set(first) <= {2 * number for number in taken}
    assert len(taken) < 200


def test_the_next_item_may_depend_on_the_values_before_it():
    @durable
    def successor(x):
        return x + 1

    seen = [0]
    feedback = (seen[-1] for _ in range(5))
    for value in successor.map(feedback, ordered=False, progress=False):
        seen.append(value)
        if len(seen) == 2:
            break  # the first value was there before a second item was taken
    assert seen == [0, 1]


@WAYS
def test_a_failing_item_does_not_stop_the_others_and_the_error_says_where_to_look(workers):
    @durable
    def picky(x):
        if x % 10 == 3:
            raise ValueError(f"not {x}")
        return x

    with pytest.raises(ValueError, match="not ") as raised:
        picky.map(range(30), workers=workers, progress=False)
    [note] = raised.value.__notes__
    assert note.startswith("3 of 30 items failed")
    assert "find(" in note
    assert len(find(state="resolved", prefix=picky.map.__self__.name)) == 27
    assert len(find(state="pending", prefix=picky.map.__self__.name)) == 3


def test_an_iterator_gives_the_others_before_it_raises():
    @durable
    def picky(x):
        if x == 1:
            raise ValueError("not 1")
        return x

    given = []
    with pytest.raises(ValueError, match="not 1"):
        given.extend(picky.map(range(4), ordered=False, progress=False))
    assert given == [0, 2, 3]
    given = [
        type(value) for value in picky.map(range(4), ordered=False, return_exceptions=True, progress=False)
    ]
    assert sorted(map(str, given)) == sorted(map(str, [int, ValueError, int, int]))


@WAYS
def test_the_first_failure_ends_a_map_that_was_asked_to_fail_fast(workers):
    runs = Outside()

    @durable
    def picky(x):
        runs.append(x)
        raise ValueError(f"not {x}")

    with pytest.raises(ValueError, match="not "):
        picky.map(range(1_000), workers=workers, fail_fast=True, progress=False)
    assert len(runs) < 200


def test_an_interrupt_keeps_what_was_done_and_holds_no_lease():
    @durable
    def work(x):
        if x == 250:
            raise KeyboardInterrupt
        return x

    with pytest.raises(KeyboardInterrupt):
        work.map(range(500), progress=False)
    kept = len(find(state="resolved"))
    assert kept >= 250

    again = durable(name=work.name)(work.__wrapped__)
    thread_values = []
    thread = threading.Thread(
        target=lambda: thread_values.extend(again.map(range(251, 500), workers=2, progress=False))
    )
    thread.start()
    thread.join(30)
    assert thread_values == list(range(251, 500))


def test_what_was_asked_for_ahead_is_given_back_while_an_item_is_slow():
    # Else another kernel would wait for items that nobody computes.
    signals = Signals()

    @durable
    def work(x):
        if x == 300:
            signals.begun.set()
            assert signals.go_on.wait(30)
        return x

    first = threading.Thread(target=work.map, args=(range(400),), kwargs={"progress": False})
    first.start()
    assert signals.begun.wait(30)
    try:
        assert work.map(range(301, 400), progress=False) == list(range(301, 400))
    finally:
        signals.go_on.set()
        first.join(30)


def test_a_rate_spreads_the_beginnings_evenly():
    rate = Rate("200/s")
    began = time.monotonic()
    for _ in range(11):
        assert rate.wait()
    assert time.monotonic() - began >= 10 / 200
    assert rate.wait(most=0.0) is False


@pytest.mark.parametrize("limit", ["ten", "10", "0/s", -1, "1/d", True])
def test_what_is_no_rate_is_refused(limit):
    with pytest.raises(UsageError, match="rate"):
        Rate(limit)


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": 1.5}, {"executor": "clouds"}])
def test_options_that_name_nothing_that_computes_are_refused(options):
    square = durable(lambda x: x * x)
    with pytest.raises(UsageError, match=next(iter(options))):
        square.map([1], **options)


async def collected(values):
    return [value async for value in values]


def test_coroutine_functions_are_awaited_so_many_at_once():
    running, most, runs = Outside(), Outside(), Outside()

    @durable
    async def fetch(x):
        running.append(x)
        most.append(len(running))
        runs.append(x)
        await asyncio.sleep(0.01)
        running.remove(x)
        return x * 10

    assert asyncio.run(collected(fetch.amap(range(12), workers=4, progress=False))) == [
        n * 10 for n in range(12)
    ]
    assert max(most) == 4
    values = asyncio.run(collected(fetch.amap(range(14), ordered=False, progress=False)))
    assert sorted(values) == [n * 10 for n in range(14)]
    assert sorted(runs) == list(range(14))
    with pytest.raises(UsageError, match="amap"):
        fetch.map([1])


@pytest.mark.parametrize("ordered", [True, False])
def test_plain_functions_are_awaited_in_threads_while_the_loop_goes_on(ordered):
    here = threading.get_ident()

    @durable
    def work(x):
        time.sleep(0.01)
        return x, threading.get_ident() == here

    async def main():
        ticks = []

        async def tick():
            while True:
                ticks.append(1)
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        values = await collected(work.amap(range(20), workers=2, ordered=ordered, progress=False))
        ticking.cancel()
        return values, ticks

    values, ticks = asyncio.run(main())
    assert sorted(values) == [(n, False) for n in range(20)]
    assert len(ticks) > 10
    assert not ordered or values == sorted(values)


def test_a_stream_of_tasks_that_is_closed_cancels_what_is_under_way():
    cancelled = Outside()

    @durable
    async def fetch(x):
        try:
            await asyncio.sleep(0 if x == 0 else 60)
        except asyncio.CancelledError:
            cancelled.append(x)
            raise
        return x

    async def main():
        values = fetch.amap(range(5), workers=5, progress=False)
        async for value in values:
            assert value == 0
            break
        await values.aclose()

    asyncio.run(main())
    assert len(cancelled) == 4
