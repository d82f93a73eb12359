"""A fingerprint changes with what code means, and with nothing else, on every Python from 3.11."""

import importlib
import linecache
import subprocess
import sys
import textwrap

import pytest

from resonate_nb.fingerprint import fingerprint, source_diff

BASE = """
import math, mod
from functools import partial
ALPHA = 2
TABLE = {"a": 1}
def deep(x):
    return x + ALPHA
def helper(x):
    return deep(x) * 2
class Scaler:
    factor = 3
    def scale(self, x):
        return x * self.factor
def outer():
    inner = 5
    def made(x):
        return x + inner
    return made
closed = outer()
def f(x, y=1):
    "Says what it does."
    # a comment
    z = f"{x:>{y}} and {ALPHA}"
    return helper(x) + mod.shift(x) + Scaler().scale(y) + closed(x) + math.floor(TABLE["a"]), z
"""
MODULE = "OFFSET = 1\ndef shift(x):\n    return x + OFFSET\n"
GOLDEN = "5e202b47c349889b65e6d906cd1e76b7"


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Return a function that runs a notebook's text, with a module beside it, and gives its `f`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    numbers = iter(range(1_000))

    def run(text, module=MODULE):
        (tmp_path / "mod.py").write_text(module)
        sys.modules.pop("mod", None)
        importlib.invalidate_caches()
        linecache.clearcache()
        for cached in (tmp_path / "__pycache__").glob("mod.*"):
            cached.unlink()
        name = f"<cell {next(numbers)}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        namespace = {"__name__": "__main__"}
        exec(compile(text, name, "exec"), namespace)
        return namespace["f"]

    yield run
    sys.modules.pop("mod", None)


def test_it_is_the_same_on_every_python(make):
    assert fingerprint(make(BASE)).digest == GOLDEN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"Says what it does."', '"Says something else."'),
        ("# a comment", "# another"),
        ("return helper(x) + mod", "return helper(x)  +  mod"),
        ("ALPHA = 2\nTABLE", "ALPHA = 2\n\n\nTABLE"),
        ('TABLE = {"a": 1}', 'TABLE = {"a": 2}'),
        ("def f(x", "def unrelated():\n    return 1\ndef f(x"),
        ("from functools import partial\n", "from functools import partial\nOTHER = 1\n"),
    ],
)
def test_what_does_not_change_the_meaning_does_not_count(make, old, new):
    assert old in BASE
    assert fingerprint(make(BASE.replace(old, new, 1))).digest == fingerprint(make(BASE)).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return helper(x) + mod", "return helper(x) - mod"),
        ("y=1", "y=2"),
        ("return deep(x) * 2", "return deep(x) * 3"),
        ("return x + ALPHA", "return x - ALPHA"),
        ("ALPHA = 2", "ALPHA = 2.0"),
        ("factor = 3", "factor = 4"),
        ("return x * self.factor", "return x / self.factor"),
        ("inner = 5", "inner = 6"),
        ("return x + inner", "return x - inner"),
        ("math.floor", "math.ceil"),
        (":>{y}}", ":<{y}}"),
        (" and ", " or "),
    ],
)
def test_what_changes_the_meaning_counts(make, old, new):
    assert old in BASE
    assert fingerprint(make(BASE.replace(old, new, 1))).digest != fingerprint(make(BASE)).digest


@pytest.mark.parametrize(("old", "new"), [("x + OFFSET", "x - OFFSET"), ("OFFSET = 1", "OFFSET = 2")])
def test_the_users_own_modules_count(make, old, new):
    assert fingerprint(make(BASE, MODULE.replace(old, new))).digest != fingerprint(make(BASE)).digest


def test_a_rebound_helper_is_seen_by_the_next_call(make):
    f = make(BASE)
    before = fingerprint(f).digest
    helper = f.__globals__["helper"]
    f.__globals__["helper"] = lambda x: x
    assert fingerprint(f).digest != before
    f.__globals__["helper"] = helper
    assert fingerprint(f).digest == before


def test_data_is_captured_instead_and_read_at_the_time_of_the_call(make):
    f = make(BASE)
    [capture] = fingerprint(f).captures
    assert capture.path == "TABLE"
    f.__globals__["TABLE"] = {"a": 7}
    assert fingerprint(f).captures[0].read() == {"a": 7}


def test_a_module_that_was_saved_but_not_reloaded_is_stale(tmp_path):
    (tmp_path / "mod.py").write_text(MODULE)
    code = textwrap.dedent(
        """
        import sys
        sys.path.insert(0, ".")
        import mod, pathlib
        from resonate_nb.fingerprint import fingerprint
        pathlib.Path("mod.py").write_text("OFFSET = 1\\ndef shift(x):\\n    return x * OFFSET\\n")
        print(fingerprint(mod.shift).stale)
        """
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout.strip() == "mod"


def test_recursion_ends_and_a_diff_says_what_changed(make):
    text = "def even(n):\n    return n == 0 or f(n - 1)\ndef f(n):\n    return n != 0 and even(n - 1)\n"
    one, other = fingerprint(make(text)), fingerprint(make(text.replace("n != 0", "n > 0")))
    assert one.digest != other.digest
    assert "+    return n > 0 and even(n - 1)" in source_diff(one.source, other.source)
