"""A marked and guarded cell behaves like the plain cell, in a real IPython shell."""

import ast
import re

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from resonate_nb.notebook.transform import DURABLE, guard, mark, marker, unmarked


class Run:
    """Executes the statements that it is told to, and notes which ones it was asked for."""

    def __init__(self, skipped=()):
        self.skipped, self.asked, self.begun = set(skipped), [], 0

    def begin(self):
        self.begun += 1

    def link(self, n):
        self.asked.append(n)
        return n not in self.skipped


class Guard(ast.NodeTransformer):
    def visit_Module(self, tree):
        found = marker(tree)
        return guard(tree, "__run__") if found and found[0] == "durable" else tree


@pytest.fixture
def shell():
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(config=Config(HistoryManager={"hist_file": ":memory:"}))
    made.input_transformers_cleanup.append(mark)
    made.ast_transformers.append(Guard())
    yield made
    made.reset()
    InteractiveShell.clear_instance()


class Ran:
    """What a cell gave: its result, what it printed, and the run that decided."""

    def __init__(self, shell, source, skipped=()):
        self.run = shell.user_ns["__run__"] = Run(skipped)
        with capture_output() as captured:
            self.result = shell.run_cell(source, store_history=True)
        self.text = without_colours(captured.stdout)


def without_colours(text):
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def rows(text):
    return text.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("header", "options"),
    [
        ("%%durable", ""),
        ("%%durable  prices --retry 2 ", "prices --retry 2"),
        ("#| durable prices", "prices"),
        ("#|durable", ""),
        ("# | durable", ""),
        ("# %%durable 'x' \"y\"", "'x' \"y\""),
    ],
)
def test_a_header_becomes_a_mark_with_the_raw_options(header, options):
    lines = mark(rows(f"{header}\nx = 1\n\ny = 2\n"))

    assert marker(ast.parse("".join(lines))) == ("durable", options)
    assert lines[1:] == rows("x = 1\n\ny = 2\n")


def test_blank_lines_above_a_header_stay():
    assert mark(rows("\n  \n%%durable\nx\n")) == ["\n", "  \n", f"{DURABLE}('')\n", "x\n"]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "\n\n",
        "x = 1\n",
        "#| durable off\nx = 1\n",
        "# %%durable off\nx = 1\n",
        "x = 1\n%%durable\n",
        "%%durables\nx = 1\n",
        "%%durable?\n",
        "# durable\nx = 1\n",
        "#| durability\nx = 1\n",
        "%durable off\n",
        "%%time\nx = 1\n",
        "%%writefile a.md\n%%durable\nx = 1\n",
        "%%time\nx = '''\n%%durable\n'''\n",
    ],
)
def test_other_cells_are_left_alone(source):
    assert mark(rows(source)) == rows(source)


@pytest.mark.parametrize(
    "source", ["%%time\n%%durable\nx = 1\n", "%%durable a\n%%time\nx = 1\n", "%%capture c\n\n#| durable\nx\n"]
)
def test_stacked_magics_become_a_refusal_of_the_same_length(source):
    lines = mark(rows(source))

    kind, reason = marker(ast.parse("".join(lines)))
    assert kind == "refused"
    assert reason.startswith("One cell magic only")
    assert len(lines) == len(rows(source))


def test_statements_are_counted_without_the_mark():
    tree = ast.parse("".join(mark(rows("%%durable\nx = 1\ny = 2\n"))))

    assert [ast.unparse(each) for each in unmarked(tree).body] == ["x = 1", "y = 2"]


def test_a_run_decides_about_each_statement(shell):
    ran = Ran(shell, "%%durable\na = 1\nb = 2\nc = 3", skipped={1})

    assert ran.run.begun == 1
    assert ran.run.asked == [0, 1, 2]
    assert (shell.user_ns["a"], shell.user_ns["c"], "b" in shell.user_ns) == (1, 3, False)


def test_the_last_expression_is_displayed_and_kept_in_out(shell):
    ran = Ran(shell, "%%durable\nx = 20\nx + 1")

    assert ran.result.result == 21
    assert re.search(r"Out\[\d+\]: 21", ran.text)
    assert shell.user_ns["_"] == 21
    assert 21 in shell.user_ns["Out"].values()


def test_a_trailing_semicolon_suppresses_the_display(shell):
    ran = Ran(shell, "%%durable\nx = 20\nx + 1;")

    assert ran.result.result is None
    assert ran.text == ""


def test_a_skipped_last_expression_displays_nothing(shell):
    Ran(shell, "5")
    ran = Ran(shell, "%%durable\nx = 20\nx + 1", skipped={1})

    assert ran.text == ""
    assert shell.user_ns["_"] == 5


def test_an_expression_that_is_not_last_is_not_displayed(shell):
    assert Ran(shell, "%%durable\n5\nx = 1").text == ""


@pytest.mark.parametrize("interactivity", ["all", "last", "last_expr", "none"])
@pytest.mark.parametrize("body", ["5\n6\nx = 7", "x = 7\n5\n6", "if True:\n  5"])
def test_other_kinds_of_interactivity_show_what_the_plain_cell_shows(shell, interactivity, body):
    shell.ast_node_interactivity = interactivity
    plain = Ran(shell, "\n" + body).text
    durable = Ran(shell, "%%durable\n" + body).text

    def without_count(text):
        return re.sub(r"\[\d+\]", "[]", text)

    assert without_count(durable) == without_count(plain)


def test_a_traceback_shows_the_right_line(shell):
    ran = Ran(shell, "%%durable\nx = 1\n\ndef f():\n    return 1 / 0\n\nf()")

    assert isinstance(ran.result.error_in_exec, ZeroDivisionError)
    assert re.search(r"-+> 7 f\(\)", ran.text)
    assert re.search(r"-+> 5\s+return 1 / 0", ran.text)
    assert ran.run.asked == [0, 1, 2]


def test_an_error_out_of_the_run_shows_the_statement(shell):
    ran = Ran(shell, "%%durable\nx = 1\ny = 2", skipped=())
    assert ran.result.success

    class Stopped(Run):
        def link(self, n):
            if n == 1:
                raise KeyError("stop here")
            return True

    shell.user_ns["__run__"] = Stopped()
    with capture_output() as captured:
        shell.run_cell("%%durable\nx = 1\ny = 2")
    assert re.search(r"-+> 3 y = 2", without_colours(captured.stdout))


def test_await_works_at_the_top_level(shell):
    ran = Ran(
        shell, "%%durable\nimport asyncio\nx = await asyncio.sleep(0, 7)\nawait asyncio.sleep(0, x + 1)"
    )

    assert ran.result.result == 8
    assert shell.user_ns["x"] == 7


def test_magics_and_shell_lines_work(shell):
    ran = Ran(shell, "%%durable\n%time x = 1\ny = !echo hello\n!echo world", skipped=())

    assert ran.result.success
    assert shell.user_ns["x"] == 1
    assert list(shell.user_ns["y"]) == ["hello"]
    assert ran.run.asked == [0, 1, 2]


def test_a_star_import_a_global_statement_and_a_future_import_work(shell):
    ran = Ran(
        shell,
        "%%durable\nfrom __future__ import annotations\nglobal z\nfrom math import *\nz = pi\n"
        "def f(a: unknown): pass\nf.__annotations__",
    )

    assert ran.result.result == {"a": "unknown"}
    assert ran.run.asked == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "body", ["x = (", "return 1", "x = 1\nbreak", "x = 1\n  y = 2", "def f():\n  nonlocal q"]
)
def test_a_syntax_error_is_shown_as_in_a_plain_cell(shell, body):
    plain, durable = Ran(shell, "\n" + body), Ran(shell, "%%durable\n" + body)

    def error(ran):
        return ran.result.error_before_exec or ran.result.error_in_exec

    assert isinstance(error(plain), SyntaxError)
    assert type(error(durable)) is type(error(plain))
    assert error(durable).msg == error(plain).msg


@pytest.mark.parametrize("body", ["", "\n\n", "# only a comment\n", "pass"])
def test_empty_cells_run(shell, body):
    ran = Ran(shell, "%%durable\n" + body)

    assert ran.result.success
    assert ran.run.begun == 1
