"""One server of our own: what its handlers share, and whom they let in."""

from __future__ import annotations

import asyncio
import functools
import hmac
import ipaddress
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tornado.web import RequestHandler

from resonate_nb.server.following import Watcher
from resonate_nb.server.mailbox import Mailbox
from resonate_nb.server.speaking import Speaker
from resonate_nb.server.ticking import tick

if TYPE_CHECKING:
    from resonate_nb.server.service import Service

_TICK_SECONDS = 0.5


class Serving:
    """What the handlers of one server share."""

    def __init__(self, service: Service, token: str, host: str) -> None:
        self.service, self.token, self.host = service, token, host  # an empty token lets in everybody
        self.secret = secrets.token_bytes(32)  # of this process
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


class Handler(RequestHandler):
    """A handler that lets in whoever has the token and means this server."""

    gone = False

    def initialize(self, serving: Serving) -> None:
        """Take what tornado hands to every handler."""
        self.serving = serving

    def on_connection_close(self) -> None:
        """Note that nobody listens any more."""
        self.gone = True
        super().on_connection_close()

    def prepare(self) -> None:
        """Refuse who may not come in."""
        problem = self._problem()
        if problem is not None:
            self.set_status(problem[0])
            self.finish({"error": problem[1]})

    def _problem(self) -> tuple[int, str] | None:
        misdirected = self.misdirected()
        if misdirected is None and not self.authorized():
            self.set_header("WWW-Authenticate", "Bearer")
            return 401, "the token is missing or wrong: send `Authorization: Bearer TOKEN`"
        return misdirected

    def misdirected(self) -> tuple[int, str] | None:
        """Return the refusal of a request that means another server or comes from another's page."""
        if not _means_this(self.request.host_name, self.serving.host):
            return 403, "the Host header names another server"
        origin = self.request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != self.request.host:
            return 403, "requests from pages of other origins are refused"
        return None

    def authorized(self) -> bool:
        """Return whether the request carries the token, where one is needed."""
        return self.accepts(self._token())

    def accepts(self, token: bytes) -> bool:
        """Return whether this is the token, or none is needed."""
        return not self.serving.token or hmac.compare_digest(token, self.serving.token.encode())

    def _token(self) -> bytes:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token.strip().encode() if scheme.lower() == "bearer" else b""

    def write_error(self, status_code: int, **facts: Any) -> None:
        """Say in JSON what went wrong."""
        if status_code == 405:
            self.set_header("Allow", ", ".join(filter(self._has, self.SUPPORTED_METHODS)))
        self.finish({"error": self._reason})

    def _has(self, method: str) -> bool:
        own, none = getattr(type(self), method.lower(), None), getattr(RequestHandler, method.lower())
        return own is not none

    def service(self) -> Service:
        """Return the one service."""
        return self.serving.service

    def watcher(self) -> Watcher:
        """Return what tells of changes in its store."""
        return self.serving.watch()

    def author(self) -> tuple[str, str]:
        """Return who settles, whom a token does not name, and from where."""
        return "", "REST"


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
