"""Short ways to make promises, values and operations for tests."""

import xxhash

from resonate_nb.promise import Buffer, Promise, State, Value
from resonate_nb.store.operations import Acquire, Create, Settle

NOW = 1_700_000_000_000


def create(id, now=NOW, *, power_safe=False, **fields):
    return Create(promise=Promise(id=id, **fields), now=now, power_safe=power_safe)


def acquire(id, owner="me", now=NOW, over=None, unless=(), *, rebind=False, **fields):
    return Acquire(
        promise=Promise(id=id, **fields),
        owner=owner,
        until=now + 10_000,
        now=now,
        over=over,
        unless=frozenset(unless),
        rebind=rebind,
    )


def settle(id, data=b"outcome", now=NOW, state=State.RESOLVED, **fields):
    value = data if isinstance(data, Value) else Value({"kind": "test"}, data)
    return Settle(id=id, state=state, now=now, value=value, **fields)


def buffer_of(content):
    return Buffer(xxhash.xxh3_128_hexdigest(content), len(content), lambda: memoryview(content))
