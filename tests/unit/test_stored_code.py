"""Code of many shapes, stored by one process, gives the same in another that has none of it."""

import json
import os
import subprocess
import sys

import pytest

HEAD = """
import json, sys
from resonate_nb import configure, durable
configure("store")
DATA = {"a": 3, "b": [1, 2]}
results = []
"""
DEFINED = """
durable(name="case{0}", version=1)(body)(3)
results.append(body(6))
"""
STORED = """
try:
    results.append(durable(name="case{0}", version=2)(lambda x: x).at(1)(6))
except Exception as error:
    results.append(repr(error))
"""

# Each defines what it needs, and `body(x)`.
CASES = {
    "a helper of a helper": """
def inner(x): return x * 3
def outer(x): return inner(x) + LIMIT
LIMIT = 7
def body(x): return outer(x)
""",
    "a lambda and a partial": """
from functools import partial
double = lambda x: x * 2
def add(x, y): return x + y
add_five = partial(add, y=5)
def body(x): return add_five(double(x))
""",
    "a closure": """
def make(step, table):
    count = 0
    def counted(x):
        nonlocal count
        return x + step + table[0] + count
    return counted
counted = make(4, [10])
def body(x): return counted(x)
""",
    "data by name": "def body(x): return x + DATA['a'] + sum(DATA['b'])",
    "a default that is data": "def body(x, table=[5, 6]): return x + table[1]",
    "a dataclass with a factory": """
from dataclasses import dataclass, field
@dataclass(order=True)
class Basket:
    price: int
    items: list = field(default_factory=lambda: [1])
    def total(self): return self.price * len(self.items)
def body(x): return max(Basket(x), Basket(1)).total()
""",
    "inheritance and super": """
from abc import ABC, abstractmethod
class Base(ABC):
    factor = 2
    @abstractmethod
    def run(self, x): ...
    def twice(self, x): return self.run(x) * self.factor
class Child(Base):
    def run(self, x): return x + 1
    def twice(self, x): return super().twice(x) + 100
def body(x): return Child().twice(x)
""",
    "properties, static and class methods, slots": """
class Meter:
    __slots__ = ("value",)
    def __init__(self, value): self.value = value
    @property
    def half(self): return self.value // 2
    @staticmethod
    def plus(x): return x + 1
    @classmethod
    def of(cls, x): return cls(cls.plus(x))
def body(x): return Meter.of(x).half
""",
    "an enumeration and a match": """
from enum import Enum
class Kind(Enum):
    SMALL = 1
    LARGE = 2
    @property
    def word(self): return self.name.lower()
def kind_of(x): return Kind.SMALL if x < 5 else Kind.LARGE
def body(x):
    match kind_of(x):
        case Kind.SMALL: return Kind.SMALL.word
        case other: return other.word
""",
    "a named tuple": """
from typing import NamedTuple
from collections import namedtuple
class Pair(NamedTuple):
    a: int
    b: int = 4
    def sum(self): return self.a + self.b
Other = namedtuple("Other", "c d")
def body(x): return Pair(x).sum() + Other(1, x).d
""",
    "a decorator of one's own": """
import functools
def traced(function):
    @functools.wraps(function)
    def wrapper(*args): return function(*args) + 1000
    return wrapper
@traced
def plus(x): return x + 1
def body(x): return plus(x)
""",
    "a cached helper": """
import functools
@functools.lru_cache
def slow(x): return x ** 2
def body(x): return slow(x) + slow(x)
""",
    "single dispatch": """
import functools
@functools.singledispatch
def shown(x): return "thing"
@shown.register
def _(x: int): return f"int {x}"
def body(x): return shown(x)
""",
    "libraries and their parts": """
import math, os.path, re, xml.etree.ElementTree
import numpy as np
from collections import Counter, defaultdict
WORD = re.compile("[a-z]+")
def body(x):
    root = xml.etree.ElementTree.fromstring("<a><b/></a>")
    counted = defaultdict(int, {root[0].tag: Counter("aab")["a"]})
    words = WORD.findall("a-b")
    return [words, float(np.arange(x).sum()), math.floor(2.5), os.path.basename("a/b"), dict(counted)]
""",
    "generators and comprehensions": """
def numbers(n):
    yield from range(n)
def body(x): return [n * 2 for n in numbers(x)] + sorted({n for n in numbers(2)})
""",
    "recursion, mutual and through a class": """
def even(n): return True if n == 0 else odd(n - 1)
def odd(n): return False if n == 0 else even(n - 1)
class Tree:
    def depth(self, n): return 0 if n == 0 else 1 + Tree().depth(n - 1)
def body(x): return [even(x), Tree().depth(x)]
""",
    "an exception of one's own": """
class Refused(ValueError):
    def __init__(self, x): super().__init__(f"refused {x}")
def body(x):
    try:
        raise Refused(x)
    except Refused as refused:
        return str(refused)
""",
    "a class made inside": """
def make_class(n):
    class Inside:
        def value(self): return n
    return Inside
Inside = make_class(8)
def body(x):
    class Local(Inside):
        def value(self): return super().value() + x
    return Local().value()
""",
    "a logger and annotations": """
import logging
log = logging.getLogger("cases")
def helper(x: "Unknown") -> int:
    log.debug("called")
    return x + 1
def body(x: int) -> int: return helper(x)
""",
    "another durable function": """
@durable
def leaf(x): return x * 5
def body(x): return leaf(x) + 1
""",
    "a method of a durable class": """
class Model:
    rate = 3
    def __init__(self, x): self.x = x
    @durable(name="Model.fit")
    def fit(self, y): return self.x * y * self.rate
def body(x): return Model(x).fit(2)
""",
}


def run(folder, text):
    (folder / "script.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return what each case gave where it was defined, and where it was not."""
    folder = tmp_path_factory.mktemp("cases")
    os.environ.setdefault("RESONATE_NB_KEY_FILE", str(folder / "key"))
    defined = "".join(f"{source}\n{DEFINED.format(number)}" for number, source in enumerate(CASES.values()))
    stored = "".join(STORED.format(number) for number in range(len(CASES)))
    both = [run(folder, f"{HEAD}{cases}print(json.dumps(results))") for cases in (defined, stored)]
    return [dict(zip(CASES, each, strict=True)) for each in both]


@pytest.mark.parametrize("name", CASES)
def test_code_gives_the_same_in_a_process_that_has_none_of_it(results, name):
    there, here = results
    assert here[name] == there[name]
