"""A second run of an executed notebook on its store, by nbval: each output is compared with the first."""

import os
import subprocess
import sys

from resonate_nb.clock import SystemClock
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore


def nbval(folder):
    """Return the command that compares, up to the notebook's path."""
    return [
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull),
        *("--rootdir", str(folder), "--nbval", "--nbval-current-env", "--nbval-cell-timeout=300"),
    ]


def in_store(store, command, allowed=(0,)):
    """Run a command whose kernels use this store, and fail with what it printed unless it went well."""
    environment = {**os.environ, "RESONATE_NB_STORE": str(store)}
    done = subprocess.run(
        command, env=environment, cwd=store.parent, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode in allowed, done.stdout[-5_000:] + done.stderr[-2_000:]
    return done


def settled(path):
    """Every settled promise with its generation and its times, so that a second computation shows."""
    store = DiskStore(path)
    try:
        page = store.list(Query(limit=1_000), SystemClock().now())
        return {promise.id: promise for promise in page.promises if promise.settled}
    finally:
        store.close()
