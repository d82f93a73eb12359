"""The inbox page of `resonate-nb serve`, and how a browser, which sends no token by itself, comes in.

The token is given once, by the address or in the page that asks for it; after that a cookie stands for it,
which opens the inbox and nothing else. A form is believed if it carries what only our own pages can hold.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonate_nb.server.page_handlers import InboxPage
from resonate_nb.server.pages.inbox import Place
from resonate_nb.server.pages.layout import HEADERS, POLICY, document
from resonate_nb.server.refusals import Refused
from resonate_nb.server.serving import Handler

if TYPE_CHECKING:
    from resonate_nb.server.service import Service

ADDRESS = "/inbox"
_PROOF = "proof"
_ENTRANCE = """\
<header><h1>Inbox</h1></header>
<main><article>
<form method="post" autocomplete="off">
<div class="field"><label class="label" for="token">Token</label>
<input type="password" id="token" name="token" required autofocus>
<p class="help">It is the one that <code>resonate-nb serve</code> was started with, or printed.</p></div>
{alert}<p class="buttons"><button class="accept">Enter</button></p>
</form>
</article></main>"""


@dataclass(frozen=True, slots=True)
class OneStore:
    """The shelf of a server that serves a single store."""

    only: Service

    def names(self) -> list[str]:
        """Return the one name, which is empty."""
        return [""]

    def service(self, name: str) -> Service:
        """Return the service; raises `Refused` for any other name."""
        if name:
            raise Refused(404, f"there is no store {name!r}")
        return self.only


class StandaloneInbox(InboxPage, Handler):
    """The inbox of one store, for whoever has the token or a cookie that stands for it."""

    def prepare(self) -> None:
        """Let in who has the token or the cookie; ask others for the token."""
        given = self.get_query_argument("token", None)
        self.request.uri = self.request.path  # what is logged must not hold the token
        problem = self.misdirected()
        if problem is not None:
            self._answer(problem[0], problem[1])
        elif self.request.method == "POST" and self.get_body_argument("token", None) is not None:
            self._enter(self.get_body_argument("token"))
        elif given is not None:
            self._enter(given)
        elif not (self.authorized() or self._has_cookie()):
            self._answer(401, _ENTRANCE.format(alert=""))
        elif self.request.method == "POST" and not self._proves_itself():
            self._answer(403, "<p>This form is too old to be believed. <a href='/inbox'>Reload</a></p>")

    def shelf(self) -> OneStore:
        """Return the one store."""
        return OneStore(self.serving.service)

    def place(self) -> Place:
        """Return where the inbox is, with what makes its forms credible."""
        return Place(ADDRESS, f'<input type="hidden" name="{_PROOF}" value="{self._derived("form")}">')

    def visitor(self) -> str:
        """Return nobody's name: everybody has the same token."""
        return ""

    def _enter(self, token: str) -> None:
        if not self.accepts(token.encode()):
            alert = '<p class="alert" role="alert">That is not the token.</p>'
            self._answer(401, _ENTRANCE.format(alert=alert))
            return
        # Lax, so that a link in a message opens the inbox: reading changes nothing, and other sites' forms
        # come without the cookie, with their origin, and without the proof.
        self.set_cookie(
            self._cookie_name(),
            self._derived("cookie"),
            path=ADDRESS,
            httponly=True,
            samesite="Lax",
            secure=self.request.protocol == "https",
        )
        self.redirect(self.request.path, status=303)  # which takes the token out of the address bar

    def _has_cookie(self) -> bool:
        cookie = self.get_cookie(self._cookie_name(), "") or ""
        return hmac.compare_digest(cookie.encode(), self._derived("cookie").encode())

    def _proves_itself(self) -> bool:
        proof = self.get_body_argument(_PROOF, "")
        return hmac.compare_digest(proof.encode(), self._derived("form").encode())

    def _derived(self, purpose: str) -> str:
        """Return a text that only who knows the token can make, and that does not tell the token."""
        key = self.serving.token.encode() or self.serving.secret
        return hmac.new(key, f"resonate-nb inbox {purpose}".encode(), hashlib.sha256).hexdigest()

    def _cookie_name(self) -> str:
        """Return a name with the port: browsers keep one set of cookies for all servers of a host."""
        return "resonate-nb-" + re.sub(r"[^A-Za-z0-9]+", "-", self.request.host)

    def _answer(self, status: int, body: str) -> None:
        self.set_status(status)
        self._set_page_headers()
        self.finish(document("Inbox", body))

    def _set_page_headers(self) -> None:
        for name, text in HEADERS.items():
            self.set_header(name, text)

    def set_default_headers(self) -> None:
        """Let nobody frame the page, in which a click could then be stolen."""
        self.set_header("Content-Security-Policy", f"{POLICY}; frame-ancestors 'none'")
