"""The commands with which a person settles promises: inbox, answer, resolve, reject, cancel, wait."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from resonate_nb import views
from resonate_nb.durations import milliseconds
from resonate_nb.enquiry import answers, inbox
from resonate_nb.enquiry.questions import question_of
from resonate_nb.errors import InvalidAnswer
from resonate_nb.promise import State
from resonate_nb.resonate import Resonate

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from resonate_nb.execution import Execution

    Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]

_PENDING = 75  # the exit code of what could not be waited for
_SLICE_SECONDS = 0.2  # a wait can be interrupted this often


def add_commands(add: Add) -> None:
    """Register the commands."""
    add("inbox", _inbox, "list the questions that wait for an answer").add_argument(
        "--json", action="store_true"
    )
    answer = add("answer", _answer, "answer a question")
    answer.add_argument("id")
    answer.add_argument("value", help="JSON, else text")
    for name, command, help in (
        ("resolve", _resolve, "settle a promise with a value"),
        ("reject", _reject, "settle a promise as rejected"),
    ):
        settled = add(name, command, help)
        settled.add_argument("id")
        settled.add_argument("--value", metavar="JSON")
    add("cancel", _cancel, "cancel a promise").add_argument("id")
    waited = add("wait", _wait, "wait until a promise is settled: exit 0 resolved, 1 rejected, 75 not yet")
    waited.add_argument("id")
    waited.add_argument("--timeout", metavar="DURATION", help="how long at most, like 10m")


def _inbox(options: argparse.Namespace) -> int:
    waiting = inbox.waiting(_execution(options))
    print(json.dumps([inbox.record(each) for each in waiting]) if options.json else inbox.table(waiting))
    return 0


def _answer(options: argparse.Namespace) -> int:
    execution = _execution(options)
    question = question_of(views.one(execution, options.id))
    answer = _json_else_text(options.value) if question is None else question.read(options.value)
    return _settle(execution, options.id, State.RESOLVED, answer)


def _resolve(options: argparse.Namespace) -> int:
    return _settle(_execution(options), options.id, State.RESOLVED, _value(options))


def _reject(options: argparse.Namespace) -> int:
    return _settle(_execution(options), options.id, State.REJECTED, _value(options))


def _cancel(options: argparse.Namespace) -> int:
    return _settle(_execution(options), options.id, State.CANCELED, answers.NOTHING)


def _wait(options: argparse.Namespace) -> int:
    execution = _execution(options)
    end = None if options.timeout is None else time.monotonic() + milliseconds(options.timeout) / 1_000
    while not (promise := views.one(execution, options.id)).settled:
        left = _SLICE_SECONDS if end is None else min(_SLICE_SECONDS, end - time.monotonic())
        if left <= 0:
            print(f"{promise.id}: not settled after {options.timeout}, it goes on")
            return _PENDING
        execution.store.wait_for_change(left)
    print(answers.outcome_of(promise))
    return 0 if promise.state is State.RESOLVED else 1


def _settle(execution: Execution, id: str, state: State, answer: object) -> int:
    settled = answers.settle(
        execution.store,
        id,
        answer,
        state=state,
        now=execution.clock.now(),
        who=answers.this_person(),
        where="resonate-nb",
    )
    print(f"{id}: {answers.outcome_of(settled)}")
    return 0


def _execution(options: argparse.Namespace) -> Execution:
    return Resonate(getattr(options, "store", None)).execution


def _value(options: argparse.Namespace) -> object:
    if options.value is None:
        return answers.NOTHING
    try:
        return json.loads(options.value)
    except ValueError as error:
        raise InvalidAnswer(options.id, f"--value is no JSON: {error}") from None


def _json_else_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
