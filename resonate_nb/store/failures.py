"""What the disk and SQLite report, as errors that say what happened to the store."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from typing import TYPE_CHECKING

from resonate_nb.errors import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FEW_BYTES = 2**17  # less is free: an error of input and output is one of room
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
    return code == sqlite3.SQLITE_FULL or (
        code == sqlite3.SQLITE_IOERR and _free_bytes(location) < _FEW_BYTES
    )


def _reason(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return _REASONS.get(_primary_code(error), str(error))


def _primary_code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _free_bytes(location: str) -> int:
    try:
        return shutil.disk_usage(location).free
    except OSError:
        return _FEW_BYTES
