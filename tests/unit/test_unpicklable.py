"""What can't be kept is named by its path, its type and the reason."""

import collections
import dataclasses
import functools
import logging
import socket
import sqlite3
import sys
import tempfile
import threading
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resonate_nb.codec import Codec
from resonate_nb.errors import Unpicklable
from resonate_nb.values.keys import SigningKey

CODEC = Codec(SigningKey(b"k" * 32))
LOCK = threading.Lock()


@dataclasses.dataclass
class Model:
    logger: object = None
    parts: list = dataclasses.field(default_factory=list)


class Slotted:
    __slots__ = ("inner",)

    def __init__(self, inner):
        self.inner = inner


class Refusing:
    def __getstate__(self):
        raise NotImplementedError("not today")


def closure_over(thing):
    def function():
        return thing

    return function


def refusal_of(value, name="value"):
    with pytest.raises(Unpicklable) as caught:
        CODEC.encode(value, id="a", name=name)
    return caught.value


def cyclic():
    model = Model()
    model.parts = [model, {"lock": LOCK}]
    return model


PATHS = {
    "value": LOCK,
    "value[1]": [1, LOCK],
    "value[3]['con']": [1, 2, 3, {"a": 1, "con": LOCK}],
    "value.logger": Model(LOCK),
    "value.logger.parts[2]": Model(Model(parts=[1, 2, LOCK])),
    "value.inner.inner": Slotted(Slotted(LOCK)),
    "value.<element>": {LOCK},
    "value.<closure>.thing": closure_over(LOCK),
    "value.<closure>.thing[0]": closure_over([LOCK]),
    "value.<default>[0]": lambda lock=LOCK: lock,
    "value.parts[1]['lock']": cyclic(),
    "value['deep']['k'].logger": {"deep": collections.OrderedDict(k=Model(LOCK))},
    "value.flat[1]": np.array([1, LOCK], dtype=object),
    "value['b'].iloc[1]": pd.DataFrame({"a": [1, 2], "b": [1, LOCK]}),
    "value[70000]": [*range(70_000), LOCK, *range(70_000)],
    "value[(1, 2)]": {(1, 2): LOCK},
    "value.ns": types.SimpleNamespace(ns=LOCK),
}


@pytest.mark.parametrize("path", PATHS)
def test_the_path_leads_to_the_smallest_part(path):
    refusal = refusal_of(PATHS[path])

    assert refusal.path == path
    assert refusal.type_name == "_thread.lock"
    assert "can't be kept" in str(refusal)


def test_the_path_begins_with_the_given_name_or_with_a_key():
    assert refusal_of(Model(LOCK), name="model").path == "model.logger"
    assert refusal_of({"a": 1, "model": Model(LOCK)}, name="").path == "model.logger"


def test_a_partial_and_a_bound_argument_are_looked_into():
    assert refusal_of(functools.partial(print, Model(LOCK))).path.endswith(".logger")


def open_file(mode):
    return Path(tempfile.mkstemp()[1]).open(mode)


def generator():
    yield 1


def opened():
    yield "text file", open_file("r")
    yield "written file", open_file("w")
    yield "binary file", open_file("rb")
    yield "temporary file", tempfile.NamedTemporaryFile()  # noqa: SIM115
    yield "socket", socket.socket()
    yield "connection", sqlite3.connect(":memory:")


@pytest.mark.parametrize(
    "kind", ["text file", "written file", "binary file", "temporary file", "socket", "connection"]
)
def test_what_belongs_to_the_process_is_refused_and_left_as_it_was(kind):
    things = dict(opened())
    try:
        refusal = refusal_of({"open": things[kind]})
    finally:
        for thing in things.values():
            thing.close()

    assert refusal.path.startswith("value['open']")


@pytest.mark.parametrize(
    "value",
    [
        generator(),
        memoryview(b"a"),
        threading.current_thread(),
        sys._getframe(),
        types.ModuleType("unheard_of"),
        logging.Logger("unregistered"),  # noqa: LOG001 - the point: nobody finds it by name
        Refusing(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cloudpickle_would_falsify_or_refuse_is_refused(value):
    assert refusal_of([value]).path.startswith("value[0]")


def test_a_module_and_a_logger_are_kept_by_name():
    for value in (np, logging.getLogger("some.name"), logging.getLogger()):
        encoded = CODEC.encode([value], id="a")
        assert CODEC.decode(encoded, id="a")[0] is value


def test_whatever_a_class_raises_becomes_the_reason():
    assert "NotImplementedError: not today" in str(refusal_of(Refusing()))


def test_the_names_that_can_not_be_kept_are_told_from_the_others():
    refused = CODEC.unpicklable_parts({"a": 1, "model": Model(LOCK), "g": generator(), "f": np.zeros(5)})

    assert {name: refusal.path for name, refusal in refused.items()} == {"model": "model.logger", "g": "g"}


def test_a_part_that_is_kept_by_reference_is_not_in_the_way():
    model = Model(LOCK)

    assert CODEC.unpicklable_parts({"a": [model]}, references={"model": model}) == {}
