"""Retry policies are pure: the number of the failure, the error and a draw say how long to wait."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonate_nb import Constant, Exponential, Linear, Never
from resonate_nb.errors import UsageError
from resonate_nb.retry import policy_of

ERROR = LookupError("gone")


def waits(policy, error=ERROR, draw=lambda: 1.0):
    """Return the waits of a whole series."""
    found, failed = [], 1
    while (wait := policy.wait(failed, error, draw)) is not None:
        found.append(wait)
        failed += 1
    return found


def test_a_number_means_so_many_further_attempts_with_growing_pauses():
    assert policy_of(3) == Exponential(retries=3, base=1.0, cap=60.0)
    assert waits(policy_of(3)) == [1.0, 2.0, 4.0]
    assert waits(policy_of(0)) == waits(policy_of(None)) == waits(Never()) == []


def test_each_policy_grows_as_its_name_says_up_to_its_cap():
    assert waits(Exponential(5, base=0.5, cap=3)) == [0.5, 1.0, 2.0, 3, 3]
    assert waits(Linear(4, step=2, cap=5)) == [2, 4, 5, 5]
    assert waits(Constant(3, every=0.1)) == [0.1, 0.1, 0.1]


@given(st.integers(1, 5_000), st.integers(0, 2**32), st.floats(0, 10), st.floats(0, 100))
def test_full_jitter_lies_between_zero_and_the_limit(failed, seed, base, cap):
    wait = Exponential(5_000, base=base, cap=cap).wait(failed, ERROR, random.Random(seed).random)
    assert 0 <= wait <= cap


def test_the_same_draw_gives_the_same_wait():
    one, other = random.Random(7), random.Random(7)
    assert waits(Exponential(5), draw=one.random) == waits(Exponential(5), draw=other.random)


def test_only_the_wanted_errors_are_tried_again():
    policy = Constant(2, on=(LookupError, OSError), unless=KeyError)
    assert len(waits(policy, IndexError())) == len(waits(policy, OSError())) == 2
    assert waits(policy, KeyError()) == waits(policy, ValueError()) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: policy_of("3"),
        lambda: policy_of(True),
        lambda: policy_of(-1),
        lambda: Exponential(1.5),
        lambda: Exponential(3, base=-1),
        lambda: Linear(3, step=float("nan")),
        lambda: Constant(3, every="1s"),
        lambda: Constant(3, on=ValueError()),
        lambda: Constant(3, unless=[ValueError]),
        lambda: Never(3),
    ],
)
def test_what_is_no_policy_is_refused(make):
    with pytest.raises(UsageError):
        make()
