"""Which cells `%durable on` leaves alone: those not worth it, and those that do what a replay would not.

Asked for or not, a cell is durable in the same way. But a cell that nobody asked for is left to run as it
always did where in doubt, and without a word.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from resonate_nb import readable
from resonate_nb.errors import StoreUnavailable
from resonate_nb.notebook.budget import rough_size
from resonate_nb.notebook.transform import header_options
from resonate_nb.promise import Promise, State
from resonate_nb.store.operations import Forget, Keep
from resonate_nb.views import ALONE

if TYPE_CHECKING:
    from resonate_nb.execution import Execution
    from resonate_nb.fingerprint import Fingerprint

LEFT_ALONE = "%durable on leaves it alone"
_LEAST_SECONDS = 0.05  # a cell that takes less is not worth a record
_MUCH_LARGER = 2  # times its size or seconds then: what was true then may not be true now
_LEFT_TO_THE_MOMENT = frozenset({"get_ipython", "input", "getpass"})
_DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def suits(tree: ast.Module, text: str) -> bool:
    """Return whether a cell that does not ask for it is to be durable under `%durable on`.

    Not one that says `#| durable off`, that only defines and imports, that uses the shell, or that has
    somebody type: what was typed, a password perhaps, is neither kept nor taken for granted.
    """
    if header_options(text) == "off" or all(isinstance(each, _DEFINITIONS) for each in tree.body):
        return False
    names = {getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(tree)}
    return names.isdisjoint(_LEFT_TO_THE_MOMENT)


def worth_it(seconds: float, digests: float) -> bool:
    """Return whether a cell that takes so long takes longer than the digests of its inputs.

    They are taken before and after it runs: `digests` are the seconds of one time.

    >>> worth_it(2.0, 0.9), worth_it(2.0, 1.1), worth_it(0.01, 0.0)
    (True, False, False)
    """
    return seconds >= max(_LEAST_SECONDS, 2 * digests)


def size_of(code: Fingerprint) -> float:
    """Return about how many bytes a cell reads."""
    return rough_size(each.read() for each in code.captures)


def leave_alone(
    execution: Execution, code: Fingerprint, size: float, *, seconds: float, digests: float
) -> str:
    """Remember that a cell is not worth it, for as long as its code is the same; return why, in words."""
    took = f"it takes {readable.seconds(seconds)}"
    words = f"{took}, and digests of its inputs {readable.seconds(2 * digests)}" if digests > 0.001 else took
    now = execution.clock.now()
    tags = {
        "rnb:kind": ALONE,
        "rnb:reason": words,
        "rnb:size": f"{size:.0f}",
        "rnb:digests": f"{digests:.6f}",
    }
    promise = Promise(
        id=_id(execution, code), state=State.RESOLVED, tags=tags, created_at=now, settled_at=now
    )
    execution.store.post(Keep(promise=promise))
    return words


def left_alone(execution: Execution, code: Fingerprint, size: float) -> str | None:
    """Return why a cell is left alone; None if it was never run, or on much smaller inputs."""
    entry = execution.store.get(_id(execution, code))
    if entry is None:
        return None
    tags = entry.promise.tags
    if size > _MUCH_LARGER * float(tags["rnb:size"]) + 1_000:
        execution.store.post(Forget(id=entry.promise.id))
        return None
    return f"{LEFT_ALONE}: {tags['rnb:reason']}"


def reconsider(execution: Execution, code: Fingerprint, seconds: float) -> None:
    """Forget that a cell is left alone if it takes much longer now."""
    try:
        entry = execution.store.get(_id(execution, code))
    except StoreUnavailable:
        return
    if entry is not None and worth_it(seconds / _MUCH_LARGER, float(entry.promise.tags["rnb:digests"])):
        execution.store.post(Forget(id=entry.promise.id))


def _id(execution: Execution, code: Fingerprint) -> str:
    return f"{execution.prefix}alone/{code.digest}"
