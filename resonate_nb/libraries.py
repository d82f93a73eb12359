"""Which code is installed and which is the user's own, and the version that an installed library has."""

from __future__ import annotations

import functools
import importlib.metadata
import sys
import sysconfig
from pathlib import Path

_OURS = "resonate_nb"
_INSTALLED_FOLDERS = frozenset({"site-packages", "dist-packages"})


def is_library(module: str | None) -> bool:
    """Return whether a module of this name is installed, or part of Python, rather than the user's own."""
    top = (module or "builtins").partition(".")[0]
    if top == "__main__":
        return False
    if top in sys.stdlib_module_names or top == _OURS:
        return True
    found = sys.modules.get(top)
    file = getattr(found, "__file__", None) or next(iter(getattr(found, "__path__", [])), None)
    return _is_installed(file) if file else top in sys.builtin_module_names


def is_installed_file(file: str) -> bool:
    """Return whether a source file belongs to Python or an installed library."""
    return _is_installed(file)


@functools.lru_cache(maxsize=4096)
def _is_installed(file: str) -> bool:
    path = Path(file).resolve()
    standard = Path(sysconfig.get_path("stdlib")).resolve()
    return bool(_INSTALLED_FOLDERS & set(path.parts)) or path.is_relative_to(standard)


def library_version(module: str, library: str) -> str:
    """Return what of a library's version counts: empty for Python's own modules.

    >>> library_version("json", "major")
    ''
    """
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return ""
    version = _version(top)
    if library == "exact":
        return version
    parts = version.split(".")
    return ".".join(parts[:2]) if parts[0] == "0" else parts[0]


@functools.cache
def _version(top: str) -> str:
    for name in (top, *_distributions().get(top, ())):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return str(getattr(sys.modules.get(top), "__version__", ""))


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())
