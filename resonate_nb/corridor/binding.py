"""Binding: a promise that is under way goes on with the code that it started with, from the store if need be.

It is bound to that code while it runs, after it was cut off and while it waits. An attempt that came to its
end without settling it unbinds it, and so does `restart`: then it goes on with the code that asks next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resonate_nb import versions
from resonate_nb.corridor import leases
from resonate_nb.corridor.work import Bound
from resonate_nb.errors import UsageError, VersionMissing
from resonate_nb.store.operations import Unbind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.corridor.children import Place
    from resonate_nb.execution import Execution
    from resonate_nb.functions import DurableFunction
    from resonate_nb.promise import Promise


def bound_call(
    function: DurableFunction[Any, Any],
    execution: Execution,
    call: tuple[tuple[Any, ...], Mapping[str, Any], str | Place | None],
    promise: Promise,
) -> Bound:
    """Return the call (arguments, keywords, chosen id) as the version computes it that it started with.

    Raises
    ------
    VersionMissing
        That version's code can't be had any more, or can't be called so.
    """
    args, kwargs, id = call
    version = promise.tags["rnb:version"]
    try:
        older = _as_it_was(function, execution, version, promise.tags["rnb:fingerprint"])
        work = older.work(args, kwargs, id=id).under(execution.prefix)
    except VersionMissing as missing:
        raise VersionMissing(function.name, version, missing.reason, promise.id) from missing
    except (TypeError, UsageError) as misfit:  # of the signature, or of the scheme that makes the id
        raise VersionMissing(function.name, version, str(misfit), promise.id) from misfit
    return Bound(work, older.body(args, kwargs))


def restart(execution: Execution, id: str) -> Promise:
    """Unbind a pending promise, so that its next call runs the code that is there then; return its record.

    Raises
    ------
    NoSuchPromise
        There is none with this id.
    UsageError
        It is settled, or is being computed at this moment.
    """
    id = id if id.startswith(execution.prefix) else execution.prefix + id
    now = execution.clock.now()
    newest = execution.store.latest(id)
    if newest is not None and newest.promise.seen(now).settled:
        raise UsageError(f"promise {id!r} is settled, so nothing is under way: `rerun` computes it anew")
    lease = None if newest is None else newest.lease
    if lease is not None and lease.owner and not leases.ended(lease, now):
        owner = leases.Owner.parse(lease.owner) or lease.owner
        raise UsageError(f"promise {id!r} is being computed by {owner}: interrupt that first")
    return execution.store.do(Unbind(id=id, now=now))


def _as_it_was(
    function: DurableFunction[Any, Any], execution: Execution, version: str, fingerprint: str
) -> DurableFunction[Any, Any]:
    record = versions.bound_record(execution, function.name, version, fingerprint)
    older = function.with_record(record, int(version[1:]) if version.startswith("v") else None)
    if older.is_async is not function.is_async:
        raise VersionMissing(
            function.name, version, "it and the present one are not both coroutine functions"
        )
    if older.is_generator is not function.is_generator:
        raise VersionMissing(
            function.name, version, "it and the present one are not both generator functions"
        )
    return older
