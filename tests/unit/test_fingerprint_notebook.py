"""Code of a real notebook has its source, whatever IPython does to a cell before it runs."""

import ast
import gc
import linecache
import weakref

import pytest
from IPython.core.interactiveshell import InteractiveShell

from resonate_nb.fingerprint import fingerprint, fingerprint_cell


@pytest.fixture
def shell():
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    made.history_manager.enabled = False
    yield made
    made.reset(new_session=False)
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


def run(shell, text):
    shell.run_cell(text, store_history=True).raise_error()


def test_a_function_of_a_cell_has_its_source(shell):
    run(shell, "x = 1\ndef f():\n    'doc'\n    return x\n")
    assert fingerprint(shell.user_ns["f"]).source == "def f():\n    'doc'\n    return x\n"


@pytest.mark.parametrize(
    "around",
    [
        "def f(x): return x + 1",
        "%time 1\ndef f(x): return x + 1\n!true",
        "files = !true\ndef f(x): return x + 1",
        "import asyncio\nawait asyncio.sleep(0)\ndef f(x): return x + 1",
        "from __future__ import annotations\ndef f(x): return x + 1",
        "%%capture\ndef f(x): return x + 1",
    ],
)
def test_magics_and_await_around_it_are_no_matter(shell, around):
    run(shell, around)
    found = fingerprint(shell.user_ns["f"])
    assert found.source.strip() == "def f(x): return x + 1"
    run(shell, "def f(x): return x + 1")
    assert fingerprint(shell.user_ns["f"]).digest == found.digest


def test_a_future_that_an_earlier_cell_imported_is_no_matter(shell):
    run(shell, "from __future__ import annotations")
    run(shell, "def f(x: nowhere) -> nothing: return x")
    assert fingerprint(shell.user_ns["f"]).source


def test_a_transformer_that_nests_statements_is_no_matter(shell):
    class Wrapping(ast.NodeTransformer):
        def visit_Module(self, node):
            node.body = [ast.If(ast.Constant(1), [each], []) for each in node.body]
            return ast.fix_missing_locations(node)

    wrapping = Wrapping()
    shell.ast_transformers.append(wrapping)
    run(
        shell,
        "y = 1\ndef f(x):\n    def g(): return x + y\n    return g\nclass C:\n    def m(self): return y",
    )
    shell.ast_transformers.remove(wrapping)
    assert fingerprint(shell.user_ns["f"]).source.startswith("def f(x):")
    assert fingerprint(shell.user_ns["f"]("x")).source == "def g(): return x + y\n"
    assert fingerprint(shell.user_ns["C"]).source.startswith("class C:")


def test_a_text_with_its_magics_still_in_it_is_read_around_them(shell):
    run(shell, "pass\n%time 1\nfiles = !true\ndef f(x): return x + 1")
    name = shell.user_ns["f"].__code__.co_filename
    raw = "%%durable name\n%time 1\nfiles = !true\ndef f(x): return x + 1\n"
    linecache.cache[name] = (len(raw), None, raw.splitlines(keepends=True), name)
    assert fingerprint(shell.user_ns["f"]).source == "def f(x): return x + 1\n"


def test_a_class_without_methods_has_its_source(shell):
    run(shell, "class Settings:\n    rate: float = 0.1\n    deep: dict = {}\ndef f(): return Settings")
    found = fingerprint(shell.user_ns["Settings"])
    assert found.source == "class Settings:\n    rate: float = 0.1\n    deep: dict = {}\n"
    assert [each.path for each in found.captures] == ["deep"]


def test_a_class_without_methods_comes_from_the_cell_that_ran_last(shell):
    first, second = "class K:\n    rate: int\n", "class K:\n    rate: int\n    1 + 1\n"
    for text in (first, second, first):
        run(shell, text)
        assert fingerprint(shell.user_ns["K"]).source == text


def test_a_class_without_methods_is_told_from_others_by_what_is_seen_of_it(shell):
    run(shell, "class K:\n    rate = 1\nold = K")
    run(shell, "class K:\n    rate = 2\n")
    assert fingerprint(shell.user_ns["old"]).source == "class K:\n    rate = 1\n"


def test_running_the_same_definition_again_changes_nothing_and_leaks_nothing(shell):
    cell = "TABLE = [1]\nclass C:\n    def m(self): return f\ndef f(): return TABLE, C"
    run(shell, cell)
    before, old = fingerprint(shell.user_ns["f"]), weakref.ref(shell.user_ns["f"])
    run(shell, cell)
    assert fingerprint(shell.user_ns["f"]).digest == before.digest
    del before
    gc.collect()
    assert old() is None


def taken(text, names, namespace):
    return fingerprint_cell(ast.parse(text), names, namespace)


def test_a_cell_counts_with_the_code_that_it_reads(shell):
    run(shell, "import math\nK = 2\ndata = [1]\ndef helper(x): return x + len(data)")
    cell = "result = helper(data) + math.floor(K) + nowhere"
    names = {"helper", "data", "math", "K", "nowhere"}
    before = taken(cell, names, shell.user_ns)
    assert [each.path for each in before.captures] == ["data", "helper.data"]
    assert ("nowhere", "missing") in [(part.path, part.kind) for part in before.parts]
    assert before.parts[0].source == before.source == cell
    run(shell, "def helper(x): return x - len(data)")
    assert taken(cell, names, shell.user_ns).digest != before.digest
    assert taken(f"# why\n{cell}  # so", names, shell.user_ns).digest != before.digest
    run(shell, "def helper(x):\n    'Says it.'\n    return x + len(data)")
    assert taken(f"# why\n{cell}  # so", names, shell.user_ns).digest == before.digest
    run(shell, "data = [2]")
    assert taken(cell, names, shell.user_ns).digest == before.digest
    assert taken(cell, names, shell.user_ns).captures[0].read() == [2]


def test_names_that_a_cell_is_not_said_to_read_do_not_count(shell):
    run(shell, "data = [1]")
    assert taken("data, other = [], 1\ndata.append(other)", set(), shell.user_ns).captures == ()


def test_a_name_that_is_only_said_to_be_read_counts(shell):
    run(shell, "data = [1]")
    assert [each.path for each in taken("pass", {"data"}, shell.user_ns).captures] == ["data"]


def test_a_cell_reads_a_name_once_however_often_it_names_it():
    found = fingerprint_cell(ast.parse("x.append(1)\ny = [x, len(x)]"), {"x", "len"}, {"x": [1], "len": len})
    assert [each.path for each in found.captures] == ["x"]
