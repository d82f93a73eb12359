"""Where the items of a map are computed: in this thread, in others, in processes, or on a cluster."""

from __future__ import annotations

import os
import sys
from concurrent import futures
from typing import TYPE_CHECKING

from resonate_nb.errors import UsageError
from resonate_nb.executors.inline import Inline
from resonate_nb.executors.threads import Threads

if TYPE_CHECKING:
    from resonate_nb.executors.base import Executor


def chosen(executor: object, workers: int | None, chunksize: int | None = None) -> Executor:
    """Return what computes the items of a map.

    Raises
    ------
    UsageError
        There is no such executor.
    """
    if executor is None:
        return Inline() if workers is None else Threads(workers)
    if executor == "threads":
        return Threads(workers or min(32, (os.cpu_count() or 1) + 4))
    if executor == "processes":
        from resonate_nb.executors.processes import Processes

        return Processes(workers or os.cpu_count() or 1, chunksize)
    if isinstance(executor, futures.Executor):
        from resonate_nb.executors.pools import over_pool

        return over_pool(executor, workers, chunksize)
    if _is_dask_client(executor):
        from resonate_nb.executors.dask import Dask

        return Dask(executor, workers, chunksize)
    raise UsageError(
        'executor is "threads", "processes", a pool of concurrent.futures, or a client of Dask, '
        f"not {executor!r}"
    )


def _is_dask_client(executor: object) -> bool:
    distributed = sys.modules.get("distributed")  # whoever has a client has imported it
    return isinstance(executor, getattr(distributed, "Client", ()))
