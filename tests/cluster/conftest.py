"""A real cluster of two worker processes with one thread each, and a store of its own for each test."""

import os

import dask
import pytest
from distributed import Client, LocalCluster

from resonate_nb.resonate import Resonate


@pytest.fixture(scope="session")
def cluster():
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),  # deaths of workers under one task
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, scheduler_port=0) as cluster,
    ):
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        client.run(_use_key, os.environ["RESONATE_NB_KEY_FILE"])
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
