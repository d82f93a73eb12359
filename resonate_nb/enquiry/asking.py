"""How a question is put to people: made, shown, waited for, delivered."""

from __future__ import annotations

import asyncio
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from resonate_nb.corridor.context import Numbering, current
from resonate_nb.corridor.deadlines import end_if_over
from resonate_nb.corridor.under_way import note_settled, note_waiting, under_way
from resonate_nb.corridor.work import describe
from resonate_nb.durations import milliseconds
from resonate_nb.enquiry.questions import QUESTION, Question, question_of
from resonate_nb.errors import (
    DamagedValue,
    InvalidAnswer,
    NoSuchPromise,
    NotKept,
    PromiseCanceled,
    PromiseConflict,
    PromiseTimedOut,
    ResonateWarning,
    UsageError,
)
from resonate_nb.ids import validate_explicit
from resonate_nb.promise import NEVER, NO_TEXTS, Promise, State
from resonate_nb.store.operations import Open, SetAside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from resonate_nb.durations import Duration
    from resonate_nb.execution import Execution

SERVER_VARIABLE = "RESONATE_NB_SERVER"  # where a Jupyter server that knows the store is, for its kernels
NOTEBOOK_VARIABLE = "JPY_SESSION_NAME"  # the path of the notebook, in kernels that a Jupyter server started
NOTEBOOK_TAG = "rnb:notebook"
_SLICE_SECONDS = 0.2  # a wait can be interrupted this often
_ASYNC_SLICE_SECONDS = 0.05  # nothing wakes a coroutine when the store changes
_MOST_RUNS = 100  # cells under way or just done, whose questions are counted


class Showing(Protocol):
    """A question before the eyes of somebody, or of nobody."""

    def wait(self) -> None:
        """Be told, again and again, that the question still waits.

        Raises
        ------
        Pending
            Nobody is there who could answer.
        """
        ...

    def leave(self) -> None:
        """Be told that the caller waits no more, after an interrupt for example; the question still does."""
        ...

    def settled(self, promise: Promise) -> None:
        """Show what the question was answered with, and take away what it could be answered in."""
        ...


class Stage(Protocol):
    """Where a question is shown: a notebook, a terminal."""

    @property
    def run(self) -> str:
        """What tells this run of a cell from any other."""
        ...

    def show(self, execution: Execution, question: Question, promise: Promise) -> Showing:
        """Show a question that waits."""
        ...

    def show_answered(self, question: Question, promise: Promise) -> None:
        """Show a question that was answered before."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a question is asked, beside what it asks."""

    id: str | None = None
    timeout: Duration | None = None
    tags: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    notify: Callable[[str, str | None], object] | None = None

    @property
    def explicit(self) -> bool:
        """Whether a person chose the id."""
        return self.id is not None


def ask(execution: Execution, stage: Stage, question: Question, policy: Policy) -> object:
    """Return the answer: from the store, or once a person has given it."""
    asked = Asked(execution, stage, question, policy)
    with asked.under_way():
        asked.announce(asked.post())
        asked.show()
        with asked.waiting():
            while not asked.settled():
                note_waiting()
                end_if_over()
                execution.store.wait_for_change(_SLICE_SECONDS)
    return asked.deliver()


async def aask(execution: Execution, stage: Stage, question: Question, policy: Policy) -> object:
    """Return the answer without blocking the loop; other tasks, and their questions, go on."""
    asked = Asked(execution, stage, question, policy)
    with asked.under_way():
        # Before the first `await`: questions that are gathered are all asked, whatever comes.
        posted = asked.post()
        await asyncio.to_thread(asked.announce, posted)  # a thread goes on, also for a cancelled task
        asked.show()
        with asked.waiting():
            while not asked.settled():
                note_waiting()
                await asyncio.sleep(_ASYNC_SLICE_SECONDS)
    return asked.deliver()


class Asked:
    """One question on its way."""

    def __init__(self, execution: Execution, stage: Stage, question: Question, policy: Policy) -> None:
        _refuse_unfit_default(question)
        _refuse_unfit_tags(policy.tags)
        self._execution, self._stage = execution, stage
        self._question, self._policy = question, policy
        self._promise = self._as_created()
        self._showing: Showing | None = None

    def post(self) -> Posted:
        """Hand the question over to the store, in which it survives a power cut."""
        return Posted(self._execution, self._promise, self._unless)

    def announce(self, posted: Posted) -> None:
        """Wait until the store has the question, and tell whoever wants to know that it is new.

        Raises
        ------
        PromiseConflict
            The id belongs to something else.
        """
        self._promise, new = posted.wait()
        self._guard()
        if new and not self._promise.settled:
            self._notify()

    def show(self) -> None:
        """Show the question, with a way to answer it if it waits."""
        if self._promise.settled:
            self._stage.show_answered(self._question, self._promise)
        else:
            self._showing = self._stage.show(self._execution, self._question, self._promise)

    def under_way(self) -> AbstractContextManager[None]:
        """Return the block in which the caller wants the answer, and would give the question up."""
        return under_way(self._promise.id)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Return the block in which the caller waits; one that is broken leaves the question open."""
        try:
            yield
        except BaseException:
            if self._showing is not None:
                self._showing.leave()
            raise

    def settled(self) -> bool:
        """Look whether somebody has answered, or the deadline has passed.

        Raises
        ------
        Pending
            Nobody is there who could answer.
        NoSuchPromise
            The question was forgotten while it waited.
        """
        if self._showing is None:
            return True
        entry = self._execution.store.get(self._promise.id)
        if entry is None:
            raise NoSuchPromise(self._promise.id)
        self._promise = entry.promise.seen(self._execution.clock.now())
        if self._promise.settled:
            self._showing.settled(self._promise)
        else:
            self._showing.wait()
        return self._promise.settled

    def deliver(self) -> object:
        """Return the answer as a value, or raise what the question was settled with instead.

        Raises
        ------
        InvalidAnswer
            What is stored does not fit the question: another program settled it past its schema.
        """
        id, question = self._promise.id, self._question
        note_settled(self._promise)
        match self._promise.state:
            case State.RESOLVED:
                answer = self._execution.codec.decode(self._promise.value, id=id)
            case State.REJECTED:
                raise self._execution.codec.decode_error(self._promise.value, id=id)
            case State.CANCELED:
                raise PromiseCanceled(id)
            case _ if question.on_timeout == "default":
                answer = question.default
            case _:
                raise PromiseTimedOut(id)
        if (reason := question.reason_against(answer)) is not None:
            raise InvalidAnswer(id, f"it was settled with what is no answer: {reason}")
        return question.delivered(answer)

    @property
    def _unless(self) -> frozenset[State]:
        if self._policy.explicit:
            return frozenset()
        if self._question.on_timeout == "default":
            return frozenset({State.CANCELED})
        return frozenset({State.CANCELED, State.TIMEDOUT})

    def _as_created(self) -> Promise:
        now, policy, context = self._execution.clock.now(), self._policy, current()
        identity = {
            "rnb:kind": QUESTION,
            "rnb:name": self._question.kind,
            "rnb:inputs": self._question.digest,
        }
        if context is not None:
            identity |= {"rnb:parent": context.id, "rnb:origin": context.origin}
        if notebook := os.environ.get(NOTEBOOK_VARIABLE):
            identity[NOTEBOOK_TAG] = notebook
        return Promise(
            id=self._execution.prefix + self._id(),
            param=self._question.param(),
            tags={**policy.tags, **identity},
            timeout_at=NEVER if policy.timeout is None else now + milliseconds(policy.timeout),
        )

    def _id(self) -> str:
        if self._policy.id is not None:
            return validate_explicit(self._policy.id)
        context, digest = current(), self._question.digest
        if context is None:
            return f"ask/{digest}.{_runs.numbering(self._stage.run).next(f'ask/{digest}')}"
        return f"ask/{digest}{context.asker}.{context.numbering.next(f'ask/{digest}')}"

    def _guard(self) -> None:
        """Refuse an id that belongs to something else; a promise of another client is taken as it is."""
        tags = self._promise.tags
        if "rnb:kind" not in tags or tags.get("rnb:inputs") == self._question.digest:
            return
        found = question_of(self._promise)
        raise PromiseConflict(
            self._promise.id,
            f"the question {self._question.text!r}",
            describe(tags) if found is None else f"the question {found.text!r} (of another form)",
        )

    def _notify(self) -> None:
        if self._policy.notify is None:
            return
        try:
            self._policy.notify(self._promise.id, answer_link(self._promise.id))
        except Exception as error:  # noqa: BLE001 (a foreign hook: the question can be answered without it)
            warnings.warn(
                f"the question {self._promise.id!r} is asked, but `notify` failed: {error!r}",
                ResonateWarning,
                stacklevel=5,
            )


class Posted:
    """A question that was handed over to the store."""

    def __init__(self, execution: Execution, promise: Promise, unless: frozenset[State]) -> None:
        self._store = execution.store
        self._open = Open(promise=promise, now=execution.clock.now(), unless=unless, power_safe=True)
        self._reply = self._store.post(self._open)
        self._result: tuple[Promise, bool] | None = None

    def wait(self) -> tuple[Promise, bool]:
        """Return the stored promise, pending or the answer, and whether it was made now."""
        if self._result is None:
            try:
                self._result = self._reply.get()
            except DamagedValue as damage:
                warnings.warn(f"{damage}; the record is set aside and asked again", NotKept, stacklevel=2)
                self._store.do(SetAside(id=self._open.promise.id))
                self._result = self._store.do(replace(self._open))
        return self._result


def answer_link(id: str) -> str | None:
    """Return where a browser can answer a question, or None where no server is known."""
    server = os.environ.get(SERVER_VARIABLE)
    return None if not server else f"{server.rstrip('/')}/resonate-nb/inbox/{quote(id, safe='')}"


def _refuse_unfit_default(question: Question) -> None:
    if question.on_timeout not in {"raise", "default"}:
        raise UsageError(f'on_timeout is "raise" or "default", not {question.on_timeout!r}')
    if question.default is None:
        if question.on_timeout == "default":
            raise UsageError('on_timeout="default" needs a default')
        return
    if (reason := question.reason_against(question.default)) is not None:
        raise UsageError(f"the default is no answer to the question: {reason}")


def _refuse_unfit_tags(tags: Mapping[str, str]) -> None:
    for name, text in tags.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise UsageError(f"tags are text to text, not {name!r} to {text!r}")


class _Runs:
    """Counts the questions of plain cells, anew in each run of a cell."""

    def __init__(self) -> None:
        self._numberings: dict[str, Numbering] = {}

    def numbering(self, run: str) -> Numbering:
        found = self._numberings.setdefault(run, Numbering())
        while len(self._numberings) > _MOST_RUNS:
            self._numberings.pop(next(iter(self._numberings)), None)
        return found


_runs = _Runs()
