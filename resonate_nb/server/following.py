"""What happens to pending promises, as server-sent events: created, settled."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from typing import TYPE_CHECKING

from resonate_nb.server.records import to_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonate_nb.promise import Promise
    from resonate_nb.server.service import Service
    from resonate_nb.store.base import Store

_LONGEST_WAIT = 1.0  # seconds after which a deadline that passed is noticed, too


class Feed:
    """The events of one listener: what changed among the pending promises since it asked last.

    A promise that is created and settled between two looks is told as settled only when it was seen pending.
    """

    def __init__(self, service: Service, prefix: str, tags: tuple[tuple[str, str], ...]) -> None:
        self._service, self._prefix, self._tags = service, prefix, tags
        self._known: dict[str, Promise] = {}

    def changes(self) -> list[str]:
        """Return the events since the last call, in the form of `text/event-stream`."""
        return [f"event: {kind}\ndata: {json.dumps(to_record(each))}\n\n" for kind, each in self._changes()]

    def _changes(self) -> Iterator[tuple[str, Promise]]:
        pending = self._service.pending(self._prefix, self._tags)
        for id in self._known.keys() - pending.keys():
            entry = self._service.store.get(id)
            if entry is not None:  # else forgotten
                yield "settled", entry.promise.seen(self._service.clock.now())
        for id in sorted(pending.keys() - self._known.keys()):
            entry = self._service.store.get(id)
            if entry is not None:
                yield "created", entry.promise
        self._known = pending


class Watcher:
    """Wakes the coroutines of one event loop whenever a store may have changed."""

    def __init__(self, store: Store) -> None:
        self._store, self._loop = store, asyncio.get_running_loop()
        self._waiting: set[asyncio.Event] = set()
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, name="resonate-watcher", daemon=True).start()

    async def changed(self) -> None:
        """Return when something may have changed, at the latest after a second."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            await asyncio.wait_for(event.wait(), _LONGEST_WAIT)
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(event)

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self._store.wait_for_change(_LONGEST_WAIT)
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()
