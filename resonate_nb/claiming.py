"""How the right to compute a promise is got: asked for, waited for, taken over from the dead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonate_nb import leases
from resonate_nb.attempts import Attempt, Delivered, Trail
from resonate_nb.context import Context, current
from resonate_nb.failures import Failures
from resonate_nb.promise import State
from resonate_nb.store.operations import Acquire, Release
from resonate_nb.work import Bound

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from resonate_nb.attempts import Caller
    from resonate_nb.delivering import Delivering
    from resonate_nb.leases import Owner
    from resonate_nb.promise import Promise
    from resonate_nb.store.base import Lease
    from resonate_nb.store.operations import Claim
    from resonate_nb.work import Work

_SLICE_SECONDS = 0.2  # a wait can be interrupted this often
EVERY_SETTLED_STATE = frozenset(State) - {State.PENDING}


@dataclass(frozen=True, slots=True)
class Claiming:
    """The part of the corridor in which callers stand in line."""

    delivering: Delivering
    heartbeat: leases.Heartbeat
    say: Callable[[str], None]

    def claim(self, work: Work, caller: Caller, *, rerun: bool) -> Delivered | Attempt:
        """Return the right to compute, or what was settled meanwhile; a broken wait leaves no lease."""
        owner = leases.new_owner()
        try:
            entry = self._claim(work, owner, caller, EVERY_SETTLED_STATE if rerun else work.unless)
        except BaseException:
            self.delivering.store.post(Release(id=work.id, owner=owner.text))
            leases.retire(owner)
            raise
        if isinstance(entry, Delivered):
            leases.retire(owner)
        return entry

    def _claim(
        self, work: Work, owner: Owner, caller: Caller, unless: frozenset[State]
    ) -> Delivered | Attempt:
        over = None
        while True:
            claim = self._ask(work, owner, unless, over)
            if claim.fence is not None:
                return self._attempt(self._bound(work, claim.promise), owner, claim, claim.fence)
            if claim.holder is None:
                delivered = self.delivering.delivery(work, claim.promise, caller)
                if delivered is not None:
                    return delivered
                unless = EVERY_SETTLED_STATE  # what is settled there is no answer: a new generation
            else:
                work.guard(claim.promise)
                over = self._wait(work, claim.promise.id, claim.holder, caller.stop)

    def _ask(self, work: Work, owner: Owner, unless: frozenset[State], over: int | None) -> Claim:
        now = self.delivering.clock.now()
        return self.delivering.store.do(
            Acquire(
                promise=work.promise(current()),
                owner=owner.text,
                until=now + leases.LEASE_MILLISECONDS,
                now=now,
                over=over,
                unless=unless,
                rebind=work.bound is None,
                power_safe=work.explicit,
            )
        )

    def _bound(self, work: Work, promise: Promise) -> Bound:
        """Return what the attempt computes: the promise goes on with the code that it started with."""
        work.guard(promise)
        if work.bound is None or work.same_code(promise):
            return Bound(work)
        bound = work.bound(promise)
        bound.work.guard(promise)
        started_with = promise.tags["rnb:fingerprint"][:12]
        self.say(f"{work.name}: resumes with the code it started with (fingerprint {started_with})")
        return bound

    def _attempt(self, bound: Bound, owner: Owner, claim: Claim, fence: int) -> Attempt:
        self.heartbeat.add(claim.promise.id, fence)
        context = Context(claim.promise.id, bound.work.id, fence, current())
        trail = Trail(Failures.of(claim.promise.tags))
        started = self.delivering.clock.now()
        return Attempt(bound.work, claim.promise, fence, owner, context, started, trail, bound.body)

    def _wait(self, work: Work, id: str, lease: Lease, stop: threading.Event | None) -> int | None:
        """Wait for another's attempt; return the fencing number of a lease that has ended."""
        store, clock = self.delivering.store, self.delivering.clock
        held, announced = lease, False
        while held.owner == lease.owner and not (stop is not None and stop.is_set()):
            if leases.ended(held, clock.now()):
                return held.fence
            if not announced:
                announced = True
                owner = leases.Owner.parse(lease.owner) or lease.owner
                self.say(f"{work.name}: waiting for {owner}, which is computing it")
            store.wait_for_change(_SLICE_SECONDS)
            entry = store.get(id)
            if entry is None or entry.lease is None or entry.promise.seen(clock.now()).settled:
                return None
            held = entry.lease
        return None
