"""A store that lives as long as its process, for tests and for trying things out.

It keeps the same bytes as the store on disk, so it accepts, refuses and isolates the same things.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from resonate_nb.errors import DamagedValue, StoreUnavailable
from resonate_nb.ids import is_internal
from resonate_nb.store import rows
from resonate_nb.store.base import Entry, Page, Query, Reply, Result, Store
from resonate_nb.store.draft import Draft
from resonate_nb.store.listing import page, validated
from resonate_nb.store.replies import Posted, Slot, Unread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonate_nb.promise import Buffer
    from resonate_nb.store.base import Operation


class MemoryStore(Store):
    """Promises in a dictionary: the full contract, without the surviving."""

    location = "in memory"

    def __init__(self) -> None:
        self._rows: dict[str, bytes | None] = {}  # None: deleted
        self._buffers = _MemoryBuffers()
        self._lock = threading.Lock()
        self._unread = Unread()
        self._watchers: dict[int, SimpleQueue[None]] = {}
        self._closed = False

    def post(self, operation: Operation[Result]) -> Reply[Result]:
        """Make the change at once."""
        self._check_open()
        self._unread.raise_first()
        slot = Slot(operation, self._unread)
        try:
            with self._lock:
                draft = Draft(self, self._buffers)
                result = draft.apply(operation)
                changes = {id: None if change is None else change.row for id, change in draft.changes.items()}
                # One call of C code, so that no interrupt comes between two rows.
                self._rows.update(changes)
        except Exception as error:  # noqa: BLE001 - an operation's failure is its reply
            slot.fail(error)
        else:
            slot.succeed(result)
        for watcher in list(self._watchers.values()):
            if watcher.empty():
                watcher.put(None)
        return Posted(slot)  # in no variable: the error's traceback would keep it alive

    def read(self, id: str) -> bytes | None:
        """Return the bytes of a row, or None."""
        return self._rows.get(id)

    def get(self, id: str) -> Entry | None:
        """Return the row of exactly this id, as stored."""
        self._check_open()
        row = self._rows.get(id)
        return None if row is None else rows.unpack(id, row, self._buffers)

    def row(self, id: str) -> bytes | None:
        """Return the row as it is stored."""
        self._check_open()
        return self._rows.get(id)

    def get_many(self, ids: Iterable[str]) -> dict[str, Entry]:
        """Return the rows of those ids that exist."""
        entries = {id: self.get(id) for id in ids}
        return {id: entry for id, entry in entries.items() if entry is not None}

    def list(self, query: Query, now: int) -> Page:
        """Return a page of promises as of `now`."""
        self._check_open()
        query = validated(query)
        with self._lock:
            stored = dict(self._rows)
        candidates = (
            (id, row)
            for id, row in sorted(stored.items())
            if row is not None
            and id.startswith(query.prefix)
            and is_internal(id) == is_internal(query.prefix)
            and (query.cursor is None or id > query.cursor)
        )
        return page(candidates, query, now)

    def wait_for_change(self, timeout: float) -> None:
        """Return when something changed since this thread's last wait, or after `timeout` seconds."""
        self._check_open()
        me = threading.get_ident()
        if me not in self._watchers:
            self._watchers[me] = SimpleQueue()
            return  # what changed before the first wait is unknown
        try:
            self._watchers[me].get(timeout=max(timeout, 0))
        except Empty:
            return

    def close(self) -> None:
        """Refuse further use; raise a failure that nobody read."""
        self._closed = True
        self._unread.raise_first()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(self.location, "it was closed")


class _MemoryBuffers:
    def __init__(self) -> None:
        self._bytes: dict[str, bytes] = {}

    def keep(self, buffer: Buffer) -> None:
        kept = self._bytes.get(buffer.digest)
        if not buffer.size or (kept is not None and len(kept) == buffer.size):
            return
        content = bytes(buffer.load())
        if rows.digest_of(content) != buffer.digest or len(content) != buffer.size:
            raise ValueError(f"the bytes of buffer {buffer.digest} are not those of its digest")
        self._bytes[buffer.digest] = content

    def load(self, id: str, digest: str, size: int) -> memoryview:
        content = self._bytes.get(digest, b"") if size else b""
        if len(content) != size:
            raise DamagedValue(id, f"its buffer {digest} is missing")
        return memoryview(bytearray(content))

    def set_aside_if_damaged(self, digest: str, size: int) -> None:
        """Memory is not damaged."""
