"""How the right to compute a promise is got: asked for, waited for, taken over from the dead."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from resonate_nb.corridor import leases
from resonate_nb.corridor.attempts import Attempt, Delivered, Trail
from resonate_nb.corridor.called import note_called
from resonate_nb.corridor.context import Context, attributed, current
from resonate_nb.corridor.deadlines import end_if_over
from resonate_nb.corridor.failures import Failures
from resonate_nb.corridor.under_way import note_settled, note_waiting
from resonate_nb.corridor.work import Bound
from resonate_nb.errors import PromiseTimedOut
from resonate_nb.opened import file_events
from resonate_nb.opened.file_records import BECAUSE_TAG
from resonate_nb.opened.tracing import Trace
from resonate_nb.promise import SEED_TAG, State
from resonate_nb.store.operations import Acquire, Claim, Release

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonate_nb.corridor.attempts import Caller
    from resonate_nb.corridor.delivering import Delivering
    from resonate_nb.corridor.leases import Owner
    from resonate_nb.corridor.work import Work
    from resonate_nb.promise import Promise
    from resonate_nb.store.base import Lease, Reply

SLICE_SECONDS = 0.2  # a wait can be interrupted this often
EVERY_SETTLED_STATE = frozenset(State) - {State.PENDING}


@dataclass(slots=True, kw_only=True)
class Turn:
    """One caller's place in the line for a promise."""

    work: Work
    caller: Caller
    owner: Owner
    asked: frozenset[State]  # the settled states that are no answer to the caller
    unless: frozenset[State]  # the same, or more, once a settled promise turned out to be none
    began: int  # milliseconds since the epoch
    timeout_at: int = 0  # when the caller waits no more, known since the first question
    over: int | None = None  # the fencing number of a lease that has ended
    ahead: tuple[str, Lease] | None = None  # the promise and the lease that are waited for
    because: str = ""  # which files changed, so that a settled promise is no answer
    told: set[str] = field(default_factory=set)  # for whom the user knows already that we wait
    asked_ahead: Reply[Claim] | None = None  # the answer to a first question that was not waited for


@dataclass(frozen=True, slots=True)
class Claiming:
    """The part of the corridor in which callers stand in line."""

    delivering: Delivering
    heartbeat: leases.Heartbeat
    say: Callable[[str], None]

    def claim(self, work: Work, caller: Caller, *, rerun: bool) -> Delivered | Attempt:
        """Return the right to compute, or what was settled meanwhile; a broken wait leaves no lease."""
        turn = self.line_up(work, caller, rerun=rerun)
        try:
            while (entry := self.try_once(turn)) is None:
                self.delivering.store.wait_for_change(SLICE_SECONDS)
        except BaseException:
            self.leave(turn)
            raise
        return entry

    def line_up(self, work: Work, caller: Caller, *, rerun: bool) -> Turn:
        """Return a new place in the line; whoever does not come to its end has to `leave`."""
        asked = EVERY_SETTLED_STATE if rerun else work.unless
        return Turn(
            work=work,
            caller=caller,
            owner=leases.new_owner(),
            asked=asked,
            unless=asked,
            began=self.delivering.clock.now() if caller.since is None else caller.since,
        )

    def ask_ahead(self, turn: Turn) -> None:
        """Ask for the right to compute without waiting for the answer, which `try_once` will take."""
        turn.asked_ahead = self._post(turn)

    def leave(self, turn: Turn) -> None:
        """Give up a place, with the lease that it may have got in the last moment."""
        self.delivering.store.post(Release(id=turn.work.id, owner=turn.owner.text))
        leases.retire(turn.owner)

    def try_once(self, turn: Turn) -> Delivered | Attempt | None:
        """Return the right to compute, or what was settled meanwhile; None while somebody else computes.

        Raises
        ------
        PromiseTimedOut
            The caller's own deadline passed. Others may still compute the promise, and wait for it.
        """
        end_if_over()
        entry = self._look_back(turn) or self._look_ahead(turn) or (None if turn.ahead else self._ask(turn))
        if isinstance(entry, Delivered):
            leases.retire(turn.owner)
        elif entry is None and turn.timeout_at <= self.delivering.clock.now():
            raise PromiseTimedOut(turn.work.id)
        if entry is not None:
            note_called(entry.promise)
        if isinstance(entry, Delivered):
            note_settled(entry.promise)
        else:
            note_waiting()
        return entry

    def _ask(self, turn: Turn) -> Delivered | Attempt | None:
        if (attempt := self._begin_at_once(turn)) is not None:
            return attempt
        while True:
            claim = self._acquire(turn)
            if claim.fence is not None:
                return self._attempt(turn, self._bound(turn.work, claim.promise), claim, claim.fence)
            if claim.holder is not None:
                turn.work.guard(claim.promise)
                turn.unless = turn.asked  # what the other attempt settles may be an answer
                turn.ahead = claim.promise.id, claim.holder
                ended = self._look_ahead(turn)
                if ended is not None or turn.ahead is not None:
                    return ended
            else:
                delivered = self.delivering.delivery(turn.work, claim.promise, turn.caller)
                delivered = delivered or self._ended_meanwhile(turn, claim.promise)
                if delivered is not None:
                    return delivered
                turn.unless = EVERY_SETTLED_STATE  # what is settled there is no answer: a new generation
                turn.because = self.delivering.changed_files(claim.promise)

    def _begin_at_once(self, turn: Turn) -> Attempt | None:
        """Return the right to compute a call that nobody else can make and that was not made before.

        Its record is on its way while its body runs, and most often it is settled in the same transaction.
        """
        place = turn.work.place
        if place is None or not place.ours_alone or turn.asked_ahead is not None:
            return None
        if self.delivering.store.get(turn.work.id) is not None:
            return None
        asked = self._question(turn)
        promise = asked.promise.created(asked.now)
        if promise.settled:  # there is no time left
            return None
        reply = self.delivering.store.post(asked)
        return self._attempt(turn, Bound(turn.work), Claim(promise, fence=1), 1, reply.get)

    def _acquire(self, turn: Turn) -> Claim:
        reply, turn.asked_ahead = turn.asked_ahead or self._post(turn), None
        return reply.get()

    def _post(self, turn: Turn) -> Reply[Claim]:
        return self.delivering.store.post(self._question(turn))

    def _question(self, turn: Turn) -> Acquire:
        now = self.delivering.clock.now()
        turn.timeout_at = turn.timeout_at or turn.work.deadline(now)
        promise = turn.work.promise(current(), timeout_at=turn.timeout_at)
        if turn.because:
            promise = replace(promise, tags={**promise.tags, BECAUSE_TAG: turn.because[:500]})
        return Acquire(
            promise=promise,
            owner=turn.owner.text,
            until=now + leases.LEASE_MILLISECONDS,
            now=now,
            over=turn.over,
            unless=turn.unless,
            rebind=turn.work.bound is None,
            power_safe=turn.work.explicit,
        )

    def _bound(self, work: Work, promise: Promise) -> Bound:
        """Return what the attempt computes: the promise goes on with the code that it started with."""
        work.guard(promise)
        if work.bound is None or work.same_code(promise):
            return Bound(work)
        bound = work.bound(promise)
        bound = replace(bound, work=replace(bound.work, id=work.id))  # a scheme may have become another
        bound.work.guard(promise)
        started_with = promise.tags["rnb:fingerprint"][:12]
        self.say(f"{work.name}: resumes with the code it started with (fingerprint {started_with})")
        return bound

    def _attempt(
        self,
        turn: Turn,
        bound: Bound,
        claim: Claim,
        fence: int,
        begun: Callable[[], object] | None = None,
    ) -> Attempt:
        self.heartbeat.add(claim.promise.id, fence)
        file_events.listen()
        timeout_at = min(claim.promise.timeout_at, turn.timeout_at)
        return Attempt(
            bound.work,
            claim.promise,
            fence,
            turn.owner,
            Context(
                claim.promise.id,
                bound.work.id,
                fence,
                current(),
                timeout_at=timeout_at,
                seed=claim.promise.tags.get(SEED_TAG, ""),
                trace=Trace(attributed()),
                begun=begun,
            ),
            started=self.delivering.clock.now(),
            timeout_at=timeout_at,
            trail=Trail(Failures.of(claim.promise.tags)),
            body=bound.body,
        )

    def _look_back(self, turn: Turn) -> Delivered | None:
        """Look whether the promise was canceled on the way from the request to the line."""
        if turn.caller.since is None or turn.ahead is not None:
            return None
        newest = self.delivering.store.latest(turn.work.id)
        seen = None if newest is None else newest.promise.seen(self.delivering.clock.now())
        return None if seen is None else self._ended_meanwhile(turn, seen)

    def _look_ahead(self, turn: Turn) -> Delivered | None:
        """Look whether the attempt that is waited for has ended: then nothing is ahead any more."""
        if turn.ahead is None:
            return None
        store, now = self.delivering.store, self.delivering.clock.now()
        id, waited_for = turn.ahead
        entry = store.get(id)
        held = None if entry is None else entry.lease
        promise = None if entry is None else entry.promise.seen(now)
        if promise is not None and (ended := self._ended_meanwhile(turn, promise)) is not None:
            return ended
        if promise is None or promise.settled or held is None or held.owner != waited_for.owner:
            turn.ahead = None
        elif leases.ended(held, now):
            turn.ahead, turn.over = None, held.fence
        else:
            self._tell(turn, held)
        return None

    def _ended_meanwhile(self, turn: Turn, promise: Promise) -> Delivered | None:
        """Return the outcome of a promise that timed out or was canceled while the caller was in line.

        To calls that come later it is no answer where the id is made from content, but to this one it is.
        """
        if promise.state not in (State.TIMEDOUT, State.CANCELED) or (promise.settled_at or 0) < turn.began:
            return None
        return Delivered(promise, self.delivering.decode(promise))

    def _tell(self, turn: Turn, held: Lease) -> None:
        if held.owner not in turn.told:
            turn.told.add(held.owner)
            owner = leases.Owner.parse(held.owner) or held.owner
            self.say(f"{turn.work.name}: waiting for {owner}, which is computing it")
