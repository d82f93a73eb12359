"""By which cells an object was made that has no content of its own: a connection, a lock, an engine.

Such an object is identified by the cell that assigned it, with what that cell read, and by every plain cell
that touched it since: what happens inside it can't be seen. A durable cell that reads it counts as leaving it
as it was, since a replay does not touch it either. What is used up by reading is never identified so.
"""

from __future__ import annotations

import gc
import hashlib
import io
import queue
import socket
import sys
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonate_nb.content.digest_forms import type_name
from resonate_nb.errors import ResonateError
from resonate_nb.fingerprint import content_digest, fingerprint_cell
from resonate_nb.notebook.reach import reaches
from resonate_nb.notebook.shell_names import is_shells

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Mapping

    from resonate_nb.fingerprint import Capture
    from resonate_nb.notebook.analysis import CellAnalysis

MOST_OBJECTS = 1_000  # behind what a plain cell reads: more are not digested on the side
MOST_BYTES = 1 << 22
_ELSEWHERE = (types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType, types.FrameType)
_DATA = (type(None), bool, int, float, complex, str, bytes, list, dict, set, frozenset, *_ELSEWHERE)
_USED_UP_BY_READING = (io.IOBase, socket.socket, queue.Queue, queue.SimpleQueue)
# Modules of types that have no content of their own, but lead to that of others: views of dicts, references.
_LEADING_ELSEWHERE = frozenset({"builtins", "weakref", "_weakref", "_weakrefset", "collections", "itertools"})


class Unidentified(ResonateError):
    """What a cell reads can't be identified, so that the cell has to be computed each time."""

    def __init__(self, path: str, type_name: str, reason: str) -> None:
        self.path, self.type_name, self.reason = path, type_name, reason
        super().__init__(path, type_name, reason)

    def __str__(self) -> str:
        return f"it reads {self.path}, a {self.type_name}, which {self.reason}"


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of a cell before it ran."""

    writes: frozenset[str]
    digest: str | None  # of its code and all that it reads; None where that can't be said at little cost
    touched: tuple[object, ...]  # what it reaches of the objects that are identified here
    before: Mapping[str, object]


class Origins:
    """The objects of one namespace that are identified by cells."""

    def __init__(self, namespace: Callable[[], dict[str, Any]]) -> None:
        self._namespace = namespace
        # By id; holds the objects, so that no id comes twice. No text: it can't be identified any more.
        self._known: dict[int, tuple[object, str | None]] = {}

    def look(self, tree: ast.Module, analysis: CellAnalysis) -> Sight:
        """See a cell that is about to run."""
        namespace = self._namespace()
        names = {name for name in analysis.inputs if not is_shells(name)}
        code = fingerprint_cell(tree, names, namespace)
        read = [each.read() for each in code.captures]
        touched = tuple(
            value
            for key, (value, _) in self._known.items()
            if analysis.opaque or any(reaches(each, {key}, namespace) for each in read)
        )
        parts = [self._part(each, value, touched) for each, value in zip(code.captures, read, strict=True)]
        unclear = code.stale is not None or None in parts
        before = {name: namespace[name] for name in analysis.writes & namespace.keys()}
        seen = None if unclear else _hash(code.digest, *map(str, parts))
        return Sight(analysis.writes, seen, touched, before)

    def ran(self, sight: Sight, *, leaves_alone: bool, failed: bool) -> None:
        """Take in that the cell has ended; `leaves_alone`: what it touched counts as it was."""
        if not leaves_alone:
            for value in sight.touched:
                known = self._known.get(id(value), (value, None))[1]
                unclear = known is None or sight.digest is None
                text = None if unclear else _hash(str(known), str(sight.digest), str(failed))
                self._known[id(value)] = value, text
        namespace = self._namespace()
        for name in sight.writes & namespace.keys() if sight.digest and not failed else ():
            value = namespace[name]
            if sight.before.get(name) is not value and _may_lack_content(value):
                self._known[id(value)] = value, _hash(name, str(sight.digest))
        alive = {id(value) for value in namespace.values()}
        self._known = {key: known for key, known in self._known.items() if key in alive}

    def forget(self) -> None:
        """Identify no object any more: a cell runs of which nothing could be seen."""
        self._known.clear()

    def of(self, owner: object, path: str) -> Callable[[object], str | None]:
        """Return what tells the identity of a part without content, given the object that a name holds.

        It raises `Unidentified` for what was seen, but can't be identified.
        """
        inside = set[int]()  # parts that lead back to themselves

        def stand_in(part: object) -> str | None:
            if id(owner) not in self._known:
                return None
            for each in (owner, part):
                if isinstance(each, _USED_UP_BY_READING) or hasattr(type(each), "__next__"):
                    raise Unidentified(path, type_name(each), "is used up by reading")
            if type(part).__module__ in _LEADING_ELSEWHERE:
                return None
            text = self._known[id(owner)][1]
            if text is None:
                raise Unidentified(path, type_name(part), "was used by a cell whose inputs can't be told")
            # A connection of sqlite3 counts the rows that were written through it.
            return f"{type_name(part)} of {text} {attributes(part)} {getattr(part, 'total_changes', '')}"

        def attributes(part: object) -> str:
            """Return the digest of what Python can see of a part: it counts, and may change."""
            if id(part) in inside or not hasattr(part, "__dict__"):
                return ""
            inside.add(id(part))
            try:
                return content_digest(vars(part), path, stand_in=stand_in)
            finally:
                inside.remove(id(part))

        return stand_in

    def _part(self, capture: Capture, value: object, touched: tuple[object, ...]) -> str | None:
        """Return the digest of what a cell reads; large values only where something depends on it."""
        if not touched and not _is_small(value):
            return None
        try:
            return content_digest(value, capture.path, stand_in=self.of(value, capture.path))
        except ResonateError:
            return None


def _may_lack_content(value: object) -> bool:
    """Return whether a value is of a type that has to be looked into; plain data never needs an origin."""
    if isinstance(value, _DATA):
        return False
    arrays = (("numpy", "ndarray"), ("pandas", "DataFrame"), ("pandas", "Series"), ("pandas", "Index"))
    return not any(isinstance(value, found) for found in map(_loaded, arrays) if found is not None)


def _loaded(name: tuple[str, str]) -> Any:
    return getattr(sys.modules.get(name[0]), name[1], None)


def _is_small(value: object) -> bool:
    seen, stack, size = set[int](), [value], 0
    while stack:
        part = stack.pop()
        if id(part) in seen or isinstance(part, _ELSEWHERE):
            continue
        seen.add(id(part))
        nbytes = getattr(part, "nbytes", 0)
        size += max(sys.getsizeof(part, 0), nbytes if isinstance(nbytes, int) else 0)
        if len(seen) > MOST_OBJECTS or size > MOST_BYTES:
            return False
        stack.extend(gc.get_referents(part))
    return True


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(errors="surrogatepass"), digest_size=16).hexdigest()
