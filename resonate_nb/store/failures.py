"""What the disk and SQLite report, as errors that say what happened to the store."""

from __future__ import annotations

import errno
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from resonate_nb.errors import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PROBE_BYTES = 2**17
_REASONS = {
    sqlite3.SQLITE_BUSY: "another process has kept it locked for a minute",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_CANTOPEN: "its database can't be opened",
    sqlite3.SQLITE_CORRUPT: "its database is damaged",
    sqlite3.SQLITE_NOTADB: "its cache.db is no database",
}


def unavailable(location: str, error: BaseException) -> StoreUnavailable:
    """Return `StoreFull` where the cause is a lack of room, else `StoreUnavailable` with the cause."""
    causes = [cause for cause in _chain(error) if isinstance(cause, OSError | sqlite3.Error)]
    for cause in causes:
        if _is_full(location, cause):
            return StoreFull(location, _reason(cause))
    return StoreUnavailable(location, _reason(causes[-1]) if causes else f"{type(error).__name__}: {error}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    # diskcache raises its Timeout `from None`, but the context remembers what really happened.
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _is_full(location: str, error: OSError | sqlite3.Error) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    code = _primary_code(error)
    return code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _has_no_room(location))


def _reason(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return _REASONS.get(_primary_code(error), str(error))


def _primary_code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _has_no_room(location: str) -> bool:
    """Whether one more write fails for lack of room: SQLite does not tell a quota from a broken disk."""
    folder = Path(location)
    try:
        longest = max((path.stat().st_size for path in folder.glob("cache.db*")), default=0)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.seek(longest)  # a limit on the size of files counts, too
            file.write(bytes(_PROBE_BYTES))
    except OSError as error:
        return error.errno in _FULL
    return False
