"""The folder of a store: made on first use, recognised afterwards, refused when it is something else."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from resonate_nb.errors import StoreFormat, StoreUnavailable
from resonate_nb.store.buffers import sync_folder
from resonate_nb.store.failures import unavailable

FORMAT = 1
_TEMPORARY = ".tmp"
_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4"}
    | {"smb", "smb2", "smb3", "smbfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "davfs", "fuse.davfs2"}
)


def open_folder(path: Path) -> None:
    """Make the folder of a store if there is none, else check that it is one that this version can use.

    Raises
    ------
    StoreUnavailable
        The path is a file, a folder of something else, read-only, or on a network file system.
    StoreFormat
        A newer version wrote it.
    """
    location = str(path)
    try:
        if path.exists() and not path.is_dir():
            raise StoreUnavailable(location, "it is a file, not a folder")
        _check_place(path)
        path.mkdir(parents=True, exist_ok=True)
        _check_format(path)
        if not os.access(path, os.W_OK | os.X_OK):
            raise StoreUnavailable(location, "it is read-only")
    except OSError as error:
        raise unavailable(location, error) from error


def _check_place(path: Path) -> None:
    if os.path.expandvars(path) != str(path):
        raise StoreUnavailable(str(path), "its path contains what looks like a variable")
    kind = file_system(path)
    if kind in _NETWORK:
        raise StoreUnavailable(
            str(path),
            f"it is on a network file system ({kind}), where locks and shared memory can't be trusted",
        )


def _check_format(path: Path) -> None:
    try:
        text = (path / "format").read_text(encoding="utf-8")
    except FileNotFoundError:
        _check_empty(path)
        _write_whole(path / "format", json.dumps({"format": FORMAT}) + "\n")
        text = (path / "format").read_text(encoding="utf-8")
    try:
        found = json.loads(text)["format"]
    except (ValueError, TypeError, KeyError):
        found = text[:80]
    if type(found) is not int or not 1 <= found <= FORMAT:
        raise StoreFormat(str(path), str(found), FORMAT)
    if not (path / ".gitignore").exists():
        _write_whole(path / ".gitignore", "*\n")


def _check_empty(path: Path) -> None:
    # Another process may be at the same point: what it leaves on the way to `format` does not count.
    strangers = sorted(
        each.name for each in path.iterdir() if each.name != ".gitignore" and each.suffix != _TEMPORARY
    )
    if strangers and not (path / "format").exists():
        raise StoreUnavailable(str(path), f"the folder is no store, it contains {strangers[0]!r}")


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_TEMPORARY}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Return the kind of file system that a path is on; empty where the system does not tell."""
    place, kind = "", ""
    with suppress(OSError):
        real = os.path.realpath(path)
        for line in mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            _, point, found, *_ = line.split(" ")
            point = point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
            inside = real == point or real.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(place):  # a later mount covers an earlier one
                place, kind = point, found
    return kind
