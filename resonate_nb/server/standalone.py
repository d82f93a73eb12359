"""`resonate-nb serve`: the resource at the root of a server of its own.

It listens on the loopback interface unless told otherwise, and every request needs the token. Requests whose
Host or Origin is another place are refused, so that no page in a browser reaches it by a rebound name.
"""

from __future__ import annotations

import asyncio
import functools
import hmac
import ipaddress
import logging
import os
import secrets
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from resonate_nb.errors import UsageError
from resonate_nb.server import resource
from resonate_nb.server.following import Watcher
from resonate_nb.server.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from resonate_nb.execution import Execution

MOST_BODY = 2**24  # bytes
MOST_HEADERS = 2**14  # bytes
TOKEN_VARIABLE = "RESONATE_NB_TOKEN"  # noqa: S105 - the name of a variable
_DRAIN_SECONDS = 10.0  # that open requests have after the signal to end


@dataclass(slots=True)
class Serving:
    """What the handlers of one server share."""

    service: Service
    token: str  # empty: everybody may
    host: str
    watcher: Watcher | None = None
    open: set[RequestHandler] = field(default_factory=set)  # streams, which would never end by themselves


class _Handler(RequestHandler):
    """A handler that lets in whoever has the token and means this server."""

    def initialize(self, serving: Serving) -> None:
        self.serving = serving

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
        if self.serving.watcher is None:
            self.serving.watcher = Watcher(self.serving.service.store)
        return self.serving.watcher

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
    await ended.wait()
    server.stop()
    for stream in list(serving.open):
        stream.detach().close()
    if serving.watcher is not None:
        serving.watcher.stop()
    await asyncio.wait_for(server.close_all_connections(), _DRAIN_SECONDS)


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
