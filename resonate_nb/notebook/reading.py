"""What a durable cell means and reads, as it is when the cell begins: what its run is identified by."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from resonate_nb import files, versions
from resonate_nb.corridor.work import Work
from resonate_nb.errors import StaleSource
from resonate_nb.explain import IGNORED, WATCHED
from resonate_nb.fingerprint import Fingerprint, content_digest, fingerprint_cell
from resonate_nb.functions import stale_source
from resonate_nb.ids import escape, validate_explicit
from resonate_nb.inputs import Inputs
from resonate_nb.notebook import unasked
from resonate_nb.notebook.analysis import analyse, cell_name
from resonate_nb.notebook.definitions import replayable_definition
from resonate_nb.notebook.keeping import Keeping
from resonate_nb.notebook.links import links_of
from resonate_nb.notebook.origins import Unidentified
from resonate_nb.notebook.randomness import Draws
from resonate_nb.notebook.remaking import check_names
from resonate_nb.notebook.shell_names import is_history, is_shells
from resonate_nb.notebook.why import as_typed
from resonate_nb.retry import policy_of
from resonate_nb.versioning import pins
from resonate_nb.versions import VERSION_DIGITS

if TYPE_CHECKING:
    import ast

    from resonate_nb.execution import Execution
    from resonate_nb.fingerprint import Capture
    from resonate_nb.inputs import Identify
    from resonate_nb.notebook.links import Link
    from resonate_nb.notebook.options import CellOptions
    from resonate_nb.notebook.remains import Ended, Remains


class Reading:
    """A cell's code, inputs and random states, and what of the namespace there is to keep."""

    code: Fingerprint
    inputs: Inputs
    keeping: Keeping
    size: float  # of what it reads, about; only of a cell that nobody asked for

    def __init__(
        self,
        tree: ast.Module,
        options: CellOptions,
        namespace: dict[str, Any],
        *,
        identify: Identify,
        remains: Remains,
    ) -> None:
        self._tree, self.options, self._namespace = tree, options, namespace
        self._identify, self._remains = identify, remains
        self.analysis = analyse(tree)
        self.name = options.name or cell_name(self.analysis)
        self.draws = Draws()
        self.earlier: Ended | None = None  # the attempt that this one continues, without a restart
        self.obstacle: str | None = None  # to keeping the cell, as far as is known before it runs

    def take_in(self, execution: Execution) -> None:
        """Take in what the cell means and reads, or what is in the way of keeping it."""
        self.draws.begin()
        files.watched(self.options.watch)
        ignored = self.options.ignore
        names = {name for name in self.analysis.inputs if not is_shells(name)}
        self.code = fingerprint_cell(self._tree, names - ignored, self._namespace, library=execution.library)
        roots = frozenset(each.root for each in self.code.captures)
        check_names("--ignore", ignored, roots.union(self.analysis.inputs), "read before it assigns it")
        self.obstacle = self._obstacle_to_replay() or self._left_alone(execution)
        if self.obstacle is None:
            try:
                self._names = (names - ignored) & self._namespace.keys()
                self._watch()
                self.obstacle = self._done_unseen()
            except Unidentified as obstacle:
                self.obstacle = str(obstacle)

    def take_anew(self) -> None:
        """Take in the inputs as they are, since what an earlier attempt made of them can't be undone."""
        self.earlier = None
        self.draws.begin()
        self._watch_as_found()

    def work(self, execution: Execution, filename: str) -> Work:
        """Return what the cell's run is the attempt of."""
        number, code = self.options.version, self.code
        if number is not None and not self.options.dry_run:
            pins.check(execution, f"cell/{self.name}", number, code, "raise")
        version = code.digest[:VERSION_DIGITS] if number is None else f"v{number}"
        inputs, id = self.inputs.digest, self.options.id
        if self.options.watch:  # what was kept before the files were named knows nothing of them
            inputs = content_digest([inputs, *self.options.watch])
        return Work(
            id=validate_explicit(id) if id else f"cell/{escape(self.name)}@{version}/{inputs}",
            kind="cell",
            name=self.name,
            version=version,
            inputs=inputs,
            fingerprint=code.digest,
            explicit=id is not None,
            timeout=self.options.timeout,
            retry=policy_of(self.options.retry),
            tags=self._tags(),
            about=self.inputs.about,
            root="",
            record=lambda: versions.remember(
                execution, f"cell/{self.name}", number, as_typed(code, filename)
            ),
        ).under(execution.prefix)

    def links(self, execution: Execution) -> dict[int, Link]:
        """Return the links of the cell's chain, with their inputs as they are now."""
        return links_of(
            self._tree,
            self.inputs,
            self.keeping,
            self._namespace,
            library=execution.library,
            identify=self._identify,
            ignored=self.options.ignore,
            earlier=() if self.earlier is None else self.earlier.chain.links.values(),
        )

    def _left_alone(self, execution: Execution) -> str | None:
        if self.options.asked:
            return None
        self.size = unasked.size_of(self.code)
        return unasked.left_alone(execution, self.code, self.size)

    def _done_unseen(self) -> str | None:
        """Return why a cell that nobody asked for is not to be replayed, by what it reads."""
        names = self.inputs.without_content
        if self.options.asked or not names:
            return None
        return f"{unasked.LEFT_ALONE}: what it does through {names[0]} can't be seen"

    def _watch(self) -> None:
        """Take in the inputs, to see later what has become of them."""
        options = self.options
        captures = self._captures
        self.earlier = None if options.rerun else self._remains.found(self.code.digest, captures)
        if self.earlier is None:
            self._watch_as_found()
            return
        self.inputs = self.earlier.inputs
        self.keeping = self.earlier.keeping.of_part(
            self.analysis, self._names, only=options.outputs, apart=options.remake
        )
        self.draws.go_on_from(self.earlier.draws)

    def _watch_as_found(self) -> None:
        self.inputs = Inputs({}, self._captures, self._identify)
        self.keeping = Keeping(
            self._namespace,
            self.analysis,
            self._names,
            self.inputs,
            only=self.options.outputs,
            apart=self.options.remake,
        )

    @property
    def _captures(self) -> list[Capture]:
        return [each for each in self.code.captures if each.root not in self.options.ignore]

    def _tags(self) -> dict[str, str]:
        named = {IGNORED: sorted(self.options.ignore), WATCHED: self.options.watch}
        return {tag: ", ".join(names) for tag, names in named.items() if names}

    def _obstacle_to_replay(self) -> str | None:
        """Return why the cell can't be replayed, as far as is known before it runs."""
        if self.code.stale is not None:
            warnings.warn(stale_source(self.name, self.code.stale), StaleSource, stacklevel=5)
            return f"the source of {self.code.stale} on disk is not the code that runs"
        if self.analysis.opaque:
            return "it reads or binds names that can't be seen (exec, a star import, %run or the like)"
        if history := sorted(filter(is_history, self.analysis.inputs - self.options.ignore)):
            return f"it reads {history[0]}, which depends on the cells that ran before"
        reasons = (replayable_definition(each, self.analysis) for each in self.analysis.statements)
        return next((reason for reason in reasons if reason is not None), None)
