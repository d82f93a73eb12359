"""Files as a user names them: an argument that stands for a file's content, and files that a cell watches."""

from __future__ import annotations

import glob
import os
import stat
from typing import TYPE_CHECKING

from resonate_nb.errors import UndigestibleInput, UsageError
from resonate_nb.opened import file_records
from resonate_nb.opened.file_states import Unsettled, digest_at, stamp
from resonate_nb.opened.tracing import placed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from resonate_nb.opened.tracing import Trace
    from resonate_nb.promise import Promise


class File(os.PathLike[str]):
    """A file as an argument of a durable function: the call is identified by the file's name and content.

    For files that are opened unseen, by native code for example (pyarrow, HDF5) or by another process. What a
    body opens in Python is seen anyway. It goes wherever a path goes: ``open(file)``, ``str(file)``.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "a.csv")
    >>> os.fspath(File(path)) == path
    True
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        if not isinstance(self._path, str):
            raise UsageError(f"File takes a path as text, not {self._path!r}")

    def __fspath__(self) -> str:
        return self._path

    def __str__(self) -> str:
        return self._path

    def __repr__(self) -> str:
        return f"File({self._path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and other._path == self._path

    def __hash__(self) -> int:
        return hash((File, self._path))

    def __durable_digest__(self) -> tuple[str, str]:
        """Return the path as given, and the digest of the file's bytes as they are now.

        Raises
        ------
        UndigestibleInput
            There is no such file, it is a folder, or somebody is writing it.
        """
        seen = stamp(self._path)
        if not stat.S_ISREG(seen.kind):
            raise UndigestibleInput(repr(self), "File", _no_file(self._path))
        try:
            return self._path, digest_at(self._path, seen)
        except Unsettled:
            hint = "somebody is writing it, call again when it is whole"
            raise UndigestibleInput(repr(self), "File", hint) from None


def watched(patterns: Iterable[str]) -> list[str]:
    """Return the files that these paths and patterns of `glob.glob` name.

    Raises
    ------
    UsageError
        A path or pattern names no file.
    """
    paths: list[str] = []
    for pattern in patterns:
        found = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207
        files = [path for path in found if stat.S_ISREG(stamp(path).kind)]
        if not files:
            raise UsageError(f"--watch {pattern}: {_no_file(pattern)}")
        paths += files
    return paths


def watch(trace: Trace, patterns: Sequence[str]) -> None:
    """Count the files that these paths and patterns name as read by an attempt."""
    for pattern in filter(glob.has_magic, patterns):
        trace.looks_for(placed(pattern), recursive=True, hidden=False)
    for path in watched(patterns):
        trace.reads(placed(path))


def difference(promise: Promise) -> list[str]:
    """Return in words which files are not as they were for a settled promise's outcome to hold now.

    Relative paths lead from the working directory. Empty if all is as it was.

    Raises
    ------
    DamagedValue
        The record of its files can't be read.
    """
    return file_records.differences(file_records.read(promise.value, promise.id))


def _no_file(path: str) -> str:
    if stat.S_ISDIR(stamp(path).kind):
        return f"{path} is a folder: name the files in it"
    return f"there is no file {path} in {os.getcwd()}"  # noqa: PTH109
