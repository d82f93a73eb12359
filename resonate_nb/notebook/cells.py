"""A run of a durable cell: what happens when it begins, at each statement, and when it ends."""

from __future__ import annotations

import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

from resonate_nb import files
from resonate_nb.corridor.context import entered
from resonate_nb.corridor.work import Outcome, Work
from resonate_nb.errors import (
    MissingReference,
    NotKept,
    ResonateError,
    StoreFormat,
    StoreUnavailable,
)
from resonate_nb.execution import Attempt, Caller, Delivered
from resonate_nb.notebook import unasked
from resonate_nb.notebook.chain import Chain
from resonate_nb.notebook.forecasting import forecast_of
from resonate_nb.notebook.keeping import NotToBeKept
from resonate_nb.notebook.loops import Loops
from resonate_nb.notebook.reading import Reading
from resonate_nb.notebook.recorder import Recorder
from resonate_nb.notebook.remaking import Remaking, check_names
from resonate_nb.notebook.replaying import define, replay
from resonate_nb.notebook.sections import Sections
from resonate_nb.notebook.surroundings import Surroundings
from resonate_nb.notebook.transform import awaits
from resonate_nb.notebook.tries import Tries
from resonate_nb.notebook.why import (
    computed_line,
    few_words,
    kept_words,
    replayed_line,
)
from resonate_nb.opened import file_records
from resonate_nb.opened.file_records import Unrepeatable
from resonate_nb.recent import OTHER_ALIASES, OTHER_DRAWS, Run
from resonate_nb.store.operations import Forget

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterable

    from resonate_nb.corridor.limits import Limit
    from resonate_nb.execution import Execution
    from resonate_nb.inputs import Identify
    from resonate_nb.notebook.options import CellOptions
    from resonate_nb.notebook.remains import Remains
    from resonate_nb.notebook.tally import Tally


class Refusal:
    """Stands for the run of a cell that can't be durable: the real exception, at the cell's beginning."""

    kept = limited = retried = False

    def __init__(self, error: Exception) -> None:
        self._error = error

    def begin(self) -> None:
        """Raise the reason."""
        raise self._error

    def link(self, _number: int) -> bool:
        """Run no statement."""
        return False

    def end(self, _result: Any) -> None:
        """Leave nothing behind."""


class CellRun:
    """One run of a durable cell. The cell's own code asks it before each statement."""

    def __init__(
        self,
        shell: Any,
        execution: Callable[[], Execution],
        options: CellOptions,
        tree: ast.Module,
        *,
        identify: Identify,
        remains: Remains,
        tally: Tally,
    ) -> None:
        self._shell, self._open, self._options, self._tree = shell, execution, options, tree
        self._remains, self._tally = remains, tally
        self._reading = Reading(tree, options, self._namespace, identify=identify, remains=remains)
        self._analysis, self._draws, self._name = (
            self._reading.analysis,
            self._reading.draws,
            self._reading.name,
        )
        self._remaking = Remaking(self._analysis, options.remake)
        check_names("--outputs", options.outputs or (), self._analysis.inputs | self._bound, "assign or read")
        self.limited, self.retried = options.timeout is not None, options.retry > 0
        self._tries: Tries | None = None
        self._limit: Limit | None = None
        self._passed: object = None
        self._attempt: Attempt | None = None
        self._context: entered | None = None
        self._sections: Sections | None = None
        self._anew = False  # it computes whatever was kept
        self._recorder = Recorder(shell)
        self._surroundings = Surroundings(self._namespace)
        self._chain: Chain | None = None
        self._loops: Loops | None = None
        self._skipped = False
        self._line = ""
        self._obstacle: str | None = None
        self.kept = False  # what the cell did is in the store, so that a replay does without it
        self._started = self._body_began = time.monotonic()
        self._digests = 0.0  # seconds that those of the inputs took before the body

    @property
    def _namespace(self) -> dict[str, Any]:
        namespace: dict[str, Any] = self._shell.user_ns
        return namespace

    @property
    def _bound(self) -> frozenset[str]:
        return self._analysis.writes | self._analysis.deletes

    def begin(self) -> None:
        """Deliver the cell's outcome if it is settled, else make ready to compute it."""
        filename = sys._getframe(1).f_code.co_filename  # noqa: SLF001 (definitions must be found in the cell)
        if self._options.dry_run:
            self._skipped = True
            self._reading.take_in(execution := self._open())
            print(forecast_of(execution, self._reading, filename))  # noqa: T201 (a person asked)
            return
        delivered = self._delivered_or_plain(filename)
        if delivered is None:
            self._recorder.start()
            if self._attempt is not None and self._chain is not None and not self._options.rerun:
                self._chain.begin(self._attempt, filename)
                self._loops = Loops(self._chain, self._namespace)
            self._body_began = time.monotonic()
            return
        self._skipped = self.kept = True
        if self._reading.earlier is not None:
            self._reading.earlier.keeping.bind_again(_kept(delivered))
            self._draws.undo()
        replay(
            self._shell,
            _kept(delivered),
            self._reading.keeping.references,
            remake=lambda: self._remaking.run(self._shell, filename),
        )
        took = time.monotonic() - self._started
        self._tally.replayed.add(float(delivered.promise.tags.get("rnb:seconds", 0)) - took)
        self._line = replayed_line(self._name, delivered.promise, took)

    def passing(self, value: object) -> None:
        """Take the value of the last expression, to be shown when the statements are left."""
        self._passed = value

    def passed(self) -> object:
        """Return the value of the last expression."""
        value, self._passed = self._passed, None
        return value

    def pause(self) -> None:
        """Wait until the attempt that comes next is due."""
        if self._tries is not None and self._tries.wait():
            self._begin_again()

    async def pause_async(self) -> None:
        """Do as `pause` does in a cell that awaits."""
        if self._tries is not None and await self._tries.wait_async():
            self._begin_again()

    def tries_again(self, error: BaseException) -> bool:
        """Return whether another attempt follows one that this ended."""
        filename = sys._getframe(1).f_code.co_filename  # noqa: SLF001 (definitions must be found in the cell)
        return self._tries is not None and self._tries.follows(error, filename)

    def _begin_again(self) -> None:
        if self._chain is not None:
            self._loops = Loops(self._chain, self._namespace)

    def leave(self, error: BaseException | None) -> None:
        """Be told that the statements are left, before the exception is shown that ended them.

        Raises
        ------
        PromiseTimedOut
            The cell's time is over.
        """
        if self._limit is not None:
            self._limit.end(error)

    def link(self, number: int) -> bool:
        """Return whether the statement is to be executed."""
        if self._chain is not None and not self._skipped:
            self._chain.reached(number)
        kinds = [each.kind for each in self._analysis.statements]
        self._surroundings.statement(imports=kinds[number : number + 1] == ["import"])
        if self._attempt is not None:
            self._remaking.before(number, self._namespace)
        resumed = 0 if self._chain is None else self._chain.resumed.statements
        runs = not self._skipped and number >= resumed
        if runs and self._context is not None and self._sections is not None:
            self._context.go_to(self._sections.enter(number))
        return runs

    def goes_on(self, number: int) -> bool:
        """Return whether the items that are left of a loop were kept."""
        return self._loops is not None and self._loops.goes_on(number)

    def rest(self, number: int) -> Iterable[Any]:
        """Return the items that are left of a loop."""
        return () if self._loops is None else self._loops.rest(number)

    def tracked(self, number: int, items: Iterable[Any]) -> Iterable[Any]:
        """Return the items of a loop, with checkpoints between them if they are tracked."""
        return items if self._loops is None else self._loops.tracked(number, items)

    def end(self, result: Any) -> None:
        """Keep what the cell did, if it did it to the end."""
        shown = self._recorder.stop()
        self._draws.end()
        self._surroundings.stop()
        if self._context is not None:
            self._context.__exit__()
        error = KeyboardInterrupt() if result is None else result.error_before_exec or result.error_in_exec
        seconds = time.monotonic() - self._started
        if self._chain is not None and self._chain.words:
            self._tally.resumed.add(self._chain.seconds_saved)
        if self._chain is not None:
            self._remains.add(
                self._reading.code.digest,
                self._reading.inputs,
                self._reading.keeping,
                draws=self._draws,
                chain=self._chain,
                failed=error is not None,
            )
        if self._attempt is not None and error is not None:
            self._execution.abandon(self._attempt, error)
        elif self._attempt is not None and self._is_left_alone(self._attempt):
            self._tally.left_alone.add(self._seconds_of_body)
        elif self._attempt is not None:
            self._tally.computed.add(seconds)
            kept = self._keep_or_abandon(self._attempt, shown, result.result)
            if self._looked_at:
                reason = few_words(self._execution, self._attempt)
                resumed = "" if self._chain is None else self._chain.words
                kept = f"{resumed}, {kept}" if resumed else kept
                self._line = computed_line(self._name, seconds, self._reading.inputs.seconds, kept, reason)
        elif self._obstacle is not None and error is None and not self._options.asked:
            self._tally.left_alone.add(self._seconds_of_body)
            if self._obstacle.startswith(unasked.LEFT_ALONE):
                unasked.reconsider(self._execution, self._reading.code, self._seconds_of_body)
        elif self._obstacle is not None and error is None:
            self._line = computed_line(self._name, seconds, 0, f"not kept: {self._obstacle}", "")
        if self._line and self._looked_at and not self._recorder.clears_next:
            self._shell.display_pub.publish({"text/plain": self._line})

    def _delivered_or_plain(self, filename: str) -> Delivered | None:
        """Return what is kept of the cell; None if it is to be computed, and be it as a plain one."""
        try:
            self._execution = self._open()
            self._reading.take_in(self._execution)
            self._obstacle = self._reading.obstacle
            if self._obstacle is not None:
                self._execution.recent.note(Run("cell", self._name, "", "plain", self._obstacle))
                return None
            self._chain = self._continued(filename)
            return self._delivered(self._reading.work(self._execution, filename), filename)
        except (StoreUnavailable, StoreFormat) as problem:
            self._obstacle = str(problem)
            warnings.warn(f"{self._name} runs as a plain cell: {problem}", NotKept, stacklevel=3)
        except (ResonateError, RecursionError) as reason:
            if self._options.asked:
                raise
            self._obstacle = str(reason)
        except Exception as fault:  # noqa: BLE001 (whatever it is, the user's cell runs)
            self._obstacle = f"a fault of ours: {fault!r}"
            warnings.warn(f"{self._name} runs as a plain cell, for {self._obstacle}", NotKept, stacklevel=3)
        return None

    def _delivered(self, work: Work, filename: str) -> Delivered | None:
        entry = self._enter(work, filename, rerun=self._options.rerun)
        if isinstance(entry, Delivered) and not work.explicit and not self._draws.fit(_kept(entry)):
            work = self._draws.among_inputs_of(work, _kept(entry))
            entry = self._enter(work, filename, rerun=False)
        if isinstance(entry, Delivered):
            kept = _kept(entry)
            if self._fits(kept):
                return entry
            entry = self._enter(work, filename, rerun=True)
            reason = OTHER_ALIASES if self._draws.fit(kept) else OTHER_DRAWS
            self._execution.recent.note(Run("cell", self._name, work.id, "computed", reason))
        if isinstance(entry, Delivered):
            raise TypeError("a rerun is never delivered")
        self._attempt = entry
        self._context = entered(entry.context)
        self._context.__enter__()
        files.watch(entry.context.trace, self._options.watch)
        self._surroundings.begin()
        self._digests = self._reading.inputs.seconds
        self._chain = self._chain or self._links()
        self._sections = Sections(
            self._tree,
            self._namespace,
            self._reading,
            self._chain,
            execution=self._execution,
            context=entry.context,
            anew=self._anew,
        )
        if self.retried:
            self._tries = Tries(
                self._execution,
                entry,
                self._reading,
                self._chain,
                recorder=self._recorder,
                rerun=self._options.rerun,
            )
        if self.limited:
            self._limit = self._execution.limit(entry, awaits=awaits(self._tree))
            self._limit.begin()
        return None

    def _continued(self, filename: str) -> Chain | None:
        """Return the chain of an earlier attempt that this one can continue."""
        if self._reading.earlier is None:
            return None
        chain = self._links()
        if chain.look(filename):
            return chain
        self._reading.take_anew()
        return None

    def _links(self) -> Chain:
        """Return the chain of the cell's statements, with their inputs as they are now."""
        return Chain(
            self._shell,
            self._execution,
            self._reading.links(self._execution),
            draws=self._draws,
            surroundings=self._surroundings,
            recorder=self._recorder,
            earlier=None if self._reading.earlier is None else self._reading.earlier.keeping,
        )

    def _fits(self, kept: dict[str, Any]) -> bool:
        """Return whether what was kept can be put into the namespace as it is."""
        keeping, earlier = self._reading.keeping, self._reading.earlier
        undone = earlier is None or earlier.keeping.undone_by(kept, keeping)
        return undone and keeping.fits(kept) and self._draws.fit(kept)

    def _enter(self, work: Work, filename: str, *, rerun: bool) -> Delivered | Attempt:
        self._anew = rerun
        caller = Caller(
            references=self._reading.keeping.references,
            prepare=lambda: define(self._shell, self._analysis, filename),
        )
        try:
            return self._execution.enter(work, caller, rerun=rerun)
        except MissingReference:  # the inputs do not consist of what they did: nothing is put into them
            self._anew = True
            return self._execution.enter(work, caller, rerun=True)

    @property
    def _seconds_of_body(self) -> float:
        """What the statements took, with those that were run earlier."""
        saved = 0.0 if self._chain is None else self._chain.seconds_saved
        return saved + time.monotonic() - self._body_began

    def _is_left_alone(self, attempt: Attempt) -> bool:
        """Let go of a promise that nobody asked for if it is not worth it, and return whether it is so."""
        by_place = self._sections is not None and self._sections.called
        calls = attempt.context.numbering.given or by_place  # which a plain cell may not make
        seconds = self._seconds_of_body
        if self._options.asked or calls or unasked.worth_it(seconds, self._digests):
            return False
        code, size = self._reading.code, self._reading.size
        words = unasked.leave_alone(self._execution, code, size, seconds=seconds, digests=self._digests)
        self._execution.abandon(attempt, not_kept=words)
        if attempt.promise.id == attempt.work.id:  # not the successor of one that was kept
            self._execution.store.post(Forget(id=attempt.work.id))
        self._execution.recent.note(Run("cell", self._name, "", "plain", words))
        return True

    def _keep_or_abandon(self, attempt: Attempt, shown: tuple[Any, ...], last: Any) -> str:
        try:
            return self._keep(attempt, shown, last)
        except (NotToBeKept, Unrepeatable) as reason:
            self._execution.abandon(attempt, not_kept=str(reason))
            return f"not kept: {reason}; it is computed again next time"
        except KeyboardInterrupt as interrupt:
            self._execution.abandon(attempt, interrupt)
            return "not kept: it was interrupted while it was kept; it is computed again next time"
        except Exception as fault:  # noqa: BLE001 (an attempt that nobody ends would be waited for)
            self._execution.abandon(attempt, fault)
            return f"not kept, for a fault of ours: {fault!r}; it is computed again next time"

    def _keep(self, attempt: Attempt, shown: tuple[Any, ...], last: Any) -> str:
        """Settle the promise with the outputs, and return in words what came of it."""
        codec = self._execution.codec
        if (reason := self._remaking.obstacle(self._namespace)) is not None:
            raise NotToBeKept(reason)
        if self._recorder.made_widgets and not self._options.asked:
            raise NotToBeKept("it made widgets, which a replay would not bring back")
        draws = self._draws.to_keep()
        file_records.record_of(attempt.context.trace)
        self._surroundings.refuse_changes()
        value, references = self._reading.keeping.collect(codec)
        value |= {**draws, "<shown>": list(shown), "<seconds>": time.monotonic() - self._started}
        if last is not None and not codec.unpicklable_parts({"<last>": last}):
            value["<last>"] = last
        began = time.monotonic()
        outcome = self._execution.settle(attempt, Outcome(value), Caller(references=references))
        if outcome.error is not None:  # its time was over, or somebody settled it meanwhile
            raise NotToBeKept(str(outcome.error))
        self.kept = True
        return kept_words(self._execution, attempt, time.monotonic() - began) if self._looked_at else ""

    @property
    def _looked_at(self) -> bool:
        """Whether a person sees the line under the cell."""
        kernel = getattr(self._shell, "kernel", None)
        headless = kernel is not None and not getattr(kernel, "_allow_stdin", False)
        return not (headless or self._options.quiet)


def _kept(entry: Delivered) -> dict[str, Any]:
    kept: dict[str, Any] = entry.outcome.deliver()  # type: ignore[assignment]
    return kept
