"""Both stores and a plain model, driven through the same random histories, always agree."""

import shutil
import tempfile
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from making import NOW, acquire, create, settle

from resonate_nb.errors import ResonateError
from resonate_nb.promise import NEVER, Promise, State, Value
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore
from resonate_nb.store.memory import MemoryStore
from resonate_nb.store.operations import Forget, Record, Release, Renew, Unbind

IDS = ["a", "a/b", "a/é", "b", "b~2", "\U0010ffff"]
ANY_ID = [*IDS, "a~2", "a~3", "a/b~2"]
TAGS = [
    {},
    {"k": "v"},
    {"k": "w", "rnb:parent": "p"},
    {"k": "x", "rnb:parent": "q"},
    {"rnb:name": "f"},
    {"resonate:timer": "true"},
]
CHOSEN = [State.RESOLVED, State.REJECTED, State.CANCELED]


@dataclass
class Kept:
    """What the model knows of one promise, in the plainest form."""

    timeout_at: int
    tags: dict
    state: str = "pending"
    data: bytes = b""
    settled_at: int | None = None
    owner: str = ""
    fence: int = 0
    head: int = 1
    latest: int = 1

    def shown(self, now):
        if self.state == "pending" and self.timeout_at <= now:
            timer = self.tags.get("resonate:timer") == "true"
            return ("resolved" if timer else "rejected_timedout", b"", self.timeout_at, dict(self.tags))
        return (self.state, self.data, self.settled_at, dict(self.tags))

    def final(self, now):
        return self.shown(now)[0] != "pending"


@dataclass
class Model:
    """The rules, written a second time without any of the package's code."""

    kept: dict = field(default_factory=dict)

    def create(self, id, now, timeout_at, tags):
        if id not in self.kept:
            self.kept[id] = self._new(now, timeout_at, tags)
        return self.kept[id].shown(now)

    @staticmethod
    def _new(now, timeout_at, tags):
        new = Kept(timeout_at, dict(tags))
        if timeout_at <= now:
            new.state, _, new.settled_at, _ = new.shown(now)
        return new

    def acquire(self, id, owner, now, *, over, unless, timeout_at, tags, rebind):
        if id not in self.kept:
            self.kept[id] = self._new(now, timeout_at, tags)
            return self._take(id, owner, now, over=over, timeout_at=timeout_at, asked=tags, rebind=False)
        first = self.kept[id]
        head = self.kept.get(f"{id}~{first.head}", first)
        if head.final(now) and head.shown(now)[0] not in unless:
            return ("answer", head.shown(now))
        newest_id = f"{id}~{first.latest}" if f"{id}~{first.latest}" in self.kept else id
        if self.kept[newest_id].final(now):
            number = first.latest + 1
            while f"{id}~{number}" in self.kept:
                number += 1
            first.latest = number
            newest_id = f"{id}~{number}"
            self.kept[newest_id] = self._new(now, timeout_at, tags)
        return self._take(newest_id, owner, now, over=over, timeout_at=timeout_at, asked=tags, rebind=rebind)

    def _take(self, id, owner, now, *, over, timeout_at, asked, rebind):
        promise = self.kept[id]
        if promise.final(now):
            return ("answer", promise.shown(now))
        if promise.owner and promise.fence != over:
            return ("held", id, promise.owner, promise.fence)
        same = promise.tags.get("rnb:name") == asked.get("rnb:name")
        if same and (rebind or "rnb:unbound" in promise.tags):
            first = {key: promise.tags[key] for key in ["rnb:parent"] if key in promise.tags}
            promise.tags = {**promise.tags, **asked, **first}
            promise.tags.pop("rnb:unbound", None)
        if promise.timeout_at == NEVER:
            promise.timeout_at = timeout_at
        if promise.final(now):
            return ("answer", promise.shown(now))
        promise.owner, promise.fence = owner, promise.fence + 1
        return ("mine", id, promise.fence, dict(promise.tags))

    def unbind(self, id, now):
        promise = self.kept.get(id)
        if promise is None:
            return "NoSuchPromise"
        promise = self.kept.get(f"{id}~{promise.latest}", promise) if promise.latest > 1 else promise
        if not promise.final(now):
            promise.tags["rnb:unbound"] = "restarted"
        return promise.shown(now)

    def settle(self, id, state, now, data, fence):
        if id not in self.kept:
            return "NoSuchPromise"
        promise = self.kept[id]
        if promise.final(now):
            return promise.shown(now)
        if fence is not None and promise.fence != fence:
            return "LeaseLost"
        promise.state, promise.data, promise.settled_at = state, data, now
        promise.owner, promise.fence = "", 0
        plain, _, number = id.rpartition("~")
        if plain in self.kept and number.isdigit():
            first = self.kept[plain]
            if first.head < int(number) <= first.latest:
                first.head = int(number)
        return promise.shown(now)

    def release(self, id, owner, unlimited):
        promise = self.kept.get(id)
        if promise and promise.latest > 1 and promise.owner != owner:
            promise = self.kept.get(f"{id}~{promise.latest}")
        if not promise or promise.owner != owner:
            return False
        if unlimited is not None and not promise.final(unlimited):
            promise.timeout_at = NEVER
        promise.owner = ""
        return True

    def record(self, id, holder, owner, now, data):
        holding = self.kept.get(holder)
        if holding is None or holding.owner != owner or holding.final(now):
            return "LeaseLost"
        if id not in self.kept:
            self.kept[id] = Kept(NEVER, {}, "resolved", data, now)
        return self.kept[id].shown(now)

    def renew(self, id, fence):
        promise = self.kept.get(id)
        return bool(promise and promise.owner and promise.fence == fence)

    def forget(self, id):
        promise = self.kept.pop(id, None)
        for number in range(2, promise.latest + 1 if promise else 0):
            self.kept.pop(f"{id}~{number}", None)
        return promise is not None


def plain(promise):
    return (promise.state.value, promise.value.data, promise.settled_at, dict(promise.tags))


def plain_claim(claim):
    if claim.fence is not None:
        return ("mine", claim.promise.id, claim.fence, dict(claim.promise.tags))
    if claim.promise.settled:
        return ("answer", plain(claim.promise))
    return ("held", claim.promise.id, claim.holder.owner, claim.holder.fence)


class Stores(RuleBasedStateMachine):
    """One history for two stores and the model."""

    @initialize()
    def open(self):
        self.now = NOW
        self.folder = tempfile.mkdtemp()
        self.model = Model()
        self.memory, self.disk = MemoryStore(), DiskStore(f"{self.folder}/store")

    def teardown(self):
        self.memory.close()
        self.disk.close()
        shutil.rmtree(self.folder)

    def both(self, operation, form, expected):
        for store in (self.memory, self.disk):
            try:
                found = form(store.do(operation))
            except ResonateError as error:
                found = type(error).__name__
            assert found == expected, store.location

    @rule(id=st.sampled_from(IDS), after=st.sampled_from([-5, 0, 5, 20, None]), tags=st.sampled_from(TAGS))
    def create(self, id, after, tags):
        timeout_at = NEVER if after is None else self.now + after
        operation = create(id, now=self.now, timeout_at=timeout_at, tags=tags)
        self.both(operation, plain, self.model.create(id, self.now, timeout_at, tags))

    @rule(
        id=st.sampled_from(IDS),
        owner=st.sampled_from(["one", "two"]),
        over=st.sampled_from([None, None, 1, 2]),
        unless=st.sets(st.sampled_from(list(State)[1:])),
        after=st.sampled_from([-5, 20, None]),
        tags=st.sampled_from(TAGS),
        rebind=st.booleans(),
    )
    def acquire(self, id, owner, *, over, unless, after, tags, rebind):
        timeout_at = NEVER if after is None else self.now + after
        asked = {"over": over, "timeout_at": timeout_at, "tags": tags, "rebind": rebind}
        operation = acquire(id, owner, now=self.now, unless=unless, **asked)
        names = {state.value for state in unless}
        expected = self.model.acquire(id, owner, self.now, unless=names, **asked)
        self.both(operation, plain_claim, expected)

    @rule(
        id=st.sampled_from(ANY_ID),
        state=st.sampled_from(CHOSEN),
        data=st.sampled_from([b"", b"x", b"y" * 40_000]),
        fence=st.sampled_from([None, None, 1, 2]),
    )
    def settle(self, id, state, data, fence):
        operation = settle(id, data, now=self.now, state=state, fence=fence)
        self.both(operation, plain, self.model.settle(id, state.value, self.now, data, fence))

    @rule(id=st.sampled_from(IDS), data=st.sampled_from([b"x", b"z" * 40_000]), finish=st.booleans())
    def begin_anew(self, id, data, finish):
        """Chance alone seldom gets as far as a generation that is settled."""
        self.create(id, after=None, tags={})
        self.settle(id, state=State.CANCELED, data=b"", fence=None)
        every = set(State) - {State.PENDING}
        self.acquire(id, "one", over=None, unless=every, after=None, tags={}, rebind=False)
        if finish:
            latest = self.model.kept[id].latest
            self.settle(f"{id}~{latest}", state=State.RESOLVED, data=data, fence=None)

    @rule(id=st.sampled_from(ANY_ID), owner=st.sampled_from(["one", "two"]), unlimited=st.booleans())
    def release(self, id, owner, unlimited):
        operation = Release(id=id, owner=owner, now=self.now, unlimited=unlimited)
        self.both(operation, bool, self.model.release(id, owner, self.now if unlimited else None))

    @rule(id=st.sampled_from(ANY_ID))
    def unbind(self, id):
        self.both(Unbind(id=id, now=self.now), plain, self.model.unbind(id, self.now))

    @rule(
        id=st.sampled_from(IDS),
        holder=st.sampled_from(ANY_ID),
        owner=st.sampled_from(["one", "two"]),
        data=st.sampled_from([b"x", b"w" * 40_000]),
    )
    def record(self, id, holder, owner, data):
        promise = Promise(
            id=id, state=State.RESOLVED, value=Value({}, data), created_at=self.now, settled_at=self.now
        )
        operation = Record(promise=promise, holder=holder, owner=owner, now=self.now)
        self.both(operation, plain, self.model.record(id, holder, owner, self.now, data))

    @rule(id=st.sampled_from(IDS), holder=st.sampled_from(IDS))
    def record_for_a_holder(self, id, holder):
        """Chance alone seldom finds the owner of a lease."""
        self.acquire(holder, "one", over=None, unless=set(), after=None, tags={}, rebind=False)
        self.record(id, holder, "one", b"x")

    @rule(id=st.sampled_from(ANY_ID), fence=st.sampled_from([1, 2]))
    def renew(self, id, fence):
        self.both(Renew(id=id, fence=fence, until=self.now + 9), bool, self.model.renew(id, fence))

    @rule(id=st.sampled_from(ANY_ID))
    def forget(self, id):
        self.both(Forget(id=id), bool, self.model.forget(id))

    @rule(milliseconds=st.sampled_from([1, 5, 20]))
    def wait(self, milliseconds):
        self.now += milliseconds

    @rule()
    def reopen(self):
        self.disk.close()
        self.disk = DiskStore(f"{self.folder}/store")

    @rule(
        prefix=st.sampled_from(["", "a", "a/", "b~", "\U0010ffff", "z"]),
        state=st.sampled_from([None, *State]),
        tags=st.sampled_from([(), (("k", "v"),)]),
        limit=st.integers(1, 4),
    )
    def list(self, prefix, state, tags, limit):
        expected = [
            (id, *kept.shown(self.now)[0::2])
            for id, kept in sorted(self.model.kept.items(), key=lambda item: item[0].encode())
            if id.startswith(prefix)
            and (state is None or kept.shown(self.now)[0] == state.value)
            and all(kept.tags.get(key) == text for key, text in tags)
        ]
        for store in (self.memory, self.disk):
            found, cursor = [], None
            while True:
                page = store.list(_query(prefix, state, tags, limit, cursor), self.now)
                assert len(page.promises) == limit or page.cursor is None
                found += [(each.id, each.state.value, each.settled_at) for each in page.promises]
                cursor = page.cursor
                if cursor is None:
                    break
            assert found == expected, store.location

    @invariant()
    def all_rows_agree(self):
        if not hasattr(self, "model"):
            return
        expected = {
            id: (kept.state, kept.data, kept.settled_at, kept.owner, kept.fence, kept.head, kept.latest)
            for id, kept in self.model.kept.items()
        }
        for store in (self.memory, self.disk):
            found = store.get_many([*ANY_ID, *(f"{id}~{n}" for id in IDS for n in range(2, 40))])
            assert {id: _row(entry) for id, entry in found.items()} == expected, store.location


def _query(prefix, state, tags, limit, cursor):
    return Query(prefix=prefix, state=state, tags=tags, limit=limit, cursor=cursor)


def _row(entry):
    promise, lease = entry.promise, entry.lease
    owner, fence = ("", 0) if lease is None else (lease.owner, lease.fence)
    return (
        promise.state.value,
        promise.value.data,
        promise.settled_at,
        owner,
        fence,
        entry.head,
        entry.latest,
    )


TestStores = Stores.TestCase
TestStores.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
