"""What is kept of a durable cell that has run: the names that it changed, and what it showed."""

from __future__ import annotations

from itertools import filterfalse
from typing import TYPE_CHECKING, Any

from resonate_nb.notebook.reach import names_that_reach
from resonate_nb.notebook.recorder import NO_RESULT
from resonate_nb.notebook.shell_names import is_shells

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from resonate_nb.codec import Codec
    from resonate_nb.inputs import Inputs
    from resonate_nb.notebook.analysis import CellAnalysis

_SCALARS = (type(None), bool, int, float, complex, str, bytes)


class NotToBeKept(Exception):
    """Says why the cell has to be computed again next time."""


class Keeping:
    """The namespace as a cell finds it, and what there is to keep when the cell has run.

    What is kept is a dict: the outputs by name, and under names in angle brackets what is to be done besides.
    """

    def __init__(
        self,
        namespace: dict[str, Any],
        analysis: CellAnalysis,
        names: set[str],
        inputs: Inputs,
        *,
        only: frozenset[str] | None = None,  # of the outputs, these and no others
        apart: frozenset[str] = frozenset(),  # outputs that are made new at replay
    ) -> None:
        self._namespace, self._analysis, self._names, self._inputs = namespace, analysis, names, inputs
        self._only, self._apart = only, apart
        self._before = dict(namespace)

    @property
    def references(self) -> dict[str, object]:
        """The inputs that an output may share objects with, by name."""
        found = {name: self._namespace[name] for name in self._names & self._namespace.keys()}
        return {name: value for name, value in found.items() if type(value) not in _SCALARS}

    def fits(self, kept: Mapping[str, Any]) -> bool:
        """Return whether the same names as then reach what the cell changed."""
        reaching: list[str] = kept["<reaching>"]
        return self._reaching(kept["<changed>"]) == reaching

    def collect(self, codec: Codec) -> tuple[dict[str, Any], dict[str, object]]:
        """Return what the cell leaves behind, and the references that it is written with.

        Raises
        ------
        NotToBeKept
            A part can't be kept, or something changed that is no variable.
        """
        changed = self._inputs.mutated()
        hidden = sorted({*changed, *self._inputs.rebound()} - self._names)
        if hidden:
            raise NotToBeKept(f"it changed {hidden[0]}, which is no variable of the notebook")
        if self._only is not None:
            changed = [name for name in changed if name in self._only]
        reaching = self._reaching(changed)
        self._refuse_partial_aliases(reaching)
        outputs = self._outputs({*changed, *reaching})
        references = {name: value for name, value in self.references.items() if name not in outputs}
        if problems := codec.unpicklable_parts(outputs, references=references):
            raise NotToBeKept(str(next(iter(problems.values()))))
        gone = self._chosen({*self._before, *self._analysis.deletes} - self._namespace.keys())
        deleted = sorted(filterfalse(is_shells, gone))
        return {**outputs, "<changed>": changed, "<reaching>": reaching, "<deleted>": deleted}, references

    def _outputs(self, changed: set[str]) -> dict[str, Any]:
        now = {name: value for name, value in self._namespace.items() if not is_shells(name)}
        bound = {name for name, value in now.items() if self._before.get(name, NO_RESULT) is not value}
        names = (self._analysis.writes | bound | changed) & now.keys()
        return {name: now[name] for name in sorted(self._chosen(names))}

    def _chosen(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if self._only is None or name in self._only} - self._apart

    def _refuse_partial_aliases(self, reaching: Iterable[str]) -> None:
        """Refuse to keep an object, but not another name that leads to it: they would part at replay."""
        if parted := sorted({*reaching} - {*self._chosen(reaching)} - self._apart):
            raise NotToBeKept(f"{parted[0]} leads to what --outputs names, so it has to be named there too")

    def _reaching(self, changed: Iterable[str]) -> list[str]:
        """Return the names, none that the cell binds itself, that see these inputs change."""
        objects = [self._inputs.captured[name] for name in changed]
        return sorted(names_that_reach(objects, self._namespace) - self._analysis.writes)
