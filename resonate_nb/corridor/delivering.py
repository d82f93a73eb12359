"""What a settled promise delivers, and when it is no answer."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonate_nb.corridor.attempts import Caller, Delivered
from resonate_nb.corridor.context import attributed
from resonate_nb.corridor.mutating import TAG, Left
from resonate_nb.corridor.work import Outcome
from resonate_nb.errors import (
    DamagedValue,
    MissingReference,
    NotKept,
    PromiseCanceled,
    PromiseTimedOut,
    UnreadableValue,
)
from resonate_nb.opened import file_records
from resonate_nb.promise import State
from resonate_nb.store.operations import SetAside

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from resonate_nb.clock import Clock
    from resonate_nb.codec import Codec
    from resonate_nb.corridor.mutating import Mutation
    from resonate_nb.corridor.work import Work
    from resonate_nb.promise import Promise
    from resonate_nb.store.base import Store

NOBODY = Caller()
_ARGUMENTS = "an argument of its call"


@dataclass(frozen=True, slots=True)
class Delivering:
    """The reading half of the corridor."""

    store: Store
    codec: Codec
    clock: Clock

    def find(self, work: Work, caller: Caller = NOBODY) -> Delivered | None:
        """Return the outcome if the promise is settled, without waiting or computing."""
        shortcut = work.shortcut
        if shortcut is None or caller is not NOBODY:
            return self._find(work, caller)
        delivered, row = shortcut.take(self.store, work.id)
        if delivered is not None:
            return delivered
        delivered = self._find(work, caller)
        if delivered is not None and delivered.promise.id == work.id:  # no generation, with a row of its own
            shortcut.remember(row, delivered)
        return delivered

    def _find(self, work: Work, caller: Caller) -> Delivered | None:
        try:
            promise = self.store.head(work.id)
        except DamagedValue as damage:
            warnings.warn(f"{damage}; the record is set aside and computed again", NotKept, stacklevel=2)
            self.store.do(SetAside(id=work.id))
            return None
        return None if promise is None else self.delivery(work, promise, caller)

    def find_many(self, works: Iterable[Work]) -> dict[str, Delivered]:
        """Return by id the outcomes of those works whose promises are settled, with few reads."""
        wanted = {work.id: work for work in works}
        try:
            entries = self.store.get_many(wanted)
        except DamagedValue:
            return self._find_each(wanted)  # rare: each alone, where the damage is dealt with
        found = {}
        for id, entry in entries.items():
            work = wanted[id]
            one = self.delivery(work, entry.promise) if entry.head == 1 else self.find(work)
            if one is not None:
                found[id] = one
        return found

    def _find_each(self, works: Mapping[str, Work]) -> dict[str, Delivered]:
        found = {id: self.find(work) for id, work in works.items()}
        return {id: delivered for id, delivered in found.items() if delivered is not None}

    def delivery(self, work: Work, promise: Promise, caller: Caller = NOBODY) -> Delivered | None:
        """Return what a promise delivers; None if it is no answer to this work.

        Raises
        ------
        PromiseConflict
            The promise belongs to other work.
        """
        seen = promise.seen(self.clock.now())
        work.guard(seen)
        if not seen.settled or seen.state in work.unless:
            return None
        if TAG in seen.tags and work.mutation is None:
            return None  # what it changes was declared then, and is not any more
        try:
            record = file_records.read(seen.value, seen.id)
            if record and file_records.differences(record):
                return None
            caller.prepare()
            delivered = Delivered(seen, self.decode(seen, caller, work.mutation))
        except DamagedValue as damage:
            warnings.warn(f"{damage}; it is computed again", NotKept, stacklevel=2)
            return None
        if record:
            file_records.inherit(record, attributed())
        return delivered

    def changed_files(self, promise: Promise) -> str:
        """Return in words which files are not as a settled promise's outcome needs them; empty if all are."""
        try:
            found = file_records.differences(file_records.read(promise.value, promise.id))
        except DamagedValue:
            return ""  # said already
        more = f", and {len(found) - 1:,} more" if len(found) > 1 else ""
        return found[0] + more if found else ""

    def decode(self, promise: Promise, caller: Caller = NOBODY, mutation: Mutation | None = None) -> Outcome:
        """Return the outcome of a settled promise, with values loaded; change the arguments that it changes.

        Raises
        ------
        DamagedValue
            The value can't be had, or does not fit the arguments.
        """
        stored = file_records.without(promise.value)
        match promise.state:
            case State.RESOLVED:
                references = caller.references if mutation is None else mutation.references
                try:
                    value = self.codec.decode(stored, id=promise.id, references=references)
                except MissingReference:
                    if mutation is not None or TAG not in promise.tags:
                        raise
                    raise MissingReference(promise.id, _ARGUMENTS) from None
                return Outcome(_without_changes(value, promise.id, mutation))
            case State.REJECTED:
                return Outcome(error=self.codec.decode_error(stored, id=promise.id))
            case State.CANCELED:
                return Outcome(error=PromiseCanceled(promise.id))
            case _:
                return Outcome(error=PromiseTimedOut(promise.id))


def _without_changes(value: object, id: str, mutation: Mutation | None) -> object:
    """Return what a body returned, after changing the arguments as it did, where they are there."""
    if not isinstance(value, Left):
        return value
    if mutation is not None and not mutation.restore(value):
        raise UnreadableValue(id, "the arguments consist of other objects than those that it changes")
    return value.returned
