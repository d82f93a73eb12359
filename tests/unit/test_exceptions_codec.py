"""Errors: the same class, text, attributes, cause and notes, or a stand-in that says what was lost."""

import json
import sqlite3
import subprocess
import threading
import urllib.error
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resonate_nb import errors
from resonate_nb.codec import Codec
from resonate_nb.promise import Value
from resonate_nb.values.keys import SigningKey

CODEC = Codec(SigningKey(b"k" * 32))
ID = "f@1/abc"


def through(error):
    return CODEC.decode_error(CODEC.encode_error(error, id=ID), id=ID)


def raised(error):
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


class Renamed(Exception):
    """Its message is not its argument: plain pickle says "code code 5"."""

    def __init__(self, code):
        super().__init__(f"code {code}")
        self.code = code


class Keyword(Exception):
    """Plain pickle can't call this `__init__`."""

    def __init__(self, *, hint):
        super().__init__()
        self.hint = hint

    def __str__(self):
        return f"hint: {self.hint}"


class Refused(OSError):
    def __init__(self, number, *, host):
        super().__init__(number, "refused")
        self.host = host


class Fragile(Exception):
    def __new__(cls, *, one):  # noqa: ARG004 - refuses what pickle would hand it
        return super().__new__(cls)

    def __init__(self, *, one):
        super().__init__(one)


def not_found():
    try:
        Path("/nowhere/at/all").read_text(encoding="utf-8")
    except OSError as error:
        return error


def not_json():
    try:
        json.loads("{")
    except ValueError as error:
        return error


def not_text():
    try:
        b"\xff".decode()
    except UnicodeDecodeError as error:
        return error


def no_syntax():
    try:
        compile("a b", "file", "exec")
    except SyntaxError as error:
        return error


KEPT = [
    ValueError("text"), ValueError(), ValueError(1, [2]), KeyError("k"), ZeroDivisionError("z"),
    StopIteration(5), SystemExit(3), KeyboardInterrupt(), AssertionError("a"), TimeoutError(),
    not_found(), not_json(), not_text(), no_syntax(), ImportError("i", name="n", path="p"),
    subprocess.CalledProcessError(2, ["a"], b"out"), sqlite3.OperationalError("locked"),
    np.linalg.LinAlgError("singular"), pd.errors.EmptyDataError("empty"), urllib.error.URLError("u"),
    Renamed(5), Keyword(hint="h"), Refused(111, host="h"), ExceptionGroup("g", [ValueError(1), Renamed(2)]),
    errors.PromiseConflict("i", "a", "b"), errors.Unpicklable("p", "t", "r"),
    errors.MissingReference("i", "n"),
]  # fmt: skip


@pytest.mark.parametrize("error", KEPT, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_it_was(error):
    back = through(raised(error))

    attributes = {name: item for name, item in vars(back).items() if name != "__notes__"}
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert repr(back.args) == repr(error.args)
    assert repr(attributes) == repr(vars(error))


def test_an_operating_system_error_keeps_its_number_and_file():
    back = through(not_found())

    assert (back.errno, back.filename) == (2, "/nowhere/at/all")
    assert through(Refused(111, host="h")).errno == 111


def test_cause_context_and_notes_come_back():
    error = Renamed(5)
    error.__cause__ = KeyError("first")
    error.add_note("a note")
    third = ZeroDivisionError()
    third.__context__ = error

    back = through(third)

    assert type(back.__context__) is Renamed
    assert back.__context__.__notes__ == ["a note"]
    assert type(back.__context__.__cause__) is KeyError
    assert back.__context__.__suppress_context__
    assert not back.__suppress_context__


def test_the_original_traceback_is_a_note_once():
    def failing_function():
        raise ValueError("text")

    with pytest.raises(ValueError, match="text") as caught:
        failing_function()

    back = through(raised(through(caught.value)))

    (note,) = back.__notes__
    assert note.startswith("Original traceback:\n")
    assert "in failing_function" in note


@pytest.mark.parametrize(
    "error", [ValueError(threading.Lock()), Fragile(one=1)], ids=["unpicklable", "refuses its arguments"]
)
def test_what_can_not_be_kept_leaves_its_name_text_and_traceback(error):
    back = through(raised(error))

    assert type(back) is errors.LostException
    assert back.type_name == type(error).__name__
    assert back.text == str(error)
    assert type(error).__name__ in str(back)
    assert "in raised" in back.__notes__[0]


def test_a_cause_that_can_not_be_kept_costs_only_itself():
    error = Renamed(5)
    error.__cause__ = cause = ValueError(threading.Lock())

    back = through(error)

    assert type(back) is Renamed
    assert back.__cause__ is None
    assert error.__cause__ is cause, "the caller's error stays as it was"


def test_a_rejection_by_another_client_carries_its_value():
    back = CODEC.decode_error(Value(data=b'{"code":5}'), id=ID)

    assert type(back) is errors.PromiseRejected
    assert (back.id, back.value) == (ID, {"code": 5})


def test_an_error_whose_text_can_not_be_had_is_kept_all_the_same():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    assert type(through(raised(Mute()))).__name__ == "Mute"
