"""One installation at a time, however many processes run tests."""

import fcntl
import sys
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone():
    """Hold off the other processes that use this environment, as long as the block lasts."""
    with (Path(sys.prefix) / "installing.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
