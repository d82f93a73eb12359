"""The rules of the protocol as a table: every state, every operation, before, at and after the deadline."""

import itertools
import json

import pytest

from resonate_nb.server.requests import VERSION, parse
from resonate_nb.server.speaking import Speaker
from resonate_nb.store.base import Query
from resonate_nb.store.memory import MemoryStore

NOW = 1_700_000_000_000
STATES = ["absent", "pending", "resolved", "rejected", "rejected_canceled"]
OPERATIONS = ["get", "create", "resolve", "reject", "cancel", "callback", "listener", "acquire"]
CHOSEN = {"resolve": "resolved", "reject": "rejected", "cancel": "rejected_canceled"}
CASES = list(itertools.product(STATES, OPERATIONS, [-1, 0, 1], [False, True]))


def speak(speaker, kind, now=NOW, **data):
    request = {"kind": kind, "head": {"corrId": "c", "version": VERSION}, "data": data}
    return speaker.act(parse(request), now)


def tags(*, timer):
    target = {"resonate:target": "poll://any@g"}
    return target | {"resonate:timer": "true"} if timer else target


def world(state, deadline, *, timer):
    """A store in which the promise `p` is in a state; times before now."""
    speaker = Speaker(MemoryStore(), None)
    speak(speaker, "promise.create", NOW - 20, id="waiting", timeoutAt=NOW + 1_000, tags=tags(timer=False))
    if state != "absent":
        speak(speaker, "promise.create", NOW - 20, id="p", timeoutAt=deadline, tags=tags(timer=timer))
    if state not in {"absent", "pending"}:
        speak(speaker, "promise.settle", NOW - 10, id="p", state=state, value={"data": "MQ=="})
    return speaker


def shown(state, deadline, *, timer):
    """What a promise is as of now, by the two rules: the deadline comes first, and settled stays."""
    if state == "pending" and deadline <= NOW:
        return ("resolved" if timer else "rejected_timedout"), deadline, {}
    settled = state not in {"absent", "pending"}
    return state, NOW - 10 if settled else None, {"data": "MQ=="} if settled else {}


@pytest.mark.parametrize(("state", "operation", "after", "timer"), CASES)
def test_an_operation_does_what_the_rules_say(state, operation, after, timer):
    deadline = NOW + after
    speaker = world(state, deadline, timer=timer)
    before, settled_at, value = shown(state, deadline, timer=timer)
    status, content = act(speaker, operation, deadline, timer=timer)

    if operation == "acquire":
        expected = {"absent": 404, "pending": 200}.get(before, 409)
        assert status == expected
        return
    if state == "absent" and operation != "create":
        assert status == 404
        return
    assert status == 200
    promise = content["promise"]
    if state == "absent":
        before, settled_at, value = shown("pending", deadline, timer=timer)
        assert promise["createdAt"] == min(NOW, deadline)
    if before == "pending" and operation in CHOSEN:
        before, settled_at, value = CHOSEN[operation], NOW, {"data": "Mg=="}
    assert (promise["state"], promise.get("settledAt"), promise["value"]) == (before, settled_at, value)
    assert speak(speaker, "promise.get", id="p") == (200, content)


def act(speaker, operation, deadline, *, timer):
    match operation:
        case "get":
            return speak(speaker, "promise.get", id="p")
        case "create":
            return speak(speaker, "promise.create", id="p", timeoutAt=deadline, tags=tags(timer=timer))
        case "callback":
            return speak(speaker, "promise.register_callback", awaited="p", awaiter="waiting")
        case "listener":
            return speak(speaker, "promise.register_listener", awaited="p", address="poll://any@g")
        case "acquire":
            return speak(speaker, "task.acquire", id="p", version=0, pid="me", ttl=1_000)
    return speak(speaker, "promise.settle", id="p", state=CHOSEN[operation], value={"data": "Mg=="})


@pytest.mark.parametrize("after", [-1, 0, 1])
@pytest.mark.parametrize("timer", [False, True])
@pytest.mark.parametrize("state", STATES[1:])
def test_a_settled_promise_fulfils_its_task_by_whatever_way(state, after, timer):
    speaker = world(state, NOW + after, timer=timer)
    pending = shown(state, NOW + after, timer=timer)[0] == "pending"
    found = speak(speaker, "task.get", id="p")[1]["task"]
    assert found["state"] == ("pending" if pending else "fulfilled")


GOOD = {"kind": "promise.get", "head": {"corrId": "c", "version": VERSION}, "data": {"id": "a"}}


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ([], "object"),
        (GOOD | {"kind": "promise.forget"}, "no request 'promise.forget'"),
        (GOOD | {"head": None}, "head"),
        (GOOD | {"head": {"corrId": "c", "version": "2020-01-01"}}, VERSION),
        (GOOD | {"data": {}}, "data.id"),
        (GOOD | {"data": {"id": "x\0"}}, "NUL"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_with_what_is_wrong(request_, reason):
    status, answer = Speaker(MemoryStore(), None).answer(json.dumps(request_).encode())
    assert (status, answer["head"]["status"]) == (400, 400)
    assert reason in answer["data"]


@pytest.mark.parametrize("within", ["promise.settle", "task.fulfill", "task.fence"])
def test_what_belongs_to_a_promise_is_canceled_with_it_by_whatever_request(within):
    speaker = Speaker(MemoryStore(), None)
    task = {"id": "p", "resonate:target": "poll://any@g"}
    speak(speaker, "promise.create", id="p", timeoutAt=NOW + 1_000, tags=task)
    child = {"rnb:child": "true", "rnb:parent": "p"}
    for id in ("p.1", "p.2", "p.2.1"):
        speak(speaker, "promise.create", id=id, timeoutAt=NOW + 1_000, tags=child)
    speak(speaker, "promise.create", id="p.2x", timeoutAt=NOW + 1_000, tags={})
    speak(speaker, "promise.settle", id="p.1", state="resolved", value={})
    speak(speaker, "task.acquire", id="p", version=0, pid="me", ttl=1_000)

    settle = {"id": "p", "state": "rejected_canceled", "value": {}}
    action = {"kind": "promise.settle", "head": {"corrId": "d", "version": VERSION}, "data": settle}
    data = settle if within == "promise.settle" else {"id": "p", "version": 1, "action": action}
    assert speak(speaker, within, **data)[0] == 200

    states = {each.id: each.state.value for each in speaker.store.list(Query(), NOW).promises}
    canceled = dict.fromkeys(["p", "p.2", "p.2.1"], "rejected_canceled")
    assert states == canceled | {"p.1": "resolved", "p.2x": "pending"}
