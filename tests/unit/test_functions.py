"""A decorated function's calls are promises: identity, versions, errors, nesting, maps."""

import asyncio
import copy
import pickle
import threading
from uuid import uuid4

import pytest

from resonate_nb import (
    MutatedArgument,
    NotKept,
    PromiseConflict,
    State,
    UndigestibleInput,
    VersionConflict,
    configure,
    current,
    durable,
)
from resonate_nb.corridor.work import Outcome
from resonate_nb.errors import UsageError
from resonate_nb.views import tree

pytestmark = pytest.mark.usefixtures("root")
FACTOR = 2


@durable(name="listed", version=7)
def listed(x):
    return x + 1


def test_a_call_is_found_however_its_arguments_are_written():
    @durable(name="pair")
    def pair(x, y=1):
        return [x, y, FACTOR]

    assert pair(1) == pair(x=1, y=1) == [1, 1, 2]
    assert pair.promise(1, y=1).state is State.RESOLVED
    assert pair.promise(2) is None


def counting(folder):
    """Return a durable function that leaves a mark in a folder at each run of its body."""

    @durable(name="counted")
    def counted(x):
        (folder / f"{x}-{uuid4()}").touch()
        return x * 10

    return counted


def runs(folder):
    return len(list(folder.iterdir()))


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def test_the_body_runs_once_and_again_after_forget_or_rerun(marks):
    counted = counting(marks)
    assert [counted(1), counted(1)] == [10, 10]
    assert runs(marks) == 1
    assert counted.rerun(1) == 10
    assert runs(marks) == 2
    assert counted.forget(1)
    assert not counted.forget(1)
    assert counted(1) == 10
    assert runs(marks) == 3


def test_a_store_opened_again_delivers_what_was_kept(tmp_path, marks):
    counted = counting(marks)
    counted(1)
    configure(tmp_path / "store")
    assert counted(1) == 10
    assert runs(marks) == 1


def test_a_global_that_is_data_belongs_to_the_arguments():
    table = {"a": 1}

    @durable(name="reading")
    def reading():
        return table["a"]

    assert reading() == 1
    table["a"] = 2
    assert reading() == 2


def test_changed_code_under_a_pinned_number_is_refused_with_a_diff():
    def make(source):
        @durable(name="pinned", version=1)
        def one(x):
            return x + 1

        @durable(name="pinned", version=1)
        def other(x):
            return x + 2

        return one if source == "one" else other

    assert make("one")(1) == 2
    assert make("one")(1) == 2
    with pytest.raises(VersionConflict, match=r"\+.*x \+ 2"):
        make("other")(1)
    make("other").repin()
    assert make("other")(1) == 2  # the results kept under the number stay valid


def test_an_explicit_id_is_guarded():
    @durable(name="report")
    def report(month):
        return month

    assert report.run("reports/11", 11) == 11
    assert report.run("reports/11", 11) == 11
    with pytest.raises(PromiseConflict, match="reports/11"):
        report.run("reports/11", 12)


def test_a_failed_call_raises_its_own_error_and_is_tried_again(marks):
    @durable(name="failing")
    def failing():
        (marks / str(uuid4())).touch()
        raise LookupError("not there")

    for _ in range(2):
        with pytest.raises(LookupError, match="not there"):
            failing()
    assert runs(marks) == 2
    assert failing.promise().state is State.PENDING
    assert failing.promise().tags["rnb:last_error"] == "LookupError: not there"


def test_a_kept_error_is_final(marks):
    @durable(name="final", keep_errors=True)
    def final():
        (marks / str(uuid4())).touch()
        raise LookupError("never there")

    for _ in range(2):
        with pytest.raises(LookupError, match="never there"):
            final()
    assert runs(marks) == 1


def test_a_mutated_argument_is_named_and_the_outcome_not_kept():
    @durable(name="mutating")
    def mutating(numbers):
        numbers.append(1)
        return len(numbers)

    with pytest.warns(MutatedArgument, match="`numbers`"):
        assert mutating([]) == 1
    assert mutating.promise([]).state is State.PENDING


def test_a_value_that_cannot_be_kept_is_delivered_and_said():
    @durable(name="locking")
    def locking():
        return threading.Lock()

    with pytest.warns(NotKept, match="lock"):
        locking()


def test_an_argument_without_content_is_refused_by_name():
    @durable(name="taking")
    def taking(lock):
        return lock

    with pytest.raises(UndigestibleInput, match="lock"):
        taking(threading.Lock())


def test_calls_nest_and_the_tree_is_recorded(root):
    @durable(name="leaf")
    def leaf(_x):
        return current().parent.work_id.partition("@")[0]

    @durable(name="trunk")
    def trunk():
        return [leaf(1), leaf(2)]

    assert trunk() == ["trunk", "trunk"]
    rows = tree(root.execution, trunk.promise().id)
    assert [depth for depth, _ in rows] == [0, 1, 1]


def test_a_call_of_the_promise_that_is_being_computed_is_refused():
    @durable(name="endless")
    def endless():
        return endless()

    with pytest.raises(RecursionError, match="endless"):
        endless()


def test_coroutine_functions_are_awaited_and_computed_once(marks):
    @durable(name="slow")
    async def slow(x):
        await asyncio.sleep(0)
        (marks / str(uuid4())).touch()
        return x

    async def several():
        return await asyncio.gather(slow(1), slow(1), slow(2))

    assert asyncio.run(several()) == [1, 1, 2]
    assert runs(marks) == 2


@pytest.mark.parametrize("workers", [None, 3])
def test_a_map_computes_only_what_is_missing(marks, workers):
    counted = counting(marks)
    counted.map(range(5), progress=False)
    assert counted.map(range(10), workers=workers, progress=False) == [n * 10 for n in range(10)]
    assert runs(marks) == 10


def test_a_failing_item_leaves_the_others_kept():
    @durable(name="picky")
    def picky(x):
        if x == 2:
            raise ValueError("two")
        return x

    with pytest.raises(ValueError, match="two") as caught:
        picky.map(range(4), progress=False)
    assert "1 of 4 items failed" in caught.value.__notes__[0]
    assert picky.promise(3).state is State.RESOLVED
    results = picky.map(range(4), return_exceptions=True, progress=False)
    assert isinstance(results[2], ValueError)


def test_what_is_no_function_is_refused():
    with pytest.raises(UsageError, match="asynchronous generator"):

        @durable
        async def numbers():
            yield 1

    with pytest.raises(UsageError, match="builtin"):
        durable(len)


def test_an_attempt_that_outlived_its_forgotten_promise_does_not_settle_the_new_one(root):
    @durable(name="first")
    def first(x):
        return f"first {x}"

    @durable(name="second")
    def second(x):
        return f"second {x}"

    execution = root.execution
    old = execution.enter(first.work((1,), {}, id="shared"))
    execution.forget("shared")
    new = execution.enter(second.work((1,), {}, id="shared"))
    assert old.fence == new.fence

    with pytest.raises(PromiseConflict, match="second"):
        execution.settle(old, Outcome("first 1"))

    assert execution.settle(new, Outcome("second 1")).deliver() == "second 1"
    assert second.run("shared", 1) == "second 1"


def test_an_argument_is_not_mistaken_for_data_of_the_same_name():
    table = [1]

    def helper():
        return list(table)

    @durable(name="mixed")
    def mixed(table):
        return list(table), helper()

    assert mixed([5]) == ([5], [1])
    assert mixed([6]) == ([6], [1])
    table.append(2)
    assert mixed([6]) == ([6], [1, 2])


def test_arguments_that_share_an_object_are_other_arguments_than_equal_ones():
    @durable(name="sharing")
    def sharing(outer, inner):
        return outer[0] is inner

    inner = [1]
    assert sharing([inner], inner) is True
    assert sharing([[1]], inner) is False


def test_an_argument_that_loses_its_content_costs_the_promise_but_not_the_value():
    @durable(name="spoiling")
    def spoiling(box):
        box.append(threading.Lock())
        return 1

    with pytest.warns(MutatedArgument, match="`box`"):
        assert spoiling([]) == 1


def test_a_bound_method_knows_its_object_in_every_way_of_being_called():
    class Account:
        rate = 3

        def __init__(self, balance):
            self.balance = balance

        @durable
        def after(self, years):
            return self.balance * self.rate**years

        @durable
        @classmethod
        def default(cls, years):
            return cls.rate**years

    account, other = Account(10), Account(20)
    assert [account.after(2), other.after(2)] == [90, 180]
    assert account.after.run("mine", 2) == account.after.submit(2).result() == 90
    assert other.after.map([1, 2], progress=False) == [60, 180]
    assert other.after.promise(2).id == Account.after.promise(other, 2).id != account.after.promise(2).id
    assert account.after == account.after != other.after
    assert account.after.forget(2)
    assert Account.default.submit(2).result() == Account.default(2) == 9


def test_a_durable_function_in_a_value_is_kept_by_its_name():
    @durable(name="pipeline")
    def pipeline():
        return [listed]

    @durable(name="nameless")
    def nameless():
        @durable
        def inner():
            return 1

        return inner

    listed(1)
    assert pipeline()[0] is listed
    assert pipeline.promise().state is State.RESOLVED
    assert pipeline()[0] is listed
    with pytest.warns(NotKept, match="kept by its name"):
        nameless()
    assert copy.deepcopy([listed])[0] is listed
    assert pickle.loads(pickle.dumps(listed)) is listed
