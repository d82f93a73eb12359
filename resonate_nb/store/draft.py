"""The changes of a transaction, kept apart until each operation has succeeded.

An operation that fails leaves nothing behind, so it can share a transaction with others.
"""

from __future__ import annotations

import functools
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from resonate_nb.errors import DamagedValue
from resonate_nb.promise import Promise, Value
from resonate_nb.store import rows

if TYPE_CHECKING:
    from resonate_nb.store.base import Entry, Operation, Result
    from resonate_nb.store.rows import Buffers


class Change(NamedTuple):
    """What a row becomes."""

    state: str
    row: bytes


class Table(Protocol):
    """The stored rows, as bytes by id."""

    def read(self, id: str) -> bytes | None:
        """Return a row, or None."""
        ...


class Draft:
    """The rows as the operations of one transaction see and change them."""

    def __init__(self, table: Table, buffers: Buffers) -> None:
        self._table, self._buffers = table, buffers
        self.changes: dict[str, Change | None] = {}  # None: deleted
        self.aside: dict[str, bytes] = {}  # rows as they were before they were put aside
        self._own_changes: dict[str, Change | None] = {}
        self._own_aside: dict[str, bytes] = {}

    def apply(self, operation: Operation[Result]) -> Result:
        """Return the operation's result; its changes join the draft unless it raises."""
        self._own_changes, self._own_aside = {}, {}
        result = operation.apply(self)
        self.changes.update(self._own_changes)
        self.aside.update(self._own_aside)
        return result

    def get(self, id: str) -> Entry | None:
        """Return the entry as this transaction left it so far, or None."""
        row = self._row(id)
        return None if row is None else rows.unpack(id, row, self._buffers)

    def put(self, entry: Entry) -> None:
        """Write the entry, replacing an older one."""
        row = rows.pack(entry, self._buffers)
        self._own_changes[entry.promise.id] = Change(entry.promise.state.value, row)

    def delete(self, id: str) -> None:
        """Remove the entry if there is one."""
        rows.check_id(id)
        self._own_changes[id] = None

    def set_aside(self, id: str) -> None:
        """Put the row out of the way, and those of its buffers that are damaged."""
        try:
            row = self._row(id)
        except DamagedValue:  # not even bytes: there is nothing that could be kept of it
            row = None
        if row is not None:
            self._own_aside[id] = row
            for digest, size in rows.buffers_of(id, row):
                self._buffers.set_aside_if_damaged(digest, size)
        self._own_changes[id] = None

    def _row(self, id: str) -> bytes | None:
        rows.check_id(id)
        for changes in (self._own_changes, self.changes):
            if id in changes:
                change = changes[id]
                return None if change is None else change.row
        return self._table.read(id)


def keep_values(operation: Operation[Any], buffers: Buffers) -> None:
    """Keep the large parts of an operation's values ahead of its transaction, which stays short."""
    for name in _names_of_fields(type(operation)):
        part = getattr(operation, name)
        if isinstance(part, Value):
            rows.keep(part, buffers)
        elif isinstance(part, Promise):
            rows.keep(part.param, buffers)
            rows.keep(part.value, buffers)


@functools.cache
def _names_of_fields(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls)) if is_dataclass(cls) else ()
