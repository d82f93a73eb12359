"""A call that was made before takes a shortcut to its value, and falls into none of the traps on the way."""

import importlib
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from resonate_nb import VersionConflict, configure, durable, find
from resonate_nb.signatures import Binding

pytestmark = pytest.mark.usefixtures("root")
MODULE = """
from uuid import uuid4
from resonate_nb import durable

@durable(name="drawn")
def drawn(x, y=None):
    return uuid4().hex
"""
OFTEN = 4  # calls, after which the shortcut has been taken
FACTOR = 2


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """A durable function that gives another text at each run of its body; other processes can import it."""
    name = f"drawing_{uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(name).drawn
    del sys.modules[name]


def elsewhere(folder, function, code):
    """Run a statement about the function, which it calls `drawn`, in a process of its own."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    program = f"from {function.__wrapped__.__module__} import drawn\n{code}"
    environment = {**os.environ, "RESONATE_NB_STORE": str(folder / "store"), "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)


def often(call, *args, **kwargs):
    """Call until the shortcut has been taken; return the one value that was delivered."""
    values = [call(*args, **kwargs) for _ in range(OFTEN)]
    assert len(set(map(repr, values))) == 1
    return values[0]


@pytest.mark.parametrize("code", ["drawn.rerun(1)", "drawn.forget(1)"])
def test_what_another_process_makes_of_the_promise_counts_at_once(tmp_path, drawn, code):
    before = often(drawn, 1)
    elsewhere(tmp_path, drawn, code)
    after = often(drawn, 1)
    assert after != before
    configure(tmp_path / "store")
    assert drawn(1) == after


def test_what_another_process_settles_is_delivered_and_not_computed(tmp_path, drawn):
    often(drawn, 1)
    drawn.forget(1)
    theirs = tmp_path / "theirs"
    elsewhere(tmp_path, drawn, f"open({str(theirs)!r}, 'w').write(drawn(1))")
    assert often(drawn, 1) == theirs.read_text()


def test_rerun_here_and_its_replay_through_the_next_generation(drawn):
    before = often(drawn, 1)
    after = drawn.rerun(1)
    assert often(drawn, 1) == after != before


def test_a_store_that_was_deleted_delivers_nothing(tmp_path, drawn):
    before = often(drawn, 1)
    shutil.rmtree(tmp_path / "store")
    assert often(drawn, 1) != before


def test_another_root_has_its_own_values(tmp_path, drawn):
    first = often(drawn, 1)
    configure(tmp_path / "other")
    second = often(drawn, 1)
    configure(tmp_path / "other", prefix="mine/")
    third = often(drawn, 1)
    configure(tmp_path / "store")
    assert often(drawn, 1) == first
    assert len({first, second, third}) == 3


def test_calls_that_are_equal_in_python_alone_are_calls_of_their_own(drawn):
    for group in [(1, 1.0, True), (0.0, -0.0), ("a", b"a"), (1, 1 + 0j), (None, "None"), ("\ud800", "?")]:
        assert len({often(drawn, x) for x in group}) == len(group)


def test_a_call_is_the_same_however_its_arguments_are_written(drawn):
    value = often(drawn, 1, 2)
    assert often(drawn, 1, y=2) == often(drawn, y=2, x=1) == often(drawn, x=1, y=2) == value
    assert often(drawn, 2, 1) != value
    assert often(drawn, 1) == often(drawn, 1, None) != value


def test_arguments_that_can_change_are_looked_at_each_time(drawn):
    numbers = [1]
    before = often(drawn, numbers)
    numbers.append(2)
    after = often(drawn, numbers)
    numbers.pop()
    assert often(drawn, numbers) == before != after


def test_data_and_literals_that_the_code_reads_count_at_each_call(monkeypatch):
    @durable(name="scaled")
    def scaled(x):
        return x * FACTOR + table[0]

    table = [0]
    assert often(scaled, 1) == 2
    monkeypatch.setitem(globals(), "FACTOR", 3)
    assert often(scaled, 1) == 3
    table[0] = 10
    assert often(scaled, 1) == 13
    monkeypatch.setitem(globals(), "FACTOR", 2)
    assert often(scaled, 1) == 12


def test_a_literal_or_a_helper_alone_counts_at_each_call(monkeypatch):
    @durable(name="helped")
    def helped(x):
        return helper(x) * FACTOR

    def helper(x):
        return x + 1

    assert often(helped, 1) == 4
    monkeypatch.setitem(globals(), "FACTOR", 3)
    assert often(helped, 1) == 6

    helper = lambda x: x + 2  # noqa: E731, F811 - bound anew, as by a cell that runs again
    assert often(helped, 1) == 9


def test_defaults_that_change_count_at_each_call():
    @durable(name="defaulted")
    def defaulted(x, seen=[1]):  # noqa: B006
        return x + sum(seen)

    @durable(name="with default")
    def with_default(x, y=1):
        return x + y

    assert often(defaulted, 1) == 2
    defaulted.__wrapped__.__defaults__[0].append(5)
    assert often(defaulted, 1) == 7
    assert often(with_default, 1) == 2


def test_code_that_changed_under_its_number_is_refused_after_any_number_of_calls():
    @durable(name="numbered", version=1)
    def numbered(x):
        return x + FACTOR

    assert often(numbered, 1) == 3
    numbered.__wrapped__.__code__ = (lambda x: x + FACTOR + 1).__code__
    with pytest.raises(VersionConflict):
        numbered(1)


def test_a_value_that_can_change_is_a_fresh_one_for_each_caller():
    @durable(name="listing")
    def listing(x):
        return [x]

    for _ in range(OFTEN):
        value = listing(1)
        assert value == [1]
        value.append(2)


def test_a_file_that_was_read_counts_at_each_call(tmp_path):
    place = tmp_path / "number.txt"
    place.write_text("1")

    @durable(name="read")
    def read(name):
        return int(Path(name).read_text())

    assert often(read, str(place)) == 1
    place.write_text("22")
    assert often(read, str(place)) == 22


def test_a_promise_records_which_versions_it_called_by_the_shortcut(drawn):
    often(drawn, 1)

    @durable(name="outer")
    def outer(x):
        return drawn(x)

    assert outer(1) == drawn(1)
    (promise,) = find("outer@")
    assert promise.tags["rnb:called"].startswith("drawn@")


def test_a_call_that_failed_is_tried_again_by_each_call():
    @durable(name="failing")
    def failing(x):
        raise ValueError(x)

    for _ in range(OFTEN):
        with pytest.raises(ValueError, match="1"):
            failing(1)


SIGNATURES = [
    "",
    "a",
    "a, b=2",
    "a=1, b=2",
    "a, /, b=2",
    "a, *rest",
    "a, *, key",
    "a, *, key=3",
    "a, b=2, *rest, key=3, **more",
    "**more",
]
CALLS = [((), {}), ((1,), {}), ((1, 2), {}), ((1, 2, 3), {}), ((1,), {"b": 5}), ((), {"b": 5, "a": 4})]
CALLS += [((1,), {"key": 7}), ((1, 2), {"other": 8}), ((1,), {"a": 2}), ((), {"a": 4})]


@pytest.mark.parametrize("parameters", SIGNATURES)
def test_arguments_are_bound_as_python_binds_them(parameters):
    signature = inspect.signature(eval(f"lambda {parameters}: None"))
    binding = Binding(signature)
    for args, kwargs in CALLS:
        try:
            expected = signature.bind(*args, **kwargs)
        except TypeError:
            with pytest.raises(TypeError):
                binding.bind(args, kwargs)
            continue
        expected.apply_defaults()
        assert list(binding.bind(args, kwargs).items()) == list(expected.arguments.items())
