"""The source of code that runs: where the text is, and whether it is the text of this very code."""

from __future__ import annotations

import linecache
import os
import tokenize
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from resonate_nb.code.by_identity import ByIdentity
from resonate_nb.code.texts import FUTURES, Definition, parsed_text

if TYPE_CHECKING:
    import types
    from collections.abc import Mapping

Stamp = tuple[str, int, int]  # a file's path, its time in nanoseconds, its size in bytes

_OWN_LOADERS = frozenset({"importlib.machinery", "_frozen_importlib_external", "_frozen_importlib"})


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of the source of a function or class."""

    tree: Definition | None = None  # None: there is no text from which it was compiled
    text: str = ""  # for people, dedented
    stamp: Stamp | None = None  # of the file, where the code could be loaded anew from it
    stale: bool = False  # the file is not, or no longer, the code that runs


def source_of_function(function: types.FunctionType) -> Source:
    """Return the source from which a function's very code object was compiled."""
    code = function.__code__
    known = _known.get(code)
    if known is not None and (known.stamp is None or is_current(known.stamp)):
        return known
    found = _search_function(code, function.__globals__)
    if known is not None and known.tree is not None:
        found = replace(known, stamp=found.stamp, stale=found.tree is None)
    _known.set(code, found)
    return found


def is_current(stamp: Stamp) -> bool:
    """Return whether a file is as it was when it was read."""
    return _stamp(stamp[0]) == stamp


_known: ByIdentity[Source] = ByIdentity()


def _search_function(code: types.CodeType, namespace: Mapping[str, Any]) -> Source:
    text, stamp = read_text(code.co_filename, namespace)
    parsed = parsed_text(text, code.co_filename, code.co_flags & FUTURES)
    node = None if parsed is None else next(parsed.definitions_of(code), None)
    if parsed is not None and node is not None:
        return Source(node, parsed.cut(node), reloadable(stamp, namespace))
    return Source(stamp=reloadable(stamp, namespace), stale=bool(stamp) and is_plainly_loaded(namespace))


def read_text(filename: str, namespace: Mapping[str, Any]) -> tuple[str, Stamp | None]:
    """Return the text of a cell or file, and the file's stamp where it comes from the disk."""
    cell = text_of_cell(filename)
    if cell is not None:
        return cell, None
    stamp = _stamp(filename)
    try:
        if stamp is not None:
            with tokenize.open(filename) as file:
                return file.read(), stamp
    except (OSError, SyntaxError, UnicodeDecodeError):
        return "", stamp
    loading = {name: namespace[name] for name in ("__name__", "__loader__", "__spec__") if name in namespace}
    return "".join(linecache.getlines(filename, loading)), None


def text_of_cell(filename: str) -> str | None:
    """Return the text of a cell: it has no time, because it never was a file."""
    entry: Any = linecache.cache.get(filename)
    return "".join(entry[2]) if entry is not None and len(entry) == 4 and entry[1] is None else None


def _stamp(filename: str) -> Stamp | None:
    try:
        found = os.stat(filename)  # noqa: PTH116 (twice as fast, and done at every call)
    except (OSError, ValueError):
        return None
    return filename, found.st_mtime_ns, found.st_size


def reloadable(stamp: Stamp | None, namespace: Mapping[str, Any]) -> Stamp | None:
    """Return the stamp unless the file is a script: that can't be loaded anew, so edits are no matter."""
    return None if namespace.get("__name__") in ("__main__", "__mp_main__") else stamp


def is_plainly_loaded(namespace: Mapping[str, Any]) -> bool:
    """Return whether a module is compiled from its text as it stands, and not rewritten on import."""
    loader = namespace.get("__loader__")
    return loader is None or type(loader).__module__ in _OWN_LOADERS
