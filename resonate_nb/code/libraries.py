"""Which distribution a module belongs to, or whether it is the user's own."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import re
import sys
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

Policy = Literal["major", "exact"]

_OURS = "resonate_nb"
_OWN = frozenset({"__main__", "__mp_main__"})
_INSTALLED_FOLDERS = frozenset({"site-packages", "dist-packages"})
_RELEASE = re.compile(r"(?P<epoch>\d+!)?(?P<major>\d+)(?:\.(?P<minor>\d+))?")


@dataclass(frozen=True, slots=True)
class Library:
    """A distribution that is installed; Python's own modules have neither name nor version."""

    name: str
    version: str

    def counted(self, policy: Policy) -> str:
        """Return as much of the version as counts: the major number, the minor one too while it is 0.

        >>> Library("numpy", "2.4.6").counted("major"), Library("young", "0.3.1").counted("major")
        ('2', '0.3')
        """
        release = _RELEASE.match(self.version)
        if policy == "exact" or release is None:
            return self.version
        epoch, major, minor = release["epoch"] or "", release["major"], release["minor"] or "0"
        return f"{epoch}0.{minor}" if major == "0" else f"{epoch}{major}"

    def says(self, thing: str, policy: Policy) -> str:
        """Return text that identifies a thing of this library by its name."""
        return " ".join(filter(None, (thing, self.name, self.counted(policy))))


PYTHON = Library("", "")


def library_of(module: str | None) -> Library | None:
    """Return the library that a module belongs to, None for the user's own.

    The user's own is what has source and was not installed: the notebook, files next to it, and projects
    that are installed editable. The resonate_nb package itself is a library in any case.
    """
    name = module or "builtins"
    top = name.partition(".")[0]
    if top in _OWN:
        return None
    file = file_of(name)
    if file is not None:
        return _library_of_file(top, file)
    known = top in sys.stdlib_module_names or top in sys.builtin_module_names or top not in sys.modules
    return PYTHON if known else None


def file_of(module: str) -> str | None:
    """Return the file of a module, imported or not, without importing more than its parents."""
    top = module.partition(".")[0]
    loaded = sys.modules.get(module) or sys.modules.get(top)
    if loaded is not None:
        file: str | None = getattr(loaded, "__file__", None)
        return file or next((str(folder) for folder in getattr(loaded, "__path__", ())), None)
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec is not None and spec.has_location else None


@lru_cache(maxsize=4096)
def _library_of_file(top: str, file: str) -> Library | None:
    path = Path(file)
    if top == _OURS:
        return Library("resonate-nb", _version_of("resonate-nb"))
    installed = [part for part in path.parents if part.name in _INSTALLED_FOLDERS]
    if not installed and any(path.is_relative_to(folder) for folder in _standard_folders()):
        return PYTHON
    folder = installed[0] if installed else _folder_of(top, path)
    providing = _providing(top, folder, path)
    if providing:
        versions = [f"{each.version}" for each in providing]
        return Library("+".join(each.name for each in providing), "+".join(versions))
    if installed:
        return Library(top, str(getattr(sys.modules.get(top), "__version__", "")))
    if path.is_file() and path.suffix not in {".py", ".pyw"}:
        return Library(top, f"file-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}")
    return None


@lru_cache(maxsize=1)
def _standard_folders() -> tuple[Path, ...]:
    return tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))


def _folder_of(top: str, path: Path) -> Path:
    """Return the folder on the path of imports in which the top-level package or module lies."""
    packages = [parent for parent in path.parents if parent.name == top]
    return packages[-1].parent if packages else path.parent


def _providing(top: str, folder: Path, path: Path) -> list[importlib.metadata.Distribution]:
    """Return the distributions, mostly one, that installed a module into the folder.

    A guess by the name comes first, because looking through all that is installed takes long. Where many
    share a package, those count that list the very file.
    """
    if folder.name not in _INSTALLED_FOLDERS and not any(folder.glob("*.dist-info")):
        return []
    guessed = importlib.metadata.distributions(name=top, path=[str(folder)])
    found = [each for each in guessed if top in _tops(each)] or _distributions(str(folder)).get(top, [])
    if len(found) > 1:
        relative = path.relative_to(folder).as_posix()
        found = [each for each in found if f"{relative}," in (each.read_text("RECORD") or "")] or found
    return sorted(found, key=lambda each: each.name)


@lru_cache(maxsize=64)
def _distributions(folder: str) -> dict[str, list[importlib.metadata.Distribution]]:
    providing: dict[str, list[importlib.metadata.Distribution]] = {}
    for distribution in importlib.metadata.distributions(path=[folder]):
        for top in _tops(distribution):
            providing.setdefault(top, []).append(distribution)
    return providing


def _tops(distribution: importlib.metadata.Distribution) -> set[str]:
    """Return the names of the top-level packages and modules that a distribution installed."""
    record = distribution.read_text("RECORD")
    if record is not None:
        firsts = {line.partition(",")[0].partition("/")[0] for line in record.splitlines()}
        return {first.partition(".")[0] for first in firsts if not first.endswith((".dist-info", ".."))}
    listed = distribution.read_text("top_level.txt")
    return set(listed.split()) if listed else {distribution.name.lower().replace("-", "_")}


def _version_of(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
