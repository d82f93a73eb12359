"""Items of a map, computed in another process than the notebook's.

Where the process sees the store's folder, it claims the items in its own name and settles them itself, so
that they are kept whatever becomes of the notebook. Else it only computes, and reports what the notebook
needs to settle them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from resonate_nb import fingerprint
from resonate_nb.corridor.context import current
from resonate_nb.corridor.work import Outcome
from resonate_nb.errors import (
    Pending,
    ResonateError,
    UnfitWorker,
    Unpicklable,
    UsageError,
)
from resonate_nb.execution import Attempt
from resonate_nb.executors.hosting import Told, hosted, listening
from resonate_nb.executors.inline import Inline
from resonate_nb.executors.travelling import Report, Returned, Ways
from resonate_nb.many.items import Item, Round
from resonate_nb.many.rates import Rate
from resonate_nb.opened import file_records
from resonate_nb.opened.file_records import Unrepeatable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from resonate_nb.execution import Execution
    from resonate_nb.executors.hosting import Guest
    from resonate_nb.executors.travelling import Chunk, Luggage, Traveller
    from resonate_nb.functions import DurableFunction
    from resonate_nb.opened.file_records import Record
    from resonate_nb.promise import Promise


def compute_chunk(
    luggage: Luggage,
    chunk: Chunk,
    worker: str,
    wanted: Callable[[], bool],
    begins: Callable[[int, int], None] = lambda _number, _timeout_at: None,
) -> Returned:
    """Compute items, one after the other, as long as they are `wanted`.

    `begins` hears the number of each item whose body begins, and when that has to end.

    Raises
    ------
    UnfitWorker
        This process lacks something.
    """
    told = Told()
    fingerprint.descriptions.update(chunk.descriptions)
    reports = []
    with listening(told), hosted(luggage, worker) as guest:
        began = time.perf_counter()
        for report in _Visit(guest, luggage, worker, begins).compute(chunk):
            reports.append(report)
            if not wanted():
                break
    seconds = time.perf_counter() - began
    return Returned(tuple(reports), seconds, tuple(told.said), tuple(told.warned))


class _Visit:
    """A guest at work on one chunk."""

    def __init__(
        self, guest: Guest, luggage: Luggage, worker: str, begins: Callable[[int, int], None]
    ) -> None:
        self._begins = begins
        self._guest, self._luggage, self._worker = guest, luggage, worker
        self._ways = Ways(luggage.secret)

    def compute(self, chunk: Chunk) -> Iterator[Report]:
        """Yield what becomes of each item."""
        items: list[Item] = []
        for traveller, arguments in zip(chunk.items, self._arguments(chunk), strict=True):
            try:
                items.append(self._item(traveller, arguments))
            except ResonateError as refusal:  # of this item alone
                yield self._told_of(traveller.number, Outcome(error=refusal))
        yield from self._settled(items) if self._luggage.folder is not None else map(self._computed, items)

    def _arguments(self, chunk: Chunk) -> Iterable[tuple[Any, ...]]:
        try:
            found: list[tuple[Any, ...]] = self._ways.unpack(chunk.arguments)
        except ResonateError as error:
            name = self._luggage.name
            cause = error.__cause__
            if isinstance(cause, ModuleNotFoundError):
                lacks = f"the module {cause.name}, which arguments of {name} need"
            else:
                lacks = f"what it takes to load arguments of {name} ({cause or error})"
            raise UnfitWorker(self._worker, lacks) from error
        return found

    def _item(self, traveller: Traveller, arguments: tuple[Any, ...]) -> Item:
        """Return an item, if it is here what it is in the notebook."""
        function, place = self._guest.function, traveller.place(current())
        work = function.work(arguments, {}, id=place).under(self._luggage.prefix)
        if (work.id, work.inputs) != (traveller.id, traveller.inputs):
            raise UsageError(
                f"what reached worker {self._worker} is not what was sent as {traveller.id!r}: an argument "
                f"of {work.name}, or data that it reads, does not survive being pickled, its class is "
                "another one in a module there, or another call changed it in place. Compute it here, "
                "without `executor=`"
            )
        return Item(traveller.number, arguments, replace(work, bound=self._bound))

    def _bound(self, promise: Promise) -> NoReturn:
        raise UnfitWorker(
            self._worker,
            f"the older code with which promise {promise.id!r} was begun, and which it goes on with: "
            f"`restart({promise.id!r})` lets it go on with the present code",
        )

    def _settled(self, items: list[Item]) -> Iterator[Report]:
        """Compute items in this process's own name, and settle them."""
        works = {item.number: item.work for item in items}
        here: Any = _Here(self._guest.function, self._guest.execution, items, self._begins)
        for number, outcome, replayed in Inline().run(here, Rate(None)):
            if self._guest.execution.find(works[number]) is None:
                yield self._told_of(number, outcome)
            else:
                yield Report(number=number, replayed=replayed)

    def _computed(self, item: Item) -> Report:
        """Compute an item in a corridor that forgets, and tell what the notebook needs to settle it."""
        execution = self._guest.execution
        attempt = execution.enter(item.work)
        if not isinstance(attempt, Attempt):
            return self._told_of(item.number, attempt.outcome)
        self._begins(item.number, attempt.timeout_at)
        try:
            outcome = execution.compute(attempt, self._guest.function.body(item.arguments, {}))
        except Pending as waiting:
            outcome = Outcome(error=_unanswerable(waiting, item.work.name))
        execution.abandon(attempt)
        record, faults = _files(attempt)
        return replace(
            self._told_of(item.number, outcome),
            changed=tuple(item.work.changed()),
            faults=faults,
            record=record,
            failures=attempt.trail.failures if attempt.trail.failures.total else None,
            called=frozenset(attempt.context.called),
        )

    def _told_of(self, number: int, outcome: Outcome) -> Report:
        """Return a report with the outcome in it."""
        error = outcome.error
        if error is None:
            try:
                return Report(number=number, outcome=self._ways.pack(outcome.value, "value"))
            except Unpicklable as refusal:
                error = refusal
        return Report(number=number, error=True, kept=outcome.kept, outcome=self._ways.pack_error(error))


@dataclass(frozen=True, slots=True)
class _Here:
    """The items of a chunk, as those of a map."""

    function: DurableFunction[Any, Any]
    execution: Execution
    items: list[Item]
    begins: Callable[[int, int], None]

    def rounds(self) -> Iterator[Round]:
        """Yield them all: they were looked up in the notebook."""
        yield Round([], self.items)


def _files(attempt: Attempt) -> tuple[Record, tuple[str, ...]]:
    """Return the record of an attempt's files, or why there is none."""
    try:
        return file_records.record_of(attempt.context.trace), ()
    except Unrepeatable as problem:
        return (), (str(problem),)


def _unanswerable(waiting: Pending, name: str) -> UsageError:
    return UsageError(
        f"{name} asks {waiting.id!r}, and the workers don't see the store, so that nobody could answer: ask "
        "before the map, or compute here, without `executor=`"
    )
