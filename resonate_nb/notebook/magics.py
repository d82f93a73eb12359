"""The extension: hangs transformers, events and commands on an IPython shell."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, Any

from resonate_nb import resonate, views
from resonate_nb.errors import ResonateWarning, UsageError
from resonate_nb.notebook.cells import CellRun, Refusal
from resonate_nb.notebook.options import parse_options
from resonate_nb.notebook.randomness import watch
from resonate_nb.notebook.shell_names import RUN_NAME
from resonate_nb.notebook.stage import show_inbox
from resonate_nb.notebook.transform import guard, mark, marker, unmarked
from resonate_nb.notebook.why import why

if TYPE_CHECKING:
    from resonate_nb.execution import Execution


class Extension:
    """What `%load_ext resonate_nb` puts into one shell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._run: CellRun | Refusal | None = None

    def load(self) -> None:
        """Register everything; a second time changes nothing."""
        if mark in self._shell.input_transformers_cleanup:
            return
        self._shell.input_transformers_cleanup.append(mark)
        self._shell.ast_transformers.append(self)
        self._shell.events.register("post_run_cell", self.end)
        self._shell.register_magic_function(self.durable, "cell", "durable")
        self._shell.register_magic_function(self.promises, "line", "promises")
        self._shell.register_magic_function(self.why, "line", "why")
        self._shell.register_magic_function(self.inbox, "line", "inbox")
        self._shell.user_ns_hidden[RUN_NAME] = None
        watch.begin("\n".join(self._shell.user_ns.get("In", ())))

    def visit(self, tree: ast.AST) -> ast.AST:
        """Return the guarded tree of a durable cell; a fault of ours runs the cell plainly."""
        found = marker(tree) if isinstance(tree, ast.Module) else None
        if found is None or not isinstance(tree, ast.Module):
            return tree
        try:
            self._run = self._decide(*found, unmarked(tree))
            self._shell.user_ns[RUN_NAME] = self._run
            return guard(tree, RUN_NAME)
        except Exception as fault:  # noqa: BLE001 (whatever it is, the user's cell runs)
            warnings.warn(
                f"this cell runs as a plain one, for a fault of ours: {fault!r}",
                ResonateWarning,
                stacklevel=2,
            )
            return unmarked(tree)

    def _decide(self, kind: str, text: str, tree: ast.Module) -> CellRun | Refusal:
        if kind == "refused":
            return Refusal(UsageError(text))
        try:
            return CellRun(self._shell, _execution, parse_options(text), tree)
        except UsageError as refusal:
            return Refusal(refusal)

    def end(self, result: Any) -> None:
        """Close the run of the cell that has just ended."""
        run, self._run = self._run, None
        self._shell.user_ns.pop(RUN_NAME, None)
        if run is not None:
            run.end(result)

    def durable(self, line: str, cell: str) -> None:
        """Make the cell a durable promise.

        %%durable [NAME] [--version N] [--id ID] [--ignore NAMES] [--rerun] [--quiet] [--dry-run]
        """
        raise UsageError("%%durable stands on the first line of a cell, alone")

    def promises(self, line: str) -> None:
        """List promises: %promises [PREFIX] [--state S]."""
        prefix, _, state = (part.strip() for part in line.partition("--state"))
        print(views.table(views.listing(_execution(), prefix=prefix, state=state or None)))  # noqa: T201

    def why(self, line: str) -> None:
        """Say why something was computed or replayed: %why [NAME|ID], or nothing for what ran last."""
        print(why(_execution(), line.strip(), self._shell.user_ns))  # noqa: T201

    def inbox(self, line: str) -> None:
        """Show the questions of all notebooks on this store that wait, to be answered: %inbox."""
        show_inbox(self._shell, _execution())


def _execution() -> Execution:
    return resonate.default().execution
