"""Versions in notebooks: code whose cell is gone is called, and goes on where it was cut off."""

FIRST = """
from dataclasses import dataclass
from resonate_nb import durable
@dataclass
class Point:
    x: int
def helper(x):
    return Point(x * SCALE["by"])
@durable(version=1)
def scaled(x):
    return helper(x)
"""
SECOND = """
from dataclasses import dataclass
from resonate_nb import durable
@dataclass
class Point:
    x: int
@durable(version=2)
def scaled(x):
    return Point(-x)
"""
SLOW = """
from resonate_nb import durable
import pathlib, time
def wait(x):
    print("begun", flush=True)
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return f"first {x}"
@durable
def report(x):
    return wait(x)
"""
QUICK = """
from resonate_nb import durable
@durable
def report(x):
    return f"second {x}"
"""


def killed_while(kernel, cell, text):
    running = kernel.begin(cell)
    kernel.shows(running, text)
    kernel.kill()
    (kernel.cwd / "go").touch()


def test_a_version_whose_cell_is_gone_is_called_in_a_new_kernel(kernel):
    kernel.run("SCALE = {'by': 10}" + FIRST)
    assert kernel.run("print(scaled(1), scaled.at(1)(2))").text == "Point(x=10) Point(x=20)\n"
    kernel.restart()

    kernel.run("SCALE = {'by': 10}" + SECOND)
    shown = kernel.run("print(scaled(1), scaled.at(1)(1), scaled.at(1)(3), 'helper' in globals())")
    assert shown.text == "Point(x=-1) Point(x=10) Point(x=30) False\n"
    # The class is the notebook's, and the data is read where it is now.
    assert kernel.run("print(isinstance(scaled.at(1)(4), Point))").text == "True\n"
    kernel.run("SCALE = {'by': 100}")
    assert kernel.run("print(scaled.at(1)(1))").text == "Point(x=100)\n"

    table = kernel.run("scaled.versions()").outputs[0]["data"]
    assert [line.split()[0] for line in table["text/plain"].splitlines()] == ["version", "1", "2"]
    assert "<table>" in table["text/html"]


def test_small_data_that_is_gone_is_as_it_was_and_large_data_is_missed_by_name(kernel):
    kernel.run(
        "SCALE = {'by': 10}\nLARGE = list(range(100_000))" + FIRST.replace("x * SCALE", "LARGE[x] * SCALE")
    )
    assert kernel.run("print(scaled(1))").text == "Point(x=10)\n"
    kernel.restart()
    kernel.run("LARGE = list(range(100_000))" + SECOND)
    assert (
        kernel.run("print(scaled.at(1).promise(1).state, scaled.at(1)(2))").text == "resolved Point(x=20)\n"
    )
    kernel.run("del LARGE")
    assert kernel.run("scaled.at(1)(1)").error == ("NameError", "name 'LARGE' is not defined")


def test_a_call_with_an_id_goes_on_with_the_code_of_a_cell_that_was_edited(kernel):
    kernel.run(SLOW)
    killed_while(kernel, "print(report.run('r/1', 5))", "begun")

    kernel.run(QUICK)
    reply = kernel.run("print(report.run('r/1', 5))")
    assert reply.text.splitlines()[-1] == "first 5"
    assert "report: resumes with the code it started with" in reply.text

    conflict = kernel.run("report.run('r/1', 5)")
    assert conflict.error[0] == "PromiseConflict"


def test_a_cell_with_an_id_that_was_cut_off_and_edited_runs_as_it_stands(kernel):
    kernel.run("%load_ext resonate_nb\nimport pathlib, time")
    waits = "print('begun', flush=True)\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)"
    killed_while(kernel, f"%%durable --id monthly\n{waits}\nx = 1", "begun")

    kernel.run("%load_ext resonate_nb\nimport pathlib, time")
    assert kernel.run("%%durable --id monthly\nx = 2").status == "ok"
    assert kernel.run("print(x)").text == "2\n"
    assert kernel.run("%%durable --id monthly\nx = 2").status == "ok"
    assert kernel.run("%%durable --id monthly\nx = 3").error[0] == "PromiseConflict"
