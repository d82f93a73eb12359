"""Why something is computed is told by name, old and new, against what comes nearest."""

import json
import threading
import warnings

import numpy as np
import pytest

from resonate_nb import NotKept, about, durable
from resonate_nb.code.edits import first_edit
from resonate_nb.explain import account_of_run, forecast

pytestmark = pytest.mark.usefixtures("root")


def why(root, function, *args):
    """Return what would happen now, in words, when all that was posted before is committed."""
    root.execution.forget("nothing")
    return str(forecast(root.execution, function.work(args, {})))


def pair(**options):
    @durable(name="pair", **options)
    def pair(x, rate=1.0):
        return [x, rate]

    return pair


def test_a_call_names_the_argument_that_changed_old_and_new(root):
    function = pair()
    function(1, 0.2)
    function(3, 0.5)
    said = why(root, function, 1, 0.1)
    assert "- input `rate`: 0.1, was 0.2\ncompared with pair@" in said
    assert "`x`" not in said


def test_types_that_look_alike_are_told_apart(root):
    function = pair()
    function(1)
    assert "input `x`: True, was 1" in why(root, function, True)
    assert "input `x`: 1.0, was 1" in why(root, function, 1.0)


def test_nothing_is_shown_in_full_that_is_large_or_secret(root):
    @durable(name="large")
    def large(array, text, password):
        return len(array), len(text), len(password)

    large(np.zeros((1000, 5)), "a" * 10_000, "hunter2")
    promise = large.promise(np.zeros((1000, 5)), "a" * 10_000, "hunter2")
    assert len(promise.param.data) < 400
    assert b"hunter2" not in promise.param.data
    said = why(root, large, np.ones((1000, 5)), "a" * 9_999 + "b", "hunter3")
    assert "input `array` has other content: ndarray 1,000 x 5 float64" in said
    assert "input `password` has other content: str, not shown" in said
    assert "10,000 characters" in said


def test_a_value_of_the_users_own_class_is_never_asked_for_its_repr():
    class Quiet:
        def __repr__(self):
            raise AssertionError("asked")

    @durable(name="taking")
    def taking(thing):
        return isinstance(thing, Quiet)

    taking(Quiet())
    assert about.read(taking.promise(Quiet()).param).inputs["thing"].shown.endswith("Quiet")


def test_a_settled_call_would_be_replayed(root):
    function = pair()
    function(1)
    assert "pair: would be replayed: computed 2" in why(root, function, 1)


def test_what_was_never_run_says_so(root):
    assert "nothing of this name was kept before" in why(root, pair(), 1)


def test_a_failed_and_an_unkept_attempt_are_told(root):
    @durable(name="failing")
    def failing():
        raise ValueError("of no use")

    @durable(name="locking")
    def locking():
        return threading.Lock()

    with pytest.raises(ValueError, match="of no use"):
        failing()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotKept)
        locking()
    assert "the last attempt failed: ValueError: of no use" in why(root, failing)
    assert "not kept last time: " in why(root, locking)


def test_changed_captured_data_is_an_input_by_name(root):
    table = {"a": 1}

    @durable(name="reading")
    def reading():
        return table["a"]

    reading()
    table["a"] = 2
    assert "input `table`: {'a': 2}, was {'a': 1}" in why(root, reading)


def test_other_versions_and_other_work_under_an_id_are_told(root):
    pair(version=1)(1)
    assert "version v2, was v1" in why(root, pair(version=2), 1)
    function = pair()
    function.run("monday", 1)
    work = function.work((2,), {}, id="monday")
    assert "would be refused with PromiseConflict" in str(forecast(root.execution, work))
    assert "- input `x`: 2, was 1" in str(forecast(root.execution, work))


def test_a_helper_of_a_function_is_told_with_its_line(root):
    def kept(by):
        def scale(x):
            return x * 3

        def less(x):
            return x * 2

        scale = less if by == 2 else scale

        @durable(name="scaled")
        def scaled(x):
            return scale(x)

        return scaled

    kept(3)(1)
    kept(2)(1)
    said = str(account_of_run(root.execution, root.execution.recent.last()))
    assert "- helper `scale` changed, line 1: `def less(x):`, was `def scale(x):`" in said


def test_the_last_run_is_accounted_for(root):
    function = pair()
    function(1)
    recent = root.execution.recent
    assert "nothing of this name was kept before" in str(account_of_run(root.execution, recent.last()))
    function(1)
    assert "replayed, nothing that counts has changed" in str(
        account_of_run(root.execution, recent.find("pair"))
    )
    function(2)
    assert "input `x`: 2, was 1" in str(account_of_run(root.execution, recent.find("pair")))
    function.map([2, 1], progress=False)
    assert root.execution.recent.find("pair").id == function.promise(1).id
    function.rerun(2)
    assert "asked for by `rerun`" in str(account_of_run(root.execution, recent.find("pair")))


def test_the_record_is_json_that_any_client_can_read():
    function = pair()
    function(1, [2, 3])
    param = function.promise(1, [2, 3]).param
    assert param.headers["resonate-nb-about"] == "work"
    inputs = json.loads(param.data)["inputs"]
    assert inputs["x"] == "1"
    assert inputs["rate"][0] == "[2, 3]"


@pytest.mark.parametrize(
    "value",
    [10**5_000, "\ud800", "'" * 79, b"\x00" * 80, float("nan"), {}, [[1]], np.float64(0.5), range(3)],
    ids=range(9),
)
def test_any_input_can_be_recorded(value):
    @durable(name="any")
    def anything(x):
        return x is None

    anything(x=value)
    assert len(about.read(anything.promise(value).param).inputs["x"].shown) <= about.MOST_SHOWN


EDITS = {
    "a statement deep inside": (
        "def f(x):\n    if x:\n        for y in x:\n            return 1",
        "def f(x):\n    if x:\n        # why\n        for y in x:\n            return 2",
        "line 5: `return 2`, was `return 1`",
    ),
    "an added statement": ("a = 1\nb = 2", "a = 1\nc = 3\nb = 2", "line 2: `c = 3` is new"),
    "a removed statement": ("a = 1\nb = 2", "a = 1", "after line 1: `b = 2` is gone"),
    "a parameter": (
        "def f(x):\n    return x",
        "def f(y):\n    return x",
        "line 1: `def f(y):`, was `def f(x):`",
    ),
    "a docstring besides": (
        "def f():\n    'one'\n    return 1",
        "def f():\n    'two'\n    return 2",
        "line 3: `return 2`, was `return 1`",
    ),
    "no code": ("a +", "b", ""),
}


@pytest.mark.parametrize(("old", "new", "words"), EDITS.values(), ids=EDITS)
def test_the_first_edited_statement_is_found(old, new, words):
    assert first_edit(old, new) == words
