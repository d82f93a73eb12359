"""A durable cell is a door like the others: each shape of the corpus, called in a cell."""

from pathlib import Path

from tests.corpus.shapes import CORPUS

SETUP = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
sys.marks = os.open("marks", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
open("input.txt", "w").write("input")
from tests.corpus.shapes import CORPUS
from tests.corpus.calling import answer_all
"""
SHAPES = {name: shape for name, shape in CORPUS.items() if "cell" in shape.doors}


def begin(kernel):
    for cell in ("%load_ext resonate_nb", SETUP):
        assert kernel.run(cell).error is None


def call_of(number, name):
    """The two cells in which a shape is called: the plain one makes its arguments, the durable one calls."""
    called = "function(*arguments)"
    if name.startswith("coroutine"):
        called = f"await {called}"
    plain = (
        f"shape = CORPUS[{name!r}]\nfunction, arguments = shape.function, shape.make()\n"
        "take = list if shape.take is list else (lambda value: value)"
    )
    return plain, f"%%durable shape{number}\nvalue = take({called})\nvalue"


def value_in(kernel, number, name):
    """Return what the call comes to in a cell, its exception in words; questions are answered with yes."""
    plain, durable = call_of(number, name)
    assert kernel.run(plain).error is None
    reply = kernel.run(durable)
    if reply.error is not None and reply.error[0] == "Pending":
        assert kernel.run("answer_all()").error is None
        reply = kernel.run(durable)
    if reply.error is not None:
        return repr(f"{reply.error[0]}: {reply.error[1]}")
    printed = kernel.run("print(repr(value))")
    assert printed.error is None
    return printed.text.removesuffix("\n")


def marks(kernel):
    return (kernel.cwd / "marks").read_text().split("\n")[:-1]


def test_in_a_cell_each_shape_gives_the_same_and_another_kernel_replays_it(kernel):
    begin(kernel)
    values = {name: value_in(kernel, number, name) for number, name in enumerate(SHAPES)}
    for name, shape in SHAPES.items():
        assert shape.value is None or values[name] == repr(shape.value), name
    ran = marks(kernel)

    kernel.restart()
    begin(kernel)
    for number, name in enumerate(SHAPES):
        assert value_in(kernel, number, name) == values[name]
    again = marks(kernel)[len(ran) :]
    assert {id.partition("@")[0] for id in again} == {"tests.corpus.shapes.faulty"}  # its error is not kept
