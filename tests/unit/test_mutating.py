"""A function that declares which arguments it changes changes them at replay, too, with all aliases."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from resonate_nb import Constant, Handle, MutatedArgument, NotKept, State, configure, durable, find
from resonate_nb.errors import MissingReference, UsageError

pytestmark = pytest.mark.usefixtures("root")


class Point:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return vars(self) == vars(other)

    __hash__ = None


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self, x):
        self.x = x


def twice(function, make):
    """Call with a fresh argument, and again with another; return what both left, and what both returned."""
    first, second = make(), make()
    return (first, second), (function(first), function(second))


def change_list(it):
    it.append([9])
    it[0].append("deeper")
    del it[1]


def change_dict(it):
    it["new"] = it.pop("old")
    it["inner"]["deep"] = 1


def change_set(it):
    it.discard(1)
    it.add("x")


def change_array(it):
    it *= 2
    it[0] = -1


def change_frame(it):
    it["sum"] = it["a"] + it["b"]
    it.loc[0, "a"] = 99.0
    del it["b"]


def change_object(it):
    it.x.append(2)
    it.y = uuid4().hex


SHAPES = [
    (change_list, lambda: [[1], 2, 3]),
    (change_dict, lambda: {"old": 1, "inner": {}}),
    (change_dict, lambda: OrderedDict(old=1, inner={})),
    (change_set, lambda: {1, 2}),
    (lambda it: it.extend(b"more"), lambda: bytearray(b"some")),
    (lambda it: it.appendleft(0), lambda: deque([1, 2], maxlen=9)),
    (change_array, lambda: np.arange(6.0).reshape(2, 3)),
    (change_frame, lambda: pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]})),
    (lambda it: it.__setitem__(0, 5), lambda: pd.Series([1, 2])),
    (change_object, lambda: Point([1])),
]


def shown(value):
    return (
        vars(value) if isinstance(value, Point) else value.to_dict() if hasattr(value, "to_dict") else value
    )


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_a_replay_changes_the_argument_as_the_body_did(number):
    change, make = SHAPES[number]

    @durable(name=f"changing {number}", mutates=("it",))
    def changing(it):
        change(it)
        return uuid4().hex

    (first, second), (one, other) = twice(changing, make)
    assert one == other
    assert repr(shown(first)) == repr(shown(second)) != repr(shown(make()))
    assert changing.promise(make()).tags["rnb:mutated"] == "it"


def test_attributes_in_slots_come_and_go():
    @durable(mutates=("it",))
    def changing(it):
        it.y = it.x + 1
        del it.x
        return uuid4().hex

    (_, second), (one, other) = twice(changing, lambda: Slotted(1))
    assert one == other
    assert second.y == 2
    assert not hasattr(second, "x")


def test_what_is_returned_is_the_argument_or_a_part_of_it():
    @durable(mutates=("table",))
    def changing(table):
        table["rows"].append(len(table["rows"]))
        return table, table["rows"], uuid4().hex

    (first, second), (one, other) = twice(changing, lambda: {"rows": []})
    assert one[2] == other[2]
    for table, (whole, rows, _) in ((first, one), (second, other)):
        assert whole is table
        assert rows is table["rows"]
        rows.append("seen")
        assert table["rows"] == [0, "seen"]


def test_arguments_that_share_an_object_share_it_after_a_replay():
    @durable(mutates=("left", "right"))
    def changing(left, right):
        left[0].append(1)
        right.append(left[0])
        return uuid4().hex

    def called():
        shared = []
        left, right = [shared], [shared]
        return left, right, changing(left, right)

    (left, right, one), (left2, right2, other) = called(), called()
    assert one == other
    assert left == left2
    assert right == right2
    assert left2[0] is right2[0] is right2[1]
    apart, apart2 = [[]], [[]]
    assert changing(apart, apart2) != one
    assert apart2 == [[], [1]]


def test_what_a_caller_changes_after_a_replay_reaches_no_other_caller():
    @durable(mutates=("items",))
    def changing(items):
        items.append([])
        return uuid4().hex

    seen = []
    for _ in range(3):
        items = []
        seen.append(changing(items))
        assert items == [[]]
        items[0].append("mine")
    assert len(set(seen)) == 1


def test_arrays_that_show_the_same_memory_are_other_arguments_than_equal_ones():
    @durable(mutates=("whole", "part"))
    def changing(whole, part):
        whole += 1
        return float(part.sum())

    whole, other = np.zeros(4), np.zeros(4)
    assert changing(np.zeros(4), np.zeros(2)) == 0
    assert [changing(whole, whole[2:]), changing(other, other[2:])] == [2, 2]
    assert other.tolist() == [1, 1, 1, 1]


def test_a_method_changes_its_object():
    class Model:
        def __init__(self):
            self.weights = [0.0]

        @durable(name="fit", mutates=("self",))
        def fit(self, data):
            self.weights[0] += sum(data)
            self.run = uuid4().hex
            return self

    first, second = Model(), Model()
    assert first.fit([1, 2]) is first
    assert second.fit([1, 2]) is second
    assert vars(first) == vars(second) == {"weights": [3.0], "run": first.run}


def test_what_was_not_declared_is_named_and_nothing_is_kept():
    @durable(mutates=("items",))
    def changing(items, others):
        items.append(1)
        others.append(2)

    with pytest.warns(MutatedArgument, match="`others`"):
        changing([], [])
    assert changing.promise([], []).state is State.PENDING


def test_what_only_leads_to_a_declared_argument_need_not_be_declared():
    @durable(mutates=("items",))
    def changing(items, holder):
        items.append(len(holder))
        return uuid4().hex

    values = set()
    for _ in range(2):
        items = []
        values.add(changing(items, {"items": items}))
        assert items == [1]
    assert len(values) == 1


def test_what_cannot_be_restored_in_place_is_computed_again():
    @durable(mutates=("array",))
    def changing(array):
        array.resize(6, refcheck=False)
        return uuid4().hex

    with pytest.warns(NotKept, match="`array`, a ndarray"):
        one = changing(np.zeros(4))
    with pytest.warns(NotKept):
        assert changing(np.zeros(4)) != one


def test_without_the_declaration_a_kept_change_is_no_answer():
    def changing(items):
        items.append(1)
        return uuid4().hex

    one = durable(name="changing", mutates=("items",))(changing)([])
    items = []
    with pytest.warns(MutatedArgument):
        assert durable(name="changing")(changing)(items) != one
    assert items == [1]


def test_a_failed_body_leaves_nothing_that_a_replay_would_miss():
    @durable(name="failing", mutates=("items",), keep_errors=True)
    def failing(items):
        items.append(1)
        raise ValueError("half-way")

    for _ in range(2):
        items = []
        with pytest.warns(MutatedArgument, match="`items`"), pytest.raises(ValueError, match="half-way"):
            failing(items)
        assert items == [1]


@pytest.mark.parametrize("declared", [(), ("items",)])
def test_an_attempt_that_changed_its_arguments_is_not_followed_by_another(declared):
    @durable(name=f"failing {declared}", retry=Constant(retries=3, every=0.01), mutates=declared)
    def failing(items):
        items.append(1)
        raise ValueError("half-way")

    items = []
    with pytest.raises(ValueError, match="half-way") as failed:
        failing(items)
    assert items == [1]
    assert "`items`" in " ".join(failed.value.__notes__)


def test_an_attempt_that_changed_nothing_is_followed_by_another(tmp_path):
    place = tmp_path / "failed"

    @durable(retry=Constant(retries=1, every=0.01), mutates=("items",))
    def failing_once(items, mark):
        if not Path(mark).exists():
            Path(mark).mkdir()
            raise ValueError("at first")
        items.append(1)
        return uuid4().hex

    one, other = [], []
    failing_once(one, str(place))
    failing_once(other, str(place))
    assert one == other == [1]


def test_submit_map_and_coroutines_change_their_arguments():
    @durable(name="plain", mutates=("items",))
    def plain(items):
        items.append(len(items))
        return uuid4().hex

    @durable(name="awaited", mutates=("items",))
    async def awaited(items):
        await asyncio.sleep(0)
        items.append(len(items))
        return uuid4().hex

    async def both(one, other):
        return await asyncio.gather(awaited(one), awaited(other))

    handed, again, mapped = [], [], [[], ["x"]]
    value = plain.submit(handed).result()
    assert plain.submit(again).result() == value == plain.map(mapped, progress=False)[0]
    assert [handed, again, mapped] == [[0], [0], [[0], ["x", 1]]]
    one, other = [], []
    assert len(set(asyncio.run(both(one, other)))) == 1
    assert [one, other] == [[0], [0]]


def test_calls_known_by_their_place_and_by_their_id_change_their_arguments():
    @durable(identity="call", mutates=("items",))
    def drawn(items):
        items.append(uuid4().hex)

    @durable(name="outer", mutates=("items",))
    def outer(items):
        drawn(items)
        drawn(items)
        return items

    one, other = [], []
    assert outer(one) is one
    assert outer(other) is other
    assert one == other
    assert len(set(one)) == 2
    third, fourth = [], []
    outer.run("mine", third)
    outer.run("mine", fourth)
    assert third == fourth != one


def test_two_threads_that_ask_for_the_same_call_both_see_their_own_argument_changed():
    @durable(mutates=("items",))
    def slow(items):
        time.sleep(0.3)
        items.append(uuid4().hex)
        return items

    one, other = [], []
    threads = [threading.Thread(target=slow, args=(items,)) for items in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert one == other
    assert len(one) == 1


def test_a_handle_gives_what_stands_for_itself_and_names_the_arguments_for_the_rest():
    @durable(mutates=("items",))
    def changing(items, whole):
        items.append(1)
        return items if whole else "a text"

    changing([], whole=False)
    changing([], whole=True)
    assert Handle(changing.promise([], whole=False).id).result() == "a text"
    with pytest.raises(MissingReference, match="an argument of its call"):
        Handle(changing.promise([], whole=True).id).result()


@pytest.mark.parametrize("names", [("missing",), "items"])
def test_a_declaration_that_fits_no_parameter_is_refused(names):
    with pytest.raises(UsageError, match="mutates"):

        @durable(mutates=names)
        def changing(items):
            """Change nothing."""


def test_a_generator_cannot_declare_it():
    with pytest.raises(UsageError, match="mutates"):

        @durable(mutates=("items",))
        def changing(items):
            yield items


PROGRAM = """
import os, sys
import numpy as np, pandas as pd
from uuid import uuid4
from resonate_nb import durable

@durable(identity="call")
def step(number):
    return uuid4().hex

@durable(mutates=("frame", "log"))
def enrich(frame, log, array):
    frame["token"] = [step(number) for number in range(len(frame))]
    log.append(step(9))
    if sys.argv[1] == "die":
        os._exit(9)
    frame.loc[0, "a"] = array.sum()
    return log, frame

frame, log = pd.DataFrame({"a": [1.0, 2.0]}), []
same = frame
returned = enrich(frame, log, np.ones(3))
assert returned[0] is log and returned[1] is frame is same
print(frame.to_dict(), log)
"""


def test_a_killed_call_goes_on_and_another_process_sees_the_same_changes(tmp_path):
    script = tmp_path / "enriching.py"
    script.write_text(PROGRAM)
    environment = {**os.environ, "RESONATE_NB_STORE": str(tmp_path / "other")}

    def run(how):
        done = subprocess.run(
            [sys.executable, str(script), how],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == (9 if how == "die" else 0), done.stderr
        return done.stdout

    run("die")
    configure(tmp_path / "other")
    steps = {each.id for each in find("enrich@") if each.settled}
    assert len(steps) == 3
    first = run("go on")
    assert first == run("replay")
    assert "3.0" in first
    assert len([each for each in find("enrich@") if each.settled]) == 4
