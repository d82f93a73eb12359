"""Messages of a cell are folded into outputs as front ends do it."""

import pytest

from resonate_nb.notebook.folding import WIDGET_VIEW, Folding, fold, overwritten


def message(kind, **content):
    return {"header": {"msg_type": kind}, "content": content}


def printed(text, name="stdout"):
    return message("stream", name=name, text=text)


def shown(text, kind="display_data", display_id=None, **more):
    transient = {"display_id": display_id} if display_id else {}
    return message(kind, data={"text/plain": text} | more, metadata={}, transient=transient)


def seen(*messages):
    """What a reader sees: texts of streams, plain texts of displays."""
    return [output.get("text") or output["data"]["text/plain"] for output in fold(messages)]


def test_streams_are_joined_by_name_while_nothing_comes_between():
    assert seen(
        printed("a"), printed("b"), printed("c", "stderr"), printed("d"), shown("x"), printed("e")
    ) == [
        "ab",
        "c",
        "d",
        "x",
        "e",
    ]


def test_outputs_have_the_form_of_a_notebook_file():
    assert fold([printed("a"), shown("x"), shown("y", "execute_result")]) == (
        {"output_type": "stream", "name": "stdout", "text": "a"},
        {"output_type": "display_data", "data": {"text/plain": "x"}, "metadata": {}},
        {
            "output_type": "execute_result",
            "data": {"text/plain": "y"},
            "metadata": {},
            "execution_count": None,
        },
    )


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("10%\r20%\r100%", "100%"),
        ("100%\r7", "700%"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("abc\b\bx", "ax"),
        ("\b\ba\n\bb", "a\nb"),
        ("1\n2\r3\n4", "1\n3\n4"),
        ("50%\r", "50%\r"),
        ("50%\r\r60%", "60%"),
        ("plain", "plain"),
    ],
)
def test_carriage_returns_and_backspaces_overwrite(text, stands):
    assert overwritten(text) == stands
    assert overwritten(stands) == stands
    assert seen(*(printed(each) for each in text)) == [stands]


def test_a_long_progress_bar_keeps_only_its_last_state():
    folding = Folding()
    for number in range(10_000):
        folding.add("stream", {"name": "stderr", "text": f"\r{number}"})

    assert len(folding._pieces) < 2_000
    assert folding.outputs()[0]["text"] == "9999"


def test_clear_output_clears_at_once_or_before_the_next_output():
    at_once, waiting = message("clear_output", wait=False), message("clear_output", wait=True)

    assert seen(printed("a"), shown("x"), at_once) == []
    assert seen(printed("a"), waiting) == ["a"]
    assert seen(printed("a"), waiting, printed("b")) == ["b"]
    assert seen(printed("a"), waiting, at_once, printed("b")) == ["b"]
    assert seen(printed("a"), waiting, shown("b", "update_display_data", "n")) == ["a"]


def test_an_update_goes_into_the_displays_of_its_name():
    outputs = fold(
        [
            shown("a", display_id="n"),
            shown("b"),
            shown("c", display_id="n"),
            shown("z", "update_display_data", "n"),
        ]
    )

    assert [output["data"]["text/plain"] for output in outputs] == ["z", "b", "z"]
    assert outputs[0]["transient"] == {"display_id": "n"}


def test_an_update_of_another_cell_s_display_is_passed_over():
    assert seen(shown("a"), shown("z", "update_display_data", "elsewhere")) == ["a"]


def test_widgets_are_dropped_and_what_stands_beside_them_stays():
    view = {WIDGET_VIEW: {"model_id": "1"}}

    assert fold([shown("Slider()", **view)]) == ()
    assert fold([shown("Bar", **view, **{"text/html": "<b>"})])[0]["data"] == {
        "text/plain": "Bar",
        "text/html": "<b>",
    }


def test_errors_and_other_messages_are_passed_over():
    assert (
        fold(
            [message("error", ename="E", evalue="v", traceback=[]), message("status", execution_state="idle")]
        )
        == ()
    )


def test_what_was_given_out_does_not_change_with_what_comes_later():
    folding = Folding()
    folding.add("stream", {"name": "stdout", "text": "a"})
    folding.add("display_data", shown("x", display_id="n")["content"])
    folding.add("stream", {"name": "stdout", "text": "b"})
    before = folding.outputs()
    folding.add("stream", {"name": "stdout", "text": "c"})
    folding.add("update_display_data", shown("y", display_id="n")["content"])

    assert [before[0]["text"], before[1]["data"]["text/plain"], before[2]["text"]] == ["a", "x", "b"]


def test_a_display_that_was_emptied_is_gone_and_an_empty_value_is_none_such():
    def display(kind, data):
        content = {"data": data, "metadata": {}, "transient": {"display_id": "form"}}
        return {"header": {"msg_type": kind}, "content": content}

    shown = display("display_data", {"text/plain": "a form", "application/json": []})
    emptied = display("update_display_data", {"text/html": "", "text/plain": ""})
    nothing = display("update_display_data", {"application/json": []})
    assert fold([shown, emptied]) == ()
    assert len(fold([shown, nothing])) == 1
