"""A question in a notebook: a card that stays, a form as long as somebody can answer in it."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from resonate_nb.enquiry import inbox
from resonate_nb.enquiry.cards import card
from resonate_nb.errors import Pending
from resonate_nb.notebook.displays import Display

if TYPE_CHECKING:
    from resonate_nb.enquiry.asking import Showing
    from resonate_nb.enquiry.questions import Question
    from resonate_nb.execution import Execution
    from resonate_nb.promise import Promise


class NotebookStage:
    """The cell that runs at present."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    @property
    def run(self) -> str:
        """The id of the message that the cell came with."""
        return str(self._shell.display_pub.parent_header.get("msg_id", ""))

    def show(self, execution: Execution, question: Question, promise: Promise) -> Showing:
        """Show the card, and a form under it where somebody may look on."""
        shown = Display(self._shell.display_pub)
        shown.show(card(question, promise))
        if not _attended(self._shell):
            return Unattended(shown, question, promise)
        from resonate_nb.notebook.widgets.forms import open_form

        return open_form(execution, self._shell.display_pub, shown, question, promise)

    def show_answered(self, question: Question, promise: Promise) -> None:
        """Show the card with the answer."""
        Display(self._shell.display_pub).show(card(question, promise))


def show_inbox(shell: Any, execution: Execution) -> None:
    """Show all questions that wait, by notebook, each with a form; as text where nobody can click."""
    waiting = inbox.waiting(execution)
    if not waiting or not _attended(shell):
        print(inbox.table(waiting))  # noqa: T201 (what a line magic shows)
        return
    from resonate_nb.notebook.widgets.forms import open_form
    from resonate_nb.notebook.widgets.watch import watch

    for notebook, questions in groupby(waiting, key=lambda each: each.notebook):
        name = inbox.seen_from_here(notebook)
        Display(shell.display_pub).show({"text/html": f"<h4>{escape(name)}</h4>", "text/plain": name})
        for each in questions:
            shown = Display(shell.display_pub)
            shown.show(card(each.question, each.promise))
            watch(open_form(execution, shell.display_pub, shown, each.question, each.promise))


def _attended(shell: Any) -> bool:
    """Return whether a person may look on, who can click."""
    return bool(getattr(getattr(shell, "kernel", None), "_allow_stdin", False))


class Unattended:
    """A question in a notebook that runs without a person."""

    def __init__(self, shown: Display, question: Question, promise: Promise) -> None:
        self._shown, self._question, self._promise = shown, question, promise

    def wait(self) -> None:
        """Leave at once: nobody can click."""
        raise Pending(self._promise.id)

    def leave(self) -> None:
        """Leave the card as it is."""

    def settled(self, promise: Promise) -> None:
        """Show the answer, which came before anybody noticed that nobody is there."""
        self._shown.update(card(self._question, promise))
