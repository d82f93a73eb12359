"""Which names of a namespace reach an object: those that see it change."""

from __future__ import annotations

import gc
import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_OBJECTS = 100_000  # looked at behind one name, before it counts as reaching
_ELSEWHERE = (types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType, types.FrameType)


def names_that_reach(targets: Iterable[object], namespace: Mapping[str, object]) -> set[str]:
    """Return the names whose values are, or lead to, one of the objects.

    >>> inner = [1]
    >>> sorted(names_that_reach([inner], {"inner": inner, "outer": {"a": inner}, "other": [1]}))
    ['inner', 'outer']
    """
    wanted = {id(target) for target in targets}
    if not wanted:
        return set()
    candidates = {name: value for name, value in namespace.items() if not name.startswith("_")}
    for name in ("In", "Out", "get_ipython", "exit", "quit"):
        candidates.pop(name, None)
    return {name for name, value in candidates.items() if reaches(value, wanted, namespace)}


def reaches(value: object, wanted: set[int], namespace: Mapping[str, object]) -> bool:
    """Return whether a value is, or leads to, one of the objects with these identities."""
    seen, stack = {id(namespace)}, [value]
    while stack:
        thing = stack.pop()
        if id(thing) in wanted:
            return True
        if id(thing) in seen or isinstance(thing, _ELSEWHERE):
            continue
        seen.add(id(thing))
        if len(seen) > MOST_OBJECTS:
            return True  # in doubt it does: it is then kept along
        stack.extend(gc.get_referents(thing))
    return False
