"""A function that came from a notebook, ready to be called in this process: with its names and its store."""

from __future__ import annotations

import functools
import threading
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonate_nb import fingerprint
from resonate_nb.clock import SystemClock
from resonate_nb.codec import Codec
from resonate_nb.corridor import context
from resonate_nb.errors import ResonateWarning, UnfitWorker
from resonate_nb.execution import Execution, acting
from resonate_nb.executors.travelling import Ways, parent
from resonate_nb.functions import rebuilt
from resonate_nb.opened.file_states import leave_out
from resonate_nb.store.disk import DiskStore
from resonate_nb.store.memory import MemoryStore
from resonate_nb.values import abroad
from resonate_nb.values.keys import key_path, load_key
from resonate_nb.versioning.code_world import load_code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonate_nb.executors.fitness import Folder
    from resonate_nb.executors.travelling import Luggage
    from resonate_nb.functions import DurableFunction
    from resonate_nb.versioning.code_world import World

_MOST_GUESTS = 32  # that are kept ready
_guests: dict[str, Guest] = {}  # by the key of their luggage
_executions: dict[tuple[str, ...], Execution] = {}  # over the stores that this process has open
_opening = threading.Lock()


@dataclass(frozen=True, slots=True)
class Guest:
    """A function that came, rebuilt."""

    function: DurableFunction[Any, Any]
    execution: Execution
    world: World  # where it finds its helpers and its data


class Told:
    """What was said and warned of, once each, while a guest was called."""

    def __init__(self) -> None:
        self.said: dict[str, None] = {}
        self.warned: dict[tuple[type[Warning], str], None] = {}


_told: ContextVar[Told | None] = ContextVar("resonate_nb_told", default=None)


@contextmanager
def hosted(luggage: Luggage, worker: str) -> Iterator[Guest]:
    """Have a function here for a while, with its names and its store in the place of this process's own.

    Raises
    ------
    UnfitWorker
        This process lacks something.
    """
    if luggage.folder is not None:
        guest = _kept_ready(luggage, luggage.folder, worker)
        with _at_home(guest, luggage):
            yield guest
        return
    codec = Ways(luggage.secret).codec
    execution = Execution(
        MemoryStore(), codec, SystemClock(), _say, prefix=luggage.prefix, library=luggage.library
    )
    try:
        guest = _rebuilt(luggage, execution, worker)
        with _at_home(guest, luggage):
            yield guest
    finally:
        execution.close()


@contextmanager
def listening(told: Told) -> Iterator[None]:
    """Hear what this package says and warns of in this context."""
    _hear_warnings()
    token = _told.set(told)
    try:
        yield
    finally:
        _told.reset(token)


def _kept_ready(luggage: Luggage, folder: Folder, worker: str) -> Guest:
    guest = _guests.get(luggage.key)
    if guest is None:
        guest = _rebuilt(luggage, _opened(luggage, folder, worker), worker)
        with _opening:
            _guests[luggage.key] = guest
            while len(_guests) > _MOST_GUESTS:
                del _guests[next(iter(_guests))]
    return guest


def _opened(luggage: Luggage, folder: Folder, worker: str) -> Execution:
    """Return the corridor over the notebook's store, one in a process."""
    key = (folder.path, folder.durability, luggage.prefix, luggage.library)
    with _opening:
        if key not in _executions:
            if not folder.seen():
                lacks = f"the store's folder {folder.path}, or the key that signs what is in it"
                raise UnfitWorker(worker, lacks)
            leave_out(folder.path, key_path())
            codec = Codec(load_key(), describe_code=fingerprint.describe_code)
            store = DiskStore(folder.path, durability=folder.durability)
            _executions[key] = Execution(
                store, codec, SystemClock(), _say, prefix=luggage.prefix, library=luggage.library
            )
        return _executions[key]


def _rebuilt(luggage: Luggage, execution: Execution, worker: str) -> Guest:
    luggage.needs.check(worker)
    fingerprint.descriptions.update(luggage.descriptions)
    durable = functools.partial(rebuilt, lambda: execution)
    try:
        loaded = load_code(luggage.code, luggage.fingerprint, durable, abroad=True)
        options = loaded.world.load(luggage.options)
    except ModuleNotFoundError as error:
        raise UnfitWorker(worker, f"the module {error.name}, which {luggage.name} needs") from error
    except Exception as error:  # what the user's classes and modules raise while they are rebuilt
        lacks = f"what it takes to rebuild {luggage.name} ({type(error).__name__}: {error})"
        raise UnfitWorker(worker, lacks) from error
    return Guest(durable(loaded, options), execution, loaded.world)


@contextmanager
def _at_home(guest: Guest, luggage: Luggage) -> Iterator[None]:
    """Let names, calls and questions of the running code find what came with it."""
    names, corridor = abroad.finder.set(guest.world.find), acting.set(guest.execution)
    try:
        with context.placed_in(parent(luggage.parents)):
            yield
    finally:
        abroad.finder.reset(names)
        acting.reset(corridor)


def _say(line: str) -> None:
    told = _told.get()
    if told is not None:
        told.said[line] = None


@functools.cache
def _hear_warnings() -> None:
    """Hand warnings of this package to whoever listens in their context, once for the process."""
    show = warnings.showwarning

    def heard(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        told = _told.get()
        if told is None or not issubclass(category, ResonateWarning):
            show(message, category, *place, **more)
        else:
            told.warned[category, str(message)] = None

    warnings.showwarning = heard
    warnings.simplefilter("always", ResonateWarning)
