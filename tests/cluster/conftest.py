"""A real cluster of two worker processes with one thread each, and a store of its own for each test."""

import os

import dask
import pytest
from distributed import Client, LocalCluster

from resonate_nb.resonate import Resonate

SMALL = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "scheduler_port": 0}


@pytest.fixture(scope="session")
def cluster():
    with LocalCluster(**SMALL) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        client.run(_use_key, os.environ["RESONATE_NB_KEY_FILE"])
        yield client


@pytest.fixture
def doomed():
    """A cluster of its own, for tests after which it is not what it was; a task survives one death."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(**SMALL) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.fixture
def root(tmp_path):
    root = Resonate(tmp_path / "store", say=[].append)
    yield root
    root.close()


@pytest.fixture
def blind(client, tmp_path):
    """The workers have another key than the notebook, so they can't use its store."""
    client.run(_use_key, str(tmp_path / "another-key"))
    return client


def _use_key(path):
    os.environ["RESONATE_NB_KEY_FILE"] = path
