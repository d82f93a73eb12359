"""The inbox: the questions of a store that wait for an answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resonate_nb import views
from resonate_nb.enquiry.asking import NOTEBOOK_TAG
from resonate_nb.enquiry.questions import QUESTION, Question, question_of
from resonate_nb.promise import Promise, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from resonate_nb.execution import Execution

NO_NOTEBOOK = "elsewhere"  # asked by a script, or by a notebook that runs without a Jupyter server
_WIDEST = 60  # characters of a question in a table


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question that waits."""

    promise: Promise
    question: Question

    @property
    def notebook(self) -> str:
        """The notebook that asks."""
        return self.promise.tags.get(NOTEBOOK_TAG, NO_NOTEBOOK)


def waiting(execution: Execution) -> list[Waiting]:
    """Return the questions that wait, by notebook, the oldest first."""
    listed = views.listing(execution, state=State.PENDING, tags=[("rnb:kind", QUESTION)])
    entries = execution.store.get_many(each.id for each in listed)
    now = execution.clock.now()
    return waiting_among(entry.promise.seen(now) for entry in entries.values())


def waiting_among(promises: Iterable[Promise]) -> list[Waiting]:
    """Return the questions among promises that wait, by notebook, the oldest first."""
    asked = ((each, question_of(each)) for each in promises if not each.settled)
    found = [Waiting(promise, question) for promise, question in asked if question is not None]
    return sorted(found, key=lambda each: (each.notebook, each.promise.created_at, each.promise.id))


def mentioned(execution: Execution, text: str) -> set[str]:
    """Return the ids of questions, waiting or answered, that a text names, as that of `Pending` does."""
    listed = views.listing(execution, tags=[("rnb:kind", QUESTION)])
    return {each.id for each in listed if each.id in text}


def table(questions: Sequence[Waiting]) -> str:
    """Return the inbox as text, grouped by notebook, with the command that answers each."""
    if not questions:
        return "no questions wait"
    lines: list[str] = []
    notebook = None
    for each in questions:
        if each.notebook != notebook:
            notebook = each.notebook
            lines.append(seen_from_here(notebook))
        lines.append(f"  {_one_line(each.question.text)}  (resonate-nb answer {each.promise.id} VALUE)")
    return "\n".join(lines)


def seen_from_here(notebook: str) -> str:
    """Return how a notebook is named for a reader: from the working folder on, if it is below that."""
    here = Path.cwd()
    return Path(notebook).relative_to(here).as_posix() if Path(notebook).is_relative_to(here) else notebook


def record(each: Waiting) -> dict[str, Any]:
    """Return a question as data for JSON."""
    question = {"kind": each.question.kind, "text": each.question.text, "schema": dict(each.question.schema)}
    if each.question.default is not None:
        question["default"] = each.question.default
    return {**views.record(each.promise), "notebook": each.notebook, "question": question}


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 3]}..."
