"""Durable notebooks: kill the kernel, run again, go on."""

from resonate_nb.corridor.children import idempotency_key
from resonate_nb.corridor.context import current
from resonate_nb.corridor.naming import opaque
from resonate_nb.errors import (
    AlreadySettled,
    DamagedValue,
    Diverged,
    InvalidAnswer,
    InvalidId,
    MutatedArgument,
    NotKept,
    Pending,
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
    VersionMissing,
)
from resonate_nb.files import File
from resonate_nb.handles import Handle
from resonate_nb.people import aapprove, aask, achoose, aform, approve, ask, choose, form
from resonate_nb.promise import Promise, State
from resonate_nb.resonate import Resonate, configure, durable, find, restart
from resonate_nb.retry import Constant, Exponential, Linear, Never
from resonate_nb.together import gather, race, sleep
from resonate_nb.track import track
from resonate_nb.versioning.version_table import Version

__all__ = [
    "AlreadySettled",
    "Constant",
    "DamagedValue",
    "Diverged",
    "Exponential",
    "File",
    "Handle",
    "InvalidAnswer",
    "InvalidId",
    "Linear",
    "MutatedArgument",
    "Never",
    "NotKept",
    "Pending",
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
    "Version",
    "VersionConflict",
    "VersionMissing",
    "aapprove",
    "aask",
    "achoose",
    "aform",
    "approve",
    "ask",
    "choose",
    "configure",
    "current",
    "durable",
    "find",
    "form",
    "gather",
    "idempotency_key",
    "opaque",
    "race",
    "restart",
    "sleep",
    "track",
]


def load_ipython_extension(shell: object) -> None:
    """Answer `%load_ext resonate_nb`."""
    from resonate_nb.notebook.magics import Extension

    Extension.of(shell).load()


def unload_ipython_extension(shell: object) -> None:
    """Answer `%unload_ext resonate_nb`; what is kept stays kept."""
    from resonate_nb.notebook.magics import Extension

    Extension.of(shell).unload()
