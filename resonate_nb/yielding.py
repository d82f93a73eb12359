"""A durable generator under way: what it yielded is in the store, what it yields next is computed.

Past the recorded yields the body runs from its start, since a frame that is half-way through can't be kept:
its first yields are compared with the recorded ones, and dropped.
"""

from __future__ import annotations

import threading
import warnings
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from resonate_nb.corridor import children
from resonate_nb.corridor.attempts import Attempt
from resonate_nb.corridor.context import attributed, current, entered
from resonate_nb.corridor.settling import mutation
from resonate_nb.corridor.work import Outcome
from resonate_nb.errors import (
    DamagedValue,
    Diverged,
    Interruption,
    LeaseLost,
    MutatedArgument,
    NotKept,
    PromiseTimedOut,
    StoreUnavailable,
    UndigestibleInput,
    Unpicklable,
    UsageError,
)
from resonate_nb.fingerprint import content_digest
from resonate_nb.opened import file_records
from resonate_nb.opened.file_records import Unrepeatable
from resonate_nb.promise import CHILD_TAG, Promise, State
from resonate_nb.store.operations import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from resonate_nb.corridor.work import Work
    from resonate_nb.execution import Execution

_DIGEST_TAG = "rnb:digest"  # of what was yielded
_sources: dict[tuple[int, str], Source] = {}  # that are under way here, by execution and id of the work
_lock = threading.RLock()


@dataclass(frozen=True, slots=True)
class Finished:
    """The value of a generator's promise."""

    yields: int
    returned: object


def open_yields(
    execution: Execution, work: Work, body: Callable[[], Any], *, rerun: bool
) -> Recorded | Source:
    """Return where the yields of a call come from: the store alone, or a body that is shared in this process.

    Raises
    ------
    UsageError
        It is to be computed anew, while an iterator here still goes through it.
    """
    key = id(execution), work.id
    with _lock:
        source = _sources.get(key)
        if source is not None and not any(outer.work_id == work.id for outer in current() or ()):
            if rerun:
                raise UsageError(
                    f"{work.name} is being computed for an iterator that is not at its end: `close` it first"
                )
            source.join()
            return source
    entry = execution.enter(work, rerun=rerun)
    if not isinstance(entry, Attempt):
        return Recorded(execution, entry.promise.id, entry.outcome)
    execution.explain(entry)
    if rerun:
        Recorded(execution, entry.promise.id).forget()
    source = Source(execution, entry, entry.body or body, key)
    with _lock:
        _sources[key] = source
    return source


class Recorded:
    """The yields of a promise, as they are kept."""

    def __init__(self, execution: Execution, id: str, outcome: Outcome | None = None) -> None:
        self._execution, self._id, self._outcome = execution, id, outcome

    def get(self, number: int) -> object:
        """Return a yield, counted from 1; at the end raise what the generator raised, or `StopIteration`.

        Raises
        ------
        DamagedValue
            It is not there any more.
        """
        outcome = self._outcome
        finished = outcome.value if outcome is not None and isinstance(outcome.value, Finished) else None
        if finished is not None and number > finished.yields:
            raise StopIteration(finished.returned)
        promise = self.promise(number)
        if promise is not None:
            file_records.inherit(file_records.read(promise.value, promise.id), attributed())
            return self._execution.outcome_of(promise).deliver()
        if outcome is not None and outcome.error is not None:
            raise outcome.error
        raise DamagedValue(self.place(number), "what was yielded is not there any more; `rerun` computes it")

    def promise(self, number: int) -> Promise | None:
        """Return the promise of a yield."""
        entry = self._execution.store.get(self.place(number))
        return None if entry is None else entry.promise

    def place(self, number: int) -> str:
        """Return the id of a yield's promise."""
        return f"{self._id}{children.YIELDS}{number}"

    def count(self) -> int:
        """Return how many yields are kept whose files are as they were; none if they are not."""
        number = 0
        while (promise := self.promise(number + 1)) is not None:
            number, last = number + 1, promise
        if number and file_records.differences(file_records.read(last.value, last.id)):
            self.forget()
            return 0
        return number

    def forget(self) -> None:
        """Delete all yields."""
        children.forget(self._execution.store, self._id, self._execution.clock.now(), only=children.YIELDS)


class Source:
    """A generator's body under way; the iterators of this process over one promise share it."""

    def __init__(
        self, execution: Execution, attempt: Attempt, body: Callable[[], Any], key: tuple[int, str]
    ) -> None:
        self._execution, self._attempt, self._body, self._key = execution, attempt, body, key
        self._records = Recorded(execution, attempt.promise.id)
        self._recorded = self._records.count()
        self._made = 0  # by the body, in this attempt
        self._kept = True  # whether yields are recorded
        self._end: Outcome | None = None
        self._generator: Generator[Any, Any, Any] | None = None
        self._variables = copy_context()
        self._context = entered(replace(attempt.context, attempt=attempt.number))
        self._limit = execution.limit(attempt, awaits=False)
        self._users = 1
        self._one = threading.Lock()  # drives the body

    def join(self) -> None:
        """Count one iterator more."""
        self._users += 1

    def leave(self) -> None:
        """Count one iterator less; after the last one nothing is computed any more."""
        with _lock:
            self._users -= 1
            if self._users:
                return
            self._forget_source()
        if self._end is None:
            self._close()
            if self._kept:
                self._give_back()

    def get(self, number: int) -> object:
        """Return a yield, counted from 1, computing it if need be; raise what the body raised at its end."""
        with self._one:
            if number <= self._recorded and self._kept:
                return self._records.get(number)
            if number <= self._made:
                raise DamagedValue(self._records.place(number), "it went to another iterator and is not kept")
            while self._end is None:
                value = self._next()
                if self._end is None:
                    self._made += 1
                    self._keep(value)
                    if self._end is None and self._made == number:
                        return value
        if self._end.error is not None:
            raise self._end.error
        raise StopIteration(cast("Finished", self._end.value).returned)

    def _next(self) -> object:
        try:
            return self._variables.run(self._step)
        except StopIteration as end:
            self._settle(Outcome(Finished(self._made, end.value)))
        except Exception as error:  # noqa: BLE001 (of the body: it becomes the outcome)
            self._settle(Outcome(error=error))
        except BaseException as interrupt:  # noqa: BLE001 (it is raised to whoever asked for the yield)
            self._interrupted(interrupt)
        return None

    def _step(self) -> object:
        if self._attempt.timeout_at <= self._execution.clock.now():
            raise PromiseTimedOut(self._attempt.promise.id)
        if self._generator is None:
            self._context.__enter__()
            self._generator = self._body()
        error: BaseException | None = None
        self._limit.begin()
        try:
            return next(self._generator)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._limit.end(error)

    def _keep(self, value: object) -> None:
        """Record what was yielded now, or see that it is what was recorded."""
        if not self._kept:
            return
        if changed := self._attempt.work.changed():
            self._keep_nothing(mutation(self._attempt.work, changed), MutatedArgument)
            return
        try:
            digest = content_digest(value, "what is yielded")
            if self._made > self._recorded:
                self._record(value, digest)
                self._recorded = self._made
            else:
                self._compare(digest)
        except LeaseLost as lost:
            self._interrupted(lost)
        except (Unpicklable, UndigestibleInput, Unrepeatable, StoreUnavailable) as problem:
            self._keep_nothing(str(problem))

    def _compare(self, digest: str) -> None:
        recorded = self._records.promise(self._made)
        expected = None if recorded is None else recorded.tags.get(_DIGEST_TAG)
        if expected != digest:
            self._settle(Outcome(error=self._diverged(expected, digest)))

    def _record(self, value: object, digest: str) -> None:
        execution, attempt, now = self._execution, self._attempt, self._execution.clock.now()
        id = self._records.place(self._made)
        encoded = execution.codec.encode(value, id=id, name="what is yielded")
        promise = Promise(
            id=id,
            state=State.RESOLVED,
            value=file_records.attach(file_records.record_so_far(attempt.context.trace), encoded),
            tags={
                "rnb:kind": "yield",
                "rnb:parent": attempt.promise.id,
                "rnb:origin": attempt.context.origin,
                CHILD_TAG: "true",
                _DIGEST_TAG: digest,
            },
            created_at=now,
            settled_at=now,
        )
        holder = attempt.promise.id
        execution.store.do(Record(promise=promise, holder=holder, owner=attempt.owner.text, now=now))

    def _settle(self, outcome: Outcome) -> None:
        self._close()
        if not self._kept:
            self._end = outcome
            return
        self._end = self._execution.settle(self._attempt, outcome)
        entry = self._execution.store.get(self._attempt.promise.id)
        if outcome.error is None and (entry is None or not entry.promise.settled):
            self._records.forget()  # it can't be kept, as was said, and neither can its beginning

    def _interrupted(self, interrupt: BaseException) -> None:
        """End because of an interrupt, or with the outcome that somebody else settled the promise with."""
        self._close()
        entry = self._execution.store.get(self._attempt.promise.id)
        promise = None if entry is None else entry.promise.seen(self._execution.clock.now())
        self._end = Outcome(error=interrupt)
        if isinstance(interrupt, Interruption | LeaseLost) and promise is not None and promise.settled:
            outcome = self._execution.outcome_of(promise)
            self._end = self._end if outcome.error is None else outcome
        if self._kept:
            self._execution.abandon(self._attempt, None if isinstance(interrupt, LeaseLost) else interrupt)

    def _give_back(self) -> None:
        if changed := self._attempt.work.changed():
            self._keep_nothing(mutation(self._attempt.work, changed), MutatedArgument)
        else:
            self._execution.abandon(self._attempt)

    def _keep_nothing(self, reason: str, category: type[Warning] = NotKept) -> None:
        self._kept = False
        with _lock:
            self._forget_source()
        self._records.forget()
        self._execution.abandon(self._attempt, not_kept=reason)
        name = self._attempt.work.name
        warnings.warn(f"{name}: {reason}; it is computed again next time", category, stacklevel=6)

    def _diverged(self, expected: str | None, found: str) -> Diverged:
        name = self._attempt.work.name
        return Diverged(
            self._records.place(self._made),
            f"a value of {name} with digest {(expected or 'none')[:12]}",
            f"{name}, which yields one with digest {found[:12]}",
        )

    def _close(self) -> None:
        """Let the body clean up, in its own context."""
        if self._generator is not None:
            generator, self._generator = self._generator, None
            self._variables.run(generator.close)
            self._variables.run(self._context.__exit__)

    def _forget_source(self) -> None:
        if _sources.get(self._key) is self:
            del _sources[self._key]
