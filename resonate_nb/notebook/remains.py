"""In what state the last attempts left their inputs: a cell that finds them so goes on, without a restart."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonate_nb.errors import ResonateError
from resonate_nb.notebook import randomness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonate_nb.fingerprint import Capture
    from resonate_nb.inputs import Inputs
    from resonate_nb.notebook.chain import Chain
    from resonate_nb.notebook.keeping import Keeping
    from resonate_nb.notebook.randomness import Draws

_MOST = 3  # attempts that are remembered; each holds what its cell had read


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that has ended: what it began with, its checkpoints, and the inputs as it left them."""

    code: str  # digest of the whole cell
    failed: bool
    inputs: Inputs
    keeping: Keeping
    draws: Draws
    chain: Chain
    values: dict[str, object]
    digest: str
    generators: dict[str, str]  # digests of the states in which it left those of random numbers

    def left(self, captures: Iterable[Capture]) -> bool:
        """Return whether what is captured is what this attempt left, and as it left it."""
        try:
            now = {each.path: each.read() for each in captures}
        except (NameError, AttributeError):
            return False
        same = now.keys() == self.values.keys() and all(now[path] is self.values[path] for path in now)
        same = same and self.generators.items() <= randomness.digests().items()
        try:
            return same and self.inputs.digest_of(now) == self.digest
        except ResonateError:
            return False


class Remains:
    """The attempts of one kernel that ended last, as far as there is something to go on from."""

    def __init__(self) -> None:
        self._ended: deque[Ended] = deque(maxlen=_MOST)

    def add(
        self, code: str, inputs: Inputs, keeping: Keeping, *, draws: Draws, chain: Chain, failed: bool
    ) -> None:
        """Remember an attempt that has checkpoints and changed its inputs."""
        if not chain.kept:
            return
        try:
            values = inputs.read_again()
            digest = inputs.digest_of(values)
        except (NameError, AttributeError, ResonateError):
            return
        if digest != inputs.digest:
            generators = randomness.digests()
            self._ended.append(Ended(code, failed, inputs, keeping, draws, chain, values, digest, generators))

    def found(self, code: str, captures: list[Capture]) -> Ended | None:
        """Return the last attempt that left these inputs so, if it failed or was another cell.

        A cell that ran to its end and runs again over what it changed itself computes, as a plain one does.
        """
        for each in reversed(self._ended):
            if each.left(captures):
                return each if each.failed or each.code != code else None
        return None
