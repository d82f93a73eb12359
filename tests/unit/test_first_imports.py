"""Listeners are around modules that run for the first time, and imports stay what they are."""

import importlib
import sys
from contextlib import contextmanager

import pytest

from resonate_nb.notebook.imports import FirstImports


class Listener:
    """Notes which modules it was around, and whether they ended."""

    def __init__(self):
        self.heard = []

    def around_import(self, module):
        return self._around(module) if module.startswith("rnb_") else None

    @contextmanager
    def _around(self, module):
        self.heard.append(f"before {module}")
        try:
            yield
        finally:
            self.heard.append(f"after {module}")


@pytest.fixture
def listener(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    imports, listener = FirstImports(), Listener()
    imports.listen(listener)
    yield listener
    imports.unlisten(listener)
    assert imports not in sys.meta_path
    for name in [each for each in sys.modules if each.startswith("rnb_")]:
        del sys.modules[name]


def write(folder, **modules):
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    importlib.invalidate_caches()


def test_a_listener_is_around_a_module_and_what_it_imports_in_turn_once(listener, tmp_path):
    write(tmp_path, rnb_outer="import rnb_inner\n", rnb_inner="x = 1\n")
    for _ in range(2):
        importlib.import_module("rnb_outer")
    assert listener.heard == ["before rnb_outer", "before rnb_inner", "after rnb_inner", "after rnb_outer"]


def test_a_module_that_fails_fails_with_its_own_error_and_may_be_imported_again(listener, tmp_path):
    write(tmp_path, rnb_broken="import pathlib\npathlib.Path(__file__).write_text('x = 1')\n1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("rnb_broken")
    importlib.invalidate_caches()
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    assert importlib.import_module("rnb_broken").__name__ == "rnb_broken"
    sys.dont_write_bytecode = before
    assert listener.heard == ["before rnb_broken", "after rnb_broken"] * 2


def test_a_module_keeps_its_loader_and_can_be_reloaded(listener, tmp_path):
    write(tmp_path, rnb_plain="x = 1\n")
    module = importlib.import_module("rnb_plain")
    assert type(module.__loader__).__name__ == "SourceFileLoader"
    assert "exec_module" not in vars(module.__loader__)
    assert importlib.reload(module).x == 1
    assert listener.heard == ["before rnb_plain", "after rnb_plain"] * 2


def test_a_module_that_nobody_has_is_not_found(listener):
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("rnb_nowhere")
    assert listener.heard == []
