"""Who holds a lease: an attempt in a process on a host, and whether it still lives.

On the same host a lease holds as long as its process lives, whatever the clock says, and falls the
moment it dies. From another host, or another process namespace, nobody can look: it ends by time.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from resonate_nb.store.forks import on_fork
from resonate_nb.store.operations import Renew

if TYPE_CHECKING:
    from resonate_nb.clock import Clock
    from resonate_nb.store.base import Lease, Store

LEASE_MILLISECONDS = 60_000
_RENEW_SECONDS = 15.0
_attempts_here: set[str] = set()  # of this process, the only one that can know


@dataclass(frozen=True, slots=True)
class Owner:
    """One attempt of one process: whoever computes a promise."""

    host: str
    boot: str
    namespace: str
    pid: int
    started: float  # seconds since the epoch, as the system tells it
    attempt: str

    @property
    def text(self) -> str:
        """The owner as it is stored with the lease."""
        return _text_of(self)

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """Return the owner, or None if another kind of client wrote the text."""
        try:
            host, boot, namespace, pid, started, attempt = json.loads(text)
        except ValueError:
            return None
        return cls(str(host), str(boot), str(namespace), int(pid), float(started), str(attempt))

    def lives(self) -> bool | None:
        """Return whether the attempt can still be under way; None if that can't be seen from here."""
        if (self.host, self.boot, self.namespace) != _machine():
            return False if self.host == _machine()[0] and self.boot != _machine()[1] else None
        if self.pid == os.getpid() and self.started == _started(self.pid):
            return self.attempt in _attempts_here
        return _started(self.pid) == self.started

    def __str__(self) -> str:
        if self.pid == os.getpid() and self.host == platform.node():
            return "another thread of this process"
        where = "this machine" if self.host == platform.node() else self.host
        return f"process {self.pid} on {where}"


def new_owner() -> Owner:
    """Return the owner of an attempt that starts now, and count it among the living."""
    host, boot, namespace = _machine()
    attempt = secrets.token_hex(8)
    _attempts_here.add(attempt)
    return Owner(host, boot, namespace, os.getpid(), _own_start(os.getpid()), attempt)


def retire(owner: Owner) -> None:
    """Say that an attempt is over, whether or not its lease could be given back."""
    _attempts_here.discard(owner.attempt)


def ended(lease: Lease, now: int) -> bool:
    """Return whether a lease may be taken over."""
    owner = Owner.parse(lease.owner)
    lives = None if owner is None else owner.lives()
    return lease.until <= now if lives is None else not lives


@functools.lru_cache(maxsize=256)
def _text_of(owner: Owner) -> str:
    return json.dumps([owner.host, owner.boot, owner.namespace, owner.pid, owner.started, owner.attempt])


@functools.cache
def _machine() -> tuple[str, str, str]:
    """Return the host's name, an identity of its present boot, and the process namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        boot, namespace = str(round(psutil.boot_time())), ""
    return platform.node(), boot, namespace


def _started(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


@functools.lru_cache(maxsize=1)
def _own_start(pid: int) -> float:
    return psutil.Process(pid).create_time()  # by pid: a forked child must not inherit the answer


class Heartbeat:
    """Renews the leases of long attempts, for the eyes of other hosts."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.begin_in_child()
        on_fork(self)

    def begin_in_child(self) -> None:
        """Start afresh: what the parent computes is not this process's to renew."""
        self._leases: dict[str, int] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def add(self, id: str, fence: int) -> None:
        """Renew this lease from now on."""
        with self._lock:
            self._leases[id] = fence
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._beat, name="resonate-heartbeat", daemon=True)
                self._thread.start()

    def remove(self, id: str) -> None:
        """Let this lease end."""
        with self._lock:
            self._leases.pop(id, None)

    def stop(self) -> None:
        """Renew nothing any more."""
        self._stopped.set()

    def _beat(self) -> None:
        while not self._stopped.wait(_RENEW_SECONDS):
            with self._lock:
                leases = dict(self._leases)
            for id, fence in leases.items():
                self._store.post(Renew(id=id, fence=fence, until=self._clock.now() + LEASE_MILLISECONDS))
