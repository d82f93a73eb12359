"""A run of a durable cell: what happens when it begins, at each statement, and when it ends."""

from __future__ import annotations

import ast
import re
import sys
import time
import warnings
from itertools import filterfalse
from typing import TYPE_CHECKING, Any

from resonate_nb import pins
from resonate_nb.context import entered
from resonate_nb.errors import StaleSource
from resonate_nb.execution import Attempt, Caller, Delivered
from resonate_nb.fingerprint import Fingerprint, fingerprint_cell
from resonate_nb.functions import VERSION_DIGITS, stale_source
from resonate_nb.ids import escape, validate_explicit
from resonate_nb.inputs import Inputs
from resonate_nb.notebook.analysis import analyse, cell_name
from resonate_nb.notebook.definitions import replayable_definition
from resonate_nb.notebook.reach import names_that_reach
from resonate_nb.notebook.recorder import NO_RESULT, Recorder, show
from resonate_nb.work import Outcome, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from resonate_nb.execution import Execution
    from resonate_nb.notebook.options import CellOptions

RUN_NAME = "__rnb_run__"
_SCALARS = (type(None), bool, int, float, complex, str, bytes)
_SHELL_NAMES = frozenset({"get_ipython", "exit", "quit", "open", RUN_NAME})
_HISTORY = re.compile(r"In|Out|_{1,3}|_[0-9]+|_i{1,3}|_i[0-9]+|_ih|_oh|_dh|_exit_code")


class Refusal:
    """Stands for the run of a cell that can't be durable: the real exception, at the cell's beginning."""

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
        self, shell: Any, execution: Callable[[], Execution], options: CellOptions, tree: ast.Module
    ) -> None:
        self._shell, self._open, self._options, self._tree = shell, execution, options, tree
        self._analysis = analyse(tree)
        self._name = options.name or cell_name(self._analysis)
        self._attempt: Attempt | None = None
        self._context: entered | None = None
        self._recorder = Recorder(shell)
        self._replayed = False
        self._line = ""
        self._obstacle: str | None = None
        self._started = time.monotonic()

    @property
    def _namespace(self) -> dict[str, Any]:
        namespace: dict[str, Any] = self._shell.user_ns
        return namespace

    def begin(self) -> None:
        """Deliver the cell's outcome if it is settled, else make ready to compute it."""
        execution = self._execution = self._open()
        names = {name for name in self._analysis.inputs - self._options.ignore if not _is_shells(name)}
        code = fingerprint_cell(self._tree, names, self._namespace, library=execution.library)
        self._names = names & self._namespace.keys()
        self._obstacle = self._obstacle_to_replay(code)
        if self._obstacle is not None:
            self._recorder.start()
            return
        self._inputs = Inputs({}, code.captures)
        filename = sys._getframe(1).f_code.co_filename  # noqa: SLF001 (definitions must be found in the cell)
        entry = self._enter(self._work(code), filename, rerun=self._options.rerun)
        if isinstance(entry, Delivered):
            kept: dict[str, Any] = entry.outcome.deliver()  # type: ignore[assignment]
            if self._reaching(kept["<changed>"]) == kept["<reaching>"]:
                self._replay(kept)
                return
            # Other names than before would see the inputs change: what is kept does not fit this namespace.
            entry = self._enter(self._work(code), filename, rerun=True)
        if isinstance(entry, Delivered):
            raise TypeError("a rerun is never delivered")
        self._before = dict(self._namespace)
        self._attempt = entry
        self._context = entered(entry.context)
        self._context.__enter__()
        self._recorder.start()

    def link(self, _number: int) -> bool:
        """Return whether the statement is to be executed."""
        return not self._replayed

    def end(self, result: Any) -> None:
        """Keep what the cell did, if it did it to the end."""
        shown = self._recorder.stop()
        if self._context is not None:
            self._context.__exit__()
        error = result.error_before_exec or result.error_in_exec
        seconds = time.monotonic() - self._started
        if self._attempt is not None and error is not None:
            self._execution.abandon(self._attempt, error)
        elif self._attempt is not None:
            kept = self._keep_or_abandon(self._attempt, shown, result.result)
            self._line = f"{self._name}: computed in {seconds:.1f} s, {kept}"
        elif self._obstacle is not None and error is None:
            self._line = f"{self._name}: computed in {seconds:.1f} s, not kept: {self._obstacle}"
        self._say(self._line)

    def _enter(self, work: Work, filename: str, *, rerun: bool) -> Delivered | Attempt:
        caller = Caller(references=self._references(), prepare=lambda: self._define(filename))
        return self._execution.enter(work, caller, rerun=rerun)

    def _work(self, code: Fingerprint) -> Work:
        number = self._options.version
        if number is not None:
            pins.check(self._execution, f"cell/{self._name}", number, code, "raise")
        version = code.digest[:VERSION_DIGITS] if number is None else f"v{number}"
        inputs, id = self._inputs.digest, self._options.id
        return Work(
            id=validate_explicit(id) if id else f"cell/{escape(self._name)}@{version}/{inputs}",
            kind="cell",
            name=self._name,
            version=version,
            inputs=inputs,
            fingerprint="" if number else code.digest,
            explicit=id is not None,
            root="",
        ).under(self._execution.prefix)

    def _obstacle_to_replay(self, code: Fingerprint) -> str | None:
        """Return why the cell can't be replayed, as far as is known before it runs."""
        if code.stale is not None:
            warnings.warn(stale_source(self._name, code.stale), StaleSource, stacklevel=3)
            return f"the source of {code.stale} on disk is not the code that runs"
        if self._analysis.opaque:
            return "it reads or binds names that can't be seen (exec, a star import, %run or the like)"
        if history := sorted(filter(_is_history, self._analysis.inputs - self._options.ignore)):
            return f"it reads {history[0]}, which depends on the cells that ran before"
        reasons = (replayable_definition(each, self._analysis) for each in self._analysis.statements)
        return next((reason for reason in reasons if reason is not None), None)

    def _references(self) -> dict[str, object]:
        """Return the inputs that an output may share objects with, by name."""
        found = {name: self._namespace[name] for name in self._names & self._namespace.keys()}
        return {name: value for name, value in found.items() if type(value) not in _SCALARS}

    def _define(self, filename: str) -> None:
        """Run the imports and definitions again, in their order."""
        flags = self._shell.compile.flags
        for each in self._analysis.statements:
            if each.kind != "other":
                tree = ast.fix_missing_locations(ast.Module([each.node], []))
                code = compile(tree, filename, "exec", flags=flags, dont_inherit=True)
                exec(code, self._namespace)  # noqa: S102 (the user's own cell)

    def _replay(self, kept: dict[str, Any]) -> None:
        self._replayed = True
        about = {key: kept.pop(key) for key in list(kept) if key.startswith("<")}
        self._namespace.update(kept)
        for name in about["<deleted>"]:
            self._namespace.pop(name, None)
        show(self._shell, about["<shown>"], result=about.get("<last>", NO_RESULT))
        self._line = f"{self._name}: replayed, computed in {about['<seconds>']:.1f} s before"

    def _reaching(self, changed: Iterable[str]) -> list[str]:
        """Return the names, none that the cell binds itself, that see these inputs change."""
        objects = [self._inputs.captured[name] for name in changed]
        return sorted(names_that_reach(objects, self._namespace) - self._analysis.writes)

    def _keep_or_abandon(self, attempt: Attempt, shown: tuple[Any, ...], last: Any) -> str:
        try:
            return self._keep(attempt, shown, last)
        except BaseException as fault:  # an attempt that nobody ends would be waited for
            self._execution.abandon(attempt, fault)
            raise

    def _keep(self, attempt: Attempt, shown: tuple[Any, ...], last: Any) -> str:
        """Settle the promise with the outputs, and return in words what came of it."""
        changed = self._inputs.mutated()
        hidden = sorted({*changed, *self._inputs.rebound()} - self._names)
        if hidden:
            return self._give_up(attempt, f"it changed {hidden[0]}, which is no variable of the notebook")
        reaching = self._reaching(changed)
        now = {name: value for name, value in self._namespace.items() if not _is_shells(name)}
        bound = {name for name, value in now.items() if self._before.get(name, NO_RESULT) is not value}
        names = (self._analysis.writes | bound).union(changed, reaching) & now.keys()
        outputs = {name: now[name] for name in sorted(names)}
        references = {name: value for name, value in self._references().items() if name not in outputs}
        if problems := self._execution.codec.unpicklable_parts(outputs, references=references):
            return self._give_up(attempt, str(next(iter(problems.values()))))
        gone = {*self._before, *self._analysis.deletes} - self._namespace.keys()
        value: dict[str, Any] = {
            **outputs,
            "<changed>": changed,
            "<reaching>": reaching,
            "<shown>": list(shown),
            "<deleted>": sorted(filterfalse(_is_shells, gone)),
            "<seconds>": time.monotonic() - self._started,
        }
        if last is not None and not self._execution.codec.unpicklable_parts({"<last>": last}):
            value["<last>"] = last
        self._execution.settle(attempt, Outcome(value), Caller(references=references))
        return "kept"

    def _give_up(self, attempt: Attempt, reason: str) -> str:
        self._execution.abandon(attempt)
        return f"not kept: {reason}; it is computed again next time"

    def _say(self, line: str) -> None:
        kernel = getattr(self._shell, "kernel", None)
        looked_at = kernel is None or getattr(kernel, "_allow_stdin", False)
        if line and looked_at and not self._options.quiet:
            self._shell.display_pub.publish({"text/plain": line})


def _is_history(name: str) -> bool:
    """Return whether a name is one of those that IPython binds anew after each cell."""
    return _HISTORY.fullmatch(name) is not None


def _is_shells(name: str) -> bool:
    return name in _SHELL_NAMES or _is_history(name)
