"""What `%why`, `--dry-run` and the line under a cell say."""

from __future__ import annotations

import linecache
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resonate_nb import explain, readable
from resonate_nb.corridor.failures import LAST_ERROR
from resonate_nb.errors import NoSuchPromise, UsageError
from resonate_nb.functions import DurableFunction
from resonate_nb.notebook.transform import DURABLE
from resonate_nb.opened.file_records import BECAUSE_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.corridor.attempts import Attempt
    from resonate_nb.execution import Execution
    from resonate_nb.fingerprint import Fingerprint
    from resonate_nb.promise import Promise

NOTHING_RAN = "no durable cell or call ran in this kernel: name one, or give the id of a promise"
_WORTH_SAYING = 0.1  # the share of a cell's time from which on its digests are mentioned


def why(execution: Execution, asked: str, namespace: Mapping[str, Any]) -> str:
    """Return why something was computed or replayed: a name, an id, or empty for what ran last.

    Raises
    ------
    UsageError
        Nothing durable has this name or id.
    """
    value = namespace.get(asked)
    name = value.name if isinstance(value, DurableFunction) else asked
    run = execution.recent.find(name) if name else execution.recent.last()
    if run is not None:
        return str(explain.account_of_run(execution, run))
    if not name:
        return NOTHING_RAN
    try:
        promise = explain.named(execution, name)
    except NoSuchPromise:
        if isinstance(value, DurableFunction):
            return f"{name}: never called so far"
        raise UsageError(
            f"nothing durable is called {name!r}: give the name of a cell or function that ran, "
            "or a promise's id"
        ) from None
    return str(explain.account_of(execution, promise))


def as_typed(code: Fingerprint, filename: str) -> Fingerprint:
    """Return the fingerprint of a cell with its text as it was typed, comments and lines included."""
    lines = linecache.getlines(filename)
    text = "".join("\n" if line.startswith(f"{DURABLE}(") else line for line in lines)
    own, *others = code.parts
    return replace(code, parts=(replace(own, source=text or own.source), *others))


def replayed_line(name: str, promise: Promise, took: float) -> str:
    """Return what is said of a cell that was delivered from the store."""
    computed = float(promise.tags.get("rnb:seconds", 0))
    when = readable.moment(promise.settled_at or promise.created_at)
    return f"{name}: replayed in {readable.seconds(took)}, computed {when} in {readable.seconds(computed)}"


def computed_line(name: str, seconds: float, digests: float, kept: str, reason: str) -> str:
    """Return what is said of a cell that ran.

    >>> computed_line("prices", 3.21, 0.5, "kept 1.2 MB in 40 ms", "input `alpha`: 0.1, was 0.2")
    'prices: computed in 3.2 s (500 ms for digests), kept 1.2 MB in 40 ms; input `alpha`: 0.1, was 0.2'
    """
    share = f" ({readable.seconds(digests)} for digests)" if digests > _WORTH_SAYING * seconds else ""
    return f"{name}: computed in {readable.seconds(seconds)}{share}, {kept}{'; ' if reason else ''}{reason}"


def kept_words(execution: Execution, attempt: Attempt, seconds: float) -> str:
    """Return how much was kept, and how long that took."""
    entry = execution.store.get(attempt.promise.id)
    if entry is None or not entry.promise.settled:
        return "not kept"
    return f"kept {readable.size(entry.promise.value.size)} in {readable.seconds(seconds)}"


def few_words(execution: Execution, attempt: Attempt) -> str:
    """Return why a cell that had been kept before ran again; empty if it had not."""
    promise: Promise = attempt.promise
    if "rnb:not_kept" in promise.tags or LAST_ERROR in promise.tags:
        return ""
    if BECAUSE_TAG in promise.tags:
        return promise.tags[BECAUSE_TAG]
    fewest, nearest = explain.reasons(execution, promise)
    if nearest is None or not fewest:
        return ""
    more = len(fewest) - 1
    return fewest[0] + (f", and {more} more (%why)" if more else "")
