"""What every store promises, run on each of them."""

import threading
from dataclasses import dataclass, replace

import pytest
from making import NOW, acquire, buffer_of, create, settle

from resonate_nb.errors import InvalidId, LeaseLost, NoSuchPromise, StoreUnavailable
from resonate_nb.promise import CHILD_TAG, EMPTY, UNBOUND_TAG, Buffer, Promise, State, Value
from resonate_nb.store.base import Entry, Query
from resonate_nb.store.operations import Acquire, Forget, GiveUp, Record, Release, Renew, SetAside, Settle


@dataclass(frozen=True)
class WriteThenFail:
    """Breaks the rule of operations: it fails after its first write."""

    error: Exception
    power_safe: bool = False

    def apply(self, rows):
        rows.put(Entry(Promise(id="half")))
        raise self.error


def ids(page):
    return [promise.id for promise in page.promises]


def test_what_was_created_is_found(store):
    store.do(create("a", tags={"k": "v"}, param=Value({"h": "é"}, b"\0data"), timeout_at=NOW + 5))
    found = store.get("a").promise
    assert (found.id, found.state, found.created_at, found.timeout_at) == ("a", State.PENDING, NOW, NOW + 5)
    assert found.tags == {"k": "v"}
    assert found.param == Value({"h": "é"}, b"\0data")
    assert found.value == EMPTY


def test_an_absent_promise_is_none(store):
    assert store.get("a") is None
    assert store.head("a") is None
    assert store.get_many(["a", "b"]) == {}


@pytest.mark.parametrize("id", ["", "nul\0", "x" * 1_025, "\ud800"])
def test_an_id_that_no_store_takes_is_refused_and_never_found(store, id):
    with pytest.raises(InvalidId):
        store.do(create(id))
    assert store.get(id) is None
    assert store.get_many([id, "b"]) == {}


def test_an_id_of_the_greatest_length_can_have_generations(store):
    id = "é" * 512
    store.do(create(id))
    store.do(settle(id, state=State.CANCELED))
    claim = store.do(acquire(id, unless={State.CANCELED}))
    assert claim.promise.id == f"{id}~2"
    assert store.get(f"{id}~2").promise.state is State.PENDING


def test_creating_again_gives_the_stored_record_unchanged(store):
    first = store.do(create("a", tags={"k": "1"}))
    assert store.do(create("a", now=NOW + 9, tags={"k": "2"})) == first
    assert store.get("a").promise == first


def test_settling_again_gives_the_first_outcome(store):
    store.do(create("a"))
    first = store.do(settle("a", b"one"))
    assert store.do(settle("a", b"two", now=NOW + 9, state=State.REJECTED)) == first
    assert store.get("a").promise.value.data == b"one"


def test_settling_what_does_not_exist_is_an_error(store):
    with pytest.raises(NoSuchPromise):
        store.do(settle("a"))


@pytest.mark.parametrize("state", [State.PENDING, State.TIMEDOUT])
def test_a_state_that_clients_may_not_choose_is_an_error(store, state):
    store.do(create("a"))
    with pytest.raises(ValueError, match="choose one of"):
        store.do(settle("a", state=state))
    assert store.get("a").promise.state is State.PENDING


def test_an_operation_that_fails_leaves_nothing_and_harms_nobody(store):
    replies = [store.post(create(f"before/{n}")) for n in range(5)]
    failed = store.post(WriteThenFail(ValueError("mine")))
    after = store.post(create("after"))
    with pytest.raises(ValueError, match="mine"):
        failed.get()
    assert [reply.get().id for reply in replies] == [f"before/{n}" for n in range(5)]
    assert after.get().id == "after"
    assert store.get("half") is None


def test_a_failure_of_any_kind_reaches_its_own_caller(store):
    with pytest.raises(ZeroDivisionError):
        store.do(WriteThenFail(ZeroDivisionError()))
    assert store.do(create("a")).id == "a"


def test_a_failure_that_nobody_read_is_raised_once_by_the_next_call(store):
    store.post(settle("absent"))
    with pytest.raises(NoSuchPromise):
        _first_failure(store)
    assert store.do(create("b")).id == "b"


def _first_failure(store):
    for n in range(1_000):
        store.do(create(f"a/{n}"))


def test_a_failure_that_was_read_is_not_raised_again(store):
    reply = store.post(settle("absent"))
    with pytest.raises(NoSuchPromise):
        reply.get()
    with pytest.raises(NoSuchPromise):
        reply.get()
    del reply
    assert store.do(create("a")).id == "a"


def test_changes_are_made_in_the_order_of_posting(store):
    @dataclass(frozen=True)
    class Append:
        text: str
        power_safe: bool = False

        def apply(self, rows):
            entry = rows.get("log")
            tags = {**entry.promise.tags, "log": entry.promise.tags.get("log", "") + self.text}
            rows.put(replace(entry, promise=replace(entry.promise, tags=tags)))

    store.do(create("log"))
    replies = [store.post(Append(f"{n},")) for n in range(2_000)]
    replies[-1].get()
    assert store.get("log").promise.tags["log"] == "".join(f"{n}," for n in range(2_000))


@pytest.mark.parametrize("size", [0, 1, 2**15, 2**15 + 1, 300_000])
def test_data_of_any_size_comes_back(store, size):
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    store.do(create("a", param=Value({}, data)))
    store.do(settle("a", data))
    entry = store.get("a")
    assert entry.promise.param.data == data
    assert entry.promise.value.data == data
    assert store.get_many(["a"])["a"] == entry


@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_buffers_come_back_private_and_writable(store, size):
    content = b"\x01" * size
    store.do(create("a"))
    store.do(settle("a", Value({}, b"", (buffer_of(content),))))
    (buffer,) = store.get("a").promise.value.buffers
    view = buffer.load()
    assert view == content
    if size:
        view[0] = 7
    (again,) = store.get("a").promise.value.buffers
    assert again.load() == content


def test_what_a_caller_changes_after_posting_does_not_reach_the_store(store):
    content = bytearray(b"\x01" * 50_000)
    buffer = buffer_of(content)
    store.do(create("a", param=Value({}, b"", (buffer,))))
    content[0] = 9
    (kept,) = store.get("a").promise.param.buffers
    assert kept.load()[0] == 1


def test_the_same_content_is_a_buffer_of_several_promises(store):
    buffer = buffer_of(b"shared" * 1_000)
    for id in "ab":
        store.do(create(id, param=Value({}, b"", (buffer, buffer))))
    store.do(Forget(id="a"))
    assert [each.load() for each in store.get("b").promise.param.buffers] == [b"shared" * 1_000] * 2


@pytest.mark.parametrize(
    "value",
    [
        Value({}, b"", (Buffer("0" * 32, 3, lambda: memoryview(b"abc")),)),
        Value({}, b"", (Buffer("../../../../etc/passwd", 3, lambda: memoryview(b"abc")),)),
        Value({}, "text"),
        Value({1: "x"}, b""),
        Value({"x": None}, b""),
    ],
)
def test_a_value_that_is_not_what_it_says_is_refused(store, value):
    with pytest.raises(ValueError, match=r"digest|bytes|text"):
        store.do(create("a", param=value))
    assert store.get("a") is None


@pytest.mark.parametrize(
    "fields", [{"tags": {1: "x"}}, {"tags": {"x": 1}}, {"timeout_at": 2**70}, {"tags": {"x": "\ud800"}}]
)
def test_a_promise_that_no_store_can_keep_is_refused(store, fields):
    with pytest.raises(ValueError):  # noqa: PT011
        store.do(create("a", **fields))
    assert store.get("a") is None
    assert store.do(create("b")).id == "b"


def test_a_lease_is_granted_once_and_taken_over_by_its_number(store):
    assert store.do(acquire("a", "one")).fence == 1
    refused = store.do(acquire("a", "two"))
    assert refused.fence is None
    assert refused.holder.owner == "one"
    assert store.do(acquire("a", "two", over=1)).fence == 2
    with pytest.raises(LeaseLost):
        store.do(settle("a", fence=1))
    assert store.do(settle("a", fence=2)).state is State.RESOLVED
    assert store.get("a").lease is None


def test_a_released_lease_is_free_and_renews_no_more(store):
    store.do(acquire("a", "one"))
    assert store.do(Renew(id="a", fence=1, until=NOW + 99))
    assert store.get("a").lease.until == NOW + 99
    assert not store.do(Release(id="a", owner="two"))
    assert store.do(Release(id="a", owner="one", tags={"why": "tired"}))
    assert not store.do(Renew(id="a", fence=1, until=NOW + 999))
    assert store.get("a").promise.tags == {"why": "tired"}
    assert store.do(acquire("a", "two")).fence == 2


def test_the_head_moves_when_the_new_generation_settles(store):
    store.do(create("a"))
    store.do(settle("a", b"old", state=State.CANCELED))
    claim = store.do(acquire("a", unless={State.CANCELED}))
    assert store.head("a").value.data == b"old"
    store.do(settle(claim.promise.id, b"new", fence=claim.fence))
    assert store.head("a").value.data == b"new"
    assert store.get("a").promise.value.data == b"old"
    assert store.do(Forget(id="a"))
    assert store.get("a~2") is None


def test_what_was_set_aside_begins_anew(store):
    store.do(create("a"))
    store.do(settle("a", b"bad"))
    store.do(SetAside(id="a"))
    assert store.get("a") is None
    assert store.do(create("a")).state is State.PENDING


def test_a_list_is_in_the_order_of_bytes_and_takes_any_prefix(store):
    texts = [
        "a",
        "a/b",
        "a/é",
        "a/\ud7ff",
        "a/\ue000",
        "a/\uffff",
        "a/\U0001f600",
        "a/\U0010ffff",
        "a/\U0010ffffz",
        "b",
    ]
    for text in reversed(texts):
        store.do(create(text))
    assert ids(store.list(Query(), NOW)) == sorted(texts, key=str.encode)
    for prefix in [*texts, "a/\ud7ff", "\U0010ffff", "p:", ""]:
        expected = sorted((text for text in texts if text.startswith(prefix)), key=str.encode)
        assert ids(store.list(Query(prefix=prefix), NOW)) == expected


def test_pages_follow_each_other_without_gap_or_repetition(store):
    expected = sorted(f"n/{n}" for n in range(25))
    for id in expected:
        store.do(create(id))
    found, cursor = [], None
    while True:
        page = store.list(Query(prefix="n/", limit=4, cursor=cursor), NOW)
        found += ids(page)
        cursor = page.cursor
        if cursor is None:
            break
    assert found == expected
    assert store.list(Query(prefix="n/", limit=25), NOW).cursor is None


def test_a_list_shows_states_as_of_now(store):
    store.do(create("late", timeout_at=NOW + 10))
    store.do(create("timer", timeout_at=NOW + 10, tags={"resonate:timer": "true"}))
    store.do(create("open"))

    def listed(state, now):
        return ids(store.list(Query(state=state), now))

    assert listed(State.PENDING, NOW) == ["late", "open", "timer"]
    assert listed(State.PENDING, NOW + 10) == ["open"]
    assert listed(State.TIMEDOUT, NOW + 10) == ["late"]
    assert listed(State.RESOLVED, NOW + 10) == ["timer"]
    (timed_out,) = store.list(Query(state=State.TIMEDOUT), NOW + 50).promises
    assert timed_out.settled_at == NOW + 10


def test_a_list_matches_all_tags_exactly(store):
    store.do(create("1", tags={"k": "v", "x": "y"}))
    store.do(create("2", tags={"k": "vv"}))
    store.do(create("3", tags={"v": "k"}, param=Value({"k": "v"}, b"")))
    assert ids(store.list(Query(tags=(("k", "v"),)), NOW)) == ["1"]
    assert ids(store.list(Query(tags=(("k", "v"), ("x", "z"))), NOW)) == []


def test_a_list_shows_no_values(store):
    store.do(create("a", param=Value({"h": "v"}, b"x" * 100_000)))
    store.do(settle("a", b"y" * 100_000))
    (listed,) = store.list(Query(), NOW).promises
    assert (listed.param, listed.value, listed.state) == (EMPTY, EMPTY, State.RESOLVED)


@pytest.mark.parametrize("query", [Query(limit=0), Query(prefix="\ud800"), Query(cursor="\udfff")])
def test_a_query_that_no_store_can_answer_is_refused(store, query):
    with pytest.raises(ValueError, match=r"page|Unicode"):
        store.list(query, NOW)


def test_many_threads_settle_one_promise_once(store):
    store.do(create("a"))
    outcomes = []
    threads = [
        threading.Thread(target=lambda n=n: outcomes.append(store.do(settle("a", str(n).encode()))))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(outcomes) == 8
    assert len({outcome.value.data for outcome in outcomes}) == 1


def test_no_change_between_two_waits_is_missed(store):
    store.wait_for_change(0)
    store.do(create("a"))
    store.wait_for_change(60)  # the timeout of the test would end it


def test_a_change_by_another_thread_ends_a_wait(store):
    store.wait_for_change(0)
    timer = threading.Timer(0.05, lambda: store.do(create("a")))
    timer.start()
    store.wait_for_change(60)
    timer.join(10)
    assert store.get("a") is not None


def test_a_closed_store_says_so(store):
    store.do(create("a"))
    store.close()
    store.close()
    for use in (lambda: store.get("a"), lambda: store.do(create("b")), lambda: store.list(Query(), NOW)):
        with pytest.raises(StoreUnavailable, match="closed"):
            use()


def test_closing_raises_a_failure_that_nobody_read(store):
    store.post(settle("absent"))
    with pytest.raises(NoSuchPromise):
        store.close()


def test_an_acquisition_binds_anew_only_what_is_unbound_and_the_same_work(store):
    asked = {"rnb:name": "f", "rnb:fingerprint": "new", "rnb:parent": "later"}
    store.do(acquire("a", "one", tags={"rnb:name": "f", "rnb:fingerprint": "old", "rnb:parent": "first"}))

    cut_off = store.do(acquire("a", "two", over=1, tags=asked))
    assert cut_off.promise.tags["rnb:fingerprint"] == "old"

    store.do(Release(id="a", owner="two", tags={UNBOUND_TAG: "ended"}))
    other = store.do(acquire("a", "three", tags={**asked, "rnb:name": "g"}))
    assert other.promise.tags == {**cut_off.promise.tags, UNBOUND_TAG: "ended"}

    store.do(Release(id="a", owner="three"))
    bound = store.do(acquire("a", "four", tags=asked))
    assert bound.promise.tags == {**asked, "rnb:parent": "first"} == store.get("a").promise.tags


def test_a_promise_is_recorded_on_the_strength_of_anothers_lease_and_only_so(store):
    settled = Promise(id="p/child", state=State.RESOLVED, created_at=1, settled_at=1)
    store.do(Acquire(promise=Promise(id="p"), owner="me", until=9, now=1))

    def record(owner, promise=settled):
        return store.do(Record(promise=promise, holder="p", owner=owner, now=1))

    for owner in ("you", ""):
        with pytest.raises(LeaseLost):
            record(owner)
    assert store.get("p/child") is None
    assert record("me") == settled
    assert record("me", replace(settled, settled_at=2)) == settled
    store.do(Settle(id="p", state=State.CANCELED, now=1))
    with pytest.raises(LeaseLost):
        record("me", replace(settled, id="p/other"))


def test_what_is_given_up_is_canceled_with_a_settled_promise_unless_somebody_computes_it(store):
    store.do(create("won"))
    store.do(create("lost"))
    store.do(create("canceled"))
    store.do(settle("canceled", state=State.CANCELED))
    store.do(acquire("canceled", unless={State.CANCELED}))
    store.do(acquire("computed"))
    store.do(create("child", tags={CHILD_TAG: "true"}))
    store.do(acquire("child"))
    given_up = ("lost", "canceled", "computed", "child", "absent")

    store.do(Settle(id="won", state=State.RESOLVED, now=NOW, given_up=given_up))
    states = {id: store.latest(id).promise.state for id in given_up[:-1]}
    assert states == {
        "lost": State.CANCELED,
        "canceled": State.PENDING,
        "computed": State.PENDING,
        "child": State.CANCELED,
    }
    store.do(create("later"))
    store.do(Settle(id="won", state=State.RESOLVED, now=NOW, given_up=("later",)))
    assert store.get("later").promise.state is State.PENDING
    assert store.do(GiveUp(id="later", now=NOW))
    assert not store.do(GiveUp(id="later", now=NOW))
