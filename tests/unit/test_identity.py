"""How calls get their ids: by content, by a scheme, by their place in the caller, or drawn."""

import asyncio
import datetime as dt
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from resonate_nb import (
    Diverged,
    InvalidId,
    PromiseCanceled,
    PromiseConflict,
    PromiseTimedOut,
    State,
    configure,
    current,
    durable,
    find,
    idempotency_key,
    opaque,
)
from resonate_nb.errors import UsageError
from resonate_nb.ids import escape

pytestmark = pytest.mark.usefixtures("root")
NEWS = dt.date(2026, 11, 3)


class Stopped(BaseException):
    """Ends a body as a kill would: the promise stays pending."""


@pytest.fixture(autouse=True)
def log(monkeypatch):
    """Return what bodies note, in a place that no fingerprint looks at: attributes of a library's module."""
    monkeypatch.setattr(sys, "noted", [], raising=False)
    monkeypatch.setattr(sys, "script", [], raising=False)
    return sys.noted


def noting(**options):
    @durable(name="step", **options)
    def step(text):
        sys.noted.append(text)
        return text.upper()

    return step


def parent_of(*attempts, **options):
    """Return a durable function whose attempts do one thing after another, none of it part of its code."""
    sys.script[:] = attempts

    @durable(name="parent", **options)
    def parent():
        return sys.script.pop(0)()

    return parent


def stop():
    raise Stopped


# --- ids of one's own


def test_an_id_is_a_format_of_the_arguments_with_their_defaults():
    @durable(name="news", id="news/{day:%Y-%m-%d}/{lang}/{place.city}/{tags[0]}")
    def news(day, place, tags=("a",), lang="en"):
        return f"{day} {lang} {place} {tags}"

    news(NEWS, SimpleNamespace(city="Bonn"))
    assert [each.id for each in find("news/")] == ["news/2026-11-03/en/Bonn/a"]


def test_an_id_is_made_by_a_callable_of_the_arguments():
    @durable(name="news", id=lambda day, **_: f"daily-{day.year}")
    def news(day, *, lang="en"):
        return day, lang

    news(NEWS)
    assert news.promise(NEWS).id == "daily-2026"


def test_an_id_that_leaves_an_argument_out_is_guarded():
    @durable(name="news", id="news/{day}")
    def news(day, lang):
        return day, lang

    assert news(1, "en") == (1, "en")
    with pytest.raises(PromiseConflict, match="news/1"):
        news(1, "de")


def test_under_an_id_of_ones_own_an_exception_is_an_answer(log):
    @durable(name="news", id="news/{day}")
    def news(day):
        sys.noted.append(day)
        raise LookupError("no news")

    for _ in range(2):
        with pytest.raises(LookupError, match="no news"):
            news(1)
    assert log == [1]


@pytest.mark.parametrize(
    ("scheme", "problem"),
    [
        ("", "is empty"),
        ("x" * 2_000, "2,000 bytes"),
        ("news/{day}~2", "ends like a generation"),
        ("{day:%Y-%m}", "don't fit it"),
        ("{day.year}", "don't fit it"),
        ("{day.__class__}", "private"),
        (lambda day: day, "is a int, not text"),
    ],
)
def test_an_id_that_cannot_be_is_refused_with_the_function_and_its_arguments(scheme, problem):
    @durable(name="news", id=scheme)
    def news(day):
        return day

    with pytest.raises(InvalidId, match=problem) as caught:
        news(7)
    assert "news(day=7)" in str(caught.value)


@pytest.mark.parametrize("scheme", ["news/{date}", "news/{}", "news/{day:{width}}", "news/{", 5, dict])
def test_a_scheme_that_names_no_parameter_is_refused_at_decoration(scheme):
    with pytest.raises(UsageError, match="news"):

        @durable(name="news", id=scheme)
        def news(day):
            return day


def test_the_prefix_goes_in_front_of_all_ids(tmp_path):
    configure(tmp_path / "store", prefix="team/")

    @durable(name="send", identity="call")
    def send(x):
        return x

    @durable(name="news", id="news/{day}")
    def news(day):
        return send(day)

    news(1)
    assert [each.id for each in find("news/")] == ["team/news/1", "team/news/1.1"]


# --- found by tags


def test_promises_are_found_by_prefix_state_and_tags():
    @durable(name="tagged", tags={"team": "blue"})
    def tagged(x):
        if x == 2:
            raise LookupError
        return x

    tagged(1)
    with pytest.raises(LookupError):
        tagged(2)
    assert len(find(team="blue")) == 2
    assert [each.state for each in find("tagged@", state="pending", tags={"team": "blue"})] == [State.PENDING]
    assert find(team="red") == []
    with pytest.raises(UsageError, match="no state"):
        find(state="done")


def test_all_are_found_however_many_pages_they_fill():
    @durable(name="many")
    def many(x):
        return x

    many.map(range(620), progress=False)  # more than a page of any list
    assert len(find("many@", state="resolved")) == 620


@pytest.mark.parametrize("name", ["odd~2", "odd.7", "a:b", "50%", "odd~3.1"])
def test_a_name_that_looks_like_something_else_in_an_id_means_nothing_there(name):
    @durable(name=name)
    def odd(x):
        return call(x)

    @durable(identity="call")
    def call(x):
        return x

    assert odd(1) == odd.rerun(1) == 1
    ids = [each.id for each in find(escape(name) + "@")]
    first = odd.promise(1).id.removesuffix("~2")
    assert ids == [first, f"{first}.1", f"{first}~2", f"{first}~2.1"]
    assert odd.forget(1)
    assert find() == []


# --- drawn ids


def test_an_opaque_call_from_outside_is_always_new_and_found_by_its_tags(log):
    draw = noting(id=opaque, tags={"run": "7"})
    draw("a")
    draw("a")
    assert log == ["a", "a"]
    assert len({each.id for each in find(run="7")}) == 2


def test_an_opaque_call_inside_a_promise_is_the_same_again_when_that_is_resumed(log):
    draw = noting(id=opaque)
    parent = parent_of(
        lambda: (draw("a"), draw("a"), stop()), lambda: (draw("a"), draw("a")), lambda: draw("a")
    )
    with pytest.raises(Stopped):
        parent()
    assert parent() == ("A", "A")
    assert log == ["a", "a"]
    parent.forget()
    parent()
    assert log == ["a", "a", "a"]


# --- calls by their place


def test_calls_are_counted_in_the_order_in_which_they_are_made(log):
    send = noting(identity="call")
    parent = parent_of(lambda: [send("a"), send("a"), send("b")])
    assert parent() == ["A", "A", "B"]
    assert log == ["a", "a", "b"]
    id = parent.promise().id
    assert [each.id for each in find(id)] == [id, f"{id}.1", f"{id}.2", f"{id}.3"]


def test_a_resumed_parent_finds_its_calls_again(log):
    send = noting(identity="call")
    parent = parent_of(lambda: (send("a"), send("a"), stop()), lambda: (send("a"), send("a"), send("b")))
    with pytest.raises(Stopped):
        parent()
    assert parent() == ("A", "A", "B")
    assert log == ["a", "a", "b"]


def test_a_parent_that_is_computed_anew_makes_its_calls_anew(log):
    send = noting(identity="call")
    parent = parent_of(*[lambda: send("a")] * 3)
    parent()
    parent.rerun()
    assert log == ["a", "a"]
    parent.forget()
    assert find("parent") == []
    parent()
    assert log == ["a", "a", "a"]


@pytest.mark.parametrize(
    "second", [lambda send, _: send("b"), lambda _, other: other("a")], ids=["arguments", "function"]
)
def test_another_call_than_the_recorded_one_is_shown_before_anything_is_delivered(log, second):
    send = noting(identity="call")

    @durable(name="other", identity="call")
    def other(text):
        return text

    parent = parent_of(lambda: (send("a"), stop()), lambda: second(send, other), lambda: send("a"))
    with pytest.raises(Stopped):
        parent.run("mine")
    with pytest.raises(Diverged) as caught:
        parent.run("mine")
    assert caught.value.id == "mine.1"
    assert "step" in caught.value.expected
    assert "'a'" in caught.value.expected
    assert caught.value.found != caught.value.expected
    assert parent.run("mine") == "A"  # it was no outcome, even under an id of one's own
    assert log == ["a"]


def test_a_call_by_place_outside_of_any_promise_is_refused():
    with pytest.raises(UsageError, match="durable cell or function"):
        noting(identity="call")("a")


def test_a_call_by_place_from_a_thread_that_works_for_no_promise_is_refused():
    send, caught = noting(identity="call"), []

    def call():
        try:
            send("a")
        except UsageError as error:
            caught.append(str(error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert "thread" in caught[0]


@pytest.mark.parametrize("method", ["promise", "forget", "rerun"])
def test_what_asks_for_a_call_by_its_arguments_is_refused_where_they_do_not_tell(method):
    for options in ({"identity": "call"}, {"id": opaque}):
        with pytest.raises(UsageError, match="find"):
            getattr(noting(**options), method)("a")


def test_options_that_contradict_each_other_are_refused():
    with pytest.raises(UsageError, match="identity"):
        noting(identity="calls")
    with pytest.raises(UsageError, match="id="):
        noting(identity="call", id="x")


@pytest.mark.parametrize("workers", [None, 3])
def test_items_of_a_map_are_places_of_their_own(log, workers):
    send = noting(identity="call")

    @durable(name="item")
    def item(x):
        return [send(x), send(x)]

    def attempt(then):
        def body():
            done = send.map(["a", "b"], progress=False, workers=workers), item.map(["c"], progress=False)
            then()
            return done, send("z")

        return body

    parent = parent_of(attempt(stop), attempt(lambda: None))
    with pytest.raises(Stopped):
        parent()
    assert parent() == ((["A", "B"], [["C", "C"]]), "Z")
    assert sorted(log) == ["a", "b", "c", "c", "z"]
    id = parent.promise().id
    assert [each.id.removeprefix(id) for each in find(id)] == ["", ".1.1", ".1.2", ".2"]


def test_gathered_coroutines_are_counted_as_they_are_called_not_as_they_begin():
    @durable(name="send", identity="call")
    async def send(x):
        await asyncio.sleep(0.001 * (3 - x))
        return current().id.rpartition(".")[2], x

    @durable(name="parent")
    async def parent():
        calls = [send(x) for x in range(3)]
        return await asyncio.gather(*reversed(calls))

    assert asyncio.run(parent()) == [("3", 2), ("2", 1), ("1", 0)]


def test_a_submitted_call_is_counted_when_it_is_submitted():
    send = noting(identity="call")
    parent = parent_of(lambda: [handle.result() for handle in (send.submit("a"), send.submit("b"))])
    assert parent() == ["A", "B"]
    id = parent.promise().id
    assert [each.id for each in find(id)] == [id, f"{id}.1", f"{id}.2"]


def test_a_child_ends_no_later_than_its_parent():
    @durable(name="child", identity="call", timeout="1d")
    def child():
        return current().timeout_at

    @durable(name="parent", timeout="1h")
    def parent():
        return child() == current().timeout_at

    assert parent() is True


def test_a_child_that_timed_out_is_tried_again_by_the_next_attempt(log):
    @durable(name="child", identity="call", timeout=0.05)
    def child():
        time.sleep(0 if sys.noted else 5)
        return 1

    def first():
        try:
            return child()
        finally:
            log.append("once")

    parent = parent_of(first, child)
    with pytest.raises(PromiseTimedOut):
        parent()
    assert parent() == 1


def test_children_are_canceled_with_their_parent(root):
    send = noting(identity="call")

    def failing():
        send("done")
        return send(5)

    parent = parent_of(failing)
    with pytest.raises(AttributeError):
        parent()
    id = parent.promise().id
    assert root.handle(id).cancel()
    assert [each.state for each in find(id)] == [State.CANCELED, State.RESOLVED, State.CANCELED]
    with pytest.raises(PromiseCanceled):
        root.handle(f"{id}.2").result()


# --- keys for the outside world


def test_the_idempotency_key_is_that_of_the_promise_whatever_the_attempt():
    keys = []

    def attempt(then=lambda: None):
        def body():
            keys.append(idempotency_key())
            then()

        return body

    parent = parent_of(attempt(stop), attempt(), attempt(), attempt())
    with pytest.raises(Stopped):
        parent()
    parent()
    assert keys[0] == keys[1]
    parent.rerun()
    parent.forget()
    parent()
    assert len(set(keys)) == 3


def test_the_idempotency_key_belongs_to_a_promise():
    with pytest.raises(UsageError, match="durable function"):
        idempotency_key()
