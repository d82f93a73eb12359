"""How a call goes on whose promise is bound to other code than the caller has: with that code, as stored."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from resonate_nb import versions
from resonate_nb.errors import VersionMissing
from resonate_nb.work import Bound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.execution import Execution
    from resonate_nb.functions import DurableFunction
    from resonate_nb.promise import Promise


def bound_call(
    function: DurableFunction[Any, Any],
    execution: Execution,
    call: tuple[tuple[Any, ...], Mapping[str, Any], str | None],
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
    except TypeError as misfit:
        raise VersionMissing(function.name, version, str(misfit), promise.id) from misfit
    return Bound(work, functools.partial(older.__wrapped__, *args, **kwargs))


def _as_it_was(
    function: DurableFunction[Any, Any], execution: Execution, version: str, fingerprint: str
) -> DurableFunction[Any, Any]:
    record = versions.bound_record(execution, function.name, version, fingerprint)
    older = function.with_record(record, int(version[1:]) if version.startswith("v") else None)
    if older.is_async is not function.is_async:
        raise VersionMissing(
            function.name, version, "it and the present one are not both coroutine functions"
        )
    return older
