"""`resonate-nb serve`: the resource at the root of a server of its own.

It listens on the loopback interface unless told otherwise, and every request needs the token. Requests whose
Host or Origin is another place are refused, so that no page in a browser reaches it by a rebound name.
"""

from __future__ import annotations

import asyncio
import functools
import hmac
import ipaddress
import json
import logging
import os
import secrets
import signal
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler

from resonate_nb.errors import UsageError
from resonate_nb.server import resource
from resonate_nb.server.following import Watcher
from resonate_nb.server.mailbox import Mailbox, Poller
from resonate_nb.server.service import Service
from resonate_nb.server.speaking import Speaker
from resonate_nb.server.ticking import tick

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonate_nb.execution import Execution

MOST_BODY = 2**24  # bytes
MOST_HEADERS = 2**14  # bytes
TOKEN_VARIABLE = "RESONATE_NB_TOKEN"  # noqa: S105 - the name of a variable
_TICK_SECONDS = 0.5
_REASONS = {300: "Multiple Choices"}
_DRAIN_SECONDS = 10.0  # that open requests have after the signal to end


class Serving:
    """What the handlers of one server share."""

    def __init__(self, service: Service, token: str, host: str) -> None:
        self.service, self.token, self.host = service, token, host  # an empty token lets in everybody
        self.speaker = Speaker(service.store, service.clock)
        self.mailbox = Mailbox(service.store, service.clock)
        self.open: set[RequestHandler] = set()  # streams, which would never end by themselves
        self.watcher: Watcher | None = None

    async def tend(self) -> None:
        """Let time take effect and deliver messages, until cancelled."""
        store, clock = self.service.store, self.service.clock
        ticked = 0.0
        while True:
            if time.monotonic() - ticked > _TICK_SECONDS:
                ticked = time.monotonic()
                await asyncio.to_thread(tick, store, clock.now())
            await self.mailbox.deliver()
            await self.watch().changed()

    def watch(self) -> Watcher:
        """Return what tells of changes in the store; must be called in the event loop."""
        if self.watcher is None:
            self.watcher = Watcher(self.service.store)
        return self.watcher


class _Handler(RequestHandler):
    """A handler that lets in whoever has the token and means this server."""

    gone = False

    def initialize(self, serving: Serving) -> None:
        self.serving = serving

    def on_connection_close(self) -> None:
        self.gone = True
        super().on_connection_close()

    def prepare(self) -> None:
        problem = self._problem()
        if problem is not None:
            self.set_status(problem[0])
            self.finish({"error": problem[1]})

    def _problem(self) -> tuple[int, str] | None:
        if not _means_this(self.request.host_name, self.serving.host):
            return 403, "the Host header names another server"
        origin = self.request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != self.request.host:
            return 403, "requests from pages of other origins are refused"
        if self.serving.token and not hmac.compare_digest(self._token(), self.serving.token.encode()):
            self.set_header("WWW-Authenticate", "Bearer")
            return 401, "the token is missing or wrong: send `Authorization: Bearer TOKEN`"
        return None

    def _token(self) -> bytes:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token.strip().encode() if scheme.lower() == "bearer" else b""

    def write_error(self, status_code: int, **facts: Any) -> None:
        if status_code == 405:
            self.set_header("Allow", ", ".join(filter(self._has, self.SUPPORTED_METHODS)))
        self.finish({"error": self._reason})

    def _has(self, method: str) -> bool:
        own, none = getattr(type(self), method.lower(), None), getattr(RequestHandler, method.lower())
        return own is not none

    def service(self) -> Service:
        return self.serving.service

    def watcher(self) -> Watcher:
        return self.serving.watch()

    def author(self) -> tuple[str, str]:
        return "", "REST"


class _Promises(resource.Promises, _Handler):
    pass


class _OnePromise(resource.OnePromise, _Handler):
    pass


class _Events(resource.Events, _Handler):
    async def get(self) -> None:
        self.serving.open.add(self)
        try:
            await super().get()
        finally:
            self.serving.open.discard(self)


class _Description(resource.Description, _Handler):
    pass


class _Protocol(_Handler):
    async def post(self) -> None:
        """Answer a request of Resonate's protocol."""
        status, envelope = await asyncio.to_thread(self.serving.speaker.answer, self.request.body)
        self.set_status(status, _REASONS.get(status))
        self.set_header("Content-Type", "application/json")
        await self.finish(json.dumps(envelope, ensure_ascii=False, separators=(",", ":")))


class _Poll(_Handler):
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


class _Health(_Handler):
    def prepare(self) -> None:
        """Let in everybody: whoever starts a server asks whether it is there."""

    def get(self) -> None:
        self.finish({"status": "ok"})


class _Unknown(_Handler):
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
    said(f"serving {serving.service.store.location} at http://{_shown(serving.host)}:{bound}")
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

    def said(line: str) -> None:
        print(line if given else f"{line} with the token {serving.token}", flush=True)

    logging.getLogger("tornado.access").setLevel(logging.ERROR)  # refusals are the clients' business
    try:
        asyncio.run(serve(serving, port=port, said=said))
    except OSError as problem:
        raise UsageError(f"can't listen at {host} port {port}: {problem.strerror or problem}") from None
    return 0


@functools.cache
def _means_this(name: str, host: str) -> bool:
    """Return whether a Host header can stand for a server that listens on this host."""
    name = name.strip("[]").lower()
    if name in {"localhost", host.lower()}:
        return True
    try:
        address = ipaddress.ip_address(name)
        listening = ipaddress.ip_address(host)
    except ValueError:
        return not _is_loopback(host)  # a server for others has names that only its owner knows
    return address == listening or (
        address.is_loopback if listening.is_loopback else listening.is_unspecified
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
