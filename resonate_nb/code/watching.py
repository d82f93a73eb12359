"""Whether everything that a fingerprint was taken from is still bound as it was."""

from __future__ import annotations

import types
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from resonate_nb.code.literals import COMPOUNDS, literal_text
from resonate_nb.code.nodes import Role
from resonate_nb.code.source import is_current

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resonate_nb.code.source import Stamp

MISSING: Any = object()


@dataclass(slots=True)
class Watch:
    """What one function, module or class refers to, by name.

    The holder and all code is referred to weakly: a fingerprint that is remembered must not keep alive
    the very function that it is remembered for.
    """

    holder: Callable[[], Any]
    code: types.CodeType | None = None  # the rest is a function's alone
    defaults: tuple[object, ...] | None = None
    keyword_defaults: dict[str, object] | None = None
    same: list[tuple[str, object]] = field(default_factory=list)
    alive: list[tuple[str, weakref.ref[Any]]] = field(default_factory=list)
    kinds: list[tuple[str, weakref.ref[type]]] = field(default_factory=list)
    cells: list[tuple[int, Watch]] = field(default_factory=list)  # of a closure: by index, content as ""

    def holds(self) -> bool:
        """Return whether all names still mean the same."""
        holder = self.holder()
        if holder is None:
            return False
        if self.code is None:
            return self.holds_in(holder.__dict__)
        if (
            holder.__code__ is not self.code
            or holder.__defaults__ is not self.defaults
            or (holder.__kwdefaults__ is not self.keyword_defaults)
        ):
            return False
        for index, content in self.cells:
            if not content.holds_in({"": cell_content(holder.__closure__[index])}):
                return False
        return self.holds_in(holder.__globals__)

    def holds_in(self, namespace: Mapping[str, object]) -> bool:
        """Return whether the names mean the same in this namespace."""
        for name, expected in self.same:
            found = namespace.get(name, MISSING)
            if found is not expected and not _is_equal_literal(found, expected):
                return False
        for name, reference in self.alive:
            if namespace.get(name) is not reference():
                return False
        for name, kind in self.kinds:
            found = namespace.get(name)
            if type(found) is not kind() or (type(found) in COMPOUNDS and literal_text(found) is not None):
                return False
        return True

    def expect_literal(self, name: str, value: object) -> None:
        """Expect an equal literal under the name; MISSING: nothing."""
        self.same.append((name, value))

    def expect_code(self, name: str, value: object) -> None:
        """Expect this very object under the name."""
        try:
            self.alive.append((name, weakref.ref(value)))
        except TypeError:
            self.same.append((name, value))

    def expect_data(self, name: str, value: object) -> None:
        """Expect data under the name, whichever: it is read anew at each call."""
        if callable(value):  # another object of its class may be code
            self.expect_code(name, value)
        else:
            self.kinds.append((name, weakref.ref(type(value))))


def watch_of(holder: Any) -> Watch:
    """Return a watch on what a function, module or class refers to; as yet it expects nothing."""
    if not isinstance(holder, types.FunctionType):
        return Watch(weakref.ref(holder))
    return Watch(weakref.ref(holder), holder.__code__, holder.__defaults__, holder.__kwdefaults__)


def expect(watch: Watch, name: str, role: Role, value: object) -> None:
    """Let a watch expect what makes a name play the same role for the code, with the same meaning."""
    if role is Role.LITERAL:
        watch.expect_literal(name, value)
    elif role is Role.CODE:
        watch.expect_code(name, value)
    else:
        watch.expect_data(name, value)


def all_hold(watches: tuple[Watch, ...], stamps: tuple[Stamp, ...]) -> bool:
    """Return whether nothing was bound anew and no file of the user's modules changed."""
    for watch in watches:
        if not watch.holds():
            return False
    return all(is_current(stamp) for stamp in stamps) if stamps else True


def cell_content(cell: types.CellType) -> Any:
    """Return what a closure's cell holds; MISSING while it is empty."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def _is_equal_literal(found: object, expected: object) -> bool:
    text = literal_text(found)
    return text is not None and text == literal_text(expected)
