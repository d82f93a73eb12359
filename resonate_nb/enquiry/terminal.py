"""A question in a script or a terminal: one line tells how to answer it from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonate_nb.errors import Pending

if TYPE_CHECKING:
    from resonate_nb.enquiry.questions import Question
    from resonate_nb.execution import Execution
    from resonate_nb.promise import Promise


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where lines are printed, and nobody can click."""

    run: str = ""  # a script is one run
    waits: bool = True  # False: whoever would see the question is elsewhere

    def show(self, execution: Execution, question: Question, promise: Promise) -> Line:
        """Print the question with the command that answers it."""
        execution.say(f"{question.text} (waiting: resonate-nb answer {promise.id} VALUE)")
        return Line(None if self.waits else promise.id)

    def show_answered(self, question: Question, promise: Promise) -> None:
        """Print nothing: the caller has the answer."""


class Line:
    """The printed line, which waits as long as it takes, unless nobody sees it."""

    def __init__(self, unseen: str | None) -> None:
        self._unseen = unseen  # the question's id

    def wait(self) -> None:
        """Go on waiting: whoever looks at a terminal can interrupt."""
        if self._unseen is not None:
            raise Pending(self._unseen)

    def leave(self) -> None:
        """Leave the line as it is."""

    def settled(self, promise: Promise) -> None:
        """Print nothing: the caller has the answer."""
