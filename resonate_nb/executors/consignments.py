"""The items of a map that go to other processes: in line, loaded some at a time, unloaded on return."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Self

from resonate_nb.corridor.work import Outcome
from resonate_nb.errors import UsageError
from resonate_nb.executors.travelling import Chunk, Traveller
from resonate_nb.many.claims import Claims
from resonate_nb.many.items import Finished
from resonate_nb.opened import file_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from resonate_nb.corridor.attempts import Attempt
    from resonate_nb.executors.travelling import Report, Returned, Ways
    from resonate_nb.many.claims import Granted
    from resonate_nb.many.items import Item, Items
    from resonate_nb.many.rates import Rate

_MOST_JOURNEYS = 3  # of one item whose outcome, settled elsewhere, is no answer here


class Sent(NamedTuple):
    """An item that goes, with the right to compute it where this process has got that."""

    item: Item
    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Loading:
    """Items that go together."""

    sent: dict[int, Sent] = field(default_factory=dict)  # by number
    finished: list[Finished] = field(default_factory=list)  # what need not go


class Consignment(ABC):
    """The items of a map that are not settled. Used by one thread."""

    def __init__(self, items: Items, ways: Ways) -> None:
        self.execution = items.execution
        self._ways = ways
        self._again: deque[Sent] = deque()  # what went, and came to nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Give back the right to compute what did not go again."""
        self.take_back(Loading({sent.item.number: sent for sent in self._again}))

    @abstractmethod
    def __bool__(self) -> bool:
        """Whether there are any, here or with somebody else who computes them."""

    @property
    @abstractmethod
    def in_line(self) -> bool:
        """Whether there are some that can go."""

    @abstractmethod
    def add(self, items: Iterable[Item]) -> None:
        """Put items at the end of the line."""

    @abstractmethod
    def load(self, most: int) -> Loading:
        """Take at most so many from the line."""

    @abstractmethod
    def unload(self, loading: Loading, returned: Returned) -> Iterator[Finished]:
        """Yield what came back; what did not goes again."""

    def chunk(self, loading: Loading) -> Chunk:
        """Return items as they travel."""
        items = [sent.item for sent in loading.sent.values()]
        arguments = self._ways.pack([item.arguments for item in items], "arguments")
        return Chunk(
            items=tuple(map(_traveller, items)),
            arguments=arguments,
            descriptions=dict(self._ways.descriptions),
        )

    def again(self, loading: Loading) -> None:
        """Let items go again that came to nothing."""
        self._again.extend(loading.sent.values())

    def lost(self, loading: Loading, error: Exception) -> Iterator[Finished]:
        """Yield items that nobody can compute."""
        self.take_back(loading)
        for number in loading.sent:
            yield Finished(number, Outcome(error=error), replayed=False)

    def take_back(self, loading: Loading) -> None:
        """Let others compute items that went."""
        for _, attempt in loading.sent.values():
            if attempt is not None:
                self.execution.abandon(attempt)

    def elsewhere(self, *, wait: bool) -> Iterator[Finished]:
        """Yield, or put in line, what others computed."""
        yield from ()

    def _outcome(self, report: Report) -> Outcome:
        if report.outcome is None:
            return Outcome()
        if report.error:
            return Outcome(error=self._ways.unpack_error(report.outcome), kept=report.kept)
        return Outcome(self._ways.unpack(report.outcome))


class Unclaimed(Consignment):
    """Items that those who compute them claim and settle, in the store that they see, too."""

    def __init__(self, items: Items, ways: Ways) -> None:
        super().__init__(items, ways)
        self._line: deque[Sent] = deque()
        self._journeys: Counter[int] = Counter()  # of items whose outcome was no answer
        self._announced = False

    def __bool__(self) -> bool:
        return self.in_line

    @property
    def in_line(self) -> bool:
        """Whether there are some that can go."""
        return bool(self._line or self._again)

    def add(self, items: Iterable[Item]) -> None:
        """Put items at the end of the line."""
        self._line.extend(Sent(item) for item in items)

    def load(self, most: int) -> Loading:
        """Take at most so many from the line."""
        loading = Loading()
        while self.in_line and len(loading.sent) < most:
            sent = (self._again or self._line).popleft()
            loading.sent[sent.item.number] = sent
            if not self._announced:  # once this is committed, so is the version's record
                self.execution.announce(sent.item.work)
                self._announced = True
        return loading

    def unload(self, loading: Loading, returned: Returned) -> Iterator[Finished]:
        """Yield what came back; what did not goes again."""
        reports = {report.number: report for report in returned.reports}
        settled = [loading.sent[number].item for number, each in reports.items() if each.outcome is None]
        found = self.execution.find_many(item.work for item in settled)
        for number, sent in loading.sent.items():
            report, delivered = reports.get(number), found.get(sent.item.work.id)
            if report is None:
                self._again.append(sent)
            elif report.outcome is not None:
                yield Finished(number, self._outcome(report), replayed=False)
            elif delivered is not None:
                yield Finished(number, delivered.outcome, replayed=report.replayed)
            else:
                yield from self._no_answer(sent)

    def _no_answer(self, sent: Sent) -> Iterator[Finished]:
        number, work = sent.item.number, sent.item.work
        self._journeys[number] += 1
        if self._journeys[number] < _MOST_JOURNEYS:
            self._again.append(sent)
            return
        refusal = UsageError(
            f"what workers settle as {work.id!r} is no answer here: the files that {work.name} reads "
            "are other ones there, or change all the time. Compute it here, without `executor=`"
        )
        yield Finished(number, Outcome(error=refusal), replayed=False)


class Claimed(Consignment):
    """Items that this process claims and settles, for those who compute them without seeing the store."""

    def __init__(self, items: Items, ways: Ways, rate: Rate) -> None:
        super().__init__(items, ways)
        self._claims = Claims(items.execution, ahead=rate.ahead)
        self._granted: deque[Granted] = deque()

    def __exit__(self, *_: object) -> None:
        """Give back all rights to compute."""
        super().__exit__()
        self._claims.__exit__()

    def __bool__(self) -> bool:
        return bool(self._claims or self._again or self._granted)

    @property
    def in_line(self) -> bool:
        """Whether there are some that can go."""
        return bool(self._claims.in_line or self._again or self._granted)

    def add(self, items: Iterable[Item]) -> None:
        """Put items at the end of the line."""
        self._claims.add(items)

    def load(self, most: int) -> Loading:
        """Take at most so many from the line."""
        loading = Loading()
        while len(loading.sent) < most:
            if self._again:
                sent = self._again.popleft()
                loading.sent[sent.item.number] = sent
            elif (granted := self._take()) is None:
                break
            elif isinstance(granted.entry, Outcome):
                outcome = granted.entry
                loading.finished.append(
                    Finished(granted.item.number, outcome, replayed=outcome.error is None)
                )
            else:
                loading.sent[granted.item.number] = Sent(granted.item, granted.entry)
        return loading

    def unload(self, loading: Loading, returned: Returned) -> Iterator[Finished]:
        """Yield what came back; what did not goes again."""
        seconds = returned.seconds / max(1, len(returned.reports))
        posted = []
        for report in returned.reports:
            item, attempt = loading.sent.pop(report.number)
            if attempt is not None:
                posted.append((report.number, self.execution.post(*self._as_here(attempt, report))))
            self._claims.ended(item, seconds)
        self.again(loading)
        for number, committed in posted:
            yield Finished(number, committed(), replayed=False)

    def lost(self, loading: Loading, error: Exception) -> Iterator[Finished]:
        """Yield items that nobody can compute."""
        for sent in loading.sent.values():
            self._claims.given_up(sent.item)
        yield from super().lost(loading, error)

    def elsewhere(self, *, wait: bool) -> Iterator[Finished]:
        """Put in line what others computed, or compute no more."""
        granted = self._claims.take_from_elsewhere(wait=wait and not self.in_line)
        if granted is not None:
            self._granted.append(granted)
        yield from ()

    def _take(self) -> Granted | None:
        return self._granted.popleft() if self._granted else self._claims.take()

    def _as_here(self, attempt: Attempt, report: Report) -> tuple[Attempt, Outcome]:
        """Return an attempt as if it had been made in this process."""
        trace = attempt.context.trace
        trace.faults.extend(report.faults)
        file_records.inherit(report.record, [trace])
        attempt.context.called.update(report.called)
        attempt.trail.failures = report.failures or attempt.trail.failures
        work = replace(attempt.work, changed=lambda: list(report.changed))
        return replace(attempt, work=work), self._outcome(report)


def _traveller(item: Item) -> Traveller:
    number, work, place = item.number, item.work, item.work.place
    if place is None:
        return Traveller(number, work.id, work.inputs)
    return Traveller(number, work.id, work.inputs, place.id, place.extends)
