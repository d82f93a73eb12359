"""The form under a cell, as a person in JupyterLab and Notebook meets it."""

import json

import nbconvert
import pytest
from playwright.sync_api import expect

from resonate_nb.promise import State

NUMBER = "print('got', ask('How many clusters?', int, min=1, max=9))"


@pytest.mark.parametrize(
    ("kernel", "app", "call"),
    [
        ("python3", "doc/tree", "ask"),
        ("python3", "doc/tree", "await aask"),
        ("ipykernel6", "doc/tree", "ask"),
        ("ipykernel6", "doc/tree", "await aask"),
        ("python3", "notebooks", "ask"),
    ],
)
def test_a_waiting_cell_goes_on_with_the_answer_from_its_form(notebook, kernel, app, call):
    one = notebook(NUMBER.replace("ask", call), kernel=kernel, app=app)
    one.run()
    one.field("How many clusters?").fill("10")
    one.send()
    expect(one.alert).to_have_text("10 is greater than the maximum of 9")
    expect(one.field("How many clusters?")).to_have_value("10")
    one.field("How many clusters?").fill("5")
    one.send()
    one.shows("got 5")
    one.shows("Answer: 5")
    expect(one.page.locator(".rnb-form")).to_have_count(0)


def test_the_saved_notebook_keeps_question_and_answer_and_no_dead_widget(notebook):
    one = notebook("print(approve('Drop 1,203 rows?', show='the rows', comment=True))")
    one.run()
    one.field("Comment", role="textbox").fill("fine")
    one.page.get_by_role("group", name="Drop 1,203 rows?").get_by_role("button", name="Approve").click()
    one.shows("True")
    saved = one.saved()
    written = json.dumps(saved.cells[0].outputs)
    assert "widget-view" not in written
    html, _ = nbconvert.HTMLExporter().from_notebook_node(saved)
    page = one.page.context.new_page()
    page.set_content(html)
    output = page.locator(".jp-OutputArea")
    for text in ("Drop 1,203 rows?", "the rows", "Answer: approved", "“fine”", "True"):
        expect(output).to_contain_text(text)
    expect(output).not_to_contain_text("model")
    assert one.asker.promise(one.answered()).tags["rnb:comment"] == "fine"


def test_keys_alone_answer(notebook):
    one = notebook(
        "print('got', form({'type': 'object', 'properties': {'name': {'type': 'string'},"
        " 'colour': {'enum': ['red', 'green']}, 'age': {'type': 'integer', 'minimum': 1, 'maximum': 120}},"
        " 'required': ['name', 'colour']}, 'Who?'))"
    )
    one.run()
    group = one.page.get_by_role("group", name="Who?")
    group.get_by_label("name").focus()
    expect(group.get_by_label("name")).to_be_focused()
    one.page.keyboard.type("Ada")
    one.page.keyboard.press("Tab")
    expect(group.get_by_label("colour")).to_be_focused()
    one.page.keyboard.type("green")
    one.page.keyboard.press("Tab")
    expect(group.get_by_label("age")).to_have_accessible_description("1 to 120")
    expect(group).to_contain_text("age optional")
    one.page.keyboard.press("Tab")
    expect(group.get_by_role("button", name="Send")).to_be_focused()
    one.page.keyboard.press("Enter")
    one.shows("got {'name': 'Ada', 'colour': 'green'}")


def test_several_questions_of_a_cell_are_answered_in_any_order(notebook):
    asked = "aask('First?', int), aapprove('Second?'), aask('Third?')"
    one = notebook(f"import asyncio\nprint(await asyncio.gather({asked}))")
    one.run()
    one.field("Third?", role="textbox").fill("c")
    one.page.get_by_role("button", name="Send").last.click()
    expect(one.page.locator(".rnb-form")).to_have_count(2)
    one.page.get_by_role("group", name="Second?").get_by_role("button", name="Reject").click()
    expect(one.page.locator(".rnb-form")).to_have_count(1)
    one.field("First?").fill("1")
    one.send()
    one.shows("[1, False, 'c']")


EVIL = "<img src=x onerror='window.evil = 1'><script>window.evil = 1</script>"


def test_nothing_that_people_wrote_acts_in_form_card_or_inbox(notebook):
    part = {"title": f"name {EVIL}", "description": EVIL, "enum": [f"red {EVIL}", "blue"]}
    schema = {"type": "object", "properties": {EVIL: part}, "required": [EVIL]}
    one = notebook(
        f"evil = {EVIL!r}\n"
        "class Shown:\n"
        "    def _repr_html_(self): return evil\n"
        f"print(len(form({schema!r}, 'Who? ' + evil, show=Shown(), tags={{'by': evil}}, comment=True)))"
    )
    one.run()
    group = one.page.get_by_role("group", name="Who?")
    expect(group).to_contain_text(EVIL)  # the description, as text
    inbox = one.page.context.new_page()
    one.inbox(one.waiting(), page=inbox)
    expect(inbox.get_by_role("article")).to_contain_text(f"name {EVIL}")
    group.get_by_label("name").select_option(index=1)
    group.get_by_label("Comment").fill(EVIL)
    one.send()
    one.shows(f"“{EVIL}”")
    inbox.reload()
    expect(inbox.get_by_role("status")).to_contain_text(f"red {EVIL}")
    for page in (one.page, inbox):
        assert page.evaluate("window.evil") is None
        assert page.locator("img[src=x]").count() == 0


def test_a_page_that_is_loaded_again_while_a_cell_waits_loses_nothing(notebook):
    one = notebook(NUMBER)
    one.run()
    expect(one.field("How many clusters?")).to_be_visible()
    one.saved()
    one.page.reload()
    id = one.waiting()
    one.inbox(id)
    one.page.get_by_label("How many clusters?").fill("5")
    one.send()
    expect(one.page.get_by_role("status")).to_contain_text("Answer: 5")
    one.open()
    one.run()
    one.shows("got 5")


def test_an_answer_that_came_while_the_kernel_was_dead_is_there_when_the_cell_runs_again(notebook, lab):
    one = notebook("import os; first = not os.path.exists('asked'); open('asked', 'w').close()\n" + NUMBER)
    one.run()
    expect(one.field("How many clusters?")).to_be_visible()
    id = one.waiting()
    lab.kill_kernel_of(one.path)
    one.asker.answer(id, 7)
    one.page.get_by_role("dialog").get_by_role("button").last.click()  # "the kernel has died"
    one.ready()
    one.run()
    one.shows("got 7")
    assert one.asker.waiting() == []


def test_the_first_of_two_people_is_heard_and_the_second_told_so(notebook, person):
    one = notebook(NUMBER)
    one.run()
    field = one.field("How many clusters?")
    field.fill("5")
    other = person()
    one.inbox(one.waiting(), page=other)
    other.get_by_label("How many clusters?").fill("6")
    one.send()
    one.shows("got 5")
    other.get_by_role("button", name="Send").click()
    expect(other.get_by_role("alert")).to_contain_text("not taken")
    expect(other.get_by_role("alert")).to_contain_text("Answer: 5")


def test_the_inbox_of_a_notebook_answers_what_others_ask(notebook):
    one = notebook("%inbox")
    one.asker.ask("staging/drop", "Drop them?", {"type": "boolean"}, kind="approve", notebook="other.ipynb")
    one.asker.ask("staging/name", "What name?", {"type": "string"}, notebook="other.ipynb")
    one.run()
    one.shows("other.ipynb")
    one.field("What name?", role="textbox").fill("Ada")
    one.send()
    one.shows("Answer: Ada")
    one.page.get_by_role("group", name="Drop them?").get_by_role("button", name="Reject").click()
    one.shows("Answer: rejected")
    assert one.asker.promise("staging/drop").state is State.RESOLVED
