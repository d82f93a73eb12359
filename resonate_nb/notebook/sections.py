"""The statements of a cell as sections, to which the calls belong that are identified by their place.

The id of a section says all that leads to its calls: the statements up to its own with what they call, the
inputs that those read, and what was drawn until the call. Neither the cell's name nor what follows counts, so
an edit further down moves nothing, and nothing is sent twice. Which files were read until a call is noted
with it: where one has changed, another series of calls begins.
"""

from __future__ import annotations

import ast
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from resonate_nb.corridor.children import SECTIONS
from resonate_nb.corridor.context import Section
from resonate_nb.fingerprint import content_digest, fingerprint_cell
from resonate_nb.notebook.analysis import analyse
from resonate_nb.notebook.shell_names import is_shells
from resonate_nb.opened.reads import Reads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from resonate_nb.corridor.context import Context
    from resonate_nb.execution import Execution
    from resonate_nb.notebook.chain import Chain
    from resonate_nb.notebook.reading import Reading

READ_TAG = "rnb:read"  # of a call: the files that its cell had read before


class Sections:
    """The sections of one run of a cell."""

    def __init__(
        self,
        tree: ast.Module,
        namespace: Mapping[str, object],
        reading: Reading,
        chain: Chain,
        *,
        execution: Execution,
        context: Context,
        anew: bool,  # nothing counts that was sent before
    ) -> None:
        self._tree, self._reading, self._chain = tree, reading, chain
        self._execution, self._reads = execution, Reads(context.trace)
        self._before = dict(namespace)
        self._series = context.id if anew else ""
        self._ids: dict[int, str] = {}  # by the number of statements up to the section's own
        self._entered: list[Section] = []

    def enter(self, number: int) -> Section:
        """Return the section of the statement with this number, which is about to begin."""
        resumed = self._chain.resumed
        goes_on = resumed.iterations and resumed.statements == number
        locate = partial(self._locate, number + 1)
        section = Section(locate, self._chain.calls if goes_on else None)
        self._entered.append(section)
        return section

    @property
    def called(self) -> bool:
        """Whether a call by place was made."""
        return any(each.numbering.given for each in self._entered)

    def _locate(self, statements: int, number: str) -> tuple[str, Mapping[str, str]]:
        """Return the id of a call, in the first series in which the files are as they were at this call."""
        section = self._id(statements)
        for series in count():
            id = f"{section}/{series}{number}" if series else f"{section}{number}"
            there = self._execution.store.get_many(
                [id, f"{id}.1"]
            )  # the first of several, like those of a map
            told = [entry.promise.tags.get(READ_TAG, "") for entry in there.values()]
            if not told or self._reads.hold(told[0]):
                break
        return id, {READ_TAG: read} if (read := self._reads.told()) else {}

    def _id(self, statements: int) -> str:
        """Return what the ids of a section's calls begin with at this moment."""
        if statements not in self._ids:
            self._ids[statements] = content_digest([*self._read_by(statements), self._series])
        digest = content_digest([self._ids[statements], self._reading.draws.drawn])
        return f"{self._execution.prefix}{SECTIONS}{digest}"

    def _read_by(self, statements: int) -> tuple[str, Mapping[str, str]]:
        """Return the digest of the code of the first statements, and those of the inputs that they read."""
        reading, link = self._reading, self._chain.links.get(statements)
        if statements >= len(self._tree.body):
            return reading.code.digest, _digests(reading.inputs.digests, reading.inputs.captured)
        if link is not None:
            return link.code, _digests(
                {**link.inputs.digests, **reading.inputs.digests}, link.inputs.captured
            )
        part = ast.Module(self._tree.body[:statements], [])
        names = {name for name in analyse(part).inputs if not is_shells(name)} - reading.options.ignore
        code = fingerprint_cell(part, names, self._before, library=self._execution.library)
        return code.digest, _digests(reading.inputs.digests, (each.path for each in code.captures))


def _digests(digests: Mapping[str, str], paths: Iterable[str]) -> dict[str, str]:
    """Return the digests of these inputs, as the cell found them; what it made itself is none."""
    return {path: digests[path] for path in sorted(paths) if path in digests}
