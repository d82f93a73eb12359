"""What people read about promises: lists, one promise, a tree; as text, or as data for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resonate_nb import about, readable
from resonate_nb.corridor import failures
from resonate_nb.errors import NoSuchPromise, UsageError
from resonate_nb.promise import NEVER, Promise, State
from resonate_nb.store.base import Query
from resonate_nb.versioning.pins import PIN_KIND
from resonate_nb.versions import VERSION_KIND

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resonate_nb.execution import Execution

_PAGE = 500
_FOLDERS = ("pin/", "version/", "alone/", "chain/")
ALONE = "alone"  # the tag `rnb:kind` of what says that a cell is not worth keeping
CHECKPOINT = "link"  # that of a checkpoint inside a cell
_OURS = {PIN_KIND, VERSION_KIND, ALONE, CHECKPOINT, "hello"}  # not made by users; forms say "hello"


def listing(
    execution: Execution,
    *,
    prefix: str = "",
    state: str | None = None,
    tags: Sequence[tuple[str, str]] = (),
) -> list[Promise]:
    """Return promises in the order of their ids, without those of our own making unless asked for by prefix.

    Raises
    ------
    UsageError
        There is no such state.
    """
    wanted = _state(state)
    found = _pages(execution, Query(prefix=prefix, state=wanted, tags=tuple(tags), limit=_PAGE))
    asked_for = prefix.startswith(_FOLDERS)
    return [each for each in found if asked_for or each.tags.get("rnb:kind") not in _OURS]


def _pages(execution: Execution, query: Query) -> Iterator[Promise]:
    from dataclasses import replace

    while True:
        page = execution.store.list(query, execution.clock.now())
        yield from page.promises
        if page.cursor is None:
            return
        query = replace(query, cursor=page.cursor)


def _state(state: str | None) -> State | None:
    try:
        return None if state is None else State(state)
    except ValueError:
        raise UsageError(f"there is no state {state!r}: choose one of {', '.join(State)}") from None


def one(execution: Execution, id: str) -> Promise:
    """Return a promise with its value.

    Raises
    ------
    NoSuchPromise
        The store has no promise with this id.
    """
    entry = execution.store.get(id)
    if entry is None:
        raise NoSuchPromise(id)
    return entry.promise.seen(execution.clock.now())


def tree(execution: Execution, id: str) -> list[tuple[int, Promise]]:
    """Return a promise and those that it caused to be made, each with its depth."""
    root = one(execution, id)
    children: dict[str, list[Promise]] = {}
    origin = root.tags.get("rnb:origin", id)
    for each in listing(execution, tags=[("rnb:origin", origin)]):
        children.setdefault(each.tags.get("rnb:parent", ""), []).append(each)
    rows, stack = [], [(0, root)]
    while stack:
        depth, promise = stack.pop()
        rows.append((depth, promise))
        in_order = sorted(children.get(promise.id, []), key=lambda child: child.created_at)
        stack.extend((depth + 1, child) for child in reversed(in_order))
    return rows


def table(promises: Sequence[Promise]) -> str:
    """Return a list as aligned lines."""
    if not promises:
        return "no promises"
    width = max(len(each.id) for each in promises)
    return "\n".join(f"{each.id:{width}}  {each.state:18}  {_age(each)}".rstrip() for each in promises)


def outline(rows: Sequence[tuple[int, Promise]]) -> str:
    """Return a tree as indented lines."""
    return "\n".join(f"{'  ' * depth}{promise.id}  {promise.state}" for depth, promise in rows)


def details(promise: Promise) -> str:
    """Return all that is known of one promise, a line each."""
    lines = [f"{key}: {value}" for key, value in record(promise).items() if key != "tags"]
    tags = [f"  {key} = {text}" for key, text in sorted(promise.tags.items()) if key != failures.TAG]
    inputs = [f"input {name}: {noted.shown}" for name, noted in about.read(promise.param).inputs.items()]
    return "\n".join([*lines, *tags, *inputs, *_failed(failures.Failures.of(promise.tags))])


def _failed(failed: failures.Failures) -> list[str]:
    """Return the attempts that failed, a line each, and when the next one is due."""
    if not failed.total:
        return []
    older = failed.total - len(failed.recent)
    shown = [f"failed attempts: {failed.total}" + (f", the last {len(failed.recent)}:" if older else "")]
    shown += [f"  {readable.moment(each.at)}  {each}" for each in failed.recent]
    return shown if failed.due is None else [*shown, f"next attempt not before {readable.moment(failed.due)}"]


def record(promise: Promise) -> dict[str, Any]:
    """Return a promise as data, times in milliseconds since the epoch."""
    return {
        "id": promise.id,
        "state": str(promise.state),
        "createdAt": promise.created_at,
        "settledAt": promise.settled_at,
        "timeoutAt": None if promise.timeout_at == NEVER else promise.timeout_at,
        "valueBytes": promise.value.size,
        "tags": dict(promise.tags),
    }


def _age(promise: Promise) -> str:
    return readable.moment(promise.settled_at or promise.created_at)
