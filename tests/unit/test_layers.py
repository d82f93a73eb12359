"""The house keeps its floors: imports go downwards, and importing the package is light."""

import ast
import subprocess
import sys
from pathlib import Path

import resonate_nb

FOLDER = Path(resonate_nb.__file__).parent
FLOORS = [
    {
        "errors",
        "clock",
        "durations",
        "readable",
        "ids",
        "digest",
        "digest_scalars",
        "digest_forms",
        "digest_arrays",
        "digest_frames",
    }
    | {"code", "fingerprint"},
    {
        "retry",
        "failures",
        "promise",
        "plain_json",
        "container",
        "keys",
        "unpicklable",
        "reductions",
        "rebuilding",
        "pickling",
    }
    | {"exceptions_codec", "codec", "schemas", "questions", "code_world", "stored_code"},
    {"store"},
    {"auditing", "file_states", "tracing", "file_records", "files"},
    {
        "context",
        "called",
        "children",
        "naming",
        "file_events",
        "about",
        "recent",
        "work",
        "leases",
        "attempts",
        "delivering",
        "claiming",
        "settling",
        "retrying",
        "threads",
        "interrupting",
        "deadlines",
        "computing",
        "limits",
        "coroutines",
        "execution",
        "answers",
    },
    {
        "handles",
        "pins",
        "versions",
        "version_table",
        "binding",
        "decorating",
        "mapping",
        "functions",
        "inputs",
        "views",
        "explain",
    }
    | {"shown", "safe_html", "asking", "terminal", "cards", "inbox"},
    {"resonate"},
    {"notebook", "server"},
    {"people"},
    {"running", "demo_packages", "demo", "cli", "cli_people", "__main__"},
]
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("resonate_nb"):
            parts = node.module.split(".")[1:]
            yield from parts[:1] or (alias.name for alias in node.names)


def test_a_module_imports_only_from_its_own_floor_and_below():
    wrong = []
    for path in FOLDER.rglob("*.py"):
        own = path.relative_to(FOLDER).with_suffix("").parts[0]
        if own != "__init__":
            wrong += [(own, name) for name in imported(path) if LEVEL[name] > LEVEL[own]]
    assert wrong == []


def test_importing_the_package_brings_neither_notebooks_nor_numpy():
    code = (
        "import resonate_nb, sys; print([m for m in ('IPython', 'ipywidgets', 'numpy') if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout.strip() == "[]"
