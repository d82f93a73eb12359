"""The root: wires store, codec and clock, and keeps the one that calls without a root use."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from resonate_nb import views
from resonate_nb.clock import Clock, SystemClock
from resonate_nb.codec import Codec
from resonate_nb.corridor import binding
from resonate_nb.execution import Execution, acting
from resonate_nb.fingerprint import describe_code
from resonate_nb.functions import DurableFunction
from resonate_nb.handles import Handle
from resonate_nb.opened.file_states import leave_out
from resonate_nb.promise import NO_TEXTS, State
from resonate_nb.values.keys import key_path, load_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from resonate_nb.corridor.naming import Opaque
    from resonate_nb.durations import Duration
    from resonate_nb.promise import Promise
    from resonate_nb.retry import Policy
    from resonate_nb.store.base import Store
    from resonate_nb.values.keys import SigningKey
    from resonate_nb.versioning.pins import OnChange

P = ParamSpec("P")
R = TypeVar("R")

STORE_VARIABLE = "RESONATE_NB_STORE"


class Resonate:
    """A store with all that calls need to use it; opened at the first use.

    Parameters
    ----------
    store
        A folder, or a store; None for the folder that RESONATE_NB_STORE names, else `.resonate` here.
    prefix
        Goes in front of every id.
    durability
        "power" makes every acknowledged change survive a power cut.
    library
        "exact" makes every release of an installed library count as other code, not only major ones.
    """

    def __init__(
        self,
        store: str | os.PathLike[str] | Store | None = None,
        *,
        prefix: str = "",
        durability: Literal["default", "power"] = "default",
        library: Literal["major", "exact"] = "major",
        key: SigningKey | None = None,
        clock: Clock | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._store = store if store is not None else default_folder()
        self._options: dict[str, Any] = {"prefix": prefix, "library": library, "say": say or _say}
        self._durability: Literal["default", "power"] = durability
        self._key, self._clock = key, clock or SystemClock()
        self._lock = threading.Lock()
        self._execution: Execution | None = None

    @classmethod
    def over(cls, execution: Execution) -> Resonate:
        """Return the root of a corridor that is open already."""
        root = cls(execution.store, prefix=execution.prefix, library=execution.library)
        root._execution = execution
        return root

    @property
    def execution(self) -> Execution:
        """The corridor over the store, which is opened now if it was not."""
        if self._execution is None:
            with self._lock:
                self._execution = self._execution or self._open()
        return self._execution

    def _open(self) -> Execution:
        store: Any = self._store
        leave_out(key_path())
        if isinstance(store, str | os.PathLike):
            from resonate_nb.store.disk import DiskStore

            leave_out(store)
            store = DiskStore(store, durability=self._durability)
        codec = Codec(self._key or load_key(), describe_code=describe_code)
        return Execution(store, codec, self._clock, **self._options)

    def handle(self, id: str) -> Handle[Any]:
        """Return the handle of a promise of this root, which `Handle(id)` gives for the one of calls."""
        return Handle(id, execution=lambda: self.execution)

    def durable(self, **options: Any) -> Callable[[Callable[P, R]], DurableFunction[P, R]]:
        """Decorate a function to use this root; the options are those of `resonate_nb.durable`."""
        return lambda function: DurableFunction(function, lambda: self.execution, **options)

    def close(self) -> None:
        """Commit what is under way and let go of the store."""
        if self._execution is not None:
            self._execution.close()


def default_folder() -> Path:
    """Return the folder of the store that is used where nobody names one, as an absolute path."""
    return Path(os.environ.get(STORE_VARIABLE) or ".resonate").absolute()


class _Default:
    """The root of calls that name none."""

    def __init__(self) -> None:
        self.root: Resonate | None = None
        self.lock = threading.Lock()


_default = _Default()


def configure(
    store: str | os.PathLike[str] | Store | None = None,
    *,
    prefix: str = "",
    durability: Literal["default", "power"] = "default",
    library: Literal["major", "exact"] = "major",
) -> Resonate:
    """Choose the store and rules for all calls from now on, and return their root; see `Resonate`."""
    root = Resonate(store, prefix=prefix, durability=durability, library=library)
    with _default.lock:
        former, _default.root = _default.root, root
    if former is not None:
        former.close()
    return root


def default() -> Resonate:
    """Return the root of calls that name none."""
    if (execution := acting.get()) is not None:
        return Resonate.over(execution)
    root = _default.root
    if root is None:
        with _default.lock:
            root = _default.root = _default.root or Resonate()
    return root


def restart(id: str) -> Promise:
    """Let a promise that is under way go on with the present code at its next call, and return its record.

    For a promise that was cut off or waits, which would go on with the code that it started with.

    Raises
    ------
    NoSuchPromise
        There is none with this id.
    UsageError
        It is settled, or is being computed at this moment.
    """
    return binding.restart(default().execution, id)


def find(
    prefix: str = "",
    *,
    state: State | str | None = None,
    tags: Mapping[str, str] = NO_TEXTS,
    **more: str,
) -> list[Promise]:
    """Return the promises whose ids begin with `prefix`, in the order of their ids, without their values.

    `Handle(promise.id).result()` gives a value.

    Parameters
    ----------
    prefix
        The beginning of the ids, behind the one that `configure(prefix=)` puts in front of all.
    state
        Only promises in this state.
    tags, more
        Only promises that have all these tags, written as a mapping or as keywords.

    Raises
    ------
    UsageError
        There is no such state.
    """
    execution = default().execution
    wanted = [(name, str(text)) for name, text in {**tags, **more}.items()]
    return views.listing(execution, prefix=execution.prefix + prefix, state=state, tags=wanted)


@overload
def durable(function: Callable[P, R], /) -> DurableFunction[P, R]: ...


@overload
def durable(
    *,
    name: str | None = None,
    version: int | None = None,
    id: str | Opaque | Callable[..., str] | None = None,
    identity: Literal["arguments", "call"] = "arguments",
    tags: Mapping[str, str] = NO_TEXTS,
    keep_errors: bool = False,
    on_change: OnChange = "raise",
    retry: Policy | int | None = None,
    timeout: Duration | None = None,
    mutates: Iterable[str] = (),
) -> Callable[[Callable[P, R]], DurableFunction[P, R]]: ...


def durable(function: Callable[P, R] | None = None, /, **options: Any) -> Any:
    """Make the calls of a function durable promises.

    Parameters
    ----------
    name
        In front of the promises' ids; the function's qualified name if left out.
    version
        A number that is pinned to the code; left out, the code's fingerprint is the version, so that
        an edit computes anew and the old results come back with the old code.
    id
        Ids of your own: a format over the arguments, like "news/{day:%Y-%m-%d}", or a callable that takes
        them by name and returns text. Calls with one id have to be the same call, and an exception is an
        answer. `opaque` draws an id for each call: within a promise it is found again when that is resumed,
        a call from outside is always a new one.
    identity
        "call": each call is a promise of its own, known by its place in the promise that makes it, for calls
        whose repetition matters (send, draw, now). When that promise is resumed, the calls that it made are
        delivered in their order; if it makes others then, `Diverged` is raised.
    tags
        Texts to find the promises by, with `find`.
    keep_errors
        Whether an exception is an answer, raised again by the next call, instead of a failed attempt.
    on_change
        What happens when the code changed under its pinned number.
    retry
        How many further attempts follow one that ended in an exception, with growing pauses, or
        `Exponential(...)`, `Linear(...)`, `Constant(...)`. Attempts, errors and the time of the next
        attempt are kept: a restart neither forgets nor repeats them.
    timeout
        How long a call may take, further attempts included: seconds, a `timedelta`, or text like
        "1d2h30m5s". Then the body is interrupted, and the call raises `PromiseTimedOut`.

    mutates
        Names of arguments that the body changes in place, as in ("df",). Their new state is kept, and put
        into the caller's objects at replay. Without it, a call that changed an argument is not kept.

    Raises
    ------
    UsageError
        What is decorated is no function, or a generator function, or the version is no whole number.
    """
    if function is not None:
        return DurableFunction(function, lambda: default().execution)
    return lambda function: DurableFunction(function, lambda: default().execution, **options)


Handle.execution_of_calls_that_name_none = staticmethod(lambda: default().execution)
durable.__durable_decorator__ = True  # type: ignore[attr-defined]  # no part of the code it decorates


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 (a person waits)
