"""How a question is asked: its id, its guard, its deadline, what is delivered, what is refused."""

import threading
import time

import pytest

from resonate_nb import (
    InvalidAnswer,
    Pending,
    PromiseCanceled,
    PromiseConflict,
    PromiseTimedOut,
    Resonate,
    approve,
    ask,
    choose,
    durable,
    form,
)
from resonate_nb.clock import FakeClock
from resonate_nb.enquiry import answers, asking
from resonate_nb.enquiry.asking import Policy
from resonate_nb.enquiry.questions import Question, typed_schema
from resonate_nb.errors import PromiseRejected, UsageError
from resonate_nb.promise import Promise, State
from resonate_nb.store.memory import MemoryStore
from resonate_nb.store.operations import Create, Settle


class Nobody:
    """A stage before an empty house."""

    run = "one"

    def show(self, execution, question, promise):
        self.shown = promise
        return self

    def show_answered(self, question, promise):
        self.shown = promise

    def wait(self):
        raise Pending(self.shown.id)

    def leave(self):
        self.left = True


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def execution(clock):
    root = Resonate(MemoryStore(), clock=clock, say=print)
    yield root.execution
    root.close()


def question(**more):
    schema = typed_schema(int, min=None, max=None, pattern=None)
    return Question(kind="ask", text="n?", schema=schema, **more)


def ask_nobody(execution, asked, **policy):
    """Ask in a new run of a cell."""
    stage = Nobody()
    stage.run = str(time.monotonic())
    return asking.ask(execution, stage, asked, Policy(**policy))


def id_of_pending(execution, asked, **policy):
    with pytest.raises(Pending) as waiting:
        ask_nobody(execution, asked, **policy)
    return waiting.value.id


def answered(execution, id, value, **more):
    return answers.settle(execution.store, id, value, now=execution.clock.now(), **more)


def test_the_id_is_the_questions_digest_with_a_number(execution):
    asked = question()
    id = id_of_pending(execution, asked)
    assert id == f"ask/{asked.digest}.1"
    assert id_of_pending(execution, asked) == id
    stage = Nobody()
    for number in (1, 2):
        with pytest.raises(Pending, match=f"{asked.digest}.{number} "):
            asking.ask(execution, stage, asked, Policy())
    assert stage.left


def test_once_answered_it_is_never_asked_again(execution):
    id = id_of_pending(execution, question())
    answered(execution, id, 5)
    assert ask_nobody(execution, question()) == 5


def test_after_the_deadline_it_is_asked_anew_under_content_and_not_under_an_explicit_id(execution, clock):
    id = id_of_pending(execution, question(), timeout=10)
    explicit = id_of_pending(execution, question(), timeout=10, id="mine")
    clock.advance(seconds=10)
    assert id_of_pending(execution, question(), timeout=10) == f"{id}~2"
    answered(execution, f"{id}~2", 3)
    assert ask_nobody(execution, question(), timeout=10) == 3
    with pytest.raises(PromiseTimedOut):
        ask_nobody(execution, question(), timeout=10, id=explicit)


def test_a_default_that_counted_at_the_deadline_is_an_answer(execution, clock):
    asked = question(default=4, on_timeout="default")
    id_of_pending(execution, asked, timeout="10s")
    clock.advance(seconds=10)
    assert ask_nobody(execution, asked, timeout="10s") == 4
    clock.advance(seconds=1_000)
    assert ask_nobody(execution, asked, timeout="10s") == 4


def test_what_was_rejected_or_canceled_is_raised(execution):
    id = id_of_pending(execution, question(), id="mine")
    answered(execution, id, "not now", state=State.REJECTED)
    with pytest.raises(PromiseRejected, match="not now"):
        ask_nobody(execution, question(), id="mine")
    other = id_of_pending(execution, question(), id="other")
    answered(execution, other, answers.NOTHING, state=State.CANCELED)
    with pytest.raises(PromiseCanceled):
        ask_nobody(execution, question(), id="other")


def test_an_id_of_other_work_is_refused_with_both_sides(execution):
    id_of_pending(execution, question(), id="mine")
    with pytest.raises(PromiseConflict, match=r"'n\?'.*'m\?'"):
        ask_nobody(execution, Question(kind="ask", text="m?", schema={"type": "integer"}), id="mine")
    work = Promise(id="work", tags={"rnb:kind": "function", "rnb:name": "f", "rnb:inputs": "x"})
    execution.store.do(Create(promise=work, now=0))
    with pytest.raises(PromiseConflict, match="function f"):
        ask_nobody(execution, question(), id="work")


def test_an_answer_that_went_past_the_check_is_never_delivered(execution):
    id = id_of_pending(execution, question())
    wrong = answers.as_value(id, "five")
    execution.store.do(Settle(id=id, state=State.RESOLVED, value=wrong, now=0))
    with pytest.raises(InvalidAnswer, match="'five' is not a whole number"):
        ask_nobody(execution, question())


def test_tags_name_the_question_and_the_users_texts(execution, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    id = id_of_pending(execution, question(), tags={"team": "data", "rnb:kind": "mine"})
    tags = execution.store.get(id).promise.tags
    assert tags["rnb:kind"] == "question"
    assert tags["rnb:notebook"] == "a.ipynb"
    assert tags["team"] == "data"


def test_notify_gets_a_link_where_a_server_is_known_and_its_failure_is_a_warning(execution, monkeypatch):
    monkeypatch.setenv("RESONATE_NB_SERVER", "/user/ada/")
    told = []
    id_of_pending(execution, question(), notify=lambda *args: told.append(args), id="a/b")
    assert told == [("a/b", "/user/ada/resonate-nb/inbox/a%2Fb")]
    with pytest.warns(UserWarning, match="`notify` failed"):
        id_of_pending(execution, question(), notify=lambda *_: 1 / 0, id="c")


def test_questions_inside_durable_functions_count_within_their_promise(root):
    @durable
    def twice(x):
        return x, ask("Next?", int), ask("Next?", int)

    def answer():
        for number in (1, 2):
            while not (found := pending(root)):
                time.sleep(0.01)
            answered(root.execution, found[0].id, number)

    thread = threading.Thread(target=answer)
    thread.start()
    assert twice("a") == ("a", 1, 2)
    thread.join()
    assert twice("b") == ("b", 1, 2)  # the same questions, so the same answers


def pending(root):
    from resonate_nb.enquiry import inbox

    return [each.promise for each in inbox.waiting(root.execution)]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ask("x?", int, default="five"),
        lambda: ask("x?", int, on_timeout="default"),
        lambda: ask("x?", int, default=1, on_timeout="maybe"),
        lambda: ask("x?", timeout="soon"),
        lambda: ask("x?", tags={"a": 1}),
        lambda: choose("x?", []),
        lambda: choose("x?", ["a"], default="b"),
        lambda: form({"type": "nothing"}),
        lambda: approve("x?", default=object()),
    ],
)
def test_what_can_not_be_asked_is_refused_before_anybody_is_asked(root, wrong):
    with pytest.raises(UsageError):
        wrong()
    assert pending(root) == []
