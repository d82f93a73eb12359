"""Every exception and warning of the package, as one tree.

Each class stands for one thing that a caller can do differently, carries its facts as fields,
and survives pickling: the real arguments go to ``super().__init__``, the sentence is made in ``__str__``.
"""

from __future__ import annotations

_ANEW = "the next call starts it anew, or, if you chose its id, `resonate-nb forget` makes room"


class ResonateError(Exception):
    """Base of every error that the package raises on purpose."""


class UsageError(ResonateError):
    """A command, option or argument that does not exist or does not fit."""


class InvalidId(ResonateError):
    """The text can't be the id of a promise."""

    def __init__(self, id: str, reason: str) -> None:
        self.id, self.reason = id, reason
        super().__init__(id, reason)

    def __str__(self) -> str:
        shown = self.id if len(self.id) <= 80 else self.id[:77] + "..."
        return f"{shown!r} can't be a promise's id: {self.reason}"


class NoSuchPromise(ResonateError):
    """The store has no promise with this id."""

    def __init__(self, id: str) -> None:
        self.id = id
        super().__init__(id)

    def __str__(self) -> str:
        return f"there is no promise {self.id!r}: `resonate-nb list` shows the ids that exist"


class PromiseConflict(ResonateError):
    """The id belongs to different work."""

    def __init__(self, id: str, wanted: str, found: str, older: str = "") -> None:
        self.id, self.wanted, self.found, self.older = id, wanted, found, older
        super().__init__(id, wanted, found, older)

    def __str__(self) -> str:
        have = f"have what is kept with `{self.older}`, " if self.older else ""
        return (
            f"promise {self.id!r} belongs to {self.found}, not to {self.wanted}: "
            f"{have}choose another id, ask for `rerun`, or forget the old promise first"
        )


class Diverged(ResonateError):
    """A resumed body makes another call than the one that is recorded in this place."""

    def __init__(self, id: str, expected: str, found: str) -> None:
        self.id, self.expected, self.found = id, expected, found
        super().__init__(id, expected, found)

    def __str__(self) -> str:
        return (
            f"promise {self.id!r} records {self.expected}, and here the body calls {self.found}: what is "
            "recorded belongs to another course of the body, so it is not delivered. `rerun` or `forget` the "
            "promise around it to begin anew, and let what differs from run to run come from durable calls"
        )


class OtherItems(Diverged):
    """A loop that goes on does not find the items that it had."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        ResonateError.__init__(self, reason)

    def __str__(self) -> str:
        return (
            f"the loop can't go on with its items: {self.reason}. Restart the kernel and run the cell with "
            "--rerun, which begins anew; a list that is made before the loop is kept with it"
        )


class PromiseTimedOut(ResonateError):
    """The promise's deadline passed before it was settled."""

    def __init__(self, id: str) -> None:
        self.id = id
        super().__init__(id)

    def __str__(self) -> str:
        return f"promise {self.id!r} was not settled before its deadline: {_ANEW}"


class PromiseCanceled(ResonateError):
    """Somebody canceled the promise."""

    def __init__(self, id: str) -> None:
        self.id = id
        super().__init__(id)

    def __str__(self) -> str:
        return f"promise {self.id!r} was canceled: {_ANEW}"


class PromiseRejected(ResonateError):
    """The promise was rejected with something that is no exception, by another client for example."""

    def __init__(self, id: str, value: object) -> None:
        self.id, self.value = id, value
        super().__init__(id, value)

    def __str__(self) -> str:
        return f"promise {self.id!r} was rejected with {str(self.value)[:200]!r}"


class InvalidAnswer(ResonateError):
    """The question refuses this answer and stays open."""

    def __init__(self, id: str, reason: str) -> None:
        self.id, self.reason = id, reason
        super().__init__(id, reason)

    def __str__(self) -> str:
        return f"{self.reason} (the question {self.id!r} stays open)"


class AlreadySettled(ResonateError):
    """Somebody settled the promise before, with another outcome."""

    def __init__(self, id: str, outcome: str) -> None:
        self.id, self.outcome = id, outcome
        super().__init__(id, outcome)

    def __str__(self) -> str:
        return f"promise {self.id!r} is {self.outcome} already, and the first answer counts"


class Pending(BaseException):
    """A question waits for a person, and nobody here can answer it: run again after the answer.

    Not an `Exception`, so that the `except Exception` of a body does not take waiting for a failure.
    """

    def __init__(self, id: str, *others: str) -> None:
        self.id, self.ids = id, (id, *others)
        super().__init__(id, *others)

    def __str__(self) -> str:
        more = ", and so on" if len(self.ids) > 1 else ""
        return f"waiting for: {', '.join(self.ids)} (resonate-nb answer {self.id} VALUE{more})"

    def _render_traceback_(self) -> list[str]:
        """Return the one line that a notebook shows instead of a traceback."""
        return [f"Pending: {self}"]


class Interruption(BaseException):
    """A running body has to end: its deadline passed, or somebody settled its promise.

    Internal: whoever runs the body turns it into what its caller is told. Not an `Exception`, so that the
    `except Exception` of a body does not go on after it.
    """


class UnfitWorker(ResonateError):
    """A worker can't compute what the notebook computes."""

    def __init__(self, worker: str, lacks: str) -> None:
        self.worker, self.lacks = worker, lacks
        super().__init__(worker, lacks)

    def __str__(self) -> str:
        return (
            f"worker {self.worker} lacks {self.lacks}. Give the workers what the notebook has (install it in "
            "their environment and restart them), or compute here, without `executor=`"
        )


class ClusterLost(ResonateError):
    """The cluster went away, or dropped the work, before it was done."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(name, reason)

    def __str__(self) -> str:
        return (
            f"{self.name}: the cluster {self.reason}. What was settled is kept: with a working cluster the "
            "same call goes on with the rest"
        )


class WorkerDied(ResonateError):
    """A process that computed items of a map died."""

    def __init__(self, name: str, pid: int, how: str, id: str) -> None:
        self.name, self.pid, self.how, self.id = name, pid, how, id
        super().__init__(name, pid, how, id)

    def __str__(self) -> str:
        if self.id:
            return (
                f"{self.what}, like one before it. Computed here, without `executor=`, it shows why, but may "
                "end this process. The other items are kept"
            )
        return f"{self.what}. What was settled is kept: the same call goes on with the rest"

    @property
    def what(self) -> str:
        """What happened, in words."""
        doing = f"while it computed {self.id!r}" if self.id else "before it computed anything"
        return f"{self.name}: worker process {self.pid} died ({self.how}) {doing}"


class PoolBroken(ResonateError):
    """A pool of processes that the user made can compute nothing more."""

    def __init__(self, name: str, error: BaseException) -> None:
        self.name, self.error = name, error
        super().__init__(name, error)

    def __str__(self) -> str:
        return (
            f"{self.name}: the pool is broken ({self.error}). What was settled is kept: with a new pool the "
            'same call goes on with the rest. `executor="processes"` replaces a process that dies'
        )


class LeaseLost(ResonateError):
    """Another owner took the promise over; what this one computed is discarded."""

    def __init__(self, id: str, fence: int, current: int) -> None:
        self.id, self.fence, self.current = id, fence, current
        super().__init__(id, fence, current)

    def __str__(self) -> str:
        return (
            f"the lease on {self.id!r} was taken over (fencing number {self.current}, this attempt has "
            f"{self.fence}): the other attempt's outcome counts"
        )


class VersionConflict(ResonateError):
    """The code changed under a pinned version number."""

    def __init__(self, name: str, number: int, diff: str) -> None:
        self.name, self.number, self.diff = name, number, diff
        super().__init__(name, number, diff)

    def __str__(self) -> str:
        return (
            f"the code of {self.name!r} changed under version {self.number}, which is pinned to other code: "
            f"give it `version={self.number + 1}`, or call `{self.name}.repin()` if its results stay valid"
            f"\n{self.diff}"
        )


class VersionMissing(ResonateError):
    """The code of a version is not in the store, or can't be called from there."""

    def __init__(self, name: str, version: str, reason: str, id: str | None = None) -> None:
        self.name, self.version, self.reason, self.id = name, version, reason, id
        super().__init__(name, version, reason, id)

    def __str__(self) -> str:
        said = f"version {self.version} of {self.name!r} can't be called: {self.reason}"
        if self.id is None:
            return said
        return (
            f"{said}. Promise {self.id!r} is under way with that version: define it again to go on, "
            f"`restart({self.id!r})` to go on with the present code, or forget the promise to begin anew"
        )


class UndigestibleInput(ResonateError):
    """A value has no content that could identify it."""

    def __init__(self, path: str, type_name: str, hint: str = "") -> None:
        self.path, self.type_name, self.hint = path, type_name, hint
        super().__init__(path, type_name, hint)

    def __str__(self) -> str:
        ways = self.hint or (
            "pass what it is made from instead, give its class a `__durable_digest__` method, "
            "or leave it out with `--ignore` on the cell"
        )
        return f"{self.path} is a {self.type_name}, which has no content to identify it by: {ways}"


class Unpicklable(ResonateError):
    """A part of a value can't be kept."""

    def __init__(self, path: str, type_name: str, reason: str) -> None:
        self.path, self.type_name, self.reason = path, type_name, reason
        super().__init__(path, type_name, reason)

    def __str__(self) -> str:
        return f"{self.path} is a {self.type_name} and can't be kept ({self.reason})"


class UntrustedValue(ResonateError):
    """The value could execute code and is not signed by this user's key."""

    def __init__(self, id: str, reason: str) -> None:
        self.id, self.reason = id, reason
        super().__init__(id, reason)

    def __str__(self) -> str:
        return (
            f"the value of {self.id!r} is not loaded: {self.reason}. If you know where it comes from, point "
            "RESONATE_NB_KEY_FILE at the key that signed it; else `resonate-nb forget` it and compute again"
        )


class DamagedValue(ResonateError):
    """The bytes of a record or value are not those that were written."""

    def __init__(self, id: str, reason: str) -> None:
        self.id, self.reason = id, reason
        super().__init__(id, reason)

    def __str__(self) -> str:
        return f"the stored bytes of {self.id!r} are damaged: {self.reason}"


class UnreadableValue(DamagedValue):
    """The bytes are whole and trusted, but this kernel can't rebuild the value from them."""

    def __str__(self) -> str:
        return f"the value of {self.id!r} can't be rebuilt here: {self.reason}"


class MissingReference(ResonateError):
    """The value mentions an object by name that the notebook has not, or not any more."""

    def __init__(self, id: str, name: str) -> None:
        self.id, self.name = id, name
        super().__init__(id, name)

    def __str__(self) -> str:
        return (
            f"the value of {self.id!r} belongs to {self.name}, which is not there: "
            "run what defines it first, or ask for `rerun`"
        )


class LostException(ResonateError):
    """An exception that could not be kept as such: its type's name and its text remain."""

    def __init__(self, type_name: str, text: str) -> None:
        self.type_name, self.text = type_name, text
        super().__init__(type_name, text)

    def __str__(self) -> str:
        return f"{self.type_name}: {self.text}" if self.text else self.type_name


class StoreUnavailable(ResonateError):
    """The store can't be opened, read or written."""

    def __init__(self, location: str, reason: str) -> None:
        self.location, self.reason = location, reason
        super().__init__(location, reason)

    def __str__(self) -> str:
        return (
            f"the store {self.location} can't be used: {self.reason}. Another folder can be named with "
            "`configure(store=...)` or the variable RESONATE_NB_STORE"
        )


class StoreFull(StoreUnavailable):
    """There is no room left for the store."""

    def __str__(self) -> str:
        return (
            f"no room left for the store {self.location}: {self.reason}. Nothing that was kept is lost; "
            "make room, or name another folder with RESONATE_NB_STORE, and run again"
        )


class StoreFormat(ResonateError):
    """The store was written in a format that this version can't read."""

    def __init__(self, location: str, found: str, readable: int) -> None:
        self.location, self.found, self.readable = location, found, readable
        super().__init__(location, found, readable)

    def __str__(self) -> str:
        return (
            f"the store {self.location} has format {self.found}, this version reads up to {self.readable}: "
            "upgrade resonate-nb, or name another folder with RESONATE_NB_STORE"
        )


class ResonateWarning(UserWarning):
    """Base of every warning of the package."""


class StaleSource(ResonateWarning):
    """The source on disk is not the code that runs, so the outcome is not kept."""


class MutatedArgument(ResonateWarning):
    """The body changed an argument in place, so the outcome is not kept."""


class NotKept(ResonateWarning):
    """The outcome was delivered but could not be kept, so it is computed again next time."""
