"""Which stores a server may open: those below its root and those named in its configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resonate_nb.errors import ResonateError
from resonate_nb.server.following import Watcher
from resonate_nb.server.refusals import Refused
from resonate_nb.server.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from resonate_nb.clock import Clock

FOLDER = ".resonate"
_DEEPEST = 8  # folders below the root in which stores are looked for
_SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages"})


@dataclass(slots=True)
class Stores:
    """The services of the stores below one folder, opened when they are first asked for."""

    root: Path
    clock: Clock
    named: tuple[Path, ...] = ()  # further stores, by the server's configuration
    _services: dict[Path, Service] = field(default_factory=dict)
    _watchers: dict[Path, Watcher] = field(default_factory=dict)

    def service(self, name: str) -> Service:
        """Return the service of a store, named by its path as it is shown, or relative to the root.

        Raises
        ------
        Refused
            There is no such store, or it is none that this server may open.
        """
        return self._opened(self._allowed(name))

    def watcher(self, name: str) -> Watcher:
        """Return what tells of changes in a store; must be called in the event loop."""
        path = self._allowed(name)
        if path not in self._watchers:
            self._watchers[path] = Watcher(self._opened(path).store)
        return self._watchers[path]

    def names(self) -> list[str]:
        """Return the names of all stores that are there now."""
        return [
            self._name(each) for each in dict.fromkeys((*self.named, *_stores_below(self.root, _DEEPEST)))
        ]

    def close(self) -> None:
        """Let go of every store."""
        for watcher in self._watchers.values():
            watcher.stop()
        for service in self._services.values():
            service.store.close()

    def _allowed(self, name: str) -> Path:
        root = self.root.resolve()
        path = (root / (name or FOLDER)).resolve()
        below = path.is_relative_to(root) and path.name == FOLDER
        if not below and path not in {each.resolve() for each in self.named}:
            raise Refused(403, f"{name!r} is no store below the server's root, and not in its configuration")
        if not (path / "format").is_file():
            raise Refused(404, f"there is no store {name or FOLDER!r}")
        return path

    def _opened(self, path: Path) -> Service:
        from resonate_nb.store.disk import DiskStore

        if path not in self._services:
            try:
                self._services[path] = Service(DiskStore(path), self.clock)
            except ResonateError as problem:
                raise Refused(503, str(problem)) from None
        return self._services[path]

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


def _stores_below(folder: Path, depth: int) -> Iterable[Path]:
    """Return the stores below a folder, looking neither into hidden folders nor behind links."""
    try:
        inside = sorted(each for each in folder.iterdir() if each.is_dir() and not each.is_symlink())
    except OSError:
        return
    for each in inside:
        if each.name == FOLDER:
            yield each
        elif depth and not each.name.startswith(".") and each.name not in _SKIPPED:
            yield from _stores_below(each, depth - 1)
