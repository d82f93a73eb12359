"""The extension: hangs transformers, events and commands on an IPython shell."""

from __future__ import annotations

import ast
import itertools
import warnings
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonate_nb import resonate, views
from resonate_nb.errors import ResonateWarning, UsageError
from resonate_nb.notebook import unasked
from resonate_nb.notebook.analysis import analyse
from resonate_nb.notebook.cells import CellRun, Refusal
from resonate_nb.notebook.options import CellOptions, parse_options
from resonate_nb.notebook.origins import Origins
from resonate_nb.notebook.randomness import watch
from resonate_nb.notebook.remains import Remains
from resonate_nb.notebook.shell_names import RUN
from resonate_nb.notebook.stage import show_inbox
from resonate_nb.notebook.tally import Tally, stored
from resonate_nb.notebook.transform import guard, mark, marker, unmarked
from resonate_nb.notebook.why import why

if TYPE_CHECKING:
    from resonate_nb.execution import Execution
    from resonate_nb.notebook.origins import Sight


@dataclass(slots=True)
class Running:
    """A cell that is being run: several are, where one runs another or a subshell runs beside."""

    info: Any  # IPython's own record of the run
    sight: Sight | None = None
    run: CellRun | Refusal | None = None
    name: str = ""  # of the run, in the namespace


_MAGICS = (
    *(("cell", "durable", "durable"), ("line", "durable", "switch")),
    *(("line", name, name) for name in ("promises", "why", "inbox")),
)

# The cell whose tree comes next: between the two the same code runs, in the same context.
_coming: ContextVar[Running | None] = ContextVar("resonate_nb_coming", default=None)


class Extension:
    """What `%load_ext resonate_nb` puts into one shell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._running: list[Running] = []
        self._numbers = itertools.count(1)
        self._origins = Origins(lambda: shell.user_ns)
        self._remains, self._tally = Remains(), Tally()
        self._always = False  # every cell is durable

    @classmethod
    def of(cls, shell: Any) -> Extension:
        """Return the extension of a shell, loaded or not."""
        found = next((each for each in shell.ast_transformers if isinstance(each, cls)), None)
        return found or cls(shell)

    def load(self) -> None:
        """Register everything; a second time changes nothing."""
        if self in self._shell.ast_transformers:
            return
        self._shell.input_transformers_cleanup.append(mark)
        self._shell.ast_transformers.append(self)
        self._shell.events.register("pre_run_cell", self.begin)
        self._shell.events.register("post_run_cell", self.end)
        for kind, name, method in _MAGICS:
            self._shell.register_magic_function(getattr(self, method), kind, name)
        watch.begin("\n".join(self._shell.user_ns.get("In", ())))

    def unload(self) -> None:
        """Leave the shell as it was; durable cells that are running come to their end first."""
        if self not in self._shell.ast_transformers:
            return
        self._shell.input_transformers_cleanup.remove(mark)
        self._shell.ast_transformers.remove(self)
        self._shell.events.unregister("pre_run_cell", self.begin)
        for kind, name, _ in _MAGICS:
            self._shell.magics_manager.magics[kind].pop(name, None)
        if not self._running:
            self._shell.events.unregister("post_run_cell", self.end)

    def begin(self, info: Any) -> None:
        """Expect the tree of a cell; cells that run silently have no beginning, and no end either."""
        running = Running(info)
        self._running.append(running)
        _coming.set(running)

    def visit(self, tree: ast.AST) -> ast.AST:
        """Return the guarded tree of a durable cell; a fault of ours runs the cell plainly."""
        running = _coming.get()
        _coming.set(None)
        if not isinstance(tree, ast.Module):
            return tree
        plain = unmarked(tree)
        if running is None:
            return plain
        found = marker(tree)
        try:
            running.sight = self._origins.look(plain, analyse(plain))
            run = self._run_of(running, found, plain)
            return tree if run is None else self._guarded(running, run, tree)
        except Exception as fault:  # noqa: BLE001 (whatever it is, the user's cell runs)
            self._origins.forget()
            if found is not None:
                said = f"this cell runs as a plain one, for a fault of ours: {fault!r}"
                warnings.warn(said, ResonateWarning, stacklevel=2)
            return plain

    def _run_of(
        self, running: Running, found: tuple[str, str] | None, tree: ast.Module
    ) -> CellRun | Refusal | None:
        """Return the run of a cell if it is durable, by its own header or by `%durable on`."""
        if found is not None:
            return self._decide(*found, tree)
        if self._always and unasked.suits(tree, running.info.raw_cell):
            return self._run(CellOptions(asked=False), tree)
        return None

    def _guarded(self, running: Running, run: CellRun | Refusal, tree: ast.Module) -> ast.Module:
        running.run = run
        running.name = f"{RUN}{next(self._numbers)}__"
        self._shell.user_ns[running.name] = running.run
        self._shell.user_ns_hidden[running.name] = running.run
        shows_assignment = self._shell.ast_node_interactivity == "last_expr_or_assign"
        return guard(
            tree, running.name, shows_assignment=shows_assignment, limited=run.limited, retried=run.retried
        )

    def _decide(self, kind: str, text: str, tree: ast.Module) -> CellRun | Refusal:
        if kind == "refused":
            return Refusal(UsageError(text))
        try:
            return self._run(parse_options(text), tree)
        except UsageError as refusal:
            return Refusal(refusal)

    def _run(self, options: CellOptions, tree: ast.Module) -> CellRun:
        return CellRun(
            self._shell,
            _execution,
            options,
            tree,
            identify=self._origins.of,
            remains=self._remains,
            tally=self._tally,
        )

    def end(self, result: Any) -> None:
        """Close the run of the cell that has just ended; no result: it was cancelled."""
        running = self._ended(getattr(result, "info", None))
        if running is None:
            return
        self._running.remove(running)
        if not self._running and self not in self._shell.ast_transformers:
            self._shell.events.unregister("post_run_cell", self.end)
        self._shell.user_ns.pop(running.name, None)
        self._shell.user_ns_hidden.pop(running.name, None)
        failed = result is None or not result.success
        if running.run is not None:
            running.run.end(result)
        if running.sight is not None:
            kept = running.run is not None and running.run.kept
            self._origins.ran(running.sight, leaves_alone=kept, failed=failed)

    def _ended(self, info: Any) -> Running | None:
        """Return the cell with this record, or an equal one: IPython writes a new one after an interrupt."""
        cells = self._running[::-1]
        same = [each for each in cells if each.info is info]
        equal = [each for each in cells if info is None or each.info.raw_cell == info.raw_cell]
        return next(iter([*same, *equal]), None)

    def durable(self, line: str, cell: str) -> None:
        """Make the cell a durable promise.

        %%durable [NAME] [--version N] [--id ID] [--ignore NAMES] [--watch FILES] [--outputs NAMES]
        [--remake NAMES] [--timeout DURATION] [--retry N] [--rerun] [--quiet] [--dry-run]
        """
        raise UsageError("%%durable stands on the first line of a cell, alone")

    def switch(self, line: str) -> None:
        """Make every following cell durable without a header, or end that: %durable on|off|stats.

        A cell that begins with `#| durable off` stays as it is; so does one that takes less time than
        the digests of its inputs, that only defines, or that uses magics or shell lines.
        """
        match line.split():
            case ["on"]:
                self._always = True
            case ["off"]:
                self._always = False
            case ["stats"]:
                print(f"{self._tally}\n{stored(_execution())}")  # noqa: T201 (a person asked)
            case []:
                print(f"%durable is {'on' if self._always else 'off'}")  # noqa: T201 (a person asked)
            case _:
                raise UsageError(f"%durable takes on, off or stats, not {line!r}")

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
