"""Many calls of one function: settled ones are found with few reads, the others computed."""

from __future__ import annotations

import functools
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from resonate_nb.corridor.context import carried
from resonate_nb.corridor.work import Outcome
from resonate_nb.errors import Pending, UsageError
from resonate_nb.execution import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from resonate_nb.corridor.children import Place
    from resonate_nb.corridor.work import Work
    from resonate_nb.execution import Execution
    from resonate_nb.functions import DurableFunction

_CHUNK = 500  # items that are looked up in one read


def map_calls(
    function: DurableFunction[Any, Any],
    execution: Execution,
    calls: Sequence[tuple[Any, ...]],
    *,
    workers: int | None,
    return_exceptions: bool,
    progress: bool,
) -> list[Any]:
    """Return what the calls give, in their order; see `DurableFunction.map`."""
    if workers is not None and workers < 1:
        raise UsageError(f"workers is the number of threads, at least 1, not {workers}")
    outcomes: list[Outcome] = [Outcome()] * len(calls)
    place = function.place()  # of them all: items are counted as they stand, whenever they run
    placed = [
        Call(number, arguments, None if place is None else place.item(number + 1))
        for number, arguments in enumerate(calls)
    ]
    with _Bar(function.name, len(calls), shown=progress) as bar:
        missing = _unsettled(function, execution, placed, outcomes, bar)
        compute = functools.partial(_compute, function, execution, set())
        finished = _inline(compute, missing) if workers is None else _in_threads(compute, missing, workers)
        for index, outcome, replayed in finished:
            outcomes[index] = outcome
            bar.count(replayed=replayed)
    return _values(outcomes, return_exceptions=return_exceptions)


class Call(NamedTuple):
    """One of many calls."""

    number: int  # from 0
    arguments: tuple[Any, ...]
    place: Place | None


def _unsettled(
    function: DurableFunction[Any, Any],
    execution: Execution,
    calls: Sequence[Call],
    outcomes: list[Outcome],
    bar: _Bar,
) -> Iterator[Call]:
    """Fill in the outcomes that are settled already and give the other calls."""
    for start in range(0, len(calls), _CHUNK):
        chunk = calls[start : start + _CHUNK]
        works = [(call, _work(function, execution, call)) for call in chunk]
        found = execution.find_many(work for _, work in works)
        for call, work in works:
            if work.id in found:
                outcomes[call.number] = found[work.id].outcome
                bar.count(replayed=True)
            else:
                yield call


def _work(function: DurableFunction[Any, Any], execution: Execution, call: Call) -> Work:
    return function.work(call.arguments, {}, id=call.place).under(execution.prefix)


def _compute(
    function: DurableFunction[Any, Any], execution: Execution, told: set[str], call: Call
) -> tuple[Callable[[], Outcome], bool]:
    """Compute one call; return what waits for its commit, and whether it was settled meanwhile."""
    entry = execution.enter(_work(function, execution, call))
    if not isinstance(entry, Attempt):
        outcome = entry.outcome
        return (lambda: outcome), True
    execution.explain(entry, told)
    try:
        result = execution.compute(entry, function.body(call.arguments, {}))
    except Pending as waiting:  # the other items have questions to ask, too
        waits = Outcome(error=waiting)
        return (lambda: waits), False
    return execution.post(entry, result), False


def _inline(
    compute: Callable[[Call], tuple[Callable[[], Outcome], bool]], calls: Iterator[Call]
) -> Iterator[tuple[int, Outcome, bool]]:
    # One commit behind: the store commits in order, so waiting for the next claim has committed this one.
    behind: tuple[int, Callable[[], Outcome], bool] | None = None
    try:
        for call in calls:
            committed, replayed = compute(call)
            if behind is not None:
                yield behind[0], behind[1](), behind[2]
            behind = call.number, committed, replayed
    finally:
        if behind is not None:
            behind[1]()
    if behind is not None:
        yield behind[0], behind[1](), behind[2]


def _in_threads(
    compute: Callable[[Call], tuple[Callable[[], Outcome], bool]], calls: Iterator[Call], workers: int
) -> Iterator[tuple[int, Outcome, bool]]:
    def one(call: Call) -> tuple[int, Outcome, bool]:
        committed, replayed = compute(call)
        return call.number, committed(), replayed

    pool = ThreadPoolExecutor(workers, thread_name_prefix="resonate-map")
    running: set[Future[tuple[int, Outcome, bool]]] = set()
    try:
        for call in calls:
            running.add(pool.submit(carried().run, one, call))
            if len(running) > 2 * workers:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _values(outcomes: Sequence[Outcome], *, return_exceptions: bool) -> list[Any]:
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    waiting = [id for error in errors if isinstance(error, Pending) for id in error.ids]
    failed = [error for error in errors if not isinstance(error, Pending)]
    if waiting and (return_exceptions or not failed):
        raise Pending(*dict.fromkeys(waiting))
    if failed and not return_exceptions:
        failed[0].add_note(
            f"{len(failed):,} of {len(outcomes):,} items failed, this is the first; the others are kept. "
            "return_exceptions=True puts the exceptions in their places"
        )
        raise failed[0]
    return [outcome.value if outcome.error is None else outcome.error for outcome in outcomes]


class _Bar:
    """A progress bar that tells what was replayed from what was computed now."""

    def __init__(self, name: str, total: int, *, shown: bool) -> None:
        self._replayed = 0
        self._bar = _bar_class()(total=total, desc=name, disable=not shown)

    def count(self, *, replayed: bool) -> None:
        """Count one item."""
        self._replayed += replayed
        if replayed:
            self._bar.set_postfix_str(f"{self._replayed:,} replayed", refresh=False)
        self._bar.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def _bar_class() -> Any:
    """Return the widget bar where a person looks on, else the text bar."""
    shell = sys.modules.get("IPython")
    if shell is not None and getattr(getattr(shell.get_ipython(), "kernel", None), "_allow_stdin", False):
        from tqdm.notebook import tqdm as widget_bar

        return widget_bar
    from tqdm import tqdm

    return tqdm
