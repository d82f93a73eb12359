"""What is kept of a durable cell that has run: the names that it changed, and what it showed."""

from __future__ import annotations

import ast
import copy
from itertools import filterfalse
from typing import TYPE_CHECKING, Any

from resonate_nb.content.in_place import state_of
from resonate_nb.content.parts import Parts
from resonate_nb.errors import UndigestibleInput, Unpicklable
from resonate_nb.fingerprint import content_digest
from resonate_nb.notebook.attributes import Attributes
from resonate_nb.notebook.hidden import call_of_ipython
from resonate_nb.notebook.reach import names_that_reach
from resonate_nb.notebook.recorder import NO_RESULT
from resonate_nb.notebook.shell_names import is_shells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from resonate_nb.codec import Codec
    from resonate_nb.content.in_place import State
    from resonate_nb.inputs import Inputs
    from resonate_nb.notebook.analysis import CellAnalysis


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
        self.references = Parts(inputs.captured)  # what an output may share with an input, by number
        self._attributes = Attributes(namespace, self.references.values())

    def of_part(
        self,
        analysis: CellAnalysis,
        names: set[str],
        *,
        only: frozenset[str] | None = None,
        apart: frozenset[str] = frozenset(),
    ) -> Keeping:
        """Return what there is to keep of a part of the cell, or another cell, that has the same inputs."""
        part = copy.copy(self)
        vars(part).update(_analysis=analysis, _names=names, _only=only, _apart=apart)
        return part

    def fits(self, kept: Mapping[str, Any]) -> bool:
        """Return whether the inputs consist of what they did, and the same names reach what is bound anew."""
        reaching: list[str] = kept["<reaching>"]
        same_parts: bool = kept["<parts>"] == self.references.kinds()
        left = all(self._digest_of(name) == digest for name, digest in kept["<left>"].items())
        return same_parts and left and self._reaching(kept["<changed>"]) == reaching

    def undone_by(self, kept: Mapping[str, Any], restored: Keeping) -> bool:
        """Return whether all that is not as this found it is brought back with what was kept by another."""
        brought = {id(each) for each in restored.restored_by(kept)}
        mutated = frozenset(self._inputs.mutated())
        if any(id(part.value) not in brought for _, part in self.references.changed(mutated)):
            return False
        # Numbers and text are code: what the work is identified by holds those of now.
        for name in self._names & self._before.keys() - self._inputs.captured.keys():
            if self._namespace.get(name, NO_RESULT) is not self._before[name]:
                return False
        return all(path in self._names or path in kept for path in self._inputs.rebound())

    def untouched(self) -> bool:
        """Return whether only variables were bound or deleted since, which can be undone."""
        changed = self.references.changed(frozenset(self._inputs.mutated()))
        elsewhere = [path for path in self._inputs.rebound() if path not in self._names]
        return not [*changed, *elsewhere, *self._attributes.changed()]

    def rewind(self) -> None:
        """Bind the variables of the namespace to what they were bound to, and no others."""
        now = self._namespace
        for name in filterfalse(is_shells, now.keys() - self._before.keys()):
            del now[name]
        now.update((name, value) for name, value in self._before.items() if not is_shells(name))

    def bind_again(self, kept: Mapping[str, Any]) -> None:
        """Bind the variables that were read to what they were bound to, besides those that were kept."""
        for name in self._names & self._inputs.captured.keys() - kept.keys():
            self._namespace[name] = self._inputs.captured[name]

    def restored_by(self, kept: Mapping[str, Any]) -> Iterator[object]:
        """Give the parts whose content comes back with what was kept, or that others take the place of."""
        yield from (self.references[number] for number in kept["<contents>"])
        others = self.references.without(frozenset(kept["<changed>"])).keys()
        if kept["<changed>"]:
            yield from (part for number, part in self.references.items() if number not in others)

    def collect(self, codec: Codec) -> tuple[dict[str, Any], Mapping[str, object]]:
        """Return what the cell leaves behind, and the references that it is written with.

        Raises
        ------
        NotToBeKept
            A part can't be kept, or something changed that can't be restored.
        """
        if attributes := self._attributes.changed():
            raise NotToBeKept(f"it changed {attributes[0]}, an attribute of code")
        if rebound := self._rebound_elsewhere():
            raise NotToBeKept(f"it bound {rebound[0]} anew, which is no variable of the notebook")
        changed = self._inputs.mutated()
        states = {number: state_of(part) for number, part in self.references.changed(frozenset(changed))}
        if None not in states.values() and (self._only is None or self._only.issuperset(changed)):
            return self._in_place(codec, states)
        return self._by_value(codec, changed)

    def _in_place(
        self, codec: Codec, states: Mapping[str, State | None]
    ) -> tuple[dict[str, Any], Mapping[str, object]]:
        """Keep the states of the objects that changed, for the same objects at replay."""
        outputs = self._outputs(set())
        kept = {number: state for number, state in states.items() if state is not None}
        _refuse_unpicklable(codec, {**outputs, **self._named(kept)}, self.references)
        return self._about(outputs, {}, kept), self.references

    def _by_value(self, codec: Codec, changed: list[str]) -> tuple[dict[str, Any], Mapping[str, object]]:
        """Keep what changed as new objects, for all names that reach it."""
        if hidden := sorted(set(changed) - self._names):
            raise NotToBeKept(f"it changed {hidden[0]}, which is no variable of the notebook")
        chosen = [name for name in changed if self._only is None or name in self._only]
        reaching = self._reaching(chosen)
        self._refuse_partial_aliases(reaching)
        outputs = self._outputs({*chosen, *reaching})
        references = self.references.without(frozenset(changed))
        _refuse_unpicklable(codec, outputs, references)
        return self._about(outputs, {"<changed>": chosen, "<reaching>": reaching}, {}), references

    def _about(
        self, outputs: dict[str, Any], anew: Mapping[str, Any], states: Mapping[str, State]
    ) -> dict[str, Any]:
        gone = self._chosen({*self._before, *self._analysis.deletes} - self._namespace.keys())
        about = {
            "<changed>": [],
            "<reaching>": [],
            "<contents>": dict(states),
            "<deleted>": sorted(filterfalse(is_shells, gone)),
            "<parts>": self.references.kinds(),
            "<left>": self._left(outputs),
        }
        return {**outputs, **about, **anew}

    def _outputs(self, changed: set[str]) -> dict[str, Any]:
        now = self._namespace
        own = set(filterfalse(is_shells, now))
        bound = {name for name in own if self._before.get(name, NO_RESULT) is not now[name]}
        names = (self._analysis.writes | self._exit_code | bound | changed) & now.keys()
        return {name: now[name] for name in sorted(self._chosen(names))}

    @property
    def _exit_code(self) -> set[str]:
        """The name under which IPython puts the exit code of a shell line, if the cell has one."""
        nodes = (node for each in self._analysis.statements for node in ast.walk(each.node))
        calls = (call_of_ipython(node) for node in nodes if isinstance(node, ast.Call))
        return {"_exit_code" for call in calls if call is not None and call[0] == "system"}

    def _left(self, outputs: Iterable[str]) -> dict[str, str | None]:
        """Return digests of the names that the cell may have bound, and that are as they were."""
        unsure = self._analysis.writes - self._analysis.sure_writes
        left = {name for name in unsure & self._before.keys() if name in outputs}
        same = {name for name in left if self._before[name] is self._namespace[name]}
        return {name: self._digest_of(name) for name in sorted(same)}

    def _digest_of(self, name: str) -> str | None:
        try:
            return content_digest(self._before[name], name)
        except (KeyError, UndigestibleInput):
            return None

    def _chosen(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if self._only is None or name in self._only} - self._apart

    def _refuse_partial_aliases(self, reaching: Iterable[str]) -> None:
        """Refuse to keep an object, but not another name that leads to it: they would part at replay."""
        if parted := sorted({*reaching} - {*self._chosen(reaching)} - self._apart):
            raise NotToBeKept(f"{parted[0]} leads to what --outputs names, so it has to be named there too")

    def _rebound_elsewhere(self) -> list[str]:
        """Return what was bound anew, and is no name of the notebook, which is kept like any other."""
        return [
            path
            for path in self._inputs.rebound()
            if self._before.get(path.rpartition(".")[2], NO_RESULT) is not self._inputs.captured[path]
        ]

    def _named(self, states: Mapping[str, State]) -> dict[str, list[State]]:
        """Return states by what messages call them."""
        named: dict[str, list[State]] = {}
        for number, state in states.items():
            named.setdefault(f"{self.references.path(number)}, as it is now,", []).append(state)
        return named

    def _reaching(self, changed: Iterable[str]) -> list[str]:
        """Return the names, none that the cell binds itself, that see these inputs change."""
        objects = [self._inputs.captured[name] for name in changed]
        return sorted(names_that_reach(objects, self._namespace) - self._analysis.writes)


def _refuse_unpicklable(codec: Codec, values: Mapping[str, Any], references: Mapping[str, object]) -> None:
    """Refuse what can't be kept; all together, since what one holds may be a view of what another holds."""
    try:
        codec.encode(dict(values), id="", references=references, name="")
    except Unpicklable as problem:
        raise NotToBeKept(str(problem)) from None
