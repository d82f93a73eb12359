"""The inbox as a page: every question that waits, with a form that needs no JavaScript."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import quote

from resonate_nb.enquiry.cards import card_html, shown_html, time_text
from resonate_nb.enquiry.inbox import NO_NOTEBOOK
from resonate_nb.promise import NEVER
from resonate_nb.server.pages.controls import Attributes, written
from resonate_nb.server.pages.fields import COMMENT, DECISION, Field, Sent, fields_of
from resonate_nb.server.pages.layout import document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonate_nb.enquiry.inbox import Waiting
    from resonate_nb.enquiry.questions import Question
    from resonate_nb.promise import Promise

# A disabled button that comes first keeps Enter in the comment from pressing Approve.
_NO_DEFAULT = '<button type="submit" disabled hidden></button>'
_OPTIONAL = ' <span class="optional">optional</span>'


@dataclass(frozen=True)
class Place:
    """Where a page stands."""

    address: str  # of the inbox; forms are sent there
    proof: str = ""  # hidden inputs, as HTML, that show the server that a form is its own
    root: str = ""  # the folder below which notebooks are named


@dataclass(frozen=True)
class Listed:
    """A question that waits in a store."""

    store: str
    waiting: Waiting

    @property
    def anchor(self) -> str:
        """A name for the question within a page, the same each time."""
        name = f"{self.store}\0{self.waiting.promise.id}".encode()
        return f"q-{hashlib.sha256(name).hexdigest()[:12]}"


@dataclass(frozen=True)
class Refusal:
    """An answer that a question refused, with all that was sent."""

    store: str
    id: str
    reason: str
    sent: Sent


@dataclass(frozen=True)
class Notice:
    """What is said above the questions."""

    role: str  # "status", or "alert" if something went wrong
    text: str
    question: Question | None = None
    promise: Promise | None = None


def inbox_page(
    place: Place,
    listed: Sequence[Listed],
    *,
    notices: Sequence[Notice] = (),
    refusal: Refusal | None = None,
    only: str | None = None,
) -> str:
    """Return the page with all questions, or with those of one id."""
    count = len(listed)
    waits = "No questions wait." if not count else f"{count} question{'s wait' if count > 1 else ' waits'}."
    everything = "" if only is None else f' <a href="{escape(place.address)}">All questions</a>'
    here = place.address if only is None else f"{place.address}/{quote(only, safe='')}"
    groups = groupby(listed, key=lambda each: each.waiting.notebook)
    body = [
        f'<header><h1>Inbox</h1><p>{waits} <a href="{escape(here)}">Reload</a>{everything}</p></header>',
        "<main>",
        *map(_notice, notices),
        *(_group(place, name, list(each), refusal) for name, each in groups),
        "</main>",
    ]
    return document(f"Inbox ({count})" if count else "Inbox", "\n".join(body))


def _notice(notice: Notice) -> str:
    card = ""
    if notice.question is not None and notice.promise is not None:
        card = card_html(notice.question, notice.promise)
    return f'<div class="notice {notice.role}" role="{notice.role}"><p>{escape(notice.text)}</p>{card}</div>'


def _group(place: Place, notebook: str, questions: Sequence[Listed], refusal: Refusal | None) -> str:
    name = notebook.removeprefix(place.root.rstrip("/") + "/") if place.root else notebook
    if notebook == NO_NOTEBOOK:
        name = "Scripts, and notebooks without a server"
    inside = "\n".join(_question(place, each, refusal) for each in questions)
    return f"<section>\n<h2>{escape(name)}</h2>\n{inside}\n</section>"


def _question(place: Place, listed: Listed, refusal: Refusal | None) -> str:
    promise, question = listed.waiting.promise, listed.waiting.question
    if refusal is not None and (refusal.store, refusal.id) != (listed.store, promise.id):
        refusal = None
    form = {"method": "post", "action": place.address, "autocomplete": "off"}
    hidden = _hidden("store", listed.store) + _hidden("id", promise.id) + place.proof
    return (
        f'<article id="{listed.anchor}">\n<h3>{_heading(listed)}</h3>\n{shown_html(question)}\n'
        f"<form{written({**form, 'novalidate': True, **_group_name(listed)})}>{hidden}"
        f"{_inputs(listed, refusal)}</form>\n"
        f'<p class="about">{_about(promise)}</p>\n</article>'
    )


def _heading(listed: Listed) -> str:
    """Return the question's text, as the label of its only field where it has one."""
    question = listed.waiting.question
    text = escape(question.text or "A form to fill in")
    fields = fields_of(question)
    alone = len(fields) == 1 and fields[0].key is None and not fields[0].control.grouped
    if alone:
        return f'<label for="{listed.anchor}-field">{text}</label>'
    return f'<span id="{listed.anchor}-text">{text}</span>'


def _group_name(listed: Listed) -> Attributes:
    fields = fields_of(listed.waiting.question)
    if len(fields) == 1 and fields[0].key is None:
        return {}
    return {"role": "group", "aria-labelledby": f"{listed.anchor}-text"}


def _inputs(listed: Listed, refusal: Refusal | None) -> str:
    question, anchor = listed.waiting.question, listed.anchor
    sent = None if refusal is None else refusal.sent
    rows = [
        _field(field, anchor, sent, refused=refusal is not None, first=number == 0)
        for number, field in enumerate(fields_of(question))
    ]
    comment = _comment(anchor, sent) if question.comment else ""
    alert = ""
    if refusal is not None:
        alert = f'<p class="alert" role="alert" id="{anchor}-alert">{escape(refusal.reason)}</p>'
    if question.kind == "approve":
        return f"{_NO_DEFAULT}{comment}{alert}{_decisions()}"
    return f'{"".join(rows)}{comment}{alert}<p class="buttons"><button class="accept">Send</button></p>'


def _field(field: Field, anchor: str, sent: Sent | None, *, refused: bool, first: bool) -> str:
    id = f"{anchor}-{field.name}"
    described = [f"{id}-{name}" for name, text in (("help", field.help), ("hint", field.hint)) if text]
    described += [f"{anchor}-alert"] if refused else []
    attributes: Attributes = {
        "id": id,
        "name": field.name,
        "aria-describedby": " ".join(described) or None,
        "aria-invalid": "true" if refused else None,
        "autofocus": refused and first,
    }
    if field.control.grouped:
        attributes["aria-labelledby"] = f"{anchor}-text" if field.key is None else f"{id}-label"
    control = field.control.html(field.entered(sent), attributes)
    return f'<div class="field">{_label(field, id)}{control}{_help(field, id)}</div>'


def _label(field: Field, id: str) -> str:
    """Return what stands above a field; the whole answer's field is named by the question."""
    if field.key is None:
        return ""
    optional = "" if field.required else _OPTIONAL
    if field.control.grouped:
        return f'<p class="label"><span id="{id}-label">{escape(field.label)}</span>{optional}</p>'
    return f'<p class="label"><label for="{id}">{escape(field.label)}</label>{optional}</p>'


def _help(field: Field, id: str) -> str:
    lines = (("help", field.help), ("hint", field.hint))
    return "".join(f'<p class="help" id="{id}-{name}">{escape(text)}</p>' for name, text in lines if text)


def _comment(anchor: str, sent: Sent | None) -> str:
    id = f"{anchor}-{COMMENT}"
    typed = "" if sent is None else "\n".join(sent.get(COMMENT, []))
    return (
        f'<div class="field"><p class="label"><label for="{id}">Comment</label>{_OPTIONAL}</p>'
        f"<input{written({'id': id, 'name': COMMENT, 'type': 'text', 'value': typed})}></div>"
    )


def _decisions() -> str:
    return (
        f'<p class="buttons"><button class="accept" name="{DECISION}" value="approve">Approve</button>'
        f'<button name="{DECISION}" value="reject">Reject</button></p>'
    )


def _about(promise: Promise) -> str:
    asked = f"Asked {time_text(promise.created_at)}"
    until = "" if promise.timeout_at == NEVER else f", until {time_text(promise.timeout_at)}"
    return f"{asked}{until} · <code>resonate-nb answer {escape(promise.id)} VALUE</code>"


def _hidden(name: str, text: str) -> str:
    return f"<input{written({'type': 'hidden', 'name': name, 'value': text})}>"
