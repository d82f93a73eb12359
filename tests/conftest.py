"""What every test needs: a key and a store of its own."""

import sys

import pytest

from resonate_nb import configure


@pytest.fixture(autouse=True)
def own_key(tmp_path_factory, monkeypatch):
    """Keep tests away from the user's key."""
    monkeypatch.setenv("RESONATE_NB_KEY_FILE", str(tmp_path_factory.mktemp("key") / "key"))


@pytest.fixture(autouse=True)
def main_module_with_a_spec(monkeypatch):
    """Let `multiprocessing` spawn: the main module of a process of pytest-xdist, or of a shell, has none."""
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)


@pytest.fixture
def root(tmp_path):
    """Return the root of calls that name none, over a fresh store in a folder."""
    root = configure(tmp_path / "store")
    yield root
    root.close()
