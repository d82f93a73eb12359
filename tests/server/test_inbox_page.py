"""The inbox page, as a browser without JavaScript meets it: in Jupyter Server and in `resonate-nb serve`."""

import json
import secrets
import time

import pytest

from resonate_nb.enquiry.questions import Question
from resonate_nb.promise import State
from resonate_nb.server.pages.fields import answer_in, fields_of
from tests.asking import Asker
from tests.jupyter_servers import jupyter_server
from tests.server.conftest import TOKEN
from tests.server.visiting import Visitor

JUPYTER_TOKEN = secrets.token_hex(8)
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
COLOURS = {"enum": ["red", "green", True, 1]}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def jupyter(home):
    with jupyter_server(home, token=JUPYTER_TOKEN, base_url="/user/ada/") as address:
        yield f"{address}resonate-nb/inbox"


@pytest.fixture
def asker(tmp_path):
    return Asker(tmp_path / "store")


@pytest.fixture
def visitor(asker, serve):
    """Somebody who came in by the address that the server printed."""
    made = Visitor(serve(store=asker.folder).address + "/inbox")
    made.visit(f"?token={TOKEN.replace(' ', '%20')}")
    return made


@pytest.fixture
def jupyter_visitor(jupyter):
    made = Visitor(jupyter)
    made.visit(f"?token={JUPYTER_TOKEN}")
    return made


ANSWERS = [
    ({"type": "integer", "minimum": 1}, "5", 5),
    ({"type": "integer"}, "12345678901234567890", 12345678901234567890),
    ({"type": "number"}, "1e-3", 0.001),
    ({"type": "string"}, " two  words ", " two  words "),
    ({"type": "string"}, "", ""),
    ({"type": "string", "maxLength": 500}, "a\r\nb", "a\nb"),
    ({"type": "boolean"}, "1", False),
    ({"type": "string", "format": "date"}, "2026-11-24", "2026-11-24"),
    ({"type": "string", "format": "date-time"}, "2026-11-24T10:05", "2026-11-24T10:05"),
    (COLOURS, "0", "red"),
    (COLOURS, "2", True),
    (COLOURS, "3", 1),
    ({"type": "array", "items": {"enum": ["a", "b", "c"]}}, ["0", "2"], ["a", "c"]),
    ({"type": "array", "items": {"enum": ["a", "b", "c"]}}, [], []),
    ({"type": "array"}, "[1, {}]", [1, {}]),
]


def test_every_kind_of_answer_is_taken_as_it_was_entered(visitor, asker):
    for number, (schema, entered, expected) in enumerate(ANSWERS):
        asker.ask(f"q/{number}", f"Question {number:02}?", schema)
        [form] = visitor.visit().forms
        page = visitor.send(form, field=entered)
        assert (page.status, page.forms) == (200, [])
        assert "Answered." in page.statuses[0]
        promise = asker.promise(f"q/{number}")
        assert (promise.state, json.loads(promise.value.data)) == (State.RESOLVED, expected)
        assert promise.tags["rnb:from"] == "inbox"


DEFAULTS = [
    (5, {"type": "integer"}),
    (0.5, {"type": "number"}),
    ("text", {"type": "string"}),
    (True, {"type": "boolean"}),
    ("2026-11-24", {"type": "string", "format": "date"}),
    ("green", COLOURS),
    (1, COLOURS),
    (True, COLOURS),
    (["a", "c"], {"type": "array", "items": {"enum": ["a", "b", "c"]}}),
    ({"x": [1]}, {"type": "object"}),
]


@pytest.mark.parametrize(("default", "schema"), DEFAULTS)
def test_a_default_stands_in_its_field_and_is_sent_as_it_is(default, schema):
    question = Question(kind="ask", text="?", schema=schema, default=default)
    sent = {field.name: list(field.entered(None)) for field in fields_of(question)}
    answer = answer_in(question, sent)
    assert (answer, type(answer)) == (default, type(default))


def test_an_approval_is_a_button_and_a_comment_goes_with_it(visitor, asker):
    for decision, expected in (("approve", True), ("reject", False)):
        id = f"drop/{decision}"
        asker.ask(id, "Drop 1,203 rows?", {"type": "boolean"}, kind="approve", comment=True)
        [form] = visitor.visit().forms
        visitor.send(form, decision=decision, comment="looked at\r\nall of them")
        promise = asker.promise(id)
        assert json.loads(promise.value.data) is expected
        assert promise.tags["rnb:comment"] == "looked at\nall of them"


def test_enter_in_the_comment_of_an_approval_decides_nothing(visitor, asker):
    asker.ask("drop", "Drop?", {"type": "boolean"}, kind="approve", comment=True)
    [form] = visitor.visit().forms
    page = visitor.send(form, comment="hm")
    assert page.status == 422
    assert page.alerts == ["press Approve or Reject"]
    assert 'value="hm"' in page.html
    assert asker.promise("drop").state is State.PENDING


def test_a_form_is_filled_in_field_by_field_and_empty_ones_are_left_out(visitor, asker):
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "title": "Your name"},
            "age": {"type": "integer", "description": "in years"},
            "extra": True,
            "days": {"type": "array", "items": {"enum": ["Mo", "Tu"]}, "minItems": 1},
        },
        "required": ["name"],
    }
    asker.ask("who", "Who are you?", schema, kind="form", default={"name": "Ada"})
    page = visitor.visit()
    [form] = page.forms
    assert {"field-0", "field-1", "field-2"} <= form.names
    assert "Your name" in page.text
    for text in ("in years", "age optional", "days optional", "at least 1 of them"):
        assert text in page.text
    assert "Your name optional" not in page.text
    visitor.send(form, field_1="36")
    assert json.loads(asker.promise("who").value.data) == {"name": "Ada", "age": 36}


def test_a_refused_answer_says_why_and_keeps_what_was_entered(visitor, asker):
    asker.ask("n", "How many?", {"type": "integer", "maximum": 9}, comment=True)
    [form] = visitor.visit().forms
    for entered, reason in (("10", "10 is greater than the maximum of 9"), ("ten", "'ten' is not a number")):
        page = visitor.send(form, field=entered, comment='so "many"')
        assert page.status == 422
        assert page.alerts == [reason]
        assert f'value="{entered}"' in page.html
        assert 'value="so &quot;many&quot;"' in page.html
    assert visitor.send(form, field="").alerts == ["an answer has to be entered first"]
    [form] = page.forms
    assert visitor.send(form, field="9").status == 200


def test_whoever_comes_second_is_told_what_the_answer_is(visitor, asker):
    asker.ask("n", "How many?", {"type": "integer"})
    [form] = visitor.visit().forms
    visitor.send(form, field="1")
    late = visitor.send(form, field="2")
    assert late.status == 409
    assert "not taken" in late.alerts[0]
    assert "Answer: 1" in late.alerts[0]
    assert visitor.send(form, field="1").status == 200, "the same answer again is fine"


def test_an_answer_after_the_deadline_is_not_taken(visitor, asker):
    asker.ask("n", "How many?", {"type": "integer"}, timeout_at=int(time.time() * 1000) + 600_000)
    [form] = visitor.visit().forms
    asker.ask("late", "Too late?", {"type": "integer"}, timeout_at=1)
    form.fields["id"] = "late"
    page = visitor.send(form, field="2")
    assert page.status == 409
    assert "No answer before" in page.alerts[0]


def test_a_question_has_a_page_of_its_own_before_and_after_the_answer(visitor, asker):
    asker.ask("team/ä b", "Which?", {"type": "string"})
    asker.ask("other", "Other?", {"type": "string"})
    page = visitor.visit("/inbox/team/%C3%A4%20b")
    [form] = page.forms
    assert "Other?" not in page.text
    visitor.send(form, field="this one")
    page = visitor.visit("/inbox/team%2F%C3%A4%20b")
    assert page.forms == []
    assert "Answer: this one" in page.text
    missing = visitor.visit("/inbox/nothing")
    assert (missing.status, missing.alerts) == (404, ["There is no question 'nothing' here."])


def test_what_people_wrote_is_text_and_what_they_show_can_not_act(visitor, asker):
    evil = "<script>alert(1)</script><b>bold</b> \"'&"
    shown = {"text/html": f"<table onclick='x()'><tr><td>cell</td></tr></table>{evil}"}
    schema = {"type": "object", "properties": {evil: {"enum": [evil], "description": evil, "title": evil}}}
    asker.ask("evil", evil, schema, kind="form", shown=shown, notebook=evil)
    asker.ask(evil, "Picture?", {"type": "string"}, shown={"image/png": PICTURE, "text/plain": evil})
    asker.ask("default", evil, {"type": "string"}, default=evil + "\n</textarea>")
    page = visitor.visit()
    assert "<script" not in page.html
    assert "onclick" not in page.html
    assert "<td>cell</td>" in page.html
    assert f'src="data:image/png;base64,{PICTURE}"' in page.html
    assert page.html.count("<b>") == 1, "only in the HTML that is shown"
    for policy in (page.headers["Content-Security-Policy"], page.html):
        assert "default-src &#x27;none&#x27;" in policy or "default-src 'none'" in policy
    for form in page.forms:
        page = visitor.send(form, field=evil, field_0="0")
        assert "<script" not in page.html


def test_the_token_opens_the_inbox_once_and_a_cookie_does_from_then_on(asker, serve):
    visitor = Visitor(serve(store=asker.folder).address + "/inbox")
    closed = visitor.visit()
    assert (closed.status, len(closed.forms)) == (401, 1)
    wrong = visitor.send(closed.forms[0], token="guess")
    assert (wrong.status, wrong.alerts) == (401, ["That is not the token."])
    page = visitor.send(closed.forms[0], token=TOKEN)
    assert (page.status, page.address) == (200, visitor.address), "the address holds no token"
    [cookie] = visitor.cookies
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"
    assert (cookie.path, TOKEN in cookie.value) == ("/inbox", False)
    assert visitor.visit().status == 200
    assert visitor.visit("/promises").status == 401, "the cookie is for the inbox only"


def test_a_form_of_another_page_is_not_believed(visitor, asker):
    asker.ask("n", "How many?", {"type": "integer"})
    [form] = visitor.visit().forms
    assert visitor.send(form, field="1", without=["proof"]).status == 403
    assert visitor.send(form, field="1", proof="0" * 64).status == 403
    foreign = {**form.fields, "field": "1"}
    assert visitor.visit(form.action, foreign, Origin="http://evil.example").status == 403
    assert visitor.visit(Host="evil.example").status == 403
    assert asker.promise("n").state is State.PENDING


def test_jupyter_lists_the_questions_of_all_notebooks_and_takes_answers_under_its_base_url(
    jupyter_visitor, home
):
    first, second = Asker(home / ".resonate"), Asker(home / "deep" / "er" / ".resonate")
    first.ask("a", "First?", {"type": "string"}, notebook=str(home / "one.ipynb"))
    second.ask("a", "Second?", {"type": "string"}, notebook=str(home / "deep" / "er" / "two.ipynb"))
    page = jupyter_visitor.visit()
    assert "/user/ada/resonate-nb/inbox" in page.html
    assert [each for each in ("one.ipynb", "deep/er/two.ipynb") if each in page.text] == [
        "one.ipynb",
        "deep/er/two.ipynb",
    ]
    assert str(home) not in page.text
    form = next(each for each in page.forms if each.fields["store"] == "deep/er/.resonate")
    page = jupyter_visitor.send(form, field="yes")
    assert page.status == 200
    assert "Second?" in page.statuses[0]
    promise = second.promise("a")
    assert json.loads(promise.value.data) == "yes"
    assert promise.tags["rnb:by"]
    assert first.promise("a").state is State.PENDING


def test_a_store_that_can_not_be_read_hides_no_other(jupyter_visitor, home):
    Asker(home / "new" / ".resonate").ask("x", "Unreadable?", {"type": "string"})
    (home / "new" / ".resonate" / "format").write_text("999")
    Asker(home / "fine" / ".resonate").ask("y", "Readable?", {"type": "string"})
    page = jupyter_visitor.visit()
    assert "Readable?" in page.text
    assert any("new/.resonate can't be read" in each for each in page.statuses)


def test_jupyter_asks_strangers_to_log_in_and_believes_no_foreign_form(jupyter, jupyter_visitor, home):
    asker = Asker(home / "guarded" / ".resonate")
    asker.ask("g", "Guarded?", {"type": "string"})
    form = next(each for each in jupyter_visitor.visit().forms if each.fields["id"] == "g")
    stranger = Visitor(jupyter)
    assert "/login" in stranger.visit().address
    assert stranger.send(form, field="x").status == 403
    assert jupyter_visitor.send(form, field="x", without=["_xsrf"]).status == 403
    escaping = {**form.fields, "store": "../../.resonate", "field": "x"}
    assert jupyter_visitor.visit(form.action, escaping).status == 403
    assert asker.promise("g").state is State.PENDING
