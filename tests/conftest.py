"""What every test needs: a key and a store of its own."""

import sys

import pytest

from resonate_nb import configure

# Where tests run in several processes, the main module of each lacks what `multiprocessing` looks at.
sys.modules["__main__"].__dict__.setdefault("__spec__", None)


@pytest.fixture(autouse=True)
def own_key(tmp_path_factory, monkeypatch):
    """Keep tests away from the user's key."""
    monkeypatch.setenv("RESONATE_NB_KEY_FILE", str(tmp_path_factory.mktemp("key") / "key"))


@pytest.fixture
def root(tmp_path):
    """Return the root of calls that name none, over a fresh store in a folder."""
    root = configure(tmp_path / "store")
    yield root
    root.close()
