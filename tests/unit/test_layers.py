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
        "content.digest_scalars",
        "content.digest_forms",
        "content.digest_arrays",
        "content.digest_frames",
        "content.parts",
        "content.in_place",
    }
    | {"code", "fingerprint"},
    {
        "retry",
        "corridor.failures",
        "promise",
        "values.abroad",
        "values.plain_json",
        "values.container",
        "values.keys",
        "values.unpicklable",
        "values.reductions",
        "values.rebuilding",
        "values.shared_memory",
        "values.pickling",
    }
    | {
        "values.exceptions_codec",
        "codec",
        "enquiry.schemas",
        "enquiry.hints",
        "enquiry.questions",
        "versioning.code_world",
        "versioning.stored_code",
    },
    {"store"},
    {
        "opened.auditing",
        "opened.file_states",
        "opened.tracing",
        "opened.file_records",
        "opened.reads",
        "files",
    },
    {
        "corridor.context",
        "corridor.called",
        "corridor.children",
        "corridor.naming",
        "opened.file_events",
        "about",
        "recent",
        "corridor.work",
        "corridor.leases",
        "corridor.attempts",
        "corridor.delivering",
        "corridor.shortcut",
        "corridor.mutating",
        "inputs",
        "corridor.claiming",
        "corridor.settling",
        "corridor.retrying",
        "corridor.threads",
        "corridor.interrupting",
        "corridor.deadlines",
        "corridor.computing",
        "corridor.limits",
        "corridor.coroutines",
        "corridor.under_way",
        "execution",
        "enquiry.answers",
    },
    {
        "handles",
        "versioning.pins",
        "versions",
        "versioning.version_table",
        "corridor.binding",
        "decorating",
        "yielding",
        "generators",
        "signatures",
        "known_calls",
        "mapping",
        "track",
        "many",
        "executors",
        "functions",
        "beside",
        "views",
        "explain",
    }
    | {
        "enquiry.shown",
        "enquiry.safe_html",
        "enquiry.asking",
        "enquiry.terminal",
        "enquiry.cards",
        "enquiry.inbox",
    },
    {"resonate"},
    {"notebook", "server"},
    {"people", "together"},
    {"running", "demo_packages", "demo_progress", "demo", "cli", "cli_people", "__main__"},
]
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}


def floor(parts):
    """The floor of a module, by its own name or that of a package it is in."""
    names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    found = [LEVEL[name] for name in names if name in LEVEL]
    assert found, f"{names[0]} stands on no floor"
    return found[0]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("resonate_nb"):
            parts = node.module.split(".")[1:]
            for alias in node.names:
                inner = [*parts, alias.name]
                known = ".".join(inner) in LEVEL
                yield inner if known or not parts else parts


def test_a_module_imports_only_from_its_own_floor_and_below():
    wrong = []
    for path in FOLDER.rglob("*.py"):
        own = path.relative_to(FOLDER).with_suffix("").parts
        if own[-1] != "__init__":
            wrong += [(own, names) for names in imported(path) if floor(names) > floor(own)]
    assert wrong == []


def test_importing_the_package_brings_neither_notebooks_nor_numpy():
    heavy = ("IPython", "distributed", "ipywidgets", "numpy")
    code = f"import resonate_nb, sys; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout.strip() == "[]"
