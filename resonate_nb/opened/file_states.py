"""What is at a path at one moment: nothing, a folder, or a file with its stamp and digest."""

from __future__ import annotations

import glob
import os
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from xxhash import xxh3_128

from resonate_nb.opened.auditing import unheard

if TYPE_CHECKING:
    from collections.abc import Iterable

ABSENT, FOLDER, UNREADABLE = "absent", "folder", "unreadable"  # in place of a digest
NO_NAMES = frozenset[str]()
NOT_LISTED = frozenset({".ipynb_checkpoints", "__pycache__"})  # come and go without anybody's asking

_BLOCK = 1 << 20  # bytes read at once
_REMEMBERED = 20_000  # digests
# After a write within the clock's tick a file may look as it did before: stamps so young prove nothing.
_TICK = 50_000_000  # nanoseconds, of file systems with fine time stamps
_COARSE_TICK = 2_000_000_000  # of those that count seconds or hundredths, as old and foreign ones do
_COARSE = 1_000_000


class Stamp(NamedTuple):
    """What the file system says of a path without reading it; `kind` is as `stat` counts, 0 for nothing."""

    kind: int
    size: int = 0
    mtime: int = 0  # nanoseconds since the epoch
    ctime: int = 0  # of the last change to the file or to what is said of it; moves with every write
    place: tuple[int, int] = (0, 0)  # device and inode

    @property
    def there(self) -> bool:
        """Whether there is anything."""
        return self.kind != 0

    @property
    def plain(self) -> bool:
        """Whether its state can be told: nothing, a file or a folder, but no pipe, socket or device."""
        return self.kind in _PLAIN

    @property
    def proves(self) -> bool:
        """Whether an equal stamp later on means equal content."""
        youngest = max(self.mtime, self.ctime)
        return time.time_ns() - youngest > (_TICK if youngest % _COARSE else _COARSE_TICK)


NOTHING = Stamp(0)
_PLAIN = frozenset({0, stat.S_IFREG, stat.S_IFDIR})
_left_out: set[str] = set()  # folders, each with a separator at its end
_digests: dict[str, tuple[Stamp, int, str]] = {}  # by path: of which stamp, how many bytes, which digest


class _LeftOut:
    """The same as one tuple, which is compared in one step."""

    folders: tuple[str, ...] = ()


class Unsettled(Exception):
    """A file is being written while it is read."""


def stamp(path: str) -> Stamp:
    """Return what the file system says of a path now."""
    try:
        found = os.stat(path)  # noqa: PTH116 (a hook has no time for objects)
    except (OSError, ValueError):
        return NOTHING
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        return Stamp(kind)  # a folder's times move with what is in it
    if found.st_size == 0 and path.endswith("-wal"):
        return NOTHING  # SQLite's log is empty or absent in turn while the database is only read
    place = (found.st_dev, found.st_ino)
    return Stamp(kind, found.st_size, found.st_mtime_ns, found.st_ctime_ns, place)


def digest_at(path: str, seen: Stamp, *, first: int | None = None) -> str:
    """Return the digest of what has this stamp: of a file's bytes, or only of its first ones, if it grows.

    Digests are remembered where the stamp proves that the content is still the same.

    Raises
    ------
    Unsettled
        The path has another stamp after it was read, or less than its first bytes.
    """
    if seen.kind != stat.S_IFREG:
        return FOLDER if seen.there else ABSENT
    length = seen.size if first is None else first
    known = _digests.get(path)
    if known is not None and known[:2] == (seen, length):
        return known[2]
    digest = _digest_of_bytes(path, length)
    now = stamp(path)
    if now != seen and (first is None or now.size < first):
        raise Unsettled
    if now == seen and seen.proves:
        if len(_digests) >= _REMEMBERED:
            _digests.clear()
        _digests[path] = (seen, length, digest)
    return digest


def listing(folder: str) -> frozenset[str]:
    """Return the names in a folder; none where there is no folder."""
    with unheard():
        try:
            names = os.listdir(folder)  # noqa: PTH208 (a hook has no time for objects)
        except OSError:
            return NO_NAMES
    path = os.path.abspath(folder)  # noqa: PTH100
    return frozenset(
        name
        for name in names
        if name not in NOT_LISTED and not left_out(os.path.join(path, name))  # noqa: PTH118
    )


def matches(pattern: str, folder: str | None = None, *, recursive: bool, hidden: bool) -> frozenset[str]:
    """Return the paths that match a pattern of `glob.glob`, a relative one from this folder."""
    with unheard():
        found = glob.glob(  # noqa: PTH207 (as the body did)
            pattern, root_dir=folder, recursive=recursive, include_hidden=hidden
        )
    return frozenset(found)


def leave_out(*paths: str | os.PathLike[str]) -> None:
    """Take these files, and what is in these folders, for nobody's data from now on."""
    named = {os.path.abspath(path) for path in paths}  # noqa: PTH100
    real = {os.path.realpath(path) for path in named}
    _left_out.update(path.rstrip(os.sep) + os.sep for path in named | real)
    _LeftOut.folders = tuple(_left_out)


def left_out(path: str) -> bool:
    """Return whether an absolute path is nobody's data."""
    return (path + os.sep).startswith(_LeftOut.folders)


def digest_of_names(names: Iterable[str]) -> str:
    """Return the digest of names in any order."""
    return xxh3_128(b"\0".join(os.fsencode(name) for name in sorted(names))).hexdigest()


def _digest_of_bytes(path: str, length: int) -> str:
    hasher, block = xxh3_128(), memoryview(bytearray(min(_BLOCK, length)))
    try:
        with unheard(), open(path, "rb", buffering=0) as file:  # noqa: PTH123 (small files are many)
            while length > 0 and (count := file.readinto(block[:length])):
                hasher.update(block[:count])
                length -= count
    except PermissionError:
        return UNREADABLE  # also to the body
    except OSError as error:
        raise Unsettled from error
    return hasher.hexdigest()
