"""Versions hold: older code is called from the store, numbers are pinned, changes are seen."""

import importlib
import sys
import threading
from dataclasses import dataclass
from enum import Enum

import pytest

from resonate_nb import State, VersionConflict, VersionMissing, configure, durable, restart, versions
from resonate_nb.errors import MutatedArgument, NoSuchPromise, ResonateWarning, UsageError
from resonate_nb.explain import forecast
from resonate_nb.store.operations import Release
from resonate_nb.views import details

pytestmark = pytest.mark.usefixtures("root")
ALPHA = [2]
CONSTANT = 10


def helper(x):
    return x + CONSTANT


@dataclass(frozen=True)
class Point:
    x: int

    def moved(self):
        return Point(helper(self.x))


def again(x):
    raise NotImplementedError(x)


def inner(x):
    raise NotImplementedError(x)


class Colour(Enum):
    RED = 1


@pytest.fixture
def as_in_a_notebook():
    """Let a test bind names of this module anew, as running a cell does."""
    before = dict(globals())
    yield globals()
    globals().update(before)


def test_an_older_version_is_called_from_the_store_with_its_helpers_as_they_were(as_in_a_notebook):
    @durable(name="scaled", version=1)
    def scaled(x):
        return helper(x) * ALPHA[0]

    assert scaled(1) == 22

    @durable(name="scaled", version=2)
    def scaled(x):
        return -x

    as_in_a_notebook["helper"] = lambda _x: 0
    as_in_a_notebook["CONSTANT"] = -1

    assert scaled(1) == -1
    assert scaled.at(1).promise(1).state is State.RESOLVED
    assert scaled.at(1)(1) == 22
    assert scaled.at(1)(2) == 24


def test_a_version_without_number_is_called_by_the_beginning_of_its_fingerprint():
    @durable(name="automatic")
    def automatic(x):
        return x + 1

    automatic(1)
    first = automatic.code().digest

    @durable(name="automatic")
    def automatic(x):
        return x + 2

    assert automatic(1) == 3
    assert [automatic.at(first[:8])(1), automatic.at(first)(5)] == [2, 6]
    with pytest.raises(VersionMissing, match="several begin so"):
        automatic.at("")
    with pytest.raises(VersionMissing, match=first[:12]):
        automatic.at("0000000000")
    with pytest.raises(VersionMissing, match="version 7 of 'automatic'"):
        automatic.at(7)


def test_data_that_older_code_reads_is_read_where_it_is_now(as_in_a_notebook):
    @durable(name="reading", version=1)
    def reading():
        return ALPHA[0]

    assert reading() == 2
    older = reading.at(1)

    as_in_a_notebook["ALPHA"] = [3]
    assert older() == 3
    ALPHA[0] = 4
    assert older() == 4
    assert reading() == 4  # the same promise
    assert older.promise().id == reading.promise().id


def test_older_code_takes_instances_of_classes_that_are_as_they_were(as_in_a_notebook):
    @durable(name="moving", version=1)
    def moving(point, colour):
        return isinstance(point, Point), Point(point.x).moved(), colour is Colour.RED

    assert moving(Point(1), Colour.RED) == (True, Point(11), True)
    older = moving.at(1)
    assert older(Point(2), Colour.RED) == (True, Point(12), True)

    # From now on the class of the notebook means something else: it calls the new helper.
    as_in_a_notebook["helper"] = lambda x: x
    is_instance, moved, _ = older(Point(3), Colour.RED)
    assert (is_instance, moved.x) == (False, 13)


def test_older_code_calls_other_durable_functions_as_they_were(as_in_a_notebook):
    @durable(name="inner")
    def before(x):
        return x + 1

    @durable(name="inner")
    def after(x):
        return x + 2

    as_in_a_notebook["inner"] = before

    @durable(name="outer", version=1)
    def outer(x):
        return inner(x) * 10

    assert outer(1) == 20
    as_in_a_notebook["inner"] = after
    assert outer.at(1)(2) == 30
    assert before.promise(2).state is State.RESOLVED
    assert after.promise(2) is None


def test_a_function_that_calls_itself_does_so_in_its_older_version(as_in_a_notebook):
    @durable(name="factorial", version=1)
    def factorial(n):
        return 1 if n < 2 else n * again(n - 1)

    as_in_a_notebook["again"] = factorial
    assert factorial(3) == 6
    older = factorial.at(1)
    as_in_a_notebook["again"] = lambda _n: 0
    assert older(5) == 120
    assert older.promise(4).state is State.RESOLVED


def test_code_of_the_users_own_modules_is_kept_with_the_version(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_rates.py").write_text("RATE = 2\ndef rate(x):\n    return x * RATE\n")
    own_rates = importlib.import_module("own_rates")

    @durable(name="rated", version=1)
    def rated(x):
        return own_rates.rate(x)

    assert rated(1) == 2
    (tmp_path / "own_rates.py").write_text("RATE = 30\ndef rate(x):\n    return x * RATE + 1\n")
    importlib.invalidate_caches()
    sys.modules["own_rates"] = importlib.reload(own_rates)

    @durable(name="rated", version=2)
    def rated(x):
        return own_rates.rate(x)

    assert rated(1) == 31
    assert rated.at(1)(5) == 10


def test_a_version_whose_code_cannot_be_kept_says_why():
    class Guarded:
        def __init__(self):
            self.lock = threading.Lock()

        def __durable_digest__(self):
            return "guarded"

    guarded = Guarded()

    @durable(name="locking", version=1)
    def locking(x):
        with guarded.lock:
            return x

    assert locking(1) == 1
    with pytest.raises(VersionMissing, match="lock"):
        locking.at(1)


def test_code_that_imports_the_users_modules_inside_is_not_called_from_the_store(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_late.py").write_text("def late():\n    return 1\n")

    @durable(name="importing", version=1)
    def importing():
        from own_late import late

        return late()

    assert importing() == 1
    with pytest.raises(VersionMissing, match="imports own_late inside its body"):
        importing.at(1)


def test_a_global_that_older_code_rebinds_is_named_and_the_outcome_not_kept(as_in_a_notebook):
    as_in_a_notebook["COUNT"] = 0

    @durable(name="counting", version=1)
    def counting(x):
        global COUNT  # noqa: PLW0603 (what notebooks do)
        COUNT += x
        return COUNT

    with pytest.warns(MutatedArgument, match="COUNT"):
        counting(1)
    older = counting.at(1)
    as_in_a_notebook["COUNT"] = 5
    with pytest.warns(MutatedArgument, match="COUNT"):
        assert older(1) == 6


def make(number, body, **options):
    """Return a durable function with one of several bodies."""

    def one(x):
        if x < 0:
            raise LookupError("negative")
        return x + 1

    def two(x):
        return x + 2

    return durable(name="pinned", version=number, **options)({"one": one, "two": two}[body])


def test_a_number_is_free_again_while_only_failed_attempts_stand_under_it():
    with pytest.raises(LookupError):
        make(1, "one")(-1)
    assert make(1, "two")(-1) == 1
    with pytest.raises(VersionConflict, match=r"\+def one"):
        make(1, "one")(-1)


def test_a_number_that_a_promise_with_an_id_of_its_own_settled_under_is_pinned():
    assert make(1, "one").run("by hand", 1) == 2
    with pytest.raises(VersionConflict):
        make(1, "two")(5)


def test_changed_code_under_a_number_is_accepted_or_warned_about_where_that_is_asked_for():
    assert make(1, "one")(1) == 2
    with pytest.warns(ResonateWarning, match="changed under version 1"):
        assert make(1, "two", on_change="warn")(2) == 4
    with pytest.raises(VersionConflict):
        make(1, "two")(3)
    assert make(1, "two", on_change="accept")(3) == 5
    assert make(1, "two")(4) == 6
    with pytest.raises(VersionConflict):
        make(1, "one")(3)


def test_a_record_says_what_a_version_was(root, tmp_path):
    make(3, "one")(1)
    record = versions.record_of(root.execution, "pinned", "v3")
    assert record.number == 3
    assert record.parts[0].source == record.source
    assert "return x + 1" in record.source
    assert versions.record_of(root.execution, "pinned", record.fingerprint[:12]) == record
    assert versions.record_of(root.execution, "pinned", "v4") is None

    configure(tmp_path / "store")
    assert make(3, "two").at(3)(7) == 8


def test_the_table_of_versions_counts_what_is_kept_under_each_and_names_the_current_one():
    one, two = make(1, "one"), make(2, "two")
    one(1), one(2), two.run("by hand", 5)
    automatic = make(None, "one")
    automatic(7)

    table = two.versions()

    assert [(each.number, each.promises, each.current) for each in table] == [
        (1, 2, False),
        (2, 1, True),
        (None, 1, False),
    ]
    assert [each.current for each in automatic.versions()] == [False, False, True]
    assert table[1].fingerprint == two.code().digest
    assert table[0].bytes > 0
    assert repr(table).splitlines()[2].split()[:2] == ["2", two.code().digest[:12]]
    assert repr(table).splitlines()[2].endswith("current")
    assert "<td>current</td>" in table._repr_html_()


def test_any_two_versions_are_compared_in_words_and_line_by_line(as_in_a_notebook):
    def other_helper(x):
        return x - CONSTANT

    @durable(name="compared", version=1)
    def compared(x):
        return helper(x)

    compared(1)
    as_in_a_notebook["helper"] = other_helper
    as_in_a_notebook["CONSTANT"] = 11

    @durable(name="compared", version=2)
    def compared(x):
        return helper(x) + 1

    compared(1)
    said = compared.versions().diff(1, 2)
    assert "constant helper.CONSTANT: 11, was 10" in said
    assert "+    return helper(x) + 1" in said.splitlines()
    assert "x - CONSTANT" in said
    first = compared.versions()[0].fingerprint
    assert compared.versions().diff(first[:10], 2) == said
    with pytest.raises(VersionMissing, match="version 9"):
        compared.versions().diff(1, 9)


def test_a_promise_tells_which_versions_of_durable_functions_it_called():
    leaf = make(1, "one")
    twig = make(None, "two")

    @durable(name="trunk")
    def trunk(n):
        return leaf(n), twig.map(range(n), progress=False)

    trunk(3)
    called = f"pinned@{twig.code().digest[:12]}, pinned@v1"
    assert trunk.promise(3).tags["rnb:called"] == called
    assert f"rnb:called = {called}" in details(trunk.promise(3))

    trunk.rerun(3)  # what was delivered counts as well
    assert trunk.promise(3).tags["rnb:called"] == called


def test_an_interrupted_call_of_an_id_goes_on_with_the_present_code():
    def interrupted(x):
        raise KeyboardInterrupt(x)

    def fixed(x):
        return x + 1

    with pytest.raises(KeyboardInterrupt):
        durable(name="stopped")(interrupted).run("by hand", 1)
    assert durable(name="stopped")(fixed).run("by hand", 1) == 2
    assert durable(name="stopped")(fixed).run("by hand", 1) == 2


def test_restart_refuses_what_is_settled_absent_or_being_computed():
    def restarting():
        return restart("by hand")

    calling = durable(name="restarting")(restarting)
    with pytest.raises(UsageError, match="being computed by another thread of this process"):
        calling.run("by hand")
    with pytest.raises(UsageError, match="is settled"):
        restart("by hand")
    with pytest.raises(NoSuchPromise):
        restart("nowhere")


def test_what_calls_an_older_version_is_computed_again_when_the_data_that_that_reads_changes(
    as_in_a_notebook,
):
    @durable(name="reading", version=1)
    def reading(x):
        return x * ALPHA[0]

    reading(1)
    as_in_a_notebook["again"] = reading.at(1)

    @durable(name="calling")
    def calling(x, read=None):
        return again(x) if read is None else read(x)

    assert [calling(5), calling(5, reading.at(1))] == [10, 10]
    as_in_a_notebook["ALPHA"] = [7]
    assert [calling(5), calling(5, reading.at(1))] == [35, 35]


def test_why_tells_that_a_promise_will_go_on_with_the_code_it_started_with(root):
    one, two = make(None, "one"), make(None, "two")
    execution = root.execution
    attempt = execution.enter(one.work((1,), {}, id="by hand"))
    execution.store.do(Release(id="by hand", owner=attempt.owner.text))  # as after a kill

    assert "goes on with the code it started with" in str(
        forecast(execution, two.work((1,), {}, id="by hand"))
    )
    restart("by hand")
    assert "goes on with" not in str(forecast(execution, two.work((1,), {}, id="by hand")))
    assert two.run("by hand", 1) == 3


def test_under_an_id_scheme_a_call_that_was_cut_off_keeps_its_code(root):
    def one(day):
        return f"one {day}"

    def two(day):
        return f"two {day}"

    execution, news = root.execution, durable(name="news", id="news/{day}")
    attempt = execution.enter(news(one).work((1,), {}))
    execution.store.do(Release(id="news/1", owner=attempt.owner.text))  # as after a kill

    assert news(two)(1) == "one 1"
    assert news(two)(2) == "two 2"
