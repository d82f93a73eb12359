"""The inbox page as a handler of tornado, for any server that brings its own base class."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from resonate_nb.server.answering import Inbox
from resonate_nb.server.pages.layout import HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonate_nb.server.answering import Reply, Shelf
    from resonate_nb.server.pages.inbox import Place


class InboxPage:
    """`/inbox` and `/inbox/{id}`; mixed into a `tornado.web.RequestHandler`."""

    shelf: Callable[[], Shelf]
    place: Callable[[], Place]
    visitor: Callable[[], str]  # who answers

    async def get(self: Any, id: str = "") -> None:
        """Show what waits."""
        inbox = Inbox(self.shelf(), self.place())
        settled, store = self.get_query_argument("answered", ""), self.get_query_argument("store", "")
        answered = (store, settled) if settled else None
        await _finish(self, await asyncio.to_thread(inbox.show, only=id or None, answered=answered))

    async def post(self: Any, id: str = "") -> None:
        """Take an answer."""
        inbox = Inbox(self.shelf(), self.place())
        sent = {name: self.get_body_arguments(name, strip=False) for name in self.request.body_arguments}
        await _finish(self, await asyncio.to_thread(inbox.answer, sent, who=self.visitor(), only=id or None))


async def _finish(handler: Any, reply: Reply) -> None:
    if reply.location:
        handler.redirect(reply.location, status=reply.status)
        return
    handler.set_status(reply.status)
    for name, text in HEADERS.items():
        handler.set_header(name, text)
    await handler.finish(reply.html)
