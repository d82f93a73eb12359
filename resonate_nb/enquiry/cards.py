"""A question as a page shows it for ever: as HTML without scripts, and as text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from resonate_nb.enquiry.answers import NOTHING, answer_of
from resonate_nb.enquiry.safe_html import sanitized
from resonate_nb.enquiry.shown import HTML, PNG, TEXT
from resonate_nb.promise import NEVER, State

if TYPE_CHECKING:
    from resonate_nb.enquiry.questions import Question
    from resonate_nb.promise import Promise

# Colours of their own would be wrong in a light or in a dark page: text inherits them, lines are half grey.
_CARD = (
    "border:1px solid rgba(128,128,128,.45);border-left:4px solid {line};border-radius:4px;"
    "padding:8px 12px;margin:4px 0;max-width:60em;overflow-wrap:anywhere"
)
_WAITS, _ANSWERED = "#d98200", "#2e8b57"
_TEXT = "white-space:pre-wrap;font-weight:600"
_SMALL = "font-size:90%;opacity:.8;margin-top:4px"
_SHOWN = "margin:8px 0;max-height:30em;overflow:auto"


def card(question: Question, promise: Promise) -> dict[str, str]:
    """Return the question with its answer, if there is one, by media type."""
    return {TEXT: card_text(question, promise), HTML: card_html(question, promise)}


def card_text(question: Question, promise: Promise) -> str:
    """Return the card as lines of text."""
    lines = [question.text, question.shown.get(TEXT, "")]
    lines += [_first_line(question, promise), _second_line(promise)]
    return "\n".join(line for line in lines if line)


def card_html(question: Question, promise: Promise) -> str:
    """Return the card as HTML: what came from outside is escaped or sanitized, styles stand inline."""
    style = _CARD.format(line=_ANSWERED if promise.settled else _WAITS)
    first, second = _first_line(question, promise), _second_line(promise)
    answer = f'<div style="white-space:pre-wrap">{_marked(first)}</div>'
    small = f'<div style="{_SMALL}">{_marked(second)}</div>' if second else ""
    text = f'<div style="{_TEXT}">{escape(question.text)}</div>' if question.text else ""
    return f'<div style="{style}">{text}{shown_html(question)}{answer}{small}</div>'


def shown_html(question: Question) -> str:
    """Return what is shown with a question, as HTML that can't execute."""
    shown = question.shown
    if PNG in shown:
        inner = sanitized(
            f'<img src="data:image/png;base64,{escape(shown[PNG])}" alt="{escape(shown.get(TEXT, ""))}">'
        )
    elif HTML in shown:
        inner = sanitized(shown[HTML])
    elif TEXT in shown:
        inner = f'<pre style="white-space:pre-wrap;margin:0">{escape(shown[TEXT])}</pre>'
    else:
        return ""
    return f'<div style="{_SHOWN}">{inner}</div>'


def answer_text(question: Question, answer: Any) -> str:
    """Return an answer as a person reads it."""
    if question.kind == "approve" and isinstance(answer, bool):
        return "approved" if answer else "rejected"
    if isinstance(answer, str):
        return answer
    if isinstance(answer, list) and all(isinstance(each, str) for each in answer):
        return ", ".join(answer) or "none of them"
    if isinstance(answer, dict):
        return "\n".join(f"{key}: {_shown_value(each)}" for key, each in answer.items())
    return json.dumps(answer, ensure_ascii=False)


def _first_line(question: Question, promise: Promise) -> str:
    match promise.state:
        case State.PENDING:
            until = "" if promise.timeout_at == NEVER else f" until {time_text(promise.timeout_at)}"
            return f"Waiting for an answer{until}."
        case State.RESOLVED:
            answer = answer_of(promise)
            text = "" if answer is NOTHING else answer_text(question, answer)
            return f"Answer:\n{text}" if "\n" in text else f"Answer: {text}"
        case State.CANCELED:
            return "This question was canceled."
        case State.TIMEDOUT if question.on_timeout == "default":
            text = answer_text(question, question.default)
            return f"No answer before {time_text(promise.timeout_at)}, so the default counts: {text}"
        case State.TIMEDOUT:
            return f"No answer before {time_text(promise.timeout_at)}."
        case _:
            return "This question was rejected instead of answered."


def _second_line(promise: Promise) -> str:
    if not promise.settled:
        return f"`resonate-nb answer {promise.id} VALUE`"
    tags = promise.tags
    who, where, comment = (tags.get(f"rnb:{name}", "") for name in ("by", "from", "comment"))
    if not who and not where:
        return f"“{comment}”" if comment else ""
    said = f"{who}, " if who else ""
    said += time_text(promise.settled_at or 0) + (f", from {where}" if where else "")
    return f"“{comment}” {said}" if comment else said


def _marked(line: str) -> str:
    """Return a line as HTML: what stands in backticks is code, an answer is bold."""
    if line.startswith("`"):
        return f"<code>{escape(line.strip('`'))}</code>"
    label, colon, rest = line.partition(":")
    return f"{escape(label)}:<strong>{escape(rest)}</strong>" if colon and label == "Answer" else escape(line)


def _shown_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def time_text(milliseconds: int) -> str:
    """Return a moment as a person reads it."""
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1_000, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):  # a deadline after the year 9999
        return "the end of time"
