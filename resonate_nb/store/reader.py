"""Reads of the database past diskcache, through read-only connections of our own.

diskcache's public interface can't list by prefix or state, and its `get` costs twice as much. What is
relied on here: the table `Cache` with the columns `key`, `raw` (1 for text), `tag` and `value`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from resonate_nb.errors import StoreUnavailable
from resonate_nb.promise import State
from resonate_nb.store.changes import Changes
from resonate_nb.store.failures import unavailable
from resonate_nb.store.forks import gate, leave_behind
from resonate_nb.store.listing import successor
from resonate_nb.store.rows import tag_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from resonate_nb.store.base import Query

KEY = "p:"  # in front of a promise's id
INTERNAL = "i:"  # in front of what names a row that is no promise; as long as the other
_GET = "SELECT value FROM Cache WHERE key = ? AND raw = 1"
_GET_MANY = "SELECT substr(key, 3), value FROM Cache WHERE raw = 1 AND key IN ({})"
_LIST = (
    "SELECT substr(key, 3), value FROM Cache WHERE raw = 1 AND key >= ? AND key < ?{} ORDER BY key LIMIT ?"
)
_IDS_AT_ONCE = 500
_LOCK_SECONDS = 60

Connection = tuple[tuple[int, int], sqlite3.Connection]  # with the file that it was opened on


class Reader:
    """Rows as bytes, for any number of threads; each read takes a connection that is idle."""

    def __init__(self, path: Path, prepare: Callable[[], None]) -> None:
        self._path, self._prepare = path, prepare
        self._file = str(path)  # at each read, a `Path` would be made into text anew
        self._location = str(path.parent)
        self._idle: list[Connection] = []
        self._watches: dict[int, _Watch] = {}
        self._changes = Changes(path.parent)
        self._closed = False

    def get(self, id: str) -> bytes | None:
        """Return a row, or None."""
        try:
            found = self._select(_GET, (key_of(id),))
        except UnicodeEncodeError:  # an id that no store takes
            return None
        return found[0][0] if found else None

    def get_many(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Return id and row of those ids that exist."""
        remaining = iter([key_of(id) for id in dict.fromkeys(ids) if _encodable(id)])
        while keys := list(islice(remaining, _IDS_AT_ONCE)):
            yield from self._select(_GET_MANY.format(",".join("?" * len(keys))), keys)

    def candidates(self, query: Query) -> Iterator[tuple[str, bytes]]:
        """Return id and row, in the order of ids, of all promises that the query may be about.

        Code points, UTF-8 bytes and SQLite's text all have the same order.
        """
        conditions, texts = _conditions(query)
        statement = _LIST.format(conditions)
        lower, upper = key_of(query.prefix), successor(key_of(query.prefix))
        kind = lower[: len(KEY)]
        if query.cursor is not None:
            lower = max(lower, f"{key_of(query.cursor)}\0")
        while True:
            found = self._select(statement, (lower, upper, *texts, query.limit + 1))
            yield from found if kind == KEY else (("\0" + name, row) for name, row in found)
            if len(found) <= query.limit:
                return
            lower = f"{kind}{found[-1][0]}\0"

    def wait_for_change(self, timeout: float) -> None:
        """Return when another connection committed since this thread's last wait, or after `timeout`.

        A thread's first wait returns at once: what changed before it is unknown.
        """
        end = time.monotonic() + timeout
        with self._changes.listening() as pause:
            while not self._changed():
                left = end - time.monotonic()
                if left <= 0:
                    return
                pause.wait(left)

    def _changed(self) -> bool:
        me = threading.get_ident()
        watch = self._watches.get(me)
        try:
            with gate:
                if watch is not None and watch.identity == self._identity():
                    return watch.moved()
                if watch is not None:
                    watch.connection.close()
                self._watches[me] = _Watch(*self._open())
                return True
        except sqlite3.Error as error:
            raise unavailable(self._location, error) from error

    def _select(self, statement: str, parameters: Any) -> list[Any]:
        with gate:
            taken = self._take()
            try:
                # All rows at once: a statement that is not run to its end would hold up checkpoints.
                found = taken[1].execute(statement, parameters).fetchall()
            except BaseException as error:
                taken[1].close()
                if isinstance(error, sqlite3.Error):
                    raise unavailable(self._location, error) from error
                raise
            self._idle.append(taken)
            return found

    def _take(self) -> Connection:
        identity = self._identity()
        while True:
            try:
                taken = self._idle.pop()
            except IndexError:
                return self._open()
            if taken[0] == identity:
                return taken
            taken[1].close()

    def _identity(self) -> tuple[int, int]:
        if self._closed:
            raise StoreUnavailable(self._location, "it was closed")
        try:
            found = os.stat(self._file)  # noqa: PTH116
        except FileNotFoundError:  # the folder was deleted under us
            self._prepare()
            found = os.stat(self._file)  # noqa: PTH116
        return found.st_dev, found.st_ino

    def _open(self) -> Connection:
        try:
            return self._identity(), connect(self._path)
        except sqlite3.Error as error:
            raise unavailable(self._location, error) from error

    def close(self) -> None:
        """Let go of the connections."""
        self._closed = True
        self._changes.close()
        with gate:
            while self._idle:
                self._idle.pop()[1].close()
            while self._watches:
                self._watches.popitem()[1].connection.close()

    def begin_in_child(self) -> None:
        """Forget, without closing, the connections of the process that this one was forked from."""
        leave_behind(self._idle, self._watches)
        self._idle, self._watches = [], {}
        self._changes.begin_in_child()


class _Watch:
    """A connection that only looks whether others committed."""

    def __init__(self, identity: tuple[int, int], connection: sqlite3.Connection) -> None:
        self.identity, self.connection = identity, connection
        self._version = self._now()

    def moved(self) -> bool:
        before, self._version = self._version, self._now()
        return before != self._version

    def _now(self) -> int:
        ((version,),) = self.connection.execute("PRAGMA data_version").fetchall()
        return int(version)


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection that can't change the database."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=ro",
        uri=True,
        timeout=_LOCK_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA mmap_size = 1073741824")
    return connection


def key_of(id: str) -> str:
    """Return the key of a row in the database: those of promises are apart from all others."""
    return INTERNAL + id[1:] if id[:1] == "\0" else KEY + id


def _conditions(query: Query) -> tuple[str, list[object]]:
    """Return SQL that lets through at least what the query is about, and its parameters."""
    conditions = ""
    texts: list[object] = []
    if query.state in {State.RESOLVED, State.TIMEDOUT}:
        # Pending rows may be past their deadline. `+` keeps SQLite on the keys: most rows are these.
        conditions += " AND +tag IN (?, 'pending')"
        texts.append(query.state.value)
    elif query.state is not None:
        conditions += " AND tag = ?"
        texts.append(query.state.value)
    for key, text in query.tags:
        conditions += " AND instr(value, ?)"
        texts.append(tag_bytes(key, text))
    return conditions, texts


def _encodable(id: str) -> bool:
    try:
        id.encode()
    except UnicodeEncodeError:
        return False
    return True
