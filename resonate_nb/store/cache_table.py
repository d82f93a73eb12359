"""The fence around diskcache: rows as bytes in its database, inside transactions.

What diskcache does by default and a store must not do is switched off here: it evicts nothing, counts
nothing, pickles nothing and writes no files of its own.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import diskcache

from resonate_nb.errors import DamagedValue, StoreUnavailable
from resonate_nb.store.failures import unavailable
from resonate_nb.store.folder import open_folder
from resonate_nb.store.forks import leave_behind
from resonate_nb.store.reader import connect, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from resonate_nb.store.draft import Change

DATABASE = "cache.db"
ASIDE = "a:"  # in front of the id of a row that was put aside
NORMAL, FULL = 1, 2  # SQLite's `synchronous`: survives the process; survives a power cut, too
LOCK_SECONDS = 60
# A cache may forget; a store may not.
SETTINGS = {
    "eviction_policy": "none",
    "cull_limit": 0,
    "size_limit": 2**62,
    "statistics": 0,
    "tag_index": 1,  # the tag is the promise's state
    "disk_min_file_size": 2**16,
    "sqlite_auto_vacuum": 2,  # incremental: a collector decides when
    "sqlite_journal_mode": "wal",
    "sqlite_mmap_size": 2**30,
    "sqlite_synchronous": NORMAL,
}
# What diskcache's `get` and `set` do to such rows, at a third of their time.
_RAW = diskcache.core.MODE_RAW
_READ = "SELECT mode, value FROM Cache WHERE key = ? AND raw = 1"
_WRITE = (
    "INSERT INTO Cache(key, raw, store_time, access_time, tag, mode, value)"
    " VALUES (?1, 1, ?4, ?4, ?2, ?5, ?3)"
    " ON CONFLICT(key, raw) DO UPDATE SET store_time = excluded.store_time, expire_time = NULL,"
    " access_time = excluded.access_time, access_count = 0, tag = excluded.tag, size = 0,"
    " mode = excluded.mode, filename = NULL, value = excluded.value"
)
_INDEXES = {"Cache_key_raw", "Cache_tag_rowid"}
_FAILURES = (sqlite3.Error, OSError, diskcache.Timeout)


class RecordDisk(diskcache.Disk):  # type: ignore[misc]
    """Lets text keys and bytes pass, and nothing that could execute."""

    def put(self, key: object) -> tuple[str, bool]:
        """Return the key for the database."""
        if type(key) is not str:
            raise TypeError(f"a key is text, not {type(key).__name__}")
        return key, True

    def get(self, key: object, raw: object) -> str:
        """Return the key from the database."""
        if type(key) is not str or not raw:
            raise DamagedValue(repr(key)[:80], "its key is no text")
        return key

    def store(self, value: object, read: bool, key: object = None) -> tuple[int, int, None, memoryview]:  # noqa: FBT001
        """Return what the columns of a row hold; never a file."""
        if type(value) is not bytes or read:
            raise TypeError(f"a value is bytes, not {type(value).__name__}")
        return 0, diskcache.core.MODE_RAW, None, sqlite3.Binary(value)

    def fetch(self, mode: int, filename: object, value: object, read: bool) -> bytes:  # noqa: FBT001
        """Return a value from the columns of a row."""
        # No OSError: diskcache would take it for a missing row.
        if mode != diskcache.core.MODE_RAW or type(value) is not bytes:
            raise DamagedValue("", "the row is no record of this package")
        return value


class _Cache(diskcache.Cache):  # type: ignore[misc]
    """A cache that can't be opened leaves no file open."""

    def __init__(self, location: str) -> None:
        try:
            super().__init__(location, timeout=LOCK_SECONDS, disk=RecordDisk, **SETTINGS)
        except BaseException:
            self.close()
            raise


class CacheTable:
    """The rows of one store inside transactions, for the writer's thread."""

    def __init__(self, folder: Path) -> None:
        self.location = str(folder)
        self._folder, self._database = folder, folder / DATABASE
        self._cache: Any = None
        self._connection: Any = None
        self._identity: tuple[int, int] | None = None
        self._level: int | None = None  # of safety, as the connection is set

    def prepare(self) -> None:
        """Make the folder and the database if they are not there, and check them if they are."""
        open_folder(self._folder)
        try:
            if not self._is_ready():
                self._open_cache().close()
                if not self._is_ready():
                    raise StoreUnavailable(self.location, "its database does not take our settings")
        except _FAILURES as error:
            raise unavailable(self.location, error) from error

    @contextmanager
    def transaction(self, *, power_safe: bool) -> Iterator[None]:
        """Commit at the end, or roll back on an error and be usable again."""
        try:
            self._reopen_if_replaced()
            self._set_level(FULL if power_safe else NORMAL)
            with self._cache.transact(retry=False):
                yield
        except _FAILURES as error:
            reason = unavailable(self.location, error)  # found out before closing makes room
            self.close()
            raise reason from error
        except BaseException:
            self.close()
            raise

    def read(self, id: str) -> bytes | None:
        """Return the bytes of a row, or None."""
        try:
            found = self._connection.execute(_READ, (key_of(id),)).fetchall()
        except _FAILURES as error:
            raise unavailable(self.location, error) from error
        if not found:
            return None
        ((mode, row),) = found
        if mode != _RAW or type(row) is not bytes:
            raise DamagedValue(id, "the row is no record of this package")
        return row

    def write(self, changes: Mapping[str, Change | None], aside: Mapping[str, bytes]) -> None:
        """Change rows inside the transaction."""
        now = time.time()
        for id, row in aside.items():
            self._cache.set(ASIDE + id, row, tag="aside")
        for id, change in changes.items():
            if change is None:
                self._cache.delete(key_of(id))
            else:
                self._connection.execute(_WRITE, (key_of(id), change.state, change.row, now, _RAW))

    def close(self) -> None:
        """Let go of the database; an open transaction is rolled back. The next one opens it again."""
        cache, self._cache = self._cache, None
        self._connection = self._identity = self._level = None
        if cache is not None:
            cache.close()

    def begin_in_child(self) -> None:
        """Forget, without closing, the connection of the process that this one was forked from."""
        leave_behind(self._cache, self._connection)
        self._cache = self._connection = self._identity = self._level = None

    def _set_level(self, level: int) -> None:
        if self._level != level:
            # The pragma belongs to the connection; `update=False` leaves other processes' setting alone.
            self._cache.reset("sqlite_synchronous", level, update=False)
            self._level = level

    def _reopen_if_replaced(self) -> None:
        if self._cache is not None and self._identity != self._found_identity():
            self.close()
        if self._cache is None:
            self.prepare()
            self._cache = self._open_cache()
            # Kept so that a fork can leave it alone; diskcache would close it in the child.
            self._connection = self._cache._con  # noqa: SLF001
            self._identity = self._found_identity()

    def _found_identity(self) -> tuple[int, int] | None:
        try:
            found = self._database.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _open_cache(self) -> Any:
        """Return an open cache; several processes may be at it at once, and some of its steps don't wait."""
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                return _Cache(self.location)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                    raise
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def _is_ready(self) -> bool:
        """Whether the database has our settings, which are kept in it and shared by all processes."""
        if not self._database.exists():
            return False
        if not os.access(self._database, os.W_OK):
            raise StoreUnavailable(self.location, "its database is read-only")
        connection = connect(self._database)
        try:
            settings = dict(connection.execute("SELECT key, value FROM Settings").fetchall())
            indexes = {name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()}
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:  # else: no such table, it is being made
                raise
            return False
        finally:
            connection.close()
        return SETTINGS.items() <= settings.items() and indexes >= _INDEXES
