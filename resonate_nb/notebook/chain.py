"""The chain of a cell's statements: checkpoints between them, and the last one from which the cell goes on.

A checkpoint is what a cell of the statements so far would have left behind. It is found by these statements
with all that they call, and by the inputs that they read: neither the cell's name nor what follows counts.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonate_nb import readable
from resonate_nb.corridor.attempts import Caller
from resonate_nb.corridor.work import Outcome, Work
from resonate_nb.errors import MissingReference, ResonateError, StoreUnavailable, Unpicklable
from resonate_nb.fingerprint import content_digest, fingerprint_cell
from resonate_nb.inputs import Inputs
from resonate_nb.notebook.analysis import CellAnalysis, analyse
from resonate_nb.notebook.budget import Budget, rough_size
from resonate_nb.notebook.keeping import Keeping, NotToBeKept
from resonate_nb.notebook.replaying import define, replay
from resonate_nb.notebook.shell_names import is_shells
from resonate_nb.opened.file_records import Unrepeatable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resonate_nb.code.libraries import Policy
    from resonate_nb.corridor.attempts import Attempt
    from resonate_nb.execution import Execution
    from resonate_nb.inputs import Identify
    from resonate_nb.notebook.randomness import Draws
    from resonate_nb.notebook.recorder import Recorder
    from resonate_nb.notebook.surroundings import Surroundings

CHAIN = "chain/"  # in front of the ids of checkpoints
_MOST_LINKS = 40  # of one cell; a longer one has checkpoints after several statements each
_MOST_SECONDS_OF_DIGESTS = 0.5  # for the inputs of parts of a cell, besides its own
_NOT_NOW = (NotToBeKept, Unrepeatable, Unpicklable, StoreUnavailable)


@dataclass(frozen=True, slots=True)
class Link:
    """The place behind some statements of a cell, and what the cell is up to there."""

    number: int  # of statements that lie before it
    analysis: CellAnalysis
    code: str  # digest of the statements with all that they call
    inputs: Inputs
    keeping: Keeping

    def work(self, prefix: str, conditions: object) -> Work:
        """Return what its checkpoint is the outcome of."""
        digest = content_digest([self.code, self.inputs.digest, conditions])
        return Work(
            id=f"{prefix}{CHAIN}{digest}",
            kind="link",
            name=f"{self.number} statements",
            version="",
            inputs=self.inputs.digest,
            fingerprint=self.code,
            root="",
        )


def links_of(
    tree: ast.Module,
    inputs: Inputs,
    keeping: Keeping,
    namespace: dict[str, Any],
    *,
    library: Policy,
    identify: Identify,
    ignored: frozenset[str],
    earlier: Chain | None = None,
) -> dict[int, Link]:
    """Return the links of a cell, by the number of statements before them; inputs and keeping are the cell's.

    Inputs are taken as they are now, before the cell has run. There is no link where that would take long.
    Where the cell continues what an earlier chain began, they are those of that chain, and no others.
    """
    found: dict[int, Link] = {}
    sets = {frozenset(inputs.captured): (inputs, keeping)}
    for link in () if earlier is None else earlier.links.values():
        sets[frozenset(link.inputs.captured)] = link.inputs, link.keeping
    seconds = 0.0
    for number in _places(tree):
        part = ast.Module(tree.body[:number], [])
        analysis = analyse(part)
        names = {name for name in analysis.inputs if not is_shells(name)} - ignored
        code = fingerprint_cell(part, names, namespace, library=library)
        captures = [each for each in code.captures if each.root not in ignored]
        paths, names = frozenset(each.path for each in captures), names & namespace.keys()
        if paths not in sets:
            if earlier is not None or seconds + inputs.seconds > _MOST_SECONDS_OF_DIGESTS:
                continue
            own = Inputs({}, captures, identify)
            seconds += own.seconds
            sets[paths] = own, Keeping(namespace, analysis, names, own)
        own, keeping_of_own = sets[paths]
        found[number] = Link(number, analysis, code.digest, own, keeping_of_own.of_part(analysis, names))
    return found


def _places(tree: ast.Module) -> list[int]:
    """Return before which statements there may be a checkpoint: where something was done besides defining."""
    definitions = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    done = [not isinstance(each, definitions) for each in tree.body]
    places = [number for number in range(1, len(done)) if any(done[:number])]
    return places[:: -(-len(places) // _MOST_LINKS)] if places else []


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
        may_go_on: Callable[[Link, Mapping[str, Any]], bool],
    ) -> None:
        self._may_go_on = may_go_on
        self._shell, self._execution, self.links = shell, execution, links
        self._draws, self._surroundings, self._recorder = draws, surroundings, recorder
        self._conditions = draws.conditions
        self._attempt: Attempt | None = None
        self._budget = Budget()
        self.kept: dict[int, Work] = {}  # checkpoints that there are, by the number of statements
        self.resumed = 0  # statements that were not run
        self.seconds_saved = 0.0  # that these took when they were run

    def begin(self, attempt: Attempt, filename: str) -> None:
        """Go on at the last checkpoint that fits, if there is one."""
        self._attempt = attempt
        works = {number: self._work(link) for number, link in self.links.items()}
        there = self._execution.store.get_many(work.id for work in works.values())
        for number in sorted((n for n, work in works.items() if work.id in there), reverse=True):
            self.kept[number] = works[number]
            if self._resume(self.links[number], works[number], filename):
                return

    def reached(self, number: int) -> None:
        """Keep a checkpoint before the statement with this number, if it is worth its cost."""
        link = self.links.get(number)
        if link is None or number in self.kept or not self._budget.open:
            return
        size = rough_size([self._shell.user_ns.get(name) for name in link.analysis.writes])
        if not self._budget.allows(size, link.inputs.seconds):
            return
        with self._budget.spending(size):
            self._keep_quietly(link)

    def _keep_quietly(self, link: Link) -> None:
        try:
            self.keep(link, self._work(link))
        except _NOT_NOW:
            return
        except ResonateError:
            raise
        except Exception:  # noqa: BLE001 (no fault of ours may end the user's cell)
            self._budget.close()

    def keep(self, link: Link, work: Work, more: Mapping[str, Any] | None = None) -> None:
        """Keep what the cell has done so far under a link's work."""
        if self._attempt is None or self._surroundings.change() is not None:
            return
        value, references = link.keeping.collect(self._execution.codec)
        value |= self._draws.to_keep()
        value |= {
            "<shown>": list(self._recorder.so_far()),
            "<seconds>": self._budget.elapsed,
            "<numbers>": self._attempt.context.numbering.given,
            **(more or {}),
        }
        self._execution.keep(work, Outcome(value), Caller(references=references), self._attempt.context)
        self.kept[link.number] = work

    @property
    def words(self) -> str:
        """Where the cell went on, for the line under it; empty if it began at its beginning."""
        if not self.resumed:
            return ""
        spared = readable.seconds(self.seconds_saved)
        return f"resumed at statement {self.resumed + 1} ({spared} spared)"

    def _resume(self, link: Link, work: Work, filename: str) -> bool:
        caller = Caller(
            references=link.keeping.references,
            prepare=lambda: define(self._shell, link.analysis, filename),
        )
        try:
            found = self._execution.find(work, caller)
        except MissingReference:
            return False
        if found is None:
            return False
        kept: dict[str, Any] = found.outcome.deliver()  # type: ignore[assignment]
        if not (link.keeping.fits(kept) and self._draws.fit(kept) and self._may_go_on(link, kept)):
            return False
        replay(self._shell, kept, link.keeping.references, remake=lambda: None)
        self._draws.go_on(kept)
        if self._attempt is not None:
            self._attempt.context.numbering.go_on(kept["<numbers>"])
        self.resumed, self.seconds_saved = link.number, kept["<seconds>"]
        self._budget.came_with(kept["<seconds>"])
        return True

    def _work(self, link: Link) -> Work:
        return link.work(self._execution.prefix, self._conditions)
