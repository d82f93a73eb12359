"""Whether another process can stand in for this one: its Python, its libraries, its view of the store."""

from __future__ import annotations

import importlib.metadata
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from resonate_nb.code.libraries import Library
from resonate_nb.errors import UnfitWorker, UsageError
from resonate_nb.store.disk import DiskStore
from resonate_nb.values.keys import load_key
from resonate_nb.values.rebuilding import BYTECODE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonate_nb.code.libraries import Policy
    from resonate_nb.execution import Execution
    from resonate_nb.fingerprint import Fingerprint

_OURS = "resonate-nb"
_OLD_SECONDS = 30 * 86_400  # a token that is this old was left by a process that was killed


@dataclass(frozen=True, slots=True)
class Needs:
    """What code needs wherever it runs."""

    bytecode: str
    package: str  # our own version
    libraries: tuple[Library, ...]
    policy: Policy

    @classmethod
    def of(cls, code: Fingerprint, policy: Policy) -> Needs:
        """Return what code needs that runs here."""
        return cls(BYTECODE, _version(_OURS) or "", tuple(_libraries(code)), policy)

    def check(self, worker: str) -> None:
        """Refuse a process that lacks something.

        Raises
        ------
        UnfitWorker
            Names the process, what it lacks and the way out.
        """
        if self.bytecode != BYTECODE:
            raise UnfitWorker(worker, f"{_python(self.bytecode)}: it runs {_python(BYTECODE)}")
        found = _version(_OURS) or ""
        if found != self.package:
            raise UnfitWorker(worker, f"resonate-nb {self.package}: it has {found or 'none'}")
        for library in self.libraries:
            version = _version(library.name)
            wanted = f"{library.name} {library.version}"
            if version is None:
                raise UnfitWorker(worker, f"{wanted}: it has none")
            there = Library(library.name, version)
            if there.counted(self.policy) != library.counted(self.policy):
                raise UnfitWorker(worker, f"{wanted}: it has {version}")


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of a store, and how another process can tell that it sees the same one."""

    path: str
    name: str  # of a file in it
    token: str  # what that says
    key_id: str
    durability: Literal["default", "power"]

    @classmethod
    def of(cls, execution: Execution) -> Folder | None:
        """Return the folder of a store, with a new token in it.

        None if it is no folder, or its values are signed with another key than the user's, which another
        process would take.
        """
        store, key_id = execution.store, execution.codec.key_id
        if not isinstance(store, DiskStore) or key_id != load_key().id:
            return None
        path = Path(store.location)
        _remove_old_tokens(path)
        token = secrets.token_hex(16)
        name = f".worker.{secrets.token_hex(8)}.tmp"
        (path / name).write_text(token, encoding="ascii")
        return cls(str(path), name, token, key_id, store.durability)

    def seen(self) -> bool:
        """Return whether this process sees the folder, and signs with the same key."""
        try:
            found = (Path(self.path) / self.name).read_text(encoding="ascii")
            return found == self.token and load_key().id == self.key_id
        except (OSError, UsageError):
            return False

    def remove_token(self) -> None:
        """Leave nothing behind."""
        (Path(self.path) / self.name).unlink(missing_ok=True)


def _remove_old_tokens(folder: Path) -> None:
    for path in folder.glob(".worker.*.tmp"):
        with suppress(FileNotFoundError):  # somebody else does the same
            if path.stat().st_mtime < time.time() - _OLD_SECONDS:
                path.unlink()


def _libraries(code: Fingerprint) -> Iterator[Library]:
    for part in code.parts:
        if part.kind == "library":
            names, versions = part.path.split("+"), part.source.split("+")
            if len(names) == len(versions):
                found = (Library(*each) for each in zip(names, versions, strict=True) if each[0] != _OURS)
                # What was installed without saying so can't be asked for; it is missed when it is imported.
                yield from (library for library in found if _version(library.name) is not None)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except PackageNotFoundError:
        return None


def _python(bytecode: str) -> str:
    """Return how a person calls an interpreter.

    >>> _python("cpython-311")
    'Python 3.11'
    """
    name, _, digits = bytecode.partition("-")
    return f"Python {digits[:1]}.{digits[1:]}" if name == "cpython" and digits else bytecode
