"""The card of a question: what it says in each state, and that nothing in it can act."""

import re

from resonate_nb.enquiry.cards import card_html, card_text
from resonate_nb.enquiry.questions import Question
from resonate_nb.promise import Promise, State, Value

EVIL = "<script>alert(1)</script>"
QUESTION = Question(kind="ask", text=f"Why {EVIL}?", schema={"type": "string"})
DEFAULT = Question(kind="ask", text="n?", schema={"type": "integer"}, default=4, on_timeout="default")


def settled(value=b'"x"', state=State.RESOLVED, **tags):
    tags = {f"rnb:{name}": text for name, text in tags.items()}
    return Promise(id="q", state=state, value=Value(data=value), tags=tags, settled_at=0, timeout_at=0)


def test_a_card_says_in_every_state_what_became_of_the_question():
    assert card_text(DEFAULT, Promise(id="q")).splitlines() == [
        "n?",
        "Waiting for an answer.",
        "`resonate-nb answer q VALUE`",
    ]
    assert "until 1970-01-01 00:00 UTC" in card_text(DEFAULT, Promise(id="q", timeout_at=0))
    assert card_text(DEFAULT, settled(b"5")).endswith("Answer: 5")
    assert card_text(DEFAULT, settled(b"5", by="ada", **{"from": "form"}, comment="sure")).endswith(
        "“sure” ada, 1970-01-01 00:00 UTC, from form"
    )
    assert "the default counts: 4" in card_text(DEFAULT, settled(b"", State.TIMEDOUT))
    assert "No answer before" in card_text(QUESTION, settled(b"", State.TIMEDOUT))
    assert "canceled" in card_text(QUESTION, settled(b"", State.CANCELED))
    assert "rejected" in card_text(QUESTION, settled(b"", State.REJECTED))
    approve = Question(kind="approve", text="Go?", schema={"type": "boolean"})
    assert "Answer: approved" in card_text(approve, settled(b"true"))
    form = Question(kind="form", text="", schema={})
    assert card_text(form, settled(b'{"name": "Ada", "n": [1]}')) == "Answer:\nname: Ada\nn: [1]"
    choose = Question(kind="choose", text="", schema={})
    assert card_text(choose, settled(b'["a", "b"]')) == "Answer: a, b"


def test_nothing_in_a_card_can_act():
    for promise in (
        Promise(id=EVIL),
        settled(f'"{EVIL}"'.encode(), by=EVIL, comment=EVIL, **{"from": EVIL}),
        settled(b"", State.TIMEDOUT),
    ):
        for shown in ({"text/plain": EVIL}, {"text/html": EVIL}, {"image/png": f'"{EVIL}'}):
            question = Question(kind="ask", text=EVIL, schema={}, default=EVIL, shown=shown)
            html = card_html(question, promise)
            assert "<script" not in html
            assert set(re.findall(r"<([a-z]+)", html)) <= {"div", "code", "strong", "pre", "img"}


def test_a_card_has_no_colours_that_a_dark_page_would_swallow():
    html = card_html(QUESTION, Promise(id="q"))
    assert "background" not in html
    assert not re.search(r"[;\"]color:", html)
