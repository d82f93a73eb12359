"""One fixture runs each contract test on every store."""

import sys
from pathlib import Path

import pytest

from resonate_nb.store.disk import DiskStore
from resonate_nb.store.memory import MemoryStore

sys.path.insert(0, str(Path(__file__).parent))  # the tests share `making`


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store"


@pytest.fixture(params=["disk", "memory"])
def store(request, folder):
    store = DiskStore(folder) if request.param == "disk" else MemoryStore()
    yield store
    store.close()


@pytest.fixture
def disk(folder):
    store = DiskStore(folder)
    yield store
    store.close()
