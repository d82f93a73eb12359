"""A run of a durable cell: what happens when it begins, at each statement, and when it ends."""

from __future__ import annotations

import ast
import sys
import time
from typing import TYPE_CHECKING, Any

from resonate_nb import pins
from resonate_nb.context import entered
from resonate_nb.execution import Attempt, Delivered
from resonate_nb.fingerprint import Fingerprint, content_digest, fingerprint_cell
from resonate_nb.functions import VERSION_DIGITS
from resonate_nb.ids import escape, validate_explicit
from resonate_nb.notebook.analysis import analyse, cell_name
from resonate_nb.notebook.definitions import replayable_definition
from resonate_nb.notebook.reach import names_that_reach
from resonate_nb.notebook.recorder import NO_RESULT, Recorder, show
from resonate_nb.work import Outcome, Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonate_nb.execution import Execution
    from resonate_nb.notebook.options import CellOptions

RUN_NAME = "__rnb_run__"
_SCALARS = (type(None), bool, int, float, complex, str, bytes)
_SHELL_NAMES = frozenset({"In", "Out", "get_ipython", "exit", "quit", "open", RUN_NAME})


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
        self._digests = _digests(code)
        self._code = code
        if self._obstacle() is not None:
            self._recorder.start()
            return
        filename = sys._getframe(1).f_code.co_filename  # noqa: SLF001 (definitions must be found in the cell)
        entry = execution.enter(
            self._work(code),
            rerun=self._options.rerun,
            references=self._references(),
            prepare=lambda: self._define(filename),
        )
        if isinstance(entry, Delivered):
            self._replay(entry)
            return
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
        if self._attempt is None:
            obstacle = None if self._replayed or error is not None else self._obstacle_said()
            self._say(
                self._line or (f"{self._name}: computed in {seconds:.1f} s, {obstacle}" if obstacle else "")
            )
        elif error is not None:
            self._execution.abandon(self._attempt, error)
        else:
            kept = self._keep(self._attempt, shown, result.result)
            self._say(f"{self._name}: computed in {seconds:.1f} s, {kept}")

    def _work(self, code: Fingerprint) -> Work:
        number = self._options.version
        if number is not None:
            pins.check(self._execution, f"cell/{self._name}", number, code, "raise")
        version = code.digest[:VERSION_DIGITS] if number is None else f"v{number}"
        inputs = content_digest([self._digests, _aliases(code)])
        id = self._options.id
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

    def _obstacle(self) -> str | None:
        """Return why the cell can't be replayed, as far as its text tells."""
        if self._analysis.opaque:
            return "it reads or binds names that can't be seen (exec, a star import, %run or the like)"
        reasons = (replayable_definition(each, self._analysis) for each in self._analysis.statements)
        return next((reason for reason in reasons if reason is not None), None)

    def _obstacle_said(self) -> str | None:
        reason = self._obstacle()
        return None if reason is None else f"not kept: {reason}"

    def _references(self) -> dict[str, object]:
        """Return the inputs that an output may share objects with, by name."""
        found = {name: self._namespace[name] for name in self._names}
        return {name: value for name, value in found.items() if type(value) not in _SCALARS}

    def _define(self, filename: str) -> None:
        """Run the imports and definitions again, in their order."""
        flags = self._shell.compile.flags
        for each in self._analysis.statements:
            if each.kind != "other":
                tree = ast.fix_missing_locations(ast.Module([each.node], []))
                code = compile(tree, filename, "exec", flags=flags, dont_inherit=True)
                exec(code, self._namespace)  # noqa: S102 (the user's own cell)

    def _replay(self, delivered: Delivered) -> None:
        self._replayed = True
        kept: dict[str, Any] = delivered.outcome.deliver()  # type: ignore[assignment]
        shown, last = kept.pop("<shown>"), kept.pop("<last>", NO_RESULT)
        deleted, seconds = kept.pop("<deleted>"), kept.pop("<seconds>")
        self._namespace.update(kept)
        for name in deleted:
            self._namespace.pop(name, None)
        show(self._shell, shown, result=last)
        self._line = f"{self._name}: replayed, computed in {seconds:.1f} s before"

    def _keep(self, attempt: Attempt, shown: tuple[Any, ...], last: Any) -> str:
        """Settle the promise with the outputs, and return in words what came of it."""
        after = _digests(self._code)
        changed = {path for path, digest in self._digests.items() if after.get(path) != digest}
        if hidden := sorted(path for path in changed if path not in self._names):
            return self._give_up(attempt, f"it changed {hidden[0]}, which is no variable of the notebook")
        mutated = [self._namespace[name] for name in changed if name in self._namespace]
        names = (self._analysis.writes | changed | names_that_reach(mutated, self._namespace)) - {RUN_NAME}
        outputs = {name: self._namespace[name] for name in sorted(names) if name in self._namespace}
        references = {name: value for name, value in self._references().items() if name not in outputs}
        if problems := self._execution.codec.unpicklable_parts(outputs, references=references):
            return self._give_up(attempt, str(next(iter(problems.values()))))
        value: dict[str, Any] = {
            **outputs,
            "<shown>": list(shown),
            "<deleted>": sorted(name for name in self._analysis.deletes if name not in self._namespace),
            "<seconds>": time.monotonic() - self._started,
        }
        if last is not None and not self._execution.codec.unpicklable_parts({"<last>": last}):
            value["<last>"] = last
        self._execution.settle(attempt, Outcome(value), references)
        return "kept"

    def _give_up(self, attempt: Attempt, reason: str) -> str:
        self._execution.abandon(attempt)
        return f"not kept: {reason}; it is computed again next time"

    def _say(self, line: str) -> None:
        kernel = getattr(self._shell, "kernel", None)
        looked_at = kernel is None or getattr(kernel, "_allow_stdin", False)
        if line and looked_at and not self._options.quiet:
            self._shell.display_pub.publish({"text/plain": line})


def _is_shells(name: str) -> bool:
    return name in _SHELL_NAMES or name.startswith(("_i", "_o", "__rnb")) or name.strip("_") == ""


def _digests(code: Fingerprint) -> dict[str, str]:
    return {each.path: content_digest(each.read(), each.path) for each in code.captures}


def _aliases(code: Fingerprint) -> list[int]:
    """Return which of the inputs are one object: for each, the first that it is the same as."""
    values = [each.read() for each in code.captures]
    return [next(n for n, other in enumerate(values) if other is value) for value in values]
