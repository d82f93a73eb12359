"""Random histories of the protocol over both stores: what must never be is never seen."""

import shutil
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from resonate_nb.server.requests import VERSION, parse
from resonate_nb.server.speaking import Speaker
from resonate_nb.server.ticking import tick
from resonate_nb.server.wire import promise_record
from resonate_nb.store.base import Query, TaskState
from resonate_nb.store.disk import DiskStore
from resonate_nb.store.memory import MemoryStore

START = 1_700_000_000_000
TARGET = {"resonate:target": "poll://any@g"}
ids = st.sampled_from(["a", "b", "c", "d"])
versions = st.integers(0, 3)
afters = st.sampled_from([0, 50, 10**6])
ttls = st.sampled_from([1, 100, 10_000])


def envelope(kind, data):
    return {"kind": kind, "head": {"corrId": "c", "version": VERSION}, "data": data}


class Protocol(RuleBasedStateMachine):
    """Both stores give the same answers, and the invariants hold after every step."""

    @initialize()
    def open(self):
        self.now = START
        self.folder = tempfile.mkdtemp()
        self.stores = [MemoryStore(), DiskStore(f"{self.folder}/store")]
        self.settled, self.versions = {}, {}

    def teardown(self):
        for store in self.stores:
            store.close()
        shutil.rmtree(self.folder)

    def act(self, kind, **data):
        one, other = (Speaker(each, None).act(parse(envelope(kind, data)), self.now) for each in self.stores)
        assert one == other
        return one

    @rule(id=ids, after=afters, tags=st.sampled_from([{}, TARGET, TARGET, {"resonate:timer": "true"}]))
    def create(self, id, after, tags):
        self.act("promise.create", id=id, timeoutAt=self.now + after, tags=tags)

    @rule(id=ids, state=st.sampled_from(["resolved", "rejected", "rejected_canceled"]))
    def settle(self, id, state):
        self.act("promise.settle", id=id, state=state, value={"data": "MQ=="})

    @rule(awaited=ids, awaiter=ids)
    def wait_for(self, awaited, awaiter):
        if awaited != awaiter:
            self.act("promise.register_callback", awaited=awaited, awaiter=awaiter)

    @rule(id=ids, pid=st.sampled_from(["p", "q"]), ttl=ttls, after=afters)
    def begin(self, id, pid, ttl, after):
        create = envelope("promise.create", {"id": id, "timeoutAt": self.now + after, "tags": TARGET})
        self.act("task.create", pid=pid, ttl=ttl, action=create)

    @rule(id=ids, version=versions, pid=st.sampled_from(["p", "q"]), ttl=ttls)
    def acquire(self, id, version, pid, ttl):
        status, content = self.act("task.acquire", id=id, version=version, pid=pid, ttl=ttl)
        assert status != 200 or content["task"]["version"] == version + 1

    @rule(id=ids, version=versions, kind=st.sampled_from(["task.release", "task.halt", "task.continue"]))
    def move(self, id, version, kind):
        self.act(kind, id=id, **({"version": version} if kind == "task.release" else {}))

    @rule(id=ids, version=versions, awaited=st.lists(ids, min_size=1, max_size=2))
    def suspend(self, id, version, awaited):
        others = [each for each in awaited if each != id]
        actions = [envelope("promise.register_callback", {"awaited": each, "awaiter": id}) for each in others]
        if actions:
            self.act("task.suspend", id=id, version=version, actions=actions)

    @rule(id=ids, version=versions)
    def fulfil(self, id, version):
        settle = envelope("promise.settle", {"id": id, "state": "resolved", "value": {}})
        self.act("task.fulfill", id=id, version=version, action=settle)

    @rule(id=ids, version=versions, pid=st.sampled_from(["p", "q"]))
    def heartbeat(self, id, version, pid):
        self.act("task.heartbeat", pid=pid, tasks=[{"id": id, "version": version}])

    @rule(milliseconds=st.sampled_from([1, 60, 40_000]))
    def let_time_pass(self, milliseconds):
        self.now += milliseconds
        for store in self.stores:
            tick(store, self.now)

    @rule(milliseconds=st.sampled_from([1, 60]))
    def let_time_pass_unnoticed(self, milliseconds):
        self.now += milliseconds

    @invariant()
    def nothing_impossible_is_seen(self):
        for store in getattr(self, "stores", []):
            found = [store.get(each.id) for each in store.list(Query(), self.now).promises]
            self.check({each.promise.id: each for each in found})

    def check(self, entries):
        for id, entry in entries.items():
            seen, task = entry.promise.seen(self.now), entry.involved.task
            if seen.settled:
                assert self.settled.setdefault(id, promise_record(seen)) == promise_record(seen)
            if entry.promise.settled:
                assert entry.involved.callbacks == ()
                assert task is None or task.state is TaskState.FULFILLED
            if task is None:
                continue
            assert task.state is not TaskState.FULFILLED or entry.promise.settled
            assert task.version >= self.versions.get(id, 0)
            self.versions[id] = task.version
            assert (task.pid is not None) == (task.state is TaskState.ACQUIRED)
            if task.state is TaskState.SUSPENDED:
                assert any(id in entries[each].involved.callbacks for each in task.awaited)
            for awaited in task.awaited:
                assert id in entries[awaited].involved.callbacks


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
