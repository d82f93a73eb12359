"""The inbox page in a browser whose JavaScript is switched off."""

import json

from playwright.sync_api import expect

from tests.asking import Asker


def test_every_question_is_answered_by_role_and_name_without_javascript(person, lab):
    asker = Asker(lab.home / "without-javascript" / ".resonate")
    places = {"type": "object", "properties": {"city": {"type": "string", "title": "City"}}}
    colour = {"enum": ["red", "blue"]}
    asker.ask("p/many", "Which colours?", {"type": "array", "items": colour}, kind="choose")
    asker.ask("p/number", "How many?", {"type": "integer", "maximum": 9}, comment=True)
    asker.ask("p/one", "Which colour?", colour, kind="choose")
    asker.ask("p/place", "Where?", places, kind="form")
    asker.ask("p/sure", "Sure?", {"type": "boolean"}, kind="approve", comment=True)
    page = person(java_script_enabled=False)

    def question(text):
        page.goto(f"{lab.address}resonate-nb/inbox")
        return page.get_by_role("article").filter(has_text=text)

    def answered(id, expected):
        expect(page.get_by_role("status").filter(has_text="Answered.")).to_be_visible()
        assert json.loads(asker.promise(id).value.data) == expected

    one = question("How many?")
    one.get_by_role("spinbutton", name="How many?").fill("10")
    one.get_by_role("textbox", name="Comment").fill("a guess")
    one.get_by_role("button", name="Send").click()
    expect(one.get_by_role("alert")).to_have_text("10 is greater than the maximum of 9")
    expect(one.get_by_role("spinbutton", name="How many?")).to_be_focused()
    expect(one.get_by_role("textbox", name="Comment")).to_have_value("a guess")
    page.keyboard.press("Control+a")
    page.keyboard.type("9")
    page.keyboard.press("Enter")
    answered("p/number", 9)

    one = question("Sure?")
    one.get_by_role("group", name="Sure?").get_by_role("textbox", name="Comment").press("Enter")
    expect(one).to_be_visible()
    one.get_by_role("button", name="Reject").click()
    answered("p/sure", False)

    one = question("Which colour?")
    one.get_by_role("combobox", name="Which colour?").select_option("blue")
    one.get_by_role("button", name="Send").click()
    answered("p/one", "blue")

    one = question("Which colours?")
    one.get_by_role("group", name="Which colours?").last.get_by_label("red").check()
    one.get_by_role("button", name="Send").click()
    answered("p/many", ["red"])

    one = question("Where?")
    one.get_by_role("group", name="Where?").get_by_role("textbox", name="City").fill("Ulm")
    one.get_by_role("button", name="Send").click()
    answered("p/place", {"city": "Ulm"})
