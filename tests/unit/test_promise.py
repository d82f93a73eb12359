"""The state machine of a promise: settled never changes, and the deadline comes first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonate_nb.promise import EMPTY, NEVER, SETTLED_BY_CLIENTS, TIMER_TAG, Promise, State, Value

TIMES = st.integers(0, 100)
CHOSEN = st.sampled_from(sorted(SETTLED_BY_CLIENTS))
VALUES = st.builds(Value, data=st.binary(max_size=3))
DEADLINES = TIMES | st.just(NEVER)
TAGS = st.sampled_from([{}, {"k": "v"}, {TIMER_TAG: "true"}, {TIMER_TAG: "false"}])
PROMISES = st.builds(
    lambda now, **fields: Promise(id="a", **fields).created(now), now=TIMES, timeout_at=DEADLINES, tags=TAGS
)


@given(PROMISES, st.lists(st.tuples(CHOSEN, VALUES, TIMES)))
def test_settled_never_changes(promise, attempts):
    for state, value, now in attempts:
        later = promise.settled_as(state, value, now)
        if promise.settled:
            assert later == promise
        promise = later
        assert promise.settled


@given(PROMISES, TIMES, TIMES)
def test_seeing_is_final_and_repeatable(promise, now, later):
    seen = promise.seen(now)
    assert seen.seen(now) == seen
    if seen.settled:
        assert seen.seen(later) == seen


@given(PROMISES, CHOSEN, VALUES, TIMES)
def test_the_deadline_comes_before_the_settling(promise, state, value, now):
    outcome = promise.settled_as(state, value, now)
    if promise.timeout_at <= now:
        assert outcome.state not in {State.REJECTED, State.CANCELED}
        assert (outcome.settled_at, outcome.value) == (promise.timeout_at, EMPTY)
    elif not promise.settled:
        assert (outcome.state, outcome.settled_at, outcome.value) == (state, now, value)


@given(PROMISES, TIMES)
def test_a_promise_past_its_deadline_is_shown_settled_at_it(promise, now):
    seen = promise.seen(now)
    assert seen.settled == (promise.settled or promise.timeout_at <= now)
    if seen.settled:
        assert seen.settled_at == promise.timeout_at
        assert seen.value == EMPTY


@pytest.mark.parametrize(
    ("tags", "state"),
    [
        ({}, State.TIMEDOUT),
        ({TIMER_TAG: "true"}, State.RESOLVED),
        ({TIMER_TAG: "false"}, State.TIMEDOUT),
        ({TIMER_TAG: "True"}, State.TIMEDOUT),
    ],
)
def test_a_timer_resolves_at_its_deadline_and_all_else_times_out(tags, state):
    assert Promise(id="a", tags=tags, timeout_at=5).seen(5).state is state
    assert Promise(id="a", tags=tags, timeout_at=5).seen(4).state is State.PENDING


@given(DEADLINES, TIMES, TAGS)
def test_a_promise_created_past_its_deadline_is_born_settled(timeout_at, now, tags):
    born = Promise(id="a", timeout_at=timeout_at, tags=tags).created(now)
    if timeout_at <= now:
        assert born.settled
        assert born.created_at == born.settled_at == timeout_at
    else:
        assert not born.settled
        assert (born.created_at, born.settled_at) == (now, None)


@given(PROMISES, CHOSEN, VALUES, TIMES)
def test_settling_keeps_what_the_promise_was_created_with(promise, state, value, now):
    outcome = promise.settled_as(state, value, now)
    for name in ("id", "param", "tags", "timeout_at", "created_at"):
        assert getattr(outcome, name) == getattr(promise, name)


@pytest.mark.parametrize("state", [State.PENDING, State.TIMEDOUT])
def test_a_state_that_clients_may_not_choose_is_an_error_even_when_settled(state):
    for promise in (Promise(id="a"), Promise(id="a", state=State.RESOLVED)):
        with pytest.raises(ValueError, match="choose one of rejected, rejected_canceled, resolved"):
            promise.settled_as(state, EMPTY, 1)


def test_no_deadline_is_never_reached():
    assert not Promise(id="a").created(2**52).seen(2**53 - 2).settled


def test_tags_are_joined_and_taken_away():
    promise = Promise(id="a", tags={"k": "v"}).tagged(rnb_last_error="boom", k=None)
    assert promise.tags == {"rnb:last_error": "boom"}
