"""Opening a promise that nobody computes: it is found again, or begins anew where there is no answer."""

from making import NOW, settle

from resonate_nb.promise import Promise, State
from resonate_nb.store.operations import Open

UNLESS = frozenset({State.TIMEDOUT, State.CANCELED})


def opened(store, id="q", now=NOW, unless=UNLESS, **fields):
    return store.do(Open(promise=Promise(id=id, **fields), now=now, unless=unless))


def test_a_promise_is_new_once_and_found_while_it_is_pending(store):
    promise, new = opened(store)
    assert (promise.state, promise.created_at, new) == (State.PENDING, NOW, True)
    assert opened(store, now=NOW + 1) == (promise, False)


def test_an_answer_is_found_and_what_is_none_begins_a_new_generation(store):
    opened(store)
    store.do(settle("q", state=State.CANCELED))
    again, new = opened(store)
    assert (again.id, again.state, new) == ("q~2", State.PENDING, True)
    assert opened(store) == (again, False)
    answered = store.do(settle("q~2"))
    assert opened(store) == (answered, False)
    assert store.head("q") == answered


def test_a_deadline_that_passed_is_no_answer_unless_it_shall_be_one(store):
    opened(store, timeout_at=NOW + 10)
    late, new = opened(store, now=NOW + 10, unless=frozenset())
    assert (late.state, new) == (State.TIMEDOUT, False)
    again, new = opened(store, now=NOW + 10, timeout_at=NOW + 20)
    assert (again.id, new) == ("q~2", True)
    assert opened(store, now=NOW + 20, timeout_at=NOW + 30)[0].id == "q~3"
