"""The resource as handlers of tornado, for any server that brings its own base class."""

from __future__ import annotations

import asyncio
import functools
import json
from typing import TYPE_CHECKING, Any

from tornado.iostream import StreamClosedError

from resonate_nb.server.following import Feed
from resonate_nb.server.openapi import document
from resonate_nb.server.refusals import Refused
from resonate_nb.server.service import tag_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonate_nb.server.following import Watcher
    from resonate_nb.server.service import Answer, Service

_SILENCE = 15.0  # seconds after which a stream says that it still lives


class Resource:
    """What the handlers of every server share; mixed into a `tornado.web.RequestHandler`."""

    request: Any
    service: Callable[[], Service]  # for this request; may open a store, so it is called in a thread
    watcher: Callable[[], Watcher]  # of the same store
    author: Callable[[], tuple[str, str]]  # who settles a promise, and from where

    async def respond(self: Any, call: Callable[[Service], Answer]) -> None:
        """Answer with what the service says; the store is asked in a thread."""
        try:
            status, record = await asyncio.to_thread(lambda: call(self.service()))
        except Refused as refusal:
            status, record = refusal.status, {"error": refusal.reason}
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        await self.finish(json.dumps(record, ensure_ascii=False, separators=(",", ":")))

    def arguments(self: Any) -> dict[str, list[str]]:
        """Return the arguments of the query string but for the one that names the store."""
        return {
            name: self.get_query_arguments(name) for name in self.request.query_arguments if name != "store"
        }


class Promises(Resource):
    """`/promises`: lists."""

    async def get(self) -> None:
        """Return a page of promises."""
        arguments = self.arguments()
        await self.respond(lambda service: service.list(arguments))


class OnePromise(Resource):
    """`/promises/{id}`: creates, reads, settles."""

    async def get(self, id: str) -> None:
        """Return the promise."""
        await self.respond(lambda service: service.read(id))

    async def put(self, id: str) -> None:
        """Create the promise, unless it exists."""
        await self.respond(lambda service: service.create(id, self.request.body))

    async def patch(self, id: str) -> None:
        """Settle the promise."""
        who, where = self.author()
        await self.respond(lambda service: service.settle(id, self.request.body, who=who, where=where))

    async def delete(self: Any, id: str) -> None:
        """Refuse: what is settled stays; only the owner of a store forgets."""
        self.set_header("Allow", "GET, PUT, PATCH")
        await self.respond(functools.partial(_refuse, 405, "a promise can't be deleted: settle it instead"))


class Events(Resource):
    """`/events`: what happens to pending promises, as it happens."""

    async def get(self: Any) -> None:
        """Send events until the listener goes."""
        arguments = self.arguments()
        try:
            service = await asyncio.to_thread(self.service)
            watcher = self.watcher()
            tags = tuple(map(tag_of, arguments.get("tag", ())))
        except Refused as refusal:
            await self.respond(functools.partial(_refuse, refusal.status, refusal.reason))
            return
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        feed = Feed(service, arguments.get("prefix", [""])[-1], tags)
        try:
            await self._stream(feed, watcher)
        except StreamClosedError:
            return

    async def _stream(self: Any, feed: Feed, watcher: Watcher) -> None:
        loop = asyncio.get_running_loop()
        spoke = 0.0
        while True:
            events = await asyncio.to_thread(feed.changes)
            if events or loop.time() - spoke > _SILENCE:
                self.write("".join(events) or ": still here\n\n")
                await self.flush()
                spoke = loop.time()
            await watcher.changed()
            if self.request.connection.stream.closed():
                return


class Description(Resource):
    """`/openapi.json`: the resource described for machines."""

    async def get(self) -> None:
        """Return the OpenAPI document."""
        await self.respond(lambda _: (200, document()))


def _refuse(status: int, reason: str, _: Service) -> Answer:
    raise Refused(status, reason)
