"""A notebook whose kernel dies at thirty points, in bodies and right after them, ends as the plain one."""

SETUP = """
import os, pathlib, signal
def die_once(point):
    died = pathlib.Path(f"died-{point}")  # not read: what a body read would count
    if died.exists():
        return
    died.touch()
    os.kill(os.getpid(), signal.SIGKILL)
def mark(point):
    with open("marks", "a") as file:
        file.write(point + " ")
"""
FUNCTION = """
from resonate_nb import durable
@durable
def square(x):
    mark(f"item-{x}")
    die_once(f"in-item-{x}")
    return x * x
"""
LOOP = "squares = []\nfor x in range(10):\n    squares.append(square(x))\n    die_once(f'after-item-{x}')"


def durable_cell(number):
    return (
        f"%%durable step{number}\nmark('cell-{number}')\npart{number} = [x + {number} for x in squares]\n"
        f"die_once('in-cell-{number}')\nprint(sum(part{number}))"
    )


CELLS = [SETUP, FUNCTION, LOOP]
for step in range(5):
    CELLS += [durable_cell(step), f"die_once('after-cell-{step}')"]
CELLS += ["[part[-1] for part in (part0, part1, part2, part3, part4)]"]
POINTS = 2 * 10 + 2 * 5


def run_all(kernel):
    """Return the outputs of all cells, or None if the kernel died on the way."""
    outputs = []
    for cell in ["%load_ext resonate_nb", *CELLS]:
        reply = kernel.run(cell)
        if reply.status == "dead":
            return None
        assert reply.error is None, reply.error
        outputs.append(reply.outputs)
    return outputs


def test_killed_at_thirty_points_the_end_is_the_same_and_nothing_settled_runs_again(kernel):
    deaths = 0
    while (outputs := run_all(kernel)) is None:
        deaths += 1
        assert deaths <= POINTS
        kernel.restart()
    assert deaths == POINTS
    squares = [x * x for x in range(10)]
    for step in range(5):
        assert outputs[4 + 2 * step][0]["text"] == f"{sum(squares) + 10 * step}\n"
    assert outputs[-1][0]["data"]["text/plain"] == str([81 + step for step in range(5)])
    # Once for the attempt that was killed inside the body, once for the one that settled: never after that.
    marks = (kernel.cwd / "marks").read_text().split()
    expected = [f"item-{x}" for x in range(10)] + [f"cell-{step}" for step in range(5)]
    assert sorted(marks) == sorted(expected * 2)
