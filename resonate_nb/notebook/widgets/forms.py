"""Forms: where a person who looks at the notebook answers, however busy the kernel is.

Whether anybody can answer is found out, not guessed from versions: a form says hello when it is drawn, by
the kernel's own channel and through the Jupyter server into the store. If neither comes, the kernel must not
stay blocked, since it alone could receive the answer: then `Pending` is raised, and the same form works.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from resonate_nb.enquiry import answers
from resonate_nb.enquiry.asking import SERVER_VARIABLE
from resonate_nb.enquiry.cards import card
from resonate_nb.enquiry.hints import hint, hints_of
from resonate_nb.errors import AlreadySettled, InvalidAnswer, Pending, ResonateError
from resonate_nb.notebook.displays import Display
from resonate_nb.notebook.folding import WIDGET_VIEW
from resonate_nb.notebook.widgets.watch import watch
from resonate_nb.store.operations import Forget

if TYPE_CHECKING:
    from resonate_nb.enquiry.questions import Question
    from resonate_nb.execution import Execution
    from resonate_nb.promise import Promise

HELLO = "hello/"  # how the ids of the promises begin with which forms say hello through the server
_HELLO_SECONDS = 3.0
_NOTHING = {"text/html": "", "text/plain": ""}  # without any type at all, nbconvert would complain
_GO_ON = "Answered. Run the cell again to go on."


class FormWidget(anywidget.AnyWidget):  # type: ignore[misc]  # ipywidgets has no types
    """What the browser gets: the question, and where answers go. Its script is form.js."""

    _esm = Path(__file__).with_name("form.js")
    _css = Path(__file__).with_name("form.css")

    question = traitlets.Dict().tag(sync=True)
    promise = traitlets.Unicode().tag(sync=True)
    hello = traitlets.Unicode().tag(sync=True)
    server = traitlets.Unicode().tag(sync=True)
    store = traitlets.Unicode().tag(sync=True)


class Form:
    """A form under a card, until its question is settled."""

    def __init__(
        self, execution: Execution, publisher: Any, shown: Display, question: Question, promise: Promise
    ) -> None:
        self.execution, self.promise = execution, promise
        self._question, self._card, self._output = question, shown, Display(publisher)
        self._greeted, self._done, self._lock = threading.Event(), False, threading.Lock()
        self._remains = _NOTHING  # what stands in the form's place after the answer
        self._widget = FormWidget(
            question=_asked(question),
            promise=promise.id,
            hello=f"{HELLO}{uuid.uuid4().hex}",
            server=os.environ.get(SERVER_VARIABLE, ""),
            store=execution.store.location,
        )
        self._widget.on_msg(self._on_message)
        view = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
        self._output.show({"text/plain": "", WIDGET_VIEW: view})
        self._shown_at = time.monotonic()

    def wait(self) -> None:
        """Go on waiting if the form is in somebody's browser.

        Raises
        ------
        Pending
            Three seconds went by, and no form said hello.
        """
        if self._greeted.is_set():
            return
        if self.execution.store.get(self._widget.hello) is not None:
            self._greeted.set()
        elif time.monotonic() - self._shown_at > _HELLO_SECONDS:
            raise Pending(self.promise.id)

    def leave(self) -> None:
        """Stay open although the cell has ended; whoever answers is told to run it again."""
        self._remains = {"text/plain": _GO_ON}
        watch(self)

    def look(self) -> None:
        """Look whether the question was settled elsewhere, or forgotten."""
        entry = self.execution.store.get(self.promise.id)
        if entry is None:
            self.close({"text/plain": "This question was forgotten."})
        elif (promise := entry.promise.seen(self.execution.clock.now())).settled:
            self.settled(promise)

    def settled(self, promise: Promise) -> None:
        """Show the answer in the card, and leave no form behind."""
        self.close(self._remains, promise)

    def close(self, remains: dict[str, str], promise: Promise | None = None) -> None:
        """Put something else in the form's place; a second time changes nothing."""
        with self._lock:
            if self._done:
                return
            self._done = True
        if promise is not None:
            self._card.update(card(self._question, promise))
        self._output.update(remains)
        self._widget.close()
        self.execution.store.post(Forget(id=self._widget.hello))

    @property
    def closed(self) -> bool:
        """Whether there is no form any more."""
        return self._done

    def _on_message(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        if content.get("kind") == "hello":
            self._greeted.set()
        elif content.get("kind") == "answer" and not self._done:
            self._answer(content.get("value"), str(content.get("comment") or ""))

    def _answer(self, value: object, comment: str) -> None:
        execution = self.execution
        try:
            promise = answers.settle(
                execution.store,
                self.promise.id,
                value,
                now=execution.clock.now(),
                who=answers.this_person(),
                where="form",
                comment=comment,
            )
        except AlreadySettled as conflict:
            self.close({"text/plain": f"Your answer was not taken: {conflict}"}, self._stored())
        except (InvalidAnswer, ResonateError) as refusal:
            reason = refusal.reason if isinstance(refusal, InvalidAnswer) else str(refusal)
            self._widget.send({"kind": "refused", "reason": reason})
        else:
            self._widget.send({"kind": "taken"})
            self.settled(promise)

    def _stored(self) -> Promise:
        entry = self.execution.store.get(self.promise.id)
        return self.promise if entry is None else entry.promise.seen(self.execution.clock.now())


def open_form(
    execution: Execution, publisher: Any, shown: Display, question: Question, promise: Promise
) -> Form:
    """Show a form for a question whose card is shown."""
    return Form(execution, publisher, shown, question, promise)


def _asked(question: Question) -> dict[str, Any]:
    asked = {"kind": question.kind, "text": question.text, "schema": dict(question.schema)}
    if question.default is not None:
        asked["default"] = question.default
    hints = {"hint": hint(question.schema), "hints": hints_of(question)}
    return {**asked, **hints, "comment": question.comment}
