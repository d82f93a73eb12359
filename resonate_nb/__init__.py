"""Durable notebooks: kill the kernel, run again, go on."""

from resonate_nb.context import current
from resonate_nb.errors import (
    DamagedValue,
    InvalidId,
    MutatedArgument,
    NotKept,
    PromiseCanceled,
    PromiseConflict,
    PromiseTimedOut,
    ResonateError,
    ResonateWarning,
    StaleSource,
    StoreFormat,
    StoreFull,
    StoreUnavailable,
    UndigestibleInput,
    Unpicklable,
    UntrustedValue,
    VersionConflict,
)
from resonate_nb.promise import Promise, State
from resonate_nb.resonate import Resonate, configure, durable
from resonate_nb.retry import Constant, Exponential, Linear, Never

__all__ = [
    "Constant",
    "DamagedValue",
    "Exponential",
    "InvalidId",
    "Linear",
    "MutatedArgument",
    "Never",
    "NotKept",
    "Promise",
    "PromiseCanceled",
    "PromiseConflict",
    "PromiseTimedOut",
    "Resonate",
    "ResonateError",
    "ResonateWarning",
    "StaleSource",
    "State",
    "StoreFormat",
    "StoreFull",
    "StoreUnavailable",
    "UndigestibleInput",
    "Unpicklable",
    "UntrustedValue",
    "VersionConflict",
    "configure",
    "current",
    "durable",
]


def load_ipython_extension(shell: object) -> None:
    """Answer `%load_ext resonate_nb`."""
    from resonate_nb.notebook.magics import Extension

    Extension(shell).load()
