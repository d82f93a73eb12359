"""A failed body is tried again, and what is known of its attempts outlives whoever made them."""

import asyncio
from itertools import pairwise

import pytest

from resonate_nb import Constant, Linear, Resonate, State, current
from resonate_nb.clock import FakeClock
from resonate_nb.corridor.failures import Failures
from resonate_nb.store.memory import MemoryStore
from resonate_nb.views import details, one


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def said():
    return []


@pytest.fixture
def fake(clock, said):
    """Return a root whose time passes only in pauses."""
    return Resonate(MemoryStore(), clock=clock, say=said.append)


class Witness:
    """Sees the attempts, and is no input of what it sees."""

    def __init__(self, clock, failures=0):
        self.clock, self.failures, self.times, self.numbers = clock, failures, [], []

    def attempt(self):
        self.times.append(self.clock.now())
        self.numbers.append(current().attempt)
        return len(self.times)

    @property
    def pauses(self):
        return [(later - earlier) / 1_000 for earlier, later in pairwise(self.times)]

    def __durable_digest__(self):
        return "witness"


def failing(root, times, clock, **options):
    """Return a durable function that fails so many times, and the witness of its attempts."""
    witness = Witness(clock, times)

    @root.durable(name="failing", **options)
    def body(_x=0):
        number = witness.attempt()
        if number <= witness.failures:
            raise LookupError(f"failure {number}")
        return number

    return body, witness


def test_a_body_is_tried_again_after_the_pauses_of_its_policy(fake, clock):
    body, seen = failing(fake, 3, clock, retry=Linear(3, step=2))
    assert body() == 4
    assert seen.pauses == [2, 4, 6]
    assert seen.numbers == [1, 2, 3, 4]
    assert body() == 4


def test_without_a_policy_a_failure_is_final_for_the_call(fake, clock):
    body, seen = failing(fake, 1, clock)
    with pytest.raises(LookupError, match="failure 1"):
        body()
    assert len(seen.times) == 1


def test_an_exhausted_series_raises_the_last_error_and_the_next_call_begins_a_new_one(fake, clock):
    body, seen = failing(fake, 5, clock, retry=Constant(2, every=1))
    with pytest.raises(LookupError, match="failure 3"):
        body()
    assert body.promise().state is State.PENDING
    assert body() == 6
    assert seen.pauses == [1, 1, 0, 1, 1]


def test_errors_that_are_not_to_be_tried_again_are_raised_at_once(fake, clock):
    body, seen = failing(fake, 5, clock, retry=Constant(9, unless=LookupError))
    with pytest.raises(LookupError):
        body()
    assert len(seen.times) == 1


def test_a_kept_error_is_kept_after_the_last_attempt(fake, clock):
    body, seen = failing(fake, 5, clock, retry=Constant(2), keep_errors=True)
    for _ in range(2):
        with pytest.raises(LookupError, match="failure 3"):
            body()
    assert len(seen.times) == 3
    assert body.promise().state is State.REJECTED
    assert Failures.of(body.promise().tags).total == 3


def test_coroutines_are_tried_again_the_same_way(fake, clock):
    seen = Witness(clock)

    @fake.durable(name="fetch", retry=Linear(2))
    async def fetch():
        if seen.attempt() < 3:
            raise ConnectionError("refused")
        return "page"

    assert asyncio.run(fetch()) == "page"
    assert seen.pauses == [1, 2]
    assert seen.numbers == [1, 2, 3]


def test_items_of_a_map_are_tried_again_each_for_itself(fake):
    @fake.durable(name="flaky", retry=Constant(1))
    def flaky(x):
        if current().attempt == 1:
            raise ConnectionError(x)
        return x

    assert flaky.map(range(4), workers=2, progress=False) == [0, 1, 2, 3]


class Interrupted(FakeClock):
    """A clock whose next pause is broken off by the user."""

    def pause(self, seconds):
        raise KeyboardInterrupt


def test_an_interrupted_wait_keeps_the_due_time_for_the_next_call():
    clock, store = FakeClock(), MemoryStore()
    impatient = Resonate(store, clock=Interrupted(clock.now()))
    body, seen = failing(impatient, 1, clock, retry=Constant(1, every=30))
    with pytest.raises(KeyboardInterrupt):
        body()
    clock.advance(seconds=10)
    other, later = failing(Resonate(store, clock=clock, say=lambda _: None), 0, clock, retry=2)
    assert other() == 1
    assert other.promise().id == body.promise().id
    assert later.times[0] - seen.times[0] == 30_000
    assert later.numbers == [2]


def test_a_policy_that_was_taken_away_waits_for_nothing():
    clock, store = FakeClock(), MemoryStore()
    body, _ = failing(Resonate(store, clock=Interrupted(clock.now())), 1, clock, retry=Constant(1, every=30))
    with pytest.raises(KeyboardInterrupt):
        body()
    other, later = failing(Resonate(store, clock=clock), 0, clock)
    start = clock.now()
    other()
    assert other.promise().id == body.promise().id
    assert later.times[0] == start


def test_people_are_told_of_long_pauses_and_can_look_back(fake, clock, said):
    body, _ = failing(fake, 30, clock, retry=Constant(30, every=60))
    assert body() == 31
    assert "attempt 1 failed (LookupError: failure 1), attempt 2 of 31 begins in 60 s" in said[0]
    shown = details(one(fake.execution, body.promise().id))
    assert "failed attempts: 30, the last 20:" in shown
    assert "LookupError: failure 30" in shown
    assert "failure 10\n" not in shown
