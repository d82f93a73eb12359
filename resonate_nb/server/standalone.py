"""`resonate-nb serve`: the resource at the root of a server of its own.

It listens on the loopback interface unless told otherwise, and every request needs the token. Requests whose
Host or Origin is another place are refused, so that no page in a browser reaches it by a rebound name.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import signal
from typing import TYPE_CHECKING

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.web import Application

from resonate_nb.errors import UsageError
from resonate_nb.server import resource
from resonate_nb.server.mailbox import Poller
from resonate_nb.server.service import Service
from resonate_nb.server.serving import Handler, Serving
from resonate_nb.server.standalone_inbox import ADDRESS, StandaloneInbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonate_nb.execution import Execution

MOST_BODY = 2**24  # bytes
MOST_HEADERS = 2**14  # bytes
TOKEN_VARIABLE = "RESONATE_NB_TOKEN"  # noqa: S105 - the name of a variable
_TICK_SECONDS = 0.5
_REASONS = {300: "Multiple Choices"}
_DRAIN_SECONDS = 10.0  # that open requests have after the signal to end


class _Promises(resource.Promises, Handler):
    pass


class _OnePromise(resource.OnePromise, Handler):
    pass


class _Events(resource.Events, Handler):
    async def get(self) -> None:
        self.serving.open.add(self)
        try:
            await super().get()
        finally:
            self.serving.open.discard(self)


class _Description(resource.Description, Handler):
    pass


class _Protocol(Handler):
    async def post(self) -> None:
        """Answer a request of Resonate's protocol."""
        status, envelope = await asyncio.to_thread(self.serving.speaker.answer, self.request.body)
        self.set_status(status, _REASONS.get(status))
        self.set_header("Content-Type", "application/json")
        await self.finish(json.dumps(envelope, ensure_ascii=False, separators=(",", ":")))


class _Poll(Handler):
    async def get(self, group: str, pid: str) -> None:
        """Send messages to a process until it goes."""
        poller = Poller(group, pid)
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        self.serving.open.add(self)
        self.serving.mailbox.enter(poller)
        try:
            await self._stream(poller)
        except StreamClosedError:
            return
        finally:
            self.serving.mailbox.leave(poller)
            self.serving.open.discard(self)

    async def _stream(self, poller: Poller) -> None:
        await self.flush()
        await self.serving.mailbox.deliver()
        while not self.gone:
            try:
                message = await asyncio.wait_for(poller.queue.get(), 1.0)
            except TimeoutError:
                continue
            self.write(f"data: {message}\n\n")
            await self.flush()


class _Health(Handler):
    def prepare(self) -> None:
        """Let in everybody: whoever starts a server asks whether it is there."""

    def get(self) -> None:
        self.finish({"status": "ok"})


class _Unknown(Handler):
    def prepare(self) -> None:
        super().prepare()
        if not self._finished:
            self.set_status(404)
            self.finish({"error": f"there is nothing at {self.request.path}"})


def application(serving: Serving) -> Application:
    """Return the application: the resource at the root."""
    shared = {"serving": serving}
    return Application(
        [
            ("/promises", _Promises, shared),
            ("/promises/(.+)", _OnePromise, shared),
            ("/events", _Events, shared),
            ("/openapi.json", _Description, shared),
            ("/(?:health|ready)", _Health, shared),
            (f"{ADDRESS}/?", StandaloneInbox, shared),
            (f"{ADDRESS}/(.+)", StandaloneInbox, shared),
            ("/", _Protocol, shared),
            ("/poll/([^/]+)/([^/]+)", _Poll, shared),
        ],
        default_handler_class=_Unknown,
        default_handler_args=shared,
    )


async def serve(
    serving: Serving, *, port: int, said: Callable[[str], None], stop: asyncio.Event | None = None
) -> None:
    """Serve until a signal to end comes, or `stop` is set; then let open requests finish.

    Raises
    ------
    OSError
        The port is taken, or the host is none of this machine's.
    """
    ended = stop or asyncio.Event()
    server = HTTPServer(
        application(serving), max_body_size=MOST_BODY, max_header_size=MOST_HEADERS, body_timeout=60.0
    )
    server.listen(port, serving.host)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    bound = next(iter(server._sockets.values())).getsockname()[1]  # noqa: SLF001 - with port 0 the system chose
    said(f"http://{_shown(serving.host)}:{bound}")
    tending = asyncio.create_task(serving.tend())
    await asyncio.wait({tending, asyncio.create_task(ended.wait())}, return_when=asyncio.FIRST_COMPLETED)
    server.stop()
    for stream in list(serving.open):
        stream.detach().close()
    if serving.watcher is not None:
        serving.watcher.stop()
    await asyncio.wait_for(server.close_all_connections(), _DRAIN_SECONDS)
    if not tending.cancel():
        await tending  # it ended by itself, which is a fault of ours


def serve_store(execution: Execution, *, host: str, port: int, token: str | None) -> int:
    """Serve a store until a signal to end comes; return the exit code."""
    given = token or os.environ.get(TOKEN_VARIABLE)
    serving = Serving(Service(execution.store, execution.clock), given or secrets.token_urlsafe(32), host)
    # A token that somebody chose is no text for a terminal.
    known, entry = ("", "") if given else (f" with the token {serving.token}", f"?token={serving.token}")

    def said(address: str) -> None:
        print(f"serving {serving.service.store.location} at {address}{known}", flush=True)
        print(f"questions can be answered at {address}{ADDRESS}{entry}", flush=True)

    logging.getLogger("tornado.access").setLevel(logging.ERROR)  # refusals are the clients' business
    try:
        asyncio.run(serve(serving, port=port, said=said))
    except OSError as problem:
        raise UsageError(f"can't listen at {host} port {port}: {problem.strerror or problem}") from None
    return 0


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
