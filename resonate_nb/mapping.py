"""Many calls of one function: settled ones are found with few reads, the others computed."""

from __future__ import annotations

from dataclasses import dataclass
from operator import length_hint
from typing import TYPE_CHECKING, Any, Self

from resonate_nb.errors import Pending, UsageError
from resonate_nb.executors import chosen
from resonate_nb.many.items import Finished, Items
from resonate_nb.many.progress import Progress
from resonate_nb.many.rates import Rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from resonate_nb.execution import Execution
    from resonate_nb.executors.base import Executor
    from resonate_nb.functions import DurableFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How many calls are made; see `DurableFunction.map`."""

    workers: int | None = None
    executor: object = None
    chunksize: int | None = None
    return_exceptions: bool = False
    fail_fast: bool = False
    progress: bool = True
    limit_rate: str | float | None = None

    def __post_init__(self) -> None:
        if not _is_number(self.workers):
            raise UsageError(
                f"workers is how many calls are computed at once, at least 1, not {self.workers!r}"
            )
        if not _is_number(self.chunksize):
            raise UsageError(
                f"chunksize is how many items a process gets at once, at least 1, not {self.chunksize!r}"
            )

    def chosen_executor(self) -> Executor:
        """Return what computes the items."""
        return chosen(self.executor, self.workers, self.chunksize)


def map_calls(
    function: DurableFunction[Any, Any],
    execution: Execution,
    iterables: tuple[Iterable[Any], ...],
    options: Options,
) -> list[Any]:
    """Return what the calls give, in their order; see `DurableFunction.map`."""
    values: list[Any] = []
    with Finishing(function, execution, iterables, options) as finishing:
        for each in finishing.run():
            values += [None] * (each.number + 1 - len(values))
            values[each.number] = finishing.value(each)
    return values


def stream_calls(
    function: DurableFunction[Any, Any],
    execution: Execution,
    iterables: tuple[Iterable[Any], ...],
    options: Options,
    *,
    ordered: bool = False,
) -> Iterator[Any]:
    """Return an iterator over what the calls give, as they finish or in their order.

    The calls begin when it is asked for its first value; they have their places from now on.
    """
    finishing = Finishing(function, execution, iterables, options)
    return _streamed(finishing, ordered=ordered)


class Finishing:
    """A map on its way: its items as they end, counted and shown; its failures are told last."""

    def __init__(
        self,
        function: DurableFunction[Any, Any],
        execution: Execution,
        iterables: tuple[Iterable[Any], ...],
        options: Options,
    ) -> None:
        self.options = options
        self.items = Items(function, execution, zip(*iterables, strict=False))
        self._executor, self.rate = options.chosen_executor(), Rate(options.limit_rate)
        self._progress = Progress(function.name, _total(iterables), shown=options.progress)
        self._failures = Failures(function.name)

    def __enter__(self) -> Self:
        self._progress.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._progress.__exit__(kind, *_)
        if kind is None:
            self._failures.tell(return_exceptions=self.options.return_exceptions)

    def run(self) -> Iterator[Finished]:
        """Yield the items as they finish."""
        yield from self._executor.run(self.items, self.rate)

    def value(self, each: Finished) -> Any:
        """Count an item, and return its value, or its exception in the place of one."""
        error = each.outcome.error
        waits = isinstance(error, Pending)
        self._progress.count(replayed=each.replayed, failed=error is not None and not waits)
        self._failures.count(error)
        if self.options.fail_fast and error is not None and not waits:
            raise error
        return each.outcome.value if error is None else error

    def gives(self, each: Finished) -> bool:
        """Return whether an iterator has something to give for an item."""
        error = each.outcome.error
        return error is None or (self.options.return_exceptions and not isinstance(error, Pending))


class Failures:
    """What is told of the items that failed, once all others are done."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = self._failed = 0
        self._first: BaseException | None = None
        self._waiting: dict[str, None] = {}  # ids of questions, in their order

    def count(self, error: BaseException | None) -> None:
        """Take note of one more item."""
        self._count += 1
        if isinstance(error, Pending):
            self._waiting.update(dict.fromkeys(error.ids))
        elif error is not None:
            self._failed += 1
            self._first = self._first or error

    def tell(self, *, return_exceptions: bool) -> None:
        """Raise the first failure, or what is waited for."""
        if self._first is not None and not return_exceptions:
            self._first.add_note(
                f"{self._failed:,} of {self._count:,} items failed, this is the first; the others are kept. "
                "return_exceptions=True puts the exceptions in their places, and "
                f'find("{self._name}@", state="pending") shows what is not settled, with the errors'
            )
            raise self._first
        if self._waiting:
            raise Pending(*self._waiting)


class InOrder:
    """Holds items that finish before their turn."""

    def __init__(self, items: Items) -> None:
        self._items = items
        self._early: dict[int, Finished] = {}
        self._next = 0

    def put(self, each: Finished) -> Iterator[Finished]:
        """Take one that finished, and yield those whose turn it is."""
        self._early[each.number] = each
        while self._next in self._early:
            yield self._early.pop(self._next)
            self._next += 1
            self._items.held_back = len(self._early)
        self._items.held_back = len(self._early)


def _streamed(finishing: Finishing, *, ordered: bool) -> Iterator[Any]:
    with finishing:
        order = InOrder(finishing.items) if ordered else None
        for each in finishing.run():
            for ready in (each,) if order is None else order.put(each):
                value = finishing.value(ready)
                if finishing.gives(ready):
                    yield value


def _is_number(wanted: object) -> bool:
    return wanted is None or (isinstance(wanted, int) and not isinstance(wanted, bool) and wanted >= 1)


def _total(iterables: Iterable[Iterable[Any]]) -> int | None:
    """Return how many items there are, where that is known of each iterable."""
    lengths = [length_hint(each, -1) for each in iterables]
    return min(lengths) if lengths and min(lengths) >= 0 else None
