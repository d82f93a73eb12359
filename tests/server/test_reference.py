"""Our protocol beside the reference server of Resonate's SDK, run by Node: the same answers.

Where both may differ, and why:

- The reference keeps an offer (an `execute` message) after its task was acquired; here it is taken back, so
  nobody is sent for what is under way. Compared are the offers of tasks that can be acquired.
- Time takes effect on a promise without a target only when the reference is asked about it; here whoever
  waits for it is told in time, too. So the reference is asked about every promise before they are compared.
- A task that is fulfilled comes with hints (`preload`) here, whenever it was; there only when it was before.
- One tick of the reference makes one promise of a schedule, however many ticks were missed; here all are
  made. So the reference ticks until nothing is due.
"""

import json
import random
import subprocess

import pytest

from resonate_nb.ids import internal
from resonate_nb.server.refusals import Refused
from resonate_nb.server.requests import VERSION, parse
from resonate_nb.server.speaking import Speaker
from resonate_nb.server.ticking import tick
from resonate_nb.server.wire import promise_record, task_record
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore
from resonate_nb.store.memory import MemoryStore
from resonate_nb.store.tasks import MESSAGES, messages_of

START = 1_700_000_000_000
BRANCH = "resonate:branch"
IDS = ["a", "a.1", "a.2", "b", "b.1", "c", "d/é"]
TAGS = [
    {},
    {"resonate:target": "poll://any@g"},
    {"resonate:target": "poll://any@g", BRANCH: "a"},
    {"resonate:target": "poll://uni@g/p", "resonate:delay": str(START + 4_000)},
    {"resonate:timer": "true"},
    {"resonate:timer": "true", "resonate:target": "poll://any@g"},
    {"resonate:scope": "global", "k": "v"},
    {"resonate:external": "true"},
]
VALUES = [
    {},
    {"data": "NQ=="},
    {"data": "eyJhIjogMX0=", "headers": {"h": "x"}},
    {"data": "no base64"},
    {"data": [1]},
]


class Reference:
    """The reference server, in a process of its own."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            ["node", "reference.mjs"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def act(self, now, kind, data):
        """Return status and data."""
        request = envelope(kind, data)
        self.process.stdin.write(json.dumps({"now": now, "request": request}) + "\n")
        self.process.stdin.flush()
        response = json.loads(self.process.stdout.readline())
        return response["head"]["status"], response.get("data")

    def tick(self, now):
        """Let time take effect, on all that it has been told of."""
        while True:
            before = self.snapshot(now)
            self.act(now, "debug.tick", {"time": now})
            for promise in before["promises"]:
                self.act(now, "promise.get", {"id": promise["id"]})
            if self.snapshot(now) == before:
                return

    def snapshot(self, now):
        return self.act(now, "debug.snap", {})[1]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=20)


class Ours:
    """Our protocol over a store."""

    def __init__(self, store):
        self.store = store
        self.speaker = Speaker(store, None)

    def act(self, now, kind, data):
        try:
            return self.speaker.act(parse(envelope(kind, data)), now)
        except Refused as refusal:
            return refusal.status, refusal.reason

    def tick(self, now):
        tick(self.store, now)

    def snapshot(self, now):
        entries = [self.store.get(each.id) for each in self.store.list(Query(limit=1_000), 0).promises]
        keys = self.store.list(Query(prefix=internal(MESSAGES, ""), limit=1_000), 0).promises
        return {
            "promises": [promise_record(each.promise.seen(now)) for each in entries],
            "tasks": [task_record(each.promise.id, each.involved.task)
                      for each in entries if each.involved.task],
            "callbacks": [{"awaited": each.promise.id, "awaiter": awaiter} for each in entries
                          for awaiter in each.involved.callbacks],
            "listeners": [{"id": each.promise.id, "address": address} for each in entries
                          for address in each.involved.listeners],
            "messages": [message for _, message in messages_of(self.store.get(each.id) for each in keys)],
        }  # fmt: skip


def envelope(kind, data):
    return {"kind": kind, "head": {"corrId": "c", "version": VERSION}, "data": data}


@pytest.fixture
def reference(node_packages):
    server = Reference(node_packages)
    yield server
    server.close()


@pytest.mark.parametrize(("kind", "seed", "count"), [("memory", 1, 8_000), ("disk", 2, 2_000)])
def test_ten_thousand_random_requests_get_the_reference_s_answers(reference, tmp_path, kind, seed, count):
    store = MemoryStore() if kind == "memory" else DiskStore(tmp_path / "store")
    ours, now = Ours(store), START
    chance = random.Random(seed)
    history = []
    for number in range(count):
        now += chance.choice([0, 0, 1, 5, 500, 4_000])
        if number % 200 == 0:  # a world of new ids, so that all beginnings happen again
            world = f"{number}/"
        if chance.random() < 0.08:
            reference.tick(now)
            ours.tick(now)
            assert world_of(ours.snapshot(now)) == world_of(reference.snapshot(now)), history[-30:]
            continue
        request = draw(chance, world, now)
        history.append((now, *request))
        found, expected = ours.act(now, *request), reference.act(now, *request)
        assert answer(found) == answer(expected), history[-30:]
    store.close()


def draw(chance, world, now):
    """Return kind and data of a request that may or may not make sense."""

    def id():
        return world + chance.choice(IDS)

    def create():
        after = chance.choice([-5, 0, 5, 1_000, 5_000, 10**7])
        one, tags = id(), dict(chance.choice(TAGS))
        if tags.pop(BRANCH, None) and one.startswith(f"{world}a"):
            tags[BRANCH] = f"{world}a"  # ids of a branch extend its name
        return {"id": one, "timeoutAt": now + after, "param": chance.choice(VALUES), "tags": tags}

    def settle(one):
        state = chance.choice(["resolved", "rejected", "rejected_canceled"])
        return {"id": one, "state": state, "value": chance.choice(VALUES)}

    def callback(awaiter):
        return envelope("promise.register_callback", {"awaited": id(), "awaiter": awaiter})

    one, version = id(), chance.choice([0, 1, 1, 2, 2, 3])
    lease = {"pid": chance.choice(["p", "q"]), "ttl": chance.choice([1, 1_000, 10_000])}

    def suspend():
        awaiter = chance.choice([one] * 9 + ["x"])
        return {**task, "actions": [callback(awaiter) for _ in range(chance.choice([0, 1, 1, 2]))]}

    def fulfill():
        return {**task, "action": envelope("promise.settle", settle(chance.choice([one] * 9 + ["x"])))}

    def fence():
        inner = chance.choice(["promise.create", "promise.settle"])
        return {**task, "action": envelope(inner, create() if inner == "promise.create" else settle(id()))}

    task = {"id": one, "version": version}
    address = chance.choice(["poll://uni@g/p", "poll://any@g"])
    kind, make = chance.choice([
        ("promise.get", lambda: {"id": one}),
        ("promise.create", create),
        ("promise.create", create),
        ("promise.settle", lambda: settle(one)),
        ("promise.register_callback", lambda: {"awaited": one, "awaiter": id()}),
        ("promise.register_listener", lambda: {"awaited": one, "address": address}),
        ("task.get", lambda: {"id": one}),
        ("task.create", lambda: {**lease, "action": envelope("promise.create", create())}),
        ("task.acquire", lambda: {**task, **lease}),
        ("task.acquire", lambda: {**task, **lease}),
        ("task.release", lambda: task),
        ("task.suspend", suspend),
        ("task.halt", lambda: {"id": one}),
        ("task.continue", lambda: {"id": one}),
        ("task.fulfill", fulfill),
        ("task.fence", fence),
        ("task.heartbeat", lambda: {"pid": lease["pid"], "tasks": [task]}),
    ])  # fmt: skip
    return kind, make()


def answer(found):
    """What of an answer must agree: the status, and the records of one that is no refusal."""
    status, content = found
    if isinstance(content, dict) and content.get("task", {}).get("state") == "fulfilled":
        content = {name: each for name, each in content.items() if name != "preload"}
    return (status, plain(content)) if status in {200, 300} else (status,)


def plain(content):
    """Records without what JSON may leave out, and lists of ids in one order."""
    if isinstance(content, dict):
        if content.keys() <= {"headers", "data"}:
            return {key: value for key, value in content.items() if value not in ({}, None)}
        return {
            key: plain(sorted(value) if key == "resumes" else value)
            for key, value in content.items()
            if value is not None
        }
    if isinstance(content, list):
        items = [plain(each) for each in content]
        return sorted(items, key=lambda each: json.dumps(each, sort_keys=True))
    return content


def world_of(snapshot):
    """What of a whole state must agree."""
    open_tasks = {each["id"] for each in snapshot["tasks"] if each["state"] == "pending"}
    offers = {
        (offer["task"]["id"], offer["task"]["version"])
        for kind, offer in map(message_of, snapshot["messages"])
        if kind == "execute" and offer["task"]["id"] in open_tasks
    }
    unblocked = {
        (offer["promise"] if isinstance(offer["promise"], str) else offer["promise"]["id"])
        for kind, offer in map(message_of, snapshot["messages"])
        if kind == "unblock"
    }
    lists = {name: plain(snapshot[name]) for name in ("promises", "tasks", "callbacks", "listeners")}
    return {**lists, "offers": offers, "unblocked": unblocked}


def message_of(message):
    inner = message.get("message", message)
    return inner["kind"], inner["data"]
