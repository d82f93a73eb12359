"""The chain of a cell's statements: checkpoints between them, and the last one from which the cell goes on.

A checkpoint is what a cell of the statements so far would have left behind. It is found by these statements
with all that they call, and by the inputs that they read: neither the cell's name nor what follows counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from resonate_nb import readable
from resonate_nb.corridor.attempts import Caller
from resonate_nb.corridor.called import note_called
from resonate_nb.corridor.context import current
from resonate_nb.corridor.work import Outcome, Work
from resonate_nb.errors import MissingReference, ResonateError, StoreUnavailable, Unpicklable
from resonate_nb.notebook.budget import Budget, rough_size
from resonate_nb.notebook.keeping import NotToBeKept
from resonate_nb.notebook.replaying import define, replay
from resonate_nb.opened import file_records
from resonate_nb.opened.file_records import Unrepeatable
from resonate_nb.store.base import Query
from resonate_nb.store.operations import Forget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.corridor.attempts import Attempt
    from resonate_nb.execution import Execution
    from resonate_nb.notebook.keeping import Keeping
    from resonate_nb.notebook.links import Link
    from resonate_nb.notebook.randomness import Draws
    from resonate_nb.notebook.recorder import Recorder
    from resonate_nb.notebook.surroundings import Surroundings
    from resonate_nb.promise import Promise

_NOT_NOW = (NotToBeKept, Unrepeatable, Unpicklable, StoreUnavailable)


class Point(NamedTuple):
    """How far a cell has come: so many statements, and so many iterations of the loop that comes next."""

    statements: int
    iterations: int = 0


class Found(NamedTuple):
    """A checkpoint from which a cell can go on."""

    point: Point
    link: Link
    kept: dict[str, Any]
    promise: Promise


class Chain:
    """The links of one run of a cell."""

    def __init__(
        self,
        shell: Any,
        execution: Execution,
        links: Mapping[int, Link],
        *,
        draws: Draws,
        surroundings: Surroundings,
        recorder: Recorder,
        earlier: Keeping | None = None,  # of an attempt whose changes are to be undone
    ) -> None:
        self._shell, self._execution, self.links = shell, execution, links
        self._draws, self._surroundings, self._recorder = draws, surroundings, recorder
        self._conditions = draws.conditions
        self._earlier = earlier
        self._attempt: Attempt | None = None
        self.found: Found | None = None
        self.budget = Budget()
        self.kept: dict[Point, Work] = {}  # the checkpoints that there are
        self.resumed = Point(0)  # where it went on
        self.calls: Mapping[str, int] = {}  # that the loop in which it goes on has made by place
        self.seconds_saved = 0.0  # that lay before it

    def look(self, filename: str) -> bool:
        """Look for the last checkpoint that fits, and return whether there is one."""
        self.kept = self._kept_before()
        for point in sorted(self.kept, reverse=True):
            self.found = self._fitting(point, filename)
            if self.found is not None:
                return True
        return False

    def begin(self, attempt: Attempt, filename: str) -> None:
        """Go on at the last checkpoint that fits, if there is one."""
        self._attempt = attempt
        if self.found is not None:  # before the attempt began, which could not take it in then
            promise = self.found.promise
            file_records.inherit(file_records.read(promise.value, promise.id), [attempt.context.trace])
            note_called(promise)
        elif not self.look(filename):
            return
        found = self.found
        if found is not None:
            self._go_on(found)
            self.budget.came_with(self.seconds_saved)

    def look_again(self, filename: str, keeping: Keeping) -> bool:
        """Look for the last checkpoint from which a further attempt of this run can go on."""
        self._earlier, self.found = keeping, None
        return self.look(filename)

    def go_on_again(self) -> None:
        """Go on at the checkpoint that was found; what led to it is shown already."""
        if self.found is not None:
            self._go_on(self.found._replace(kept={**self.found.kept, "<shown>": []}))
        self.seconds_saved = 0.0

    def begin_anew(self) -> None:
        """Begin at the beginning again."""
        self.found, self.resumed, self.calls, self.seconds_saved = None, Point(0), {}, 0.0
        if self._attempt is not None:
            self._attempt.context.numbering.go_on({})

    def loop(self, number: int) -> Mapping[str, Any] | None:
        """Return what was kept of the loop in which the cell goes on, if it is this statement."""
        if self.found is None or not self.resumed.iterations or self.resumed.statements != number:
            return None
        record: Mapping[str, Any] = self.found.kept["<loop>"]
        return record

    def reached(self, number: int) -> None:
        """Keep a checkpoint before the statement with this number, if it is worth its cost."""
        link = self.links.get(number)
        if link is not None and Point(number) not in self.kept:
            self.keep_if_worth_it(link, Point(number))

    def keep_if_worth_it(self, link: Link, point: Point, more: Mapping[str, Any] | None = None) -> bool:
        """Keep a checkpoint if it is within the budget, and return whether it is kept."""
        if not self.budget.open:
            return False
        size = rough_size([self._shell.user_ns.get(name) for name in link.analysis.writes])
        if not self.budget.allows(size, link.inputs.seconds):
            return False
        with self.budget.spending(size):
            return self._keep_quietly(link, point, more or {})

    def _keep_quietly(self, link: Link, point: Point, more: Mapping[str, Any]) -> bool:
        try:
            return self._keep(link, point, more)
        except _NOT_NOW:
            return False
        except ResonateError:
            raise
        except Exception:  # noqa: BLE001 (no fault of ours may end the user's cell)
            self.budget.close()
            return False

    def _keep(self, link: Link, point: Point, more: Mapping[str, Any]) -> bool:
        """Keep what the cell has done so far; in a loop, in the place of an earlier iteration."""
        if self._attempt is None or self._surroundings.change() is not None:
            return False
        value, references = link.keeping.collect(self._execution.codec)
        value |= self._draws.to_keep()
        value |= {
            "<shown>": list(self._recorder.so_far()),
            "<seconds>": self.budget.elapsed,
            "<numbers>": self._attempt.context.numbering.given,
            "<calls>": _calls_of_loop() if point.iterations else {},
            **more,
        }
        work = self._work(link, point)
        self._execution.keep(work, Outcome(value), Caller(references=references), self._attempt.context)
        self._forget_iterations(point)
        self.kept[point] = work
        return True

    @property
    def words(self) -> str:
        """Where the cell went on, for the line under it; empty if it began at its beginning."""
        if self.resumed == Point(0) or not self.seconds_saved:
            return ""
        spared = readable.seconds(self.seconds_saved)
        inside = f", iteration {self.resumed.iterations + 1:,}" if self.resumed.iterations else ""
        return f"resumed at statement {self.resumed.statements + 1}{inside} ({spared} spared)"

    def _kept_before(self) -> dict[Point, Work]:
        works = {Point(number): self._work(link, Point(number)) for number, link in self.links.items()}
        there = self._execution.store.get_many(work.id for work in works.values())
        kept = {point: work for point, work in works.items() if work.id in there}
        for number, link in self.links.items():
            if link.behind_loop:
                kept |= self._iterations(link, Point(number - 1))
        return kept

    def _iterations(self, link: Link, loop: Point) -> dict[Point, Work]:
        """Return the checkpoints inside the loop that lies before a link."""
        prefix = f"{self._work(link, Point(link.number)).id}/"
        page = self._execution.store.list(Query(prefix=prefix), self._execution.clock.now())
        ends = (each.id.removeprefix(prefix) for each in page.promises)
        points = [loop._replace(iterations=int(end)) for end in ends if end.isdecimal()]
        return {point: self._work(link, point) for point in points}

    def _forget_iterations(self, point: Point) -> None:
        """Forget the checkpoints in a loop that one further on takes the place of."""
        loop = point.statements if point.iterations else point.statements - 1
        for each in [each for each in self.kept if each.statements == loop and each.iterations]:
            self._execution.store.post(Forget(id=self.kept.pop(each).id))

    def _fitting(self, point: Point, filename: str) -> Found | None:
        link, work = self._link(point), self.kept[point]
        caller = Caller(
            references=link.keeping.references,
            prepare=lambda: define(self._shell, link.analysis, filename),
        )
        try:
            found = self._execution.find(work, caller)
        except MissingReference:
            return None
        if found is None:
            return None
        kept: dict[str, Any] = found.outcome.deliver()  # type: ignore[assignment]
        if not (link.keeping.fits(kept) and self._draws.fit(kept)):
            return None
        if self._earlier is not None and not self._earlier.undone_by(kept, link.keeping):
            return None
        return Found(point, link, kept, found.promise)

    def _go_on(self, found: Found) -> None:
        kept = found.kept
        if self._earlier is not None:
            self._earlier.bind_again(kept)
            self._draws.undo()
        replay(self._shell, kept, found.link.keeping.references, remake=lambda: None)
        self._draws.go_on(kept)
        if self._attempt is not None:
            self._attempt.context.numbering.go_on(kept["<numbers>"])
        self.calls = kept.get("<calls>", {})
        self.resumed, self.seconds_saved = found.point, kept["<seconds>"]

    def _link(self, point: Point) -> Link:
        return self.links[point.statements + (point.iterations > 0)]

    def _work(self, link: Link, point: Point) -> Work:
        return link.work(self._execution.prefix, self._conditions, point.iterations)


def _calls_of_loop() -> dict[str, int]:
    """Return how many calls by place the loop has made that is running."""
    context = current()
    return {} if context is None or context.section is None else context.section.numbering.given
