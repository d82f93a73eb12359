"""The shapes: what people make durable, and what a call of it comes to.

Bodies leave the id of their promise as a mark, so that it can be told which of them ran. The marks go where
neither a fingerprint nor a record of files looks: to a descriptor that whoever calls has opened.
"""

import asyncio
import functools
import itertools
import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from resonate_nb import Constant, approve, current, durable, gather, idempotency_key, opaque, race, sleep

CORPUS = {}
EVERY_DOOR = ("call", "run", "submit", "cell")
OF_GENERATORS = ("call", "run", "cell")


@dataclass(frozen=True)
class Shape:
    """One way of being durable, and a call of it."""

    function: object
    make: Callable  # the arguments, anew for each call
    value: object  # or the exception in words; None: whatever it is, as long as it stays
    take: Callable  # consumes what the call gives
    kept: bool  # whether the outcome is one that is kept
    asks: bool  # whether a person has to answer on the way
    doors: tuple


def shape(
    name, function, *arguments, gives=None, make=None, take=None, kept=True, asks=False, doors=EVERY_DOOR
):
    """Put a shape into the corpus."""
    make, take = make or (lambda: arguments), take or (lambda value: value)
    CORPUS[name] = Shape(function, make, gives, take, kept, asks, doors)


def mark():
    os.write(sys.marks, f"{current().id}\n".encode())


@durable
def plain(x, y=2, *more, key="k", **others):
    mark()
    return [x, y, more, key, others]


shape("plain", plain, 1, gives=[1, 2, (), "k", {}])
shape("plain, all kinds of arguments", plain, 1, 3, {4, 5}, gives=[1, 3, ({4, 5},), "k", {}])


@durable
async def coroutine(x):
    mark()
    await asyncio.sleep(0)
    return x + 1


shape("coroutine", coroutine, 1, gives=2)


@durable
async def gathering(count):
    mark()
    return await asyncio.gather(*(coroutine(x) for x in range(count)))


shape("coroutines at once", gathering, 3, gives=[1, 2, 3])


@durable
def generator(count):
    mark()
    for x in range(count):
        yield [x]


shape("generator", generator, 3, gives=[[0], [1], [2]], take=list, doors=OF_GENERATORS)


@durable
def beginning(count):
    mark()
    return list(itertools.islice(generator(5), count))


shape("the beginning of a generator", beginning, 2, gives=[[0], [1]])


@durable
def asking_along():
    mark()
    for x in range(2):
        yield step(x)


class Account:
    """Has durable methods of all kinds."""

    rate = 3

    def __init__(self, balance):
        self.balance = balance

    @durable
    def method(self, years):
        mark()
        return self.balance * self.rate**years

    @durable
    @staticmethod
    def static(x):
        mark()
        return -x

    @durable
    @classmethod
    def of_class(cls, balance):
        mark()
        return cls.rate * balance

    @durable
    def payments(self, count):
        mark()
        for _ in range(count):
            yield self.balance, draw("payment")

    def __call__(self, x):
        mark()
        return self.balance + x


shape("method", Account(10).method, 2, gives=90)
shape("staticmethod", Account.static, 1, gives=-1)
shape("classmethod", Account.of_class, 5, gives=15)
shape("callable object", durable(Account(10), name="account"), 1, gives=11)


def power(base, exponent):
    mark()
    return base**exponent


shape("functools.partial", durable(functools.partial(power, exponent=3), name="cube"), 2, gives=8)


def made(factor):
    @durable(name="closure")
    def closure(x):
        mark()
        return [factor[0] * x]

    return closure


shape("captured data", made([7]), 2, gives=[14])


@durable
def step(x):
    mark()
    return 2 * x


@durable
def nested(count):
    mark()
    return sum(step(x) for x in range(count))


shape("nested calls", nested, 3, gives=6)
shape("generator of nested calls", asking_along, gives=[0, 2], take=list, doors=OF_GENERATORS)


@durable
def fibonacci(n):
    mark()
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


shape("recursion", fibonacci, 4, gives=3)


@durable(retry=Constant(retries=2, every=0))
def stubborn():
    mark()
    if current().attempt < 3:
        raise ConnectionError("not yet")
    return "at last"


shape("retries", stubborn, gives="at last")


@durable(identity="call")
def draw(_):
    mark()
    return random.SystemRandom().random()


@durable
def drawing(count):
    mark()
    return [draw("same") for _ in range(count)]


shape("children by place", drawing, 2)


@durable(identity="call")
def outer_draw(x):
    mark()
    return x, draw("inner")


@durable
def drawing_deeper():
    mark()
    return outer_draw(1), draw("last")


shape("children of children", drawing_deeper)


@durable(id=opaque)
def lot():
    mark()
    return random.SystemRandom().random()


@durable
def casting():
    mark()
    return [lot(), lot()]


shape("opaque ids", casting)


@durable
def delegating(count):
    mark()
    handles = [step.submit(x) for x in range(count)]
    return [handle.result() for handle in handles]


shape("submit and Handle inside", delegating, 2, gives=[0, 2])


@durable
def mapping(count):
    mark()
    return step.map(range(count), workers=2, progress=False)


shape("map inside", mapping, 3, gives=[0, 2, 4])


@durable
def mapping_draws(count):
    mark()
    return draw.map(range(count), progress=False)


shape("map of children by place", mapping_draws, 2)


@durable
def mutating(items):
    mark()
    items.append(step(1))
    return len(items)


shape("argument that is changed", mutating, make=lambda: ([1],), gives=2, kept=False)


@durable(keep_errors=True)
def failing(x):
    mark()
    raise LookupError(f"no {step(x)}")


shape("exception that is kept", failing, 1, gives="LookupError: no 2")


@durable
def faulty(x):
    mark()
    raise LookupError(f"no {step(x)}")


shape("exception that is not", faulty, 1, gives="LookupError: no 2", kept=False)


@durable
def careful(x):
    mark()
    try:
        return failing(x)
    except LookupError as error:
        return f"careful: {error}"


shape("exception that is caught", careful, 3, gives="careful: no 6")


@durable
def questioning(x):
    mark()
    return step(x) if approve(f"{x}?") else None


shape("question inside", questioning, 4, gives=8, asks=True)


@durable
def questioning_along(x):
    mark()
    yield step(x)
    yield approve(f"{x} more?")


shape(
    "question in a generator",
    questioning_along,
    2,
    gives=[4, True],
    take=list,
    asks=True,
    doors=OF_GENERATORS,
)


@durable(id="report/{month}")
def report(month):
    mark()
    return step(month)


shape("ids of its own", report, 11, gives=22)


@durable(version=2, timeout="1h", tags={"team": "red"})
def pinned(x):
    mark()
    return step(x)


shape("pinned, with a deadline", pinned, 1, gives=2)


@durable
def reading(name):
    mark()
    return Path(name).read_text()


@durable
def reading_along(name):
    mark()
    return reading(name).upper()


shape("file read inside", reading_along, "input.txt", gives="INPUT")


@durable
def writing(name):
    mark()
    Path(name).write_text("output")
    return name


shape("file written", writing, "output.txt", gives="output.txt")


@durable
def large(size):
    mark()
    return bytearray(size), "x" * size


shape("value in files", large, 100_000, gives=(bytearray(100_000), "x" * 100_000))


@durable
def telling():
    mark()
    return idempotency_key()


shape("idempotency key", telling)


@durable
def gathered():
    mark()
    return gather(step.submit(0), lambda: step(1), lambda: draw("gathered") < 2)


shape("gather inside", gathered, gives=[0, 2, True])


@durable
def racing():
    mark()
    return race(lambda: sleep("1h"), lambda: step(1))


shape("race inside", racing, gives=2)


@durable
def napping():
    mark()
    sleep("20ms")
    return step(1)


shape("sleep inside", napping, gives=2)


@durable(mutates=("items",))
def appending(items):
    mark()
    items.append(step(1))
    return items


shape("argument that is changed as declared", appending, make=lambda: ([1],), gives=[1, 2])

shape("generator of children by place", Account(10).payments, 2, take=list, doors=OF_GENERATORS)


@durable(keep_errors=True)
def breaking(count):
    mark()
    yield from generator(count)
    raise LookupError(f"no {step(count)}")


shape("generator that breaks", breaking, 2, gives="LookupError: no 4", take=list, doors=OF_GENERATORS)


@durable
def lines(name):
    mark()
    for line in Path(name).read_text().split("p"):
        yield line, bytearray(70_000)


shape(
    "generator of large values from a file",
    lines,
    "input.txt",
    gives=[("in", bytearray(70_000)), ("ut", bytearray(70_000))],
    take=list,
    doors=OF_GENERATORS,
)
