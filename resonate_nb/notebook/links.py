"""The links of a cell's chain: what the cell is up to each place between its statements."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from resonate_nb.corridor.work import Work
from resonate_nb.fingerprint import content_digest, fingerprint_cell
from resonate_nb.inputs import Inputs
from resonate_nb.notebook.analysis import CellAnalysis, analyse
from resonate_nb.notebook.keeping import Keeping
from resonate_nb.notebook.shapes import is_loop_over_call
from resonate_nb.notebook.shell_names import is_shells
from resonate_nb.track import track
from resonate_nb.views import CHECKPOINT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from resonate_nb.code.libraries import Policy
    from resonate_nb.inputs import Identify

CHAIN = "chain/"  # in front of the ids of checkpoints
_MOST_LINKS = 40  # of one cell; a longer one has checkpoints after several statements each
_MOST_SECONDS_OF_DIGESTS = 0.5  # for the inputs of parts of a cell, besides its own


@dataclass(frozen=True, slots=True)
class Link:
    """The place behind some statements of a cell, and what the cell is up to there."""

    number: int  # of statements that lie before it
    analysis: CellAnalysis
    code: str  # digest of the statements with all that they call
    inputs: Inputs
    keeping: Keeping
    behind_loop: bool  # over what may be a call of `track`

    def work(self, prefix: str, conditions: object, iterations: int = 0) -> Work:
        """Return what its checkpoint is the outcome of; with a number, the one in the loop before it."""
        digest = content_digest([self.code, self.inputs.digest, conditions])
        inside = f"/{iterations}" if iterations else ""
        within = f", {iterations} iterations" if iterations else ""
        return Work(
            id=f"{prefix}{CHAIN}{digest}{inside}",
            kind=CHECKPOINT,
            name=f"{self.number} statements{within}",
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
    earlier: Iterable[Link] = (),
) -> dict[int, Link]:
    """Return the links of a cell, by the number of statements before them; inputs and keeping are the cell's.

    Inputs are taken as they are now, before the cell has run. There is no link where that would take long.
    Where the cell continues what an earlier chain began, they are those of that chain, and no others.
    """
    found: dict[int, Link] = {}
    sets = {frozenset(inputs.captured): (inputs, keeping)}
    earlier = list(earlier)
    for link in earlier:
        sets[frozenset(link.inputs.captured)] = link.inputs, link.keeping
    seconds = 0.0
    loops = _behind_loops(tree, namespace)
    for number in sorted({*_places(tree), *loops}):
        part = ast.Module(tree.body[:number], [])
        analysis = analyse(part)
        names = {name for name in analysis.inputs if not is_shells(name)} - ignored
        code = fingerprint_cell(part, names, namespace, library=library)
        captures = [each for each in code.captures if each.root not in ignored]
        paths, names = frozenset(each.path for each in captures), names & namespace.keys()
        if paths not in sets:
            if earlier or seconds + inputs.seconds > _MOST_SECONDS_OF_DIGESTS:
                continue
            own = Inputs({}, captures, identify)
            seconds += own.seconds
            sets[paths] = own, Keeping(namespace, analysis, names, own)
        own, keeping_of_own = sets[paths]
        found[number] = Link(
            number, analysis, code.digest, own, keeping_of_own.of_part(analysis, names), number in loops
        )
    return found


def _behind_loops(tree: ast.Module, namespace: Mapping[str, Any]) -> list[int]:
    """Return the places behind loops over what may be a call of `track`: they have checkpoints of their own.

    What is called is looked at, if it can be found already, not how it is spelled.
    """
    loops = ((number, is_loop_over_call(each)) for number, each in enumerate(tree.body))
    return [number + 1 for number, call in loops if call is not None and _may_be_track(call.func, namespace)]


def _may_be_track(called: ast.expr, namespace: Mapping[str, Any]) -> bool:
    if isinstance(called, ast.Name):
        return namespace.get(called.id, track) is track and not hasattr(builtins, called.id)
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        owner = namespace.get(called.value.id)  # of anything else than a module, an attribute may be code
        return owner is None or (isinstance(owner, ModuleType) and vars(owner).get(called.attr) is track)
    return False


def _places(tree: ast.Module) -> list[int]:
    """Return before which statements there may be a checkpoint: where something was done besides defining."""
    definitions = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    done = [not isinstance(each, definitions) for each in tree.body]
    places = [number for number in range(1, len(done)) if any(done[:number])]
    return places[:: -(-len(places) // _MOST_LINKS)] if places else []
