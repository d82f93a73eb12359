"""What running a durable cell would do, as `--dry-run` shows it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from resonate_nb.corridor.attempts import Caller
from resonate_nb.errors import MissingReference, PromiseConflict
from resonate_nb.explain import Explanation, forecast, refused_version
from resonate_nb.notebook.why import as_typed
from resonate_nb.recent import OTHER_ALIASES, OTHER_DRAWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.corridor.work import Work
    from resonate_nb.execution import Execution
    from resonate_nb.notebook.reading import Reading


def forecast_of(execution: Execution, reading: Reading, filename: str) -> str:
    """Return what would become of a cell that has been read in."""
    name, options = reading.name, reading.options
    if reading.obstacle is not None:
        return f"{name}: would be computed, as each time: {reading.obstacle}"
    code = as_typed(reading.code, filename)
    refused = refused_version(execution, f"cell/{name}", options.version, code) if options.version else None
    if refused is not None:
        return str(refused)
    work, reason = reading.work(execution, filename), ""
    if not options.rerun:
        work, reason = _misfit(execution, reading, work)
    if reason:
        return str(Explanation(f"{name}: would be computed", (reason,)))
    return str(forecast(execution, work, parts=code.parts, rerun=options.rerun))


def _misfit(execution: Execution, reading: Reading, work: Work) -> tuple[Work, str]:
    """Return the work with the states that it draws from, and why what is kept of it does not fit."""
    caller, draws = Caller(references=reading.keeping.references), reading.draws
    with suppress(PromiseConflict, MissingReference):  # the forecast says more
        found = execution.find(work, caller)
        if found is not None and not work.explicit and not draws.fit(_kept(found.outcome.deliver())):
            work = draws.among_inputs_of(work, _kept(found.outcome.deliver()))
            found = execution.find(work, caller)
        if found is not None and not draws.fit(_kept(found.outcome.deliver())):
            return work, OTHER_DRAWS
        if found is not None and not reading.keeping.fits(_kept(found.outcome.deliver())):
            return work, OTHER_ALIASES
    return work, ""


def _kept(value: Any) -> Mapping[str, Any]:
    kept: Mapping[str, Any] = value
    return kept
