"""The rule for settling from outside."""

import threading

import pytest

from resonate_nb.enquiry.answers import NOTHING, answer_of, check, settle
from resonate_nb.enquiry.questions import Question, typed_schema
from resonate_nb.errors import AlreadySettled, InvalidAnswer, NoSuchPromise
from resonate_nb.promise import Promise, State
from resonate_nb.store.memory import MemoryStore
from resonate_nb.store.operations import Create

NOW = 1_000


@pytest.fixture
def store():
    store = MemoryStore()
    question = Question(
        kind="ask", text="How many?", schema=typed_schema(float, min=0, max=None, pattern=None)
    )
    store.do(
        Create(
            promise=Promise(id="q", param=question.param(), tags={"rnb:kind": "question"}, timeout_at=5_000),
            now=NOW,
        )
    )
    store.do(Create(promise=Promise(id="p"), now=NOW))
    return store


def test_an_answer_is_kept_with_who_when_where_and_the_comment(store):
    settled = settle(store, "q", 5, now=NOW, who="ada", where="cli", comment="surely")
    assert (settled.state, answer_of(settled)) == (State.RESOLVED, 5)
    tags = store.get("q").promise.tags
    assert tags["rnb:by"] == "ada"
    assert tags["rnb:from"] == "cli"
    assert tags["rnb:comment"] == "surely"
    assert tags["rnb:when"] == "1970-01-01T00:00:01+00:00"


def test_the_same_again_is_fine_and_changes_nothing(store):
    first = settle(store, "q", 5, now=NOW, who="ada")
    assert settle(store, "q", 5.0, now=NOW + 1, who="bob") == first


def test_a_different_later_answer_is_told_which_one_counts(store):
    settle(store, "q", 1, now=NOW)
    for later in (2, True, "a wrong one"):
        with pytest.raises(AlreadySettled, match="resolved with 1 already"):
            settle(store, "q", later, now=NOW + 1)
    with pytest.raises(AlreadySettled):
        settle(store, "q", now=NOW + 1, state=State.CANCELED)


def test_a_wrong_answer_is_refused_and_the_question_stays_open(store):
    for wrong in (-1, "x", None, True, NOTHING):
        with pytest.raises(InvalidAnswer):
            settle(store, "q", wrong, now=NOW)
    assert store.get("q").promise.state is State.PENDING
    settle(store, "q", 1, now=NOW)


def test_an_answer_after_the_deadline_is_told_so(store):
    with pytest.raises(AlreadySettled, match="rejected_timedout"):
        settle(store, "q", 1, now=5_000)


def test_what_is_no_question_takes_any_json_or_nothing(store):
    check(store.get("p").promise, {"any": "thing"})
    assert settle(store, "p", now=NOW).value.data == b""
    with pytest.raises(AlreadySettled):
        settle(store, "p", None, now=NOW)


def test_a_rejection_needs_no_fitting_answer(store):
    assert settle(store, "q", "not now", now=NOW, state=State.REJECTED).state is State.REJECTED


def test_what_is_absent_or_no_json_is_named(store):
    with pytest.raises(NoSuchPromise):
        settle(store, "absent", 1, now=NOW)
    with pytest.raises(InvalidAnswer, match="no JSON"):
        settle(store, "p", {1, 2}, now=NOW)


def test_of_many_answers_at_once_one_wins_and_the_others_are_told(root):
    store = root.execution.store
    store.do(Create(promise=Promise(id="race"), now=NOW))
    won, lost = [], []

    def answer(number):
        try:
            won.append(answer_of(settle(store, "race", number, now=NOW)))
        except AlreadySettled as told:
            lost.append(told.outcome)

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert lost == [f"resolved with {won[0]}"] * 7
