"""Arguments that a function changes in place, as it declares: how they are kept, and changed so at replay.

The objects that the arguments consist of are numbered alike wherever the inputs are equal. Kept are the
states of those that changed, and what the body returned, which may lead to any of them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from resonate_nb.content import in_place
from resonate_nb.content.parts import Parts
from resonate_nb.opened.file_records import Unrepeatable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.content.in_place import State
    from resonate_nb.content.parts import Part
    from resonate_nb.inputs import Inputs

TAG = "rnb:mutated"  # of a promise whose outcome changes arguments: which


@dataclass(frozen=True, slots=True)
class Left:
    """The value of such a promise: what a body returned, and the states in which it left what it changed."""

    returned: object
    states: Mapping[str, State]  # by the numbers of the objects
    parts: str  # digest of the types of all numbered objects


class Mutation:
    """The arguments of one call as they are before its body runs, some of which it may change."""

    def __init__(self, declared: frozenset[str], inputs: Inputs) -> None:
        self._declared, self._inputs = declared, inputs
        given = inputs.given
        chosen = {name: value for name, value in given.items() if name in declared}
        # The declared ones come first: to them belongs what they share with others.
        self._parts = Parts({**chosen, **inputs.captured, **given})

    @property
    def references(self) -> Mapping[str, object]:
        """The objects that a kept value may lead to, by number."""
        return self._parts

    @cached_property
    def overlaps(self) -> list[tuple[object, ...]]:
        """How arrays lie in the memory that they share: a change of one is a change of the other."""
        ndarray = getattr(sys.modules.get("numpy"), "ndarray", ())
        owners: dict[int, list[tuple[str, Any]]] = {}
        for number, part in self._parts.items():
            if isinstance(part, ndarray):
                owners.setdefault(_owner_of(part), []).append((number, part))
        shared = [each for each in owners.values() if len(each) > 1]
        return [_layout(number, part, each[0][1]) for each in shared for number, part in each]

    @property
    def roots(self) -> list[str]:
        """The names of the arguments to which belongs what changed, not of all that lead there."""
        return list(dict.fromkeys([part.root for _, part in self._changes] + self._unexplained))

    def undeclared(self) -> list[str]:
        """Return the names of what the body changed although it was not declared."""
        return [each for each in self.roots if each not in self._declared] + self._inputs.rebound()

    def left(self, returned: object) -> Left:
        """Return what is to be kept after a body that changed nothing but what is declared.

        Raises
        ------
        Unrepeatable
            What changed can't be restored in place.
        """
        states = {number: self._state_of(part) for number, part in self._changes}
        return Left(returned, states, self._parts.kinds())

    def restore(self, left: Left) -> bool:
        """Change the arguments as the body did; return False, changing nothing, if they are other ones."""
        if left.parts != self._parts.kinds():
            return False
        for number, state in left.states.items():
            in_place.restore(self._parts[number], state)
        return True

    @cached_property
    def _names(self) -> list[str]:
        return self._inputs.mutated()

    @cached_property
    def _changes(self) -> list[tuple[str, Part]]:
        return self._parts.changed(frozenset(self._names))

    @property
    def _unexplained(self) -> list[str]:
        """The names of what changed although nothing is seen to have changed in it."""
        return [] if self._changes else self._names

    def _state_of(self, part: Part) -> State:
        state = in_place.state_of(part)
        if state is None:
            kind = type(part.value).__qualname__
            raise Unrepeatable(f"what it changed in `{part.root}`, a {kind}, can't be restored in place")
        return state


def _owner_of(array: Any) -> int:
    """Return the identity of the object whose memory an array shows."""
    while (base := getattr(array, "base", None)) is not None:
        array = base
    return id(array)


def _layout(number: str, array: Any, first: Any) -> tuple[object, ...]:
    offset = array.__array_interface__["data"][0] - first.__array_interface__["data"][0]
    return number, offset, array.strides
