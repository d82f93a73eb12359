"""What the inbox page does: gathers the questions of all stores, and settles those that are answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from resonate_nb.enquiry import answers
from resonate_nb.enquiry.inbox import Waiting, waiting_among
from resonate_nb.enquiry.questions import QUESTION, question_of
from resonate_nb.errors import AlreadySettled, InvalidAnswer, NoSuchPromise, ResonateError
from resonate_nb.server.pages.controls import Unreadable
from resonate_nb.server.pages.fields import Sent, answer_in, comment_in
from resonate_nb.server.pages.inbox import Listed, Notice, Place, Refusal, inbox_page
from resonate_nb.server.refusals import Refused

if TYPE_CHECKING:
    from resonate_nb.enquiry.questions import Question
    from resonate_nb.promise import Promise
    from resonate_nb.server.service import Service

_WAITS_NO_MORE = ("status", "This question waits no more.")
_QUESTIONS = (("rnb:kind", QUESTION),)


class Shelf(Protocol):
    """The stores of one server."""

    def names(self) -> list[str]:
        """Return the names of all stores."""
        ...

    def service(self, name: str) -> Service:
        """Return the service of a store; raises `Refused`."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What a browser gets: a page, or the place to go to."""

    status: int
    html: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class Inbox:
    """The inbox of one server, for one request."""

    shelf: Shelf
    place: Place

    def show(self, *, only: str | None = None, answered: tuple[str, str] | None = None) -> Reply:
        """Return the page with all that waits, or what one id asks; `answered` (store, id) is confirmed."""
        notices = [] if answered is None else self._confirmation(*answered)
        if only is None:
            return self._page(200, notices)
        listed = [each for each in self._listed([]) if each.waiting.promise.id == only]
        if not listed and not notices:
            settled = (self._found(name, only, *_WAITS_NO_MORE) for name in self.shelf.names())
            notices = [each for each in settled if each is not None]
        if listed or notices:
            return self._page(200, notices, only=only)
        return self._page(404, [Notice("alert", f"There is no question {only!r} here.")], only=only)

    def answer(self, sent: Sent, *, who: str, only: str | None = None) -> Reply:
        """Settle a question with what was sent, and return where that is confirmed; or why it was not."""
        store, id = (sent.get(name, [""])[-1] for name in ("store", "id"))
        try:
            service = self.shelf.service(store)
            self._settle(service, id, sent, who)
        except (Unreadable, InvalidAnswer) as problem:
            reason = problem.reason if isinstance(problem, InvalidAnswer) else str(problem)
            return self._page(422, [], only=only, refusal=Refusal(store, id, reason, sent))
        except AlreadySettled:
            notice = self._found(store, id, "alert", "Your answer was not taken, since this came first:")
            return self._page(409, [notice] if notice else [])
        except Refused as refusal:
            return self._page(refusal.status, [Notice("alert", refusal.reason)])
        except NoSuchPromise as problem:
            return self._page(404, [Notice("alert", str(problem))])
        except ResonateError as problem:
            return self._page(503, [Notice("alert", f"Your answer was not taken: {problem}")])
        query = urlencode({"answered": id, "store": store})
        return Reply(303, location=f"{self.place.address}?{query}")

    def _settle(self, service: Service, id: str, sent: Sent, who: str) -> None:
        question, _ = _asked(service, id)
        answers.settle(
            service.store,
            id,
            answer_in(question, sent),
            now=service.clock.now(),
            who=who,
            where="inbox",
            comment=comment_in(sent) if question.comment else "",
        )

    def _page(
        self, status: int, notices: list[Notice], *, only: str | None = None, refusal: Refusal | None = None
    ) -> Reply:
        troubles: list[Notice] = []
        listed = [each for each in self._listed(troubles) if only is None or each.waiting.promise.id == only]
        page = inbox_page(self.place, listed, notices=[*notices, *troubles], refusal=refusal, only=only)
        return Reply(status, page)

    def _listed(self, troubles: list[Notice]) -> list[Listed]:
        """Return all that waits, by notebook; stores that can't be read are told of in `troubles`."""
        found: list[Listed] = []
        for name in self.shelf.names():
            try:
                found += [Listed(name, each) for each in _waiting(self.shelf.service(name))]
            except (Refused, ResonateError) as problem:
                troubles.append(Notice("status", f"The store {name} can't be read: {problem}"))
        return sorted(found, key=lambda each: each.waiting.notebook)

    def _confirmation(self, store: str, id: str) -> list[Notice]:
        notice = self._found(store, id, "status", "Answered. Thank you.")
        return [] if notice is None else [notice]

    def _found(self, store: str, id: str, role: str, text: str) -> Notice | None:
        try:
            question, promise = _asked(self.shelf.service(store), id)
        except (Refused, ResonateError):
            return None
        return Notice(role, text, question, promise) if promise.settled else None


def _asked(service: Service, id: str) -> tuple[Question, Promise]:
    entry = service.store.get(id)
    question = None if entry is None else question_of(entry.promise)
    if entry is None or question is None:
        raise NoSuchPromise(id)
    return question, entry.promise.seen(service.clock.now())


def _waiting(service: Service) -> list[Waiting]:
    entries = service.store.get_many(service.pending("", _QUESTIONS))
    now = service.clock.now()
    return waiting_among(entry.promise.seen(now) for entry in entries.values())
