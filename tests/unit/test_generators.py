"""Durable generators: recorded as they yield, gone on with after that, never other than they were."""

import itertools
import sys
import time

import pytest

from resonate_nb import (
    DamagedValue,
    Diverged,
    MutatedArgument,
    NotKept,
    PromiseCanceled,
    PromiseTimedOut,
    State,
    UndigestibleInput,
    current,
    durable,
    find,
)
from resonate_nb.errors import UsageError
from resonate_nb.store.base import Query

pytestmark = pytest.mark.usefixtures("root")


@pytest.fixture(autouse=True)
def noted(monkeypatch):
    """Return what bodies note, where no fingerprint looks: an attribute of a library's module."""
    monkeypatch.setattr(sys, "noted", [], raising=False)
    return sys.noted


@durable(name="numbers")
def numbers(count):
    for number in range(count):
        sys.noted.append(number)
        yield [number]
    return "end"


def returned(generator):
    value = yield from generator
    yield value


def test_yields_are_delivered_as_they_come_and_replayed_without_running(noted):
    running = numbers(3)
    assert noted == []
    assert next(running) == [0]
    assert noted == [0]
    assert list(returned(running)) == [[1], [2], "end"]
    assert list(returned(numbers(3))) == [[0], [1], [2], "end"]
    assert noted == [0, 1, 2]
    assert numbers.promise(3).state is State.RESOLVED


def test_one_that_was_left_goes_on_after_what_was_recorded(noted):
    for value in numbers(4):
        if value == [1]:
            break
    assert numbers.promise(4).state is State.PENDING
    again = numbers(4)
    assert list(itertools.islice(again, 2)) == [[0], [1]]
    assert noted == [0, 1]  # the recorded ones are delivered without the body
    assert list(again) == [[2], [3]]
    assert noted == [0, 1, 0, 1, 2, 3]


def test_what_a_consumer_does_to_a_yielded_value_never_reaches_the_next():
    for value in numbers(2):
        value.append("changed")
    assert list(numbers(2)) == [[0], [1]]


def test_a_body_that_yields_something_else_than_recorded_is_shown():
    @durable(name="random")
    def drawing():
        yield "same"
        yield len(sys.noted)
        yield "last"

    assert list(itertools.islice(drawing(), 2)) == ["same", 0]
    sys.noted.append("another world")
    with pytest.raises(Diverged, match="random"):
        list(drawing())
    assert drawing.promise().state is State.PENDING
    sys.noted.clear()
    assert list(drawing()) == ["same", 0, "last"]


def test_an_exception_ends_it_after_what_was_yielded(noted):
    @durable(name="failing")
    def failing():
        yield 1
        noted_here = sys.noted
        noted_here.append("tried")
        if len(noted_here) < 3:
            raise LookupError("not yet")
        yield 2

    for _ in range(2):
        seen = []
        with pytest.raises(LookupError, match="not yet"):
            seen.extend(failing())
    assert failing.promise().tags["rnb:last_error"] == "LookupError: not yet"
    assert list(failing()) == [1, 2]
    assert len(noted) == 3


def test_a_bug_that_is_fixed_goes_on_behind_what_was_yielded(noted):
    @durable(name="fixable", version=1)
    def fixable():
        sys.noted.append("broken")
        yield "first"
        raise LookupError("a bug")

    iterator = fixable()
    assert next(iterator) == "first"
    with pytest.raises(LookupError):
        next(iterator)

    @durable(name="fixable", version=1)
    def fixable():
        sys.noted.append("fixed")
        yield "first"
        yield "second"

    assert next(fixable()) == "first"
    assert noted == ["broken"]
    assert list(fixable()) == ["first", "second"]
    assert noted == ["broken", "fixed"]


def test_a_kept_exception_is_replayed_in_its_place(noted):
    @durable(name="final")
    def final():
        yield 1
        sys.noted.append("tried")
        raise LookupError("never")

    for _ in range(2):
        iterator = final.run("mine")
        assert next(iterator) == 1
        with pytest.raises(LookupError, match="never"):
            next(iterator)
    assert noted == ["tried"]


def test_iterators_over_the_same_promise_share_its_body(noted):
    one, other = numbers(3), numbers(3)
    assert [next(one), next(other), next(other), next(one)] == [[0], [0], [1], [1]]
    one.close()
    assert list(other) == [[2]]
    assert noted == [0, 1, 2]
    assert numbers.promise(3).state is State.RESOLVED


def test_its_body_computes_its_promise_and_the_consumer_does_not():
    @durable(name="inner")
    def inner():
        yield current().work_id.partition("@")[0]
        yield [leaf(x) for x in range(2)]

    @durable(name="leaf", identity="call")
    def leaf(x):
        return current().id.rpartition(".")[2], x

    assert next(iterator := inner()) == "inner"
    assert current() is None
    assert next(iterator) == [("1", 0), ("2", 1)]


@pytest.mark.parametrize("method", ["send", "throw"])
def test_nothing_is_sent_or_thrown_into_it(method):
    iterator = numbers(2)
    with pytest.raises(UsageError, match="durable generator"):
        getattr(iterator, method)(ValueError())
    assert iterator.send(None) == [0]


def test_what_it_yields_but_can_not_be_kept_is_delivered_and_said(noted):
    @durable(name="streams")
    def streams():
        sys.noted.append("run")
        yield 1
        yield (x for x in "ab")
        yield 3

    for _ in range(2):
        with pytest.warns(NotKept, match="streams"):
            first, second, third = streams()
        assert (first, list(second), third) == (1, ["a", "b"], 3)
    assert noted == ["run", "run"]
    assert [each.id for each in find("streams")] == [streams.promise().id]


def leave(iterator):
    next(iterator)
    iterator.close()


@pytest.mark.parametrize(("consume", "left"), [(list, []), (leave, [1])])
def test_one_that_changes_its_argument_is_computed_each_time(consume, left):
    @durable(name="eating")
    def eating(items):
        while items:
            yield items.pop()

    for _ in range(2):
        items = [1, 2]
        iterator = eating(items)
        with pytest.warns(MutatedArgument, match="`items`"):
            consume(iterator)
        assert items == left
    assert len(find("eating")) == 1


def test_one_whose_files_changed_begins_anew(tmp_path, noted):
    path = tmp_path / "lines"

    @durable(name="lines")
    def lines(path):
        sys.noted.append("run")
        yield from path.read_text().split()

    path.write_text("a b")
    assert next(lines(path)) == "a"
    path.write_text("c d e")
    assert list(lines(path)) == ["c", "d", "e"]
    path.write_text("f")
    assert list(lines(path)) == ["f"]
    assert list(lines(path)) == ["f"]
    assert noted == ["run"] * 3


def test_rerun_and_forget_begin_anew(noted):
    list(numbers(2))
    assert list(numbers.rerun(2)) == [[0], [1]]
    assert noted == [0, 1] * 2
    numbers.forget(2)
    assert find("numbers") == []
    assert list(numbers(2)) == [[0], [1]]
    assert noted == [0, 1] * 3


def test_it_ends_at_its_deadline():
    @durable(name="slow", timeout=0.1)
    def slow():
        yield 1
        time.sleep(5)
        yield 2

    iterator = slow()
    assert next(iterator) == 1
    with pytest.raises(PromiseTimedOut):
        next(iterator)


def test_one_that_is_canceled_between_its_yields_yields_no_more(root):
    iterator = numbers(3)
    next(iterator)
    root.handle(numbers.promise(3).id).cancel()
    with pytest.raises(PromiseCanceled):
        next(iterator)


def test_its_own_body_can_not_iterate_the_same_call():
    @durable(name="endless")
    def endless():
        yield from endless()

    with pytest.raises(RecursionError, match="endless"):
        list(endless())


@pytest.mark.parametrize("method", ["submit", "map"])
def test_what_needs_one_value_is_refused(method):
    with pytest.raises(UsageError, match=f"numbers is a generator function.*{method}"):
        getattr(numbers, method)([1])


def test_retries_and_asynchronous_generators_are_refused_by_name():
    with pytest.raises(UsageError, match="tried"):
        durable(retry=3)(numbers.__wrapped__)

    async def ticks():
        yield 1

    with pytest.raises(UsageError, match="asynchronous generator"):
        durable(ticks)


def test_what_it_read_counts_for_whoever_was_delivered_its_recorded_yields(tmp_path):
    path = tmp_path / "lines"

    @durable(name="lines")
    def lines(path):
        yield from path.read_text().split()

    @durable(name="first")
    def first(path):
        return next(lines(path))

    path.write_text("a b")
    assert next(lines(path)) == "a"
    assert first(path) == "a"
    path.write_text("c d")
    assert first(path) == "c"


def test_a_rerun_of_one_that_was_left_begins_anew(noted):
    iterator = numbers(2)
    next(iterator)
    with pytest.raises(UsageError, match=r"numbers is being computed for an iterator.*`close`"):
        next(numbers.rerun(2))
    iterator.close()
    assert list(numbers.rerun(2)) == [[0], [1]]
    assert noted == [0, 0, 1]


def test_its_iterator_is_no_value_as_that_of_any_generator():
    @durable(name="total")
    def total(items):
        return sum(items)

    @durable(name="giving")
    def giving():
        return numbers(1)

    with pytest.raises(UndigestibleInput, match="gives its items once"):
        total(numbers(1))
    with pytest.warns(NotKept, match="gives its items once"):
        assert list(giving()) == [[0]]


def test_what_was_yielded_before_the_argument_changed_is_not_kept_even_after_a_kill(root):
    @durable(name="eating")
    def eating(items):
        yield len(items)
        yield items.pop()

    iterator = eating([1, 2])
    assert next(iterator) == 2
    with pytest.warns(MutatedArgument, match="`items`"):
        assert next(iterator) == 2
    assert [each.id for each in find("eating")] == [eating.promise([1, 2]).id]
    assert root.execution.store.list(Query(prefix="eating@", tags=(("rnb:kind", "yield"),)), 0).promises == ()


def test_what_was_delivered_is_not_delivered_twice_when_it_can_not_be_kept_any_more(noted):
    @durable(name="mutable")
    def mutable(items):
        for number in range(3):
            yield number
            if sys.noted:
                items.append(number)

    iterator = mutable([])
    assert [next(iterator), next(iterator)] == [0, 1]
    iterator.close()
    noted.append("another world")
    with pytest.warns(MutatedArgument, match="`items`"):
        assert list(mutable([])) == [0, 1, 2]


def test_of_two_iterators_none_gets_what_is_the_others_when_it_is_not_kept():
    @durable(name="streams")
    def streams():
        yield 1
        yield (x for x in "ab")

    one, other = streams(), streams()
    assert next(one) == next(other) == 1
    with pytest.warns(NotKept, match="streams"):
        first = next(one)
    assert list(first) == ["a", "b"]
    with pytest.raises(DamagedValue, match="went to another iterator"):
        next(other)
