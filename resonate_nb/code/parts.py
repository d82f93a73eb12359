"""The parts of a fingerprint, and in words how two fingerprints differ."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonate_nb.code.edits import first_edit

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 60  # characters of a constant
_DIFF_LINES = 40


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a fingerprint consists of; the first is the function or cell itself."""

    path: str  # "f", "helper", "helper.scale", "mod.helper", "ALPHA", "numpy"
    kind: str  # "code", "constant", "library", "missing"
    digest: str
    source: str  # source text of code, repr of a constant, exact version of a library


def difference(old: Sequence[Part], new: Sequence[Part]) -> list[str]:
    """Return in words what is different between two fingerprints; empty if nothing is.

    >>> difference([Part("A", "constant", "1", "0.2")], [Part("A", "constant", "2", "0.1")])
    ['constant A: 0.1, was 0.2']
    """
    before, after = ({part.path: part for part in parts} for parts in (old, new))
    own = {parts[0].path for parts in (old, new) if parts}
    said = []
    for path in dict.fromkeys((*after, *before)):
        was, now = before.get(path), after.get(path)
        if now is None and was is not None:
            said.append(
                f"{_name(was)} is gone" if was.kind != "missing" else f"`{path}` is no longer missing"
            )
        elif now is not None and was is None:
            said.append(f"{_name(now)} is new" if now.kind != "missing" else f"`{path}` is missing")
        elif was is not None and now is not None and (was.kind, was.digest) != (now.kind, now.digest):
            said.append(_change(was, now, own=path in own))
    return said


def source_diff(old: str, new: str) -> str:
    """Return how a source differs from an older one, as a short unified diff; empty if it doesn't."""
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), "pinned", "now", lineterm="", n=2))
    if len(lines) > _DIFF_LINES:
        lines = [*lines[:_DIFF_LINES], f"... and {len(lines) - _DIFF_LINES} more lines"]
    return "\n".join(lines)


def _change(was: Part, now: Part, *, own: bool) -> str:
    if was.kind != now.kind:
        return f"`{now.path}` is {_kind(now)}, was {_kind(was)}"
    if now.kind == "code":
        what = f"`{now.path}` itself changed" if own else f"helper `{now.path}` changed"
        if not now.path:
            what = "the cell's own code changed"
        return ", ".join(filter(None, (what, first_edit(was.source, now.source))))
    return (
        f"{_name(now)}{':' if now.kind == 'constant' else ''} {_short(now.source)}, was {_short(was.source)}"
    )


def _kind(part: Part) -> str:
    if part.kind == "missing":
        return "missing"
    return "code" if part.kind == "code" else f"the {part.kind} {_short(part.source)}"


def _name(part: Part) -> str:
    if part.kind == "library":
        return part.path
    return f"constant {part.path}" if part.kind == "constant" else f"helper `{part.path}`"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
