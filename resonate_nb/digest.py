"""The digest of a value: 32 hexadecimal digits that depend on its content alone.

A value is a graph. Its nodes are written one after the other, scalars in place, everything else as the
number of a node that follows: so cycles end, sharing counts, and no depth of nesting is too deep. The
text that is hashed can be read back in only one way. **It is part of the store's format**: two processes,
Python versions or sets of installed packages must never disagree, and the golden values in the tests hold.
"""

from __future__ import annotations

import sys
import types
from collections import deque
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from xxhash import xxh3_128

from resonate_nb.content.digest_arrays import array_kind
from resonate_nb.content.digest_forms import Content, Form, Refused, kind_of, own_kind, type_name
from resonate_nb.content.digest_frames import frame_kind
from resonate_nb.content.digest_scalars import COLUMN_OF, COLUMN_WRITERS, INLINE, SCALARS, encode, frame
from resonate_nb.errors import UndigestibleInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from resonate_nb.content.digest_forms import Kind

    # Where a node was found: the way to its owner, the owner, and which of its parts the node is.
    Path = str | tuple["Path", object, int]

FORMAT = b"rnb-digest-1"
PENDING = 1 << 16  # bytes that are gathered before they are hashed
COLUMNS = 32  # items: longer sequences are written type by type, in C
SET_NESTING = 100  # sets inside sets, each of which costs a few frames of Python's stack
SET_NODES = 100_000  # met through sets inside sets, again on every way: a graph has more ways than nodes
SHOWN_STEPS = 20  # of each end of a very long path
CHECKED = 1 << 16  # nodes between two looks at how deep the walk has come
HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: the class was made at run time
RENAMED_MODULES = {"pathlib._local": "pathlib", "pathlib._abc": "pathlib"}  # as Python 3.13 calls them
CHAIN = 100_000  # parts inside parts: no value is so deep, but an object may make up new ones for ever


def digest(
    value: object,
    *,
    path: str = "value",
    describe_code: Callable[[object], str] | None = None,
    stand_in: Callable[[object], str | None] | None = None,
) -> str:
    """Return the digest of a value's content as 32 hexadecimal digits.

    Parameters
    ----------
    value
        Anything; it is neither changed nor consumed.
    path
        What messages call the value.
    describe_code
        Gives the text that identifies a function's or class's code. Without it they are identified by
        name, and refused where they have none that can be imported (`__main__`, lambdas, local functions).
    stand_in
        Gives text that identifies a part without content, or None where it is to be refused.

    Raises
    ------
    UndigestibleInput
        A part has no content; the error names the way to it, as in ``x['lock']._inner``.

    >>> digest([1, 2]) == digest([1, 2])
    True
    >>> digest(1) == digest(1.0)
    False
    """
    return _Walk(path, _Around(describe_code, stand_in)).over(value).hex()


@dataclass(slots=True)
class _Around:
    """What all walks of one digest share: lasting no longer than it, since values and classes change."""

    describe_code: Callable[[object], str] | None
    stand_in: Callable[[object], str | None] | None
    code: dict[int, tuple[object, bytes]] = field(default_factory=dict)  # by id; holds the objects
    kinds: dict[type, Kind] = field(default_factory=dict)
    set_nodes: int = 0  # with identity, met through sets inside sets

    def kind(self, cls: type) -> Kind:
        """Return what a class is to this digest."""
        kind = self.kinds.get(cls)
        if kind is None:
            kind = own_kind(cls) or array_kind(cls) or frame_kind(cls) or kind_of(cls)
            self.kinds[cls] = kind
        return kind


class _Walk:
    """One walk over a value; a set's elements are walked each on its own, knowing what is around them."""

    __slots__ = ("_around", "_found", "_hasher", "_known", "_nodes", "_outer", "_pending", "_top")

    def __init__(self, path: Path, around: _Around, outer: tuple[_Walk, ...] = ()) -> None:
        self._top = path
        self._around = around
        self._outer = outer  # the innermost first
        self._found = 0  # nodes so far
        self._known: dict[int, tuple[int, object]] = {}  # by id; holds the objects, so that no id comes twice
        self._nodes: deque[tuple[object, Path]] = deque()
        self._pending = bytearray()
        self._hasher = blake2b(digest_size=16, person=FORMAT)

    def over(self, value: object) -> bytes:
        """Return the digest; a walk is used once."""
        self._item(value, self._top)
        nodes, pending, checked = self._nodes, self._pending, CHECKED
        while nodes:
            node, path = nodes.popleft()
            self._write(node, path)
            if len(pending) > PENDING:
                self._hasher.update(pending)
                pending.clear()
            if self._found > checked:
                checked += CHECKED
                self._refuse_endless(path)
        self._hasher.update(pending)
        return self._hasher.digest()

    def _write(self, node: object, path: Path) -> None:
        cls = type(node)
        if cls is dict:
            self._pending += b"{"
            self._sequence(list(node), path, _Keys(node))  # type: ignore[call-overload]
            self._sequence(list(node.values()), path, node)  # type: ignore[attr-defined]
        elif cls is list:
            self._pending += b"["
            self._sequence(node, path, node)  # type: ignore[arg-type]
        elif cls is tuple:
            self._pending += b"("
            self._sequence(node, path, node)  # type: ignore[arg-type]
        elif cls is set or cls is frozenset:
            self._pending += b"<" if cls is set else b">"
            self._elements(node, path)  # type: ignore[arg-type]
        elif cls is Content:
            self._pending += b"#" + _hash_content(node)  # type: ignore[arg-type]
        else:
            self._form(node, path)

    def _form(self, value: object, path: Path) -> None:
        try:
            form = self._around.kind(type(value)).form_of(value)
        except Refused as refusal:
            text = None if self._around.stand_in is None else self._around.stand_in(value)
            if text is None:
                raise self._undigestible(value, path, refusal.hint) from refusal.__cause__
            form = Form("stand-in", (text,))
        self._pending += b"F" + frame(form.kind.encode())
        self._sequence(form.parts, path, form)

    def _sequence(self, items: Sequence[object], path: Path, owner: object) -> None:
        """Write how many items there are, and each one; long ones sorted into columns by their type."""
        self._pending += b"%d;" % len(items)
        if len(items) >= COLUMNS:
            self._columns(items, path, owner)
            return
        for place, item in enumerate(items):
            scalar = SCALARS.get(type(item))
            if scalar is not None:
                self._pending += scalar(item)
            else:
                self._refer(item, (path, owner, place))

    def _columns(self, items: Sequence[object], path: Path, owner: object) -> None:
        classes = set(map(type, items))
        if len(classes) == 1:
            column = COLUMN_OF[classes.pop()]
            self._pending += b"%d=" % column
            self._column(column, items, path, owner, range(len(items)))
            return
        columns = bytes(map(COLUMN_OF.__getitem__, map(type, items)))
        self._pending += frame(columns)
        for column in sorted(set(columns)):
            places = [place for place, found in enumerate(columns) if found == column]
            self._column(column, [items[place] for place in places], path, owner, places)

    def _column(
        self, column: int, items: Sequence[Any], path: Path, owner: object, places: Iterable[int]
    ) -> None:
        if column:
            self._pending += COLUMN_WRITERS[column](items)
            return
        for place, item in zip(places, items, strict=True):
            self._item(item, (path, owner, place))

    def _item(self, item: object, path: Path) -> None:
        scalar = SCALARS.get(type(item))
        if scalar is not None:
            self._pending += scalar(item)
        else:
            self._refer(item, path)

    def _elements(self, elements: set[object] | frozenset[object], path: Path) -> None:
        """Write what is in a set, in the order of its elements' digests."""
        written = []
        for place, element in enumerate(elements):
            scalar = SCALARS.get(type(element))
            if scalar is not None:
                written.append(scalar(element))
            else:
                inner = self._inside((path, elements, place), element)
                written.append(b"*" + inner.over(element))
        self._pending += b"%d;" % len(written) + frame(b"".join(sorted(written)))

    def _inside(self, path: Path, element: object) -> _Walk:
        outer = (self, *self._outer)
        if len(outer) > SET_NESTING:
            raise self._undigestible(element, path, "sets are nested too deeply: use lists")
        if self._around.set_nodes > SET_NODES:
            raise self._undigestible(element, path, "too many objects refer to each other through sets")
        return _Walk(path, self._around, outer)

    def _refer(self, value: object, path: Path) -> None:
        """Write the number of a value's node; a node that was not met before is written later."""
        known = self._known.get(id(value))
        if known is not None:
            self._pending += b"@%d;" % known[0]
            return
        if isinstance(value, (type, types.FunctionType)):
            self._pending += self._written_code(value, path)
            return
        for level, walk in enumerate(self._outer):
            known = walk._known.get(id(value))  # noqa: SLF001
            if known is not None:
                self._pending += b"^%d,%d;" % (level, known[0])
                return
        cls = type(value)
        if cls is list or cls is dict or (cls is not tuple and self._around.kind(cls).identity):
            self._known[id(value)] = (self._found, value)
            if len(self._outer) > 1:
                self._around.set_nodes += 1
        self._pending += b"@%d;" % self._found
        self._found += 1
        self._nodes.append((value, path))

    def _written_code(self, code: type | types.FunctionType, path: Path) -> bytes:
        found = self._around.code.get(id(code))
        if found is None:
            found = self._around.code[id(code)] = (code, self._describe_code(code, path))
        return found[1]

    def _describe_code(self, code: type | types.FunctionType, path: Path) -> bytes:
        module, name = code.__module__, code.__qualname__
        if _built_in(code):
            return b"N" + frame(encode(f"{module}:{name}"))
        if self._around.describe_code is not None:
            return b"C" + frame(encode(self._around.describe_code(code)))
        if module == "__main__" or not _importable(code):
            raise self._undigestible(code, path, f"{name!r} can't be imported from {module!r} by that name")
        return b"N" + frame(encode(f"{RENAMED_MODULES.get(module, module)}:{name}"))

    def _refuse_endless(self, path: Path) -> None:
        depth, part = 0, path
        while not isinstance(part, str):
            depth, part = depth + 1, part[0]
        if depth > CHAIN:
            raise UndigestibleInput(_render(path), "chain", f"it has more than {CHAIN:,} parts inside parts")

    def _undigestible(self, value: object, path: Path, hint: str) -> UndigestibleInput:
        return UndigestibleInput(_render(path), type_name(value), hint)


class _Keys:
    """A dict as the owner of its keys, for messages."""

    __slots__ = ("mapping",)

    def __init__(self, mapping: object) -> None:
        self.mapping = mapping


def _render(path: Path) -> str:
    """Return the way to a part as a Python expression; the middle of a very long one is left out."""
    steps: list[str] = []
    while not isinstance(path, str):
        path, owner, place = path
        steps.append(_step(owner, place))
    if len(steps) > 2 * SHOWN_STEPS:
        steps[SHOWN_STEPS:-SHOWN_STEPS] = ["[...]"]
    return path + "".join(reversed(steps))


def _step(owner: object, place: int) -> str:
    if isinstance(owner, Form):
        step = owner.steps[place] if place < len(owner.steps) else ""
        return f".{step}" if step.isidentifier() else step
    if isinstance(owner, _Keys):
        return f".keys()[{place}]"
    if isinstance(owner, (set, frozenset)):
        return f"{{{type_name(list(owner)[place])}}}"
    if isinstance(owner, dict):
        key = list(owner)[place]
        return f"[{key!r:.60}]" if type(key) in SCALARS else f"[<{type_name(key)}>]"
    return f"[{place}]"


def _built_in(code: type | types.FunctionType) -> bool:
    static = isinstance(code, type) and not code.__flags__ & HEAP_TYPE
    return static and code.__module__ == "builtins"


def _importable(code: type | types.FunctionType) -> bool:
    found: object = sys.modules.get(code.__module__)
    for name in code.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is code


def _hash_content(content: Content) -> bytes:
    if content.size <= INLINE:
        return frame(b"".join(content.blocks))
    hasher = xxh3_128()
    for block in content.blocks:
        hasher.update(block)
    return b"%d#%b" % (content.size, hasher.digest())
