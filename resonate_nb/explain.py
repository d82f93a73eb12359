"""Why something is computed or replayed, in words, against the promise that comes nearest to it.

It compares what was recorded when promises were made. It never decides what happens: that is the
identity's part alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from resonate_nb import about, readable
from resonate_nb.corridor import leases
from resonate_nb.corridor.failures import LAST_ERROR
from resonate_nb.corridor.work import conflict
from resonate_nb.errors import DamagedValue, NoSuchPromise, UntrustedValue
from resonate_nb.fingerprint import difference
from resonate_nb.ids import escape, generation
from resonate_nb.opened import file_records
from resonate_nb.opened.file_records import BECAUSE_TAG
from resonate_nb.promise import Promise, State
from resonate_nb.recent import ASKED
from resonate_nb.store.base import Query
from resonate_nb.versioning import pins
from resonate_nb.versions import VERSION_DIGITS, record_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from resonate_nb.about import About, Noted
    from resonate_nb.corridor.work import Work
    from resonate_nb.execution import Execution
    from resonate_nb.fingerprint import Fingerprint, Part
    from resonate_nb.recent import Run
    from resonate_nb.store.base import Entry

IGNORED = "rnb:ignored"  # the tag with the names that `--ignore` took out of the inputs
WATCHED = "rnb:watched"  # the tag with the files that `--watch` names
_ANSWERS = frozenset({State.RESOLVED, State.REJECTED})
_NUMBER = re.compile(r"v[0-9]+")  # of a pinned version
_PAGE = 500
_MOST_LISTED = 20_000  # promises of one name that are looked at
_MOST_COMPARED = 25  # of those with the same inputs, the same code, and neither


@dataclass(frozen=True, slots=True)
class Explanation:
    """A sentence, the reasons for it, and what they were compared with."""

    sentence: str
    reasons: tuple[str, ...] = ()
    against: str = ""
    ignored: str = ""  # names, as `--ignore` has them

    def __str__(self) -> str:
        lines = [self.sentence + (", because" if self.reasons else "")]
        lines += [f"- {reason}" for reason in self.reasons]
        lines += [f"compared with {self.against}"] if self.reasons and self.against else []
        return "\n".join([*lines, f"not looked at: {self.ignored} (--ignore)"] if self.ignored else lines)


def forecast(
    execution: Execution, work: Work, *, parts: Sequence[Part] = (), rerun: bool = False
) -> Explanation:
    """Return what a call or cell would do now; `parts` are those of its code, if it may never have run."""
    wanted = work.promise(None)
    return _with_ignored(_forecast(execution, work, wanted, parts, rerun=rerun), wanted)


def _forecast(
    execution: Execution, work: Work, wanted: Promise, parts: Sequence[Part], *, rerun: bool
) -> Explanation:
    entry = execution.store.get(work.id)
    if entry is None:
        return _because(f"{work.name}: would be computed", execution, wanted, parts)
    head = execution.store.head(work.id) or entry.promise
    promise = head.seen(execution.clock.now())
    if conflict(wanted.tags, promise) is not None:
        sentence = f"{work.name}: would be refused with PromiseConflict: {work.id!r} belongs to other work"
        return Explanation(sentence, tuple(differences(execution, promise, wanted, parts)), _kept_as(promise))
    if promise.settled and rerun:
        return Explanation(f"{work.name}: would be computed", (ASKED,), _kept_as(promise))
    if promise.settled and promise.state not in work.unless:
        if changed := file_records.differences(file_records.read(promise.value, promise.id)):
            return Explanation(f"{work.name}: would be computed", tuple(changed), _kept_as(promise))
        return Explanation(f"{work.name}: would be replayed: {_computed(promise)}")
    found = _unsettled(f"{work.name}: would be", execution, entry, promise)
    if work.bound is None or promise.settled or promise.unbound or work.same_code(promise):
        return found
    said = f"it goes on with the code it started with: `restart({promise.id!r})` lets the present code go on"
    return replace(found, reasons=(*found.reasons, said))


def refused_version(execution: Execution, name: str, number: int, code: Fingerprint) -> Explanation | None:
    """Return why code can't run under a version's number; None if it can."""
    pin = pins.forbidding(execution, name, number, code)
    if pin is None:
        return None
    record = record_of(execution, name, pin.fingerprint)
    changed = difference(record.parts, code.parts) if record is not None else []
    sentence = f"{name}: would be refused with VersionConflict: version {number} is pinned to other code"
    return Explanation(sentence, tuple(changed), f"the code pinned {readable.moment(pin.pinned_at)}")


def account_of_run(execution: Execution, run: Run) -> Explanation:
    """Return what happened at the last run under a name."""
    if run.happened == "refused":
        return Explanation(f"{run.name}: refused", (run.reason,))
    if run.happened == "plain":
        return Explanation(f"{run.name}: computed, and again each time", (run.reason,))
    entry = execution.store.get(run.id)
    if entry is None:
        return Explanation(
            f"{run.name}: {run.happened}, but forgotten since: there is no {run.id!r} any more"
        )
    if run.happened == "replayed":
        head = execution.store.head(run.id) or entry.promise
        sentence = f"{run.name}: replayed, nothing that counts has changed: {_computed(head)}"
        return _with_ignored(Explanation(sentence), head)
    newest = execution.store.get(generation(run.id, entry.latest)) or entry
    return account_of(execution, newest.promise, run.reason)


def account_of(execution: Execution, promise: Promise, reason: str = "") -> Explanation:
    """Return why a promise was made, and what became of it."""
    name = promise.tags.get("rnb:name", promise.id)
    if "rnb:name" not in promise.tags:
        return Explanation(f"{promise.id}: made by another client, it says nothing about its work")
    seen = promise.seen(execution.clock.now())
    sentence = f"{name}: {_computed(seen)}" if seen.settled else f"{name}: not kept so far"
    reasons = [reason] if reason else _again(promise)
    if not seen.settled or reasons:
        return Explanation(sentence, tuple(reasons or ["its attempt is under way, or was cut off"]))
    return _with_ignored(_because(sentence, execution, promise), promise)


def named(execution: Execution, name: str) -> Promise:
    """Return the promise of this id, else the newest one of a cell or function of this name.

    Raises
    ------
    NoSuchPromise
        There is neither.
    """
    entry = execution.store.get(name)
    if entry is not None:
        return entry.promise
    prefixes = (f"cell/{escape(name)}@", f"{escape(name)}@")
    found = [each for prefix in prefixes for each in _listed(execution, execution.prefix + prefix)]
    if not found:
        raise NoSuchPromise(name)
    newest = execution.store.get(max(found, key=lambda each: each.created_at).id)
    if newest is None:
        raise NoSuchPromise(name)
    return newest.promise


def reasons(
    execution: Execution, promise: Promise, parts: Sequence[Part] = ()
) -> tuple[list[str], Promise | None]:
    """Return how a promise differs from the nearest one that was kept before it, and that one."""
    nearest, fewest = None, list[str]()
    for candidate in _candidates(execution, promise):
        found = differences(execution, candidate, promise, parts)
        if nearest is None or len(found) < len(fewest):
            nearest, fewest = candidate, found
    return fewest, nearest


def differences(execution: Execution, old: Promise, new: Promise, parts: Sequence[Part] = ()) -> list[str]:
    """Return in words how the work of one promise differs from that of an older one."""
    before, after = about.read(old.param), about.read(new.param)
    was, now = (each.tags.get("rnb:version", "") for each in (old, new))
    if was == now:
        return _of_inputs(old, new, before, after)
    if _NUMBER.fullmatch(was) or _NUMBER.fullmatch(now):
        return [*_of_inputs(old, new, before, after), f"version {now}, was {was}"]
    old_parts, new_parts = _parts(execution, old), parts or _parts(execution, new)
    if new.tags.get("rnb:kind") == "cell":
        (before, old_parts), (after, new_parts) = (
            before.and_constants(old_parts),
            after.and_constants(new_parts),
        )
    said = _of_inputs(old, new, before, after)
    changed = difference(old_parts, new_parts) if old_parts and new_parts else []
    return [*said, *changed] or [f"the code changed: version {now}, was {was}"]


def _of_inputs(old: Promise, new: Promise, before: About, after: About) -> list[str]:
    said = list(_inputs(before.inputs, after.inputs))
    if said or old.tags.get("rnb:inputs") == new.tags.get("rnb:inputs"):
        return said
    watched = [each.tags.get(WATCHED, "no files") for each in (new, old)]
    if watched[0] != watched[1]:
        return [f"--watch names {watched[0]}, was {watched[1]}"]
    if generators := new.tags.get("rnb:draws", old.tags.get("rnb:draws")):
        return [f"a random generator that it draws from is in another state: {generators}"]
    if old.param.data and new.param.data:
        return ["the inputs have the same content, but other ones of them share objects"]
    return ["it has other inputs, of which nothing is recorded"]


def _parts(execution: Execution, promise: Promise) -> Sequence[Part]:
    """Return the parts of the code that a promise was made for, as its version's record has them."""
    kind, name = promise.tags.get("rnb:kind"), promise.tags.get("rnb:name", "")
    fingerprint = promise.tags.get("rnb:fingerprint", "")[:VERSION_DIGITS]
    try:
        record = record_of(execution, f"cell/{name}" if kind == "cell" else name, fingerprint)
    except (DamagedValue, UntrustedValue):
        return ()
    return () if record is None else record.parts


def _inputs(old: Mapping[str, Noted], new: Mapping[str, Noted]) -> Iterator[str]:
    for name in dict.fromkeys((*new, *old)):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        if was is None and now is not None:
            yield f"input `{name}` is new: {now.shown}"
        elif now is None and was is not None:
            yield f"input `{name}` is gone, was {was.shown}"
        elif was is not None and now is not None and was.shown == now.shown:
            yield f"input `{name}` has other content: {now.shown}"
        elif was is not None and now is not None:
            yield f"input `{name}`: {now.shown}, was {was.shown}"


def _with_ignored(explanation: Explanation, promise: Promise) -> Explanation:
    return replace(explanation, ignored=promise.tags.get(IGNORED, ""))


def _because(
    sentence: str, execution: Execution, promise: Promise, parts: Sequence[Part] = ()
) -> Explanation:
    fewest, nearest = reasons(execution, promise, parts)
    if nearest is None:
        return Explanation(sentence, ("nothing of this name was kept before",))
    if not fewest:
        return Explanation(sentence, ("it was asked for again: what was kept does not differ",))
    return Explanation(sentence, tuple(fewest), _kept_as(nearest))


def _unsettled(sentence: str, execution: Execution, entry: Entry, promise: Promise) -> Explanation:
    if promise.settled:
        return Explanation(f"{sentence} computed", (f"its promise ended as {promise.state}",))
    lease = entry.lease
    if lease is not None and lease.owner and not leases.ended(lease, execution.clock.now()):
        owner = leases.Owner.parse(lease.owner) or lease.owner
        return Explanation(f"{sentence} waited for: {owner} is computing it")
    return Explanation(f"{sentence} computed", tuple(_again(promise) or ["its last attempt was cut off"]))


def _again(promise: Promise) -> list[str]:
    """Return what is recorded about earlier attempts that left the promise pending, or files that changed."""
    said = {"rnb:not_kept": "not kept last time: ", LAST_ERROR: "the last attempt failed: ", BECAUSE_TAG: ""}
    return [words + promise.tags[tag] for tag, words in said.items() if tag in promise.tags]


def _computed(promise: Promise) -> str:
    if not promise.settled or promise.settled_at is None:
        return f"begun {readable.moment(promise.created_at)}"
    took = promise.tags.get("rnb:seconds")
    ended = "computed" if promise.state in _ANSWERS else promise.state.replace("_", " ")
    duration = f" in {readable.seconds(float(took))}" if took else ""
    return f"{ended} {readable.moment(promise.settled_at)}{duration}"


def _kept_as(promise: Promise) -> str:
    return f"{promise.id}, {_computed(promise)}"


def _candidates(execution: Execution, promise: Promise) -> Iterable[Promise]:
    """Return older answers of the same name that promise to be near, the newest first."""
    name, kind = promise.tags.get("rnb:name", ""), promise.tags.get("rnb:kind", "")
    prefix = f"{execution.prefix}{'cell/' if kind == 'cell' else ''}{escape(name)}@"
    before = promise.created_at or execution.clock.now() + 1
    older = [
        each
        for each in _listed(execution, prefix)
        if each.state in _ANSWERS and each.id != promise.id and (each.settled_at or 0) <= before
    ]
    older.sort(key=lambda each: each.settled_at or 0, reverse=True)
    chosen: dict[str, None] = {}
    for tag in ("rnb:inputs", "rnb:version", "rnb:name"):
        same = [each.id for each in older if each.tags.get(tag) == promise.tags.get(tag)]
        chosen.update(dict.fromkeys(same[:_MOST_COMPARED]))
    found = execution.store.get_many(chosen)
    return [found[each.id].promise for each in older if each.id in found]


def _listed(execution: Execution, prefix: str) -> Iterator[Promise]:
    query, seen = Query(prefix=prefix, limit=_PAGE), 0
    while seen < _MOST_LISTED:
        page = execution.store.list(query, execution.clock.now())
        yield from page.promises
        if page.cursor is None:
            return
        seen += len(page.promises)
        query = replace(query, cursor=page.cursor)
