"""Who is there to be told something: processes that poll, by group, and the messages that wait for them."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from resonate_nb.ids import internal
from resonate_nb.promise import State
from resonate_nb.server.wire import promise_record
from resonate_nb.store.base import Query
from resonate_nb.store.tasks import MESSAGES, messages_of

if TYPE_CHECKING:
    from resonate_nb.clock import Clock
    from resonate_nb.store.base import Rows, Store

_ADDRESS = re.compile(r"poll://(?P<kind>uni|any)@(?P<group>[^/]+)(?:/(?P<pid>.+))?")
_AT_ONCE = 500  # messages that are read in one go


@dataclass(eq=False)
class Poller:
    """One process that listens under a group and an id of its own."""

    group: str
    pid: str
    queue: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(maxsize=1_000))


class Mailbox:
    """The pollers of one server."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._pollers: list[Poller] = []
        self._turns = itertools.count()

    def enter(self, poller: Poller) -> None:
        """Count a poller among those who are there."""
        self._pollers.append(poller)

    def leave(self, poller: Poller) -> None:
        """Forget a poller that has gone; a task that it was offered is offered again in time."""
        self._pollers.remove(poller)

    async def deliver(self) -> None:
        """Hand every waiting message to whom it is for, as far as they are there."""
        if not self._pollers:
            return
        for key, message in await asyncio.to_thread(self._waiting):
            poller = self._receiver(message["address"])
            if poller is None or poller.queue.full():
                continue
            text = await asyncio.to_thread(self._text, message)
            await asyncio.to_thread(self._store.do, Delivered(key=key, message=message))
            if text is not None:
                poller.queue.put_nowait(text)

    def _waiting(self) -> list[tuple[str, dict[str, Any]]]:
        query = Query(prefix=internal(MESSAGES, ""), state=State.PENDING, limit=_AT_ONCE)
        keys = [each.id for each in self._store.list(query, 0).promises]
        entries = [self._store.get(each) for each in keys]
        return messages_of(each for each in entries if each is not None)

    def _receiver(self, address: str) -> Poller | None:
        """Return who is to have a message: the one that is named, else one of its group in turn."""
        found = _ADDRESS.fullmatch(address)
        if found is None:
            return None
        group, pid = unquote(found["group"]), unquote(found["pid"] or "")
        there = [each for each in self._pollers if each.group == group]
        named = [each for each in there if each.pid == pid]
        if found["kind"] == "uni" or named:
            return named[-1] if named else None
        return there[next(self._turns) % len(there)] if there else None

    def _text(self, message: dict[str, Any]) -> str | None:
        about = message["data"]
        if message["kind"] == "unblock":
            entry = self._store.get(about["promise"])
            if entry is None:
                return None
            about = {"promise": promise_record(entry.promise.seen(self._clock.now()))}
        return json.dumps({"kind": message["kind"], "head": {}, "data": about})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """Take away a message that was handed over, unless a newer one stands in its place."""

    key: str
    message: dict[str, Any]
    power_safe: bool = False

    def apply(self, rows: Rows) -> None:
        """Delete the message."""
        entry = rows.get(self.key)
        if entry is not None and messages_of([entry])[0][1] == self.message:
            rows.delete(self.key)
