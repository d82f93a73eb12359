"""The store in a folder: rows in a database, large parts in files beside it, shared by processes."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from resonate_nb.store import rows
from resonate_nb.store.base import Entry, Page, Query, Reply, Result, Store
from resonate_nb.store.buffers import BufferFiles
from resonate_nb.store.cache_table import DATABASE, CacheTable
from resonate_nb.store.forks import on_fork
from resonate_nb.store.listing import page, validated
from resonate_nb.store.reader import Reader
from resonate_nb.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonate_nb.store.base import Operation


class DiskStore(Store):
    """Promises in a folder, shared by all processes of this machine that open it."""

    def __init__(
        self, path: str | os.PathLike[str], *, durability: Literal["default", "power"] = "default"
    ) -> None:
        """Open the store, making the folder if there is none.

        With ``durability="power"`` every acknowledged change survives a power cut, not only those of
        operations that are `power_safe`.

        Raises
        ------
        StoreUnavailable, StoreFormat
            The path is no store that can be used.
        """
        if durability not in {"default", "power"}:
            raise ValueError(f"durability is 'default' or 'power', not {durability!r}")
        folder = Path(os.path.abspath(path))  # noqa: PTH100 - not through links: it is shown as it was named
        self.location, self.durability = str(folder), durability
        table = CacheTable(folder)
        table.prepare()
        self._buffers = BufferFiles(folder, table.prepare)
        self._reader = Reader(folder / DATABASE, table.prepare)
        self._writer = Writer(table, self._buffers, power_safe=durability == "power")
        self._closing = weakref.finalize(self, _close, self._writer, self._reader)  # also at exit
        on_fork(self._reader)
        on_fork(self._writer)

    def post(self, operation: Operation[Result]) -> Reply[Result]:
        """Hand over a change without waiting for it; its large values are on disk on return."""
        return self._writer.post(operation)

    def get(self, id: str) -> Entry | None:
        """Return the row of exactly this id, as stored."""
        row = self._reader.get(id)
        return None if row is None else rows.unpack(id, row, self._buffers)

    def row(self, id: str) -> bytes | None:
        """Return the row as it is stored."""
        return self._reader.get(id)

    def get_many(self, ids: Iterable[str]) -> dict[str, Entry]:
        """Return the rows of those ids that exist, 500 to a read."""
        return {id: rows.unpack(id, row, self._buffers) for id, row in self._reader.get_many(ids)}

    def list(self, query: Query, now: int) -> Page:
        """Return a page of promises as of `now`."""
        query = validated(query)
        return page(self._reader.candidates(query), query, now)

    def wait_for_change(self, timeout: float) -> None:
        """Return when something changed since this thread's last wait, or after `timeout` seconds."""
        self._reader.wait_for_change(timeout)

    def close(self) -> None:
        """Commit what was posted and let go of files and threads."""
        self._closing()


def _close(writer: Writer, reader: Reader) -> None:
    try:
        writer.stop()
    finally:
        reader.close()
