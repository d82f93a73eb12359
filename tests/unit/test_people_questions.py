"""Questions as data: which answers fit, what is delivered, what can't be asked."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from resonate_nb.digest import digest
from resonate_nb.enquiry.questions import Question, checked_schema, options_schema, question_of, typed_schema
from resonate_nb.enquiry.safe_html import sanitized
from resonate_nb.enquiry.shown import digest_of_shown, mimebundle
from resonate_nb.errors import UsageError
from resonate_nb.promise import Promise


def asking(type=str, *, min=None, max=None, pattern=None, **more):
    schema = typed_schema(type, min=min, max=max, pattern=pattern)
    return Question(kind="ask", text="What?", schema=schema, **more)


def identity(value, shown):
    return digest_of_shown(value, shown, lambda each, path: digest(each, path=path))


@pytest.mark.parametrize(
    ("question", "answer", "delivered"),
    [
        (asking(), "a", "a"),
        (asking(), "", ""),
        (asking(int), 5, 5),
        (asking(float), 5, 5.0),
        (asking(bool), False, False),
        (asking(date), "2026-11-24", date(2026, 11, 24)),
        (asking(datetime), "2026-11-24T10:05", datetime.fromisoformat("2026-11-24T10:05")),
        (asking(int, min=1, max=9), 9, 9),
        (asking(date, min=date(2026, 1, 1)), "2026-01-01", date(2026, 1, 1)),
        (asking(pattern="[a-z]+"), "abc", "abc"),
    ],
)
def test_an_answer_that_fits_is_delivered_as_its_type(question, answer, delivered):
    assert question.reason_against(answer) is None
    assert question.delivered(answer) == delivered
    assert type(question.delivered(answer)) is type(delivered)


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        (asking(int), True, "True is not a whole number"),
        (asking(int), "5", "'5' is not a whole number"),
        (asking(int, min=1, max=9), 10, "greater than the maximum of 9"),
        (asking(float), None, "an answer is missing"),
        (asking(), 5, "5 is not text"),
        (asking(min=2), "a", "'a' is too short"),
        (asking(pattern="[a-z]+"), "abc1", "does not fit the pattern [a-z]+"),
        (asking(date), "24.11.2026", "is not a date like"),
        (asking(date, max=date(2026, 1, 1)), "2026-01-02", "2026-01-02 is after 2026-01-01"),
        (
            asking(datetime, min=datetime.fromisoformat("2026-01-01T00:00")),
            "2026-01-02T10:00+01:00",
            "names no time zone",
        ),
        (Question(kind="choose", text="", schema={"enum": ["red", 1]}), "blue", 'is none of "red", 1'),
        (Question(kind="choose", text="", schema={"enum": [1]}), True, "is none of 1"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_with_the_reason(question, answer, reason):
    assert reason in question.reason_against(answer)


def test_a_reason_names_the_field_of_a_form():
    schema = checked_schema(
        {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n", "name"]}
    )
    question = Question(kind="form", text="", schema=schema)
    assert question.reason_against({"n": "x", "name": ""}) == "n: 'x' is not a whole number"
    assert question.reason_against({"n": 1}) == "an answer is missing: name"


def test_a_typed_text_is_json_if_that_fits_and_else_the_text():
    assert asking(int).read("5") == 5
    assert asking().read("5") == "5"
    assert asking().read('"5"') == "5"
    assert asking().read("true") == "true"
    assert asking(int).read("x") == "x"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: typed_schema(list, min=None, max=None, pattern=None),
        lambda: typed_schema(bool, min=1, max=None, pattern=None),
        lambda: typed_schema(int, min=None, max=None, pattern="x"),
        lambda: typed_schema(int, min="x", max=None, pattern=None),
        lambda: typed_schema(str, min=None, max=None, pattern="("),
        lambda: options_schema([], many=False),
        lambda: options_schema("red", many=False),
        lambda: options_schema(["a", "a"], many=False),
        lambda: options_schema([[1]], many=False),
        lambda: options_schema([object()], many=False),
        lambda: checked_schema({"type": "nothing"}),
        lambda: checked_schema([]),
    ],
)
def test_what_can_not_be_asked_is_refused(wrong):
    with pytest.raises(UsageError):
        wrong()


def test_options_may_be_numbers_of_numpy_and_truth_values_beside_numbers():
    assert options_schema([np.int64(1), True, "x", 0.5], many=False) == {"enum": [1, True, "x", 0.5]}


def test_nothing_that_a_schema_refers_to_is_fetched():
    question = Question(kind="form", text="", schema={"$ref": "http://127.0.0.1:9/schema"})
    assert question.reason_against(1).startswith("the schema can't be used")
    assert "can't be used" in Question(kind="form", text="", schema={"$ref": "#"}).reason_against(1)


def test_a_question_comes_back_from_its_param():
    question = asking(int, default=5, shown={"text/plain": "x"}, on_timeout="default", comment=True)
    promise = Promise(id="a", param=question.param(), tags={"rnb:kind": "question"})
    assert question_of(promise) == question
    assert question_of(Promise(id="a", param=question.param())) is None
    assert question_of(Promise(id="a", tags={"rnb:kind": "question"})) is None


def test_each_part_of_a_question_identifies_it():
    one = asking(int, default=5, shown_digest="a")
    others = [
        asking(int, default=6, shown_digest="a"),
        asking(int, default=5, shown_digest="b"),
        asking(int, min=0, default=5, shown_digest="a"),
        Question(kind="form", text="What?", schema=one.schema, default=5, shown_digest="a"),
        Question(kind="ask", text="What", schema=one.schema, default=5, shown_digest="a"),
    ]
    assert len({one.digest, *(each.digest for each in others)}) == 6
    assert asking(int, default=5, shown_digest="a", comment=True, on_timeout="default").digest == one.digest


def test_a_large_table_is_shown_as_its_first_rows_with_its_size_and_identified_as_a_whole():
    frame = pd.DataFrame({"a": range(1_000), "b": "<b>"})
    other = frame.copy()
    other.loc[999, "a"] = 0

    shown = mimebundle(frame)

    assert "the first 10 of 1,000 rows x 2 columns" in shown["text/plain"]
    assert "&lt;b&gt;" in shown["text/html"]
    assert len(shown["text/html"]) < 5_000
    assert identity(frame, shown) != identity(other, shown)


def test_a_series_a_text_and_any_object_are_shown():
    assert "(3 rows)" in mimebundle(pd.Series([1, 2, 3]))["text/plain"]
    assert mimebundle("two\nlines") == {"text/plain": "two\nlines"}
    assert mimebundle({"a": 1}) == {"text/plain": "{'a': 1}"}
    assert mimebundle(None) == {}


def test_a_figure_is_shown_as_a_picture():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    figure.add_subplot().plot([1, 2])
    shown = mimebundle(figure)
    assert shown["image/png"].startswith("iVBOR")
    again = mimebundle(figure)
    assert identity(figure, shown) == identity(figure, again)


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>x",
        '<img src="x" onerror="alert(1)">x',
        '<a href="javascript:alert(1)">x</a>',
        "<svg><script>alert(1)</script></svg>x",
        '<div style="position:fixed" onclick="alert(1)">x</div>',
        '<iframe srcdoc="<script>alert(1)</script>"></iframe>x',
        "<scr<script>ipt>alert(1)</script>x",
        '<img src="data:image/svg+xml;base64,AAAA">x',
        "<table><tr><td><math><mtext><style><img src onerror=alert(1)></style></mtext></math>x</table>",
    ],
)
def test_html_that_is_shown_can_not_act(html):
    shown = sanitized(html)
    assert "x" in shown
    for word in (
        "alert(1)<",
        "onerror=",
        "onclick",
        "href",
        "<script",
        "<style",
        "<iframe",
        "<svg",
        "style=",
    ):
        assert word not in shown.replace("&lt;", "").replace("&gt;", "")


def test_html_without_end_tags_is_closed():
    assert sanitized("<div><b>x") == "<div><b>x</b></div>"
    assert sanitized("<table><tr><td>1 & 2</table></div>") == "<table><tr><td>1 &amp; 2</td></tr></table>"
