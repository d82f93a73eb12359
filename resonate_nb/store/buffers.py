"""Files named by their content, whole on disk before anything refers to them."""

from __future__ import annotations

import mmap
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

import xxhash

from resonate_nb.errors import DamagedValue
from resonate_nb.store.failures import unavailable
from resonate_nb.store.rows import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from resonate_nb.promise import Buffer

_CHUNK = 2**22  # bytes hashed while they are in the processor's cache, then written


class BufferFiles:
    """The folder `buffers/` of a store: raw bytes in `buffers/ab/ab...`, loaded by memory map."""

    def __init__(self, folder: Path, prepare: Callable[[], None]) -> None:
        self._folder, self._location = folder / "buffers", str(folder)
        self._prepare = prepare  # makes the store's folder, should somebody have deleted it

    def keep(self, buffer: Buffer) -> None:
        """Write the buffer's file unless it is there already.

        Raises
        ------
        ValueError
            The bytes are not those of the buffer's digest.
        StoreUnavailable
            The file could not be written; `StoreFull` if for lack of room.
        """
        if not buffer.size:
            return
        path = self._path(buffer.digest)
        try:
            if path.stat().st_size == buffer.size:
                os.utime(path)  # young again, for a collector that spares what may be about to be used
                return
        except FileNotFoundError:
            pass
        except OSError as error:
            raise unavailable(self._location, error) from error
        self._write(path, buffer)

    def load(self, id: str, digest: str, size: int) -> memoryview:
        """Return a private, writable view of the file; changes to it never reach the file.

        The bytes are not verified here: who loads them knows the digest, and reads them anyway.

        Raises
        ------
        DamagedValue
            The file is missing or has another size.
        """
        if not size:
            return memoryview(bytearray())
        try:
            with self._path(digest).open("rb") as file:
                found = os.fstat(file.fileno()).st_size
                if found != size:
                    raise DamagedValue(id, f"its buffer {digest} has {found:,} bytes instead of {size:,}")
                return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY))
        except FileNotFoundError:
            raise DamagedValue(id, f"its buffer {digest} is missing") from None
        except OSError as error:
            raise unavailable(self._location, error) from error

    def set_aside_if_damaged(self, digest: str, size: int) -> None:
        """Rename the file if its bytes are not those of its name, so that it can be written anew."""
        path = self._path(digest)
        try:
            whole = digest_of(self.load("", digest, size)) == digest
        except DamagedValue:
            whole = False
        if not whole and size:
            with suppress(FileNotFoundError):
                path.replace(path.with_suffix(".damaged"))

    def _write(self, path: Path, buffer: Buffer) -> None:
        view = buffer.load().cast("B")  # whose failure is the caller's, not the store's
        temporary = path.parent / f".{buffer.digest}.{secrets.token_hex(8)}.tmp"
        try:
            self._make_folder(path.parent)
            try:
                digest = _copy(view, temporary)
                if digest != buffer.digest or view.nbytes != buffer.size:
                    raise ValueError(f"the bytes of buffer {buffer.digest} are not those of its digest")
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            sync_folder(path.parent)
        except OSError as error:
            raise unavailable(self._location, error) from error

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            if not self._folder.is_dir():
                self._prepare()
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(self._folder)
            sync_folder(self._folder.parent)

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(view: memoryview, path: Path) -> str:
    """Write the bytes through to the disk and return the digest of what was written."""
    digest = xxhash.xxh3_128()
    with path.open("xb", buffering=0) as file:
        for start in range(0, view.nbytes, _CHUNK):
            chunk = view[start : start + _CHUNK]
            digest.update(chunk)
            while chunk:
                chunk = chunk[file.write(chunk) :]
        os.fsync(file.fileno())
    return digest.hexdigest()
