"""The Jupyter Server extension: the resource at `{base_url}resonate-nb`, behind Jupyter's own doors.

Who may come in, and what a page must show to be believed, is Jupyter's to decide: authentication,
authorization (resource `resonate-nb`) and the XSRF cookie are those of every other handler.
"""

from __future__ import annotations

import atexit
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.web import RequestHandler, authenticated

from resonate_nb.clock import SystemClock
from resonate_nb.server import resource
from resonate_nb.server.page_handlers import InboxPage
from resonate_nb.server.pages.inbox import Place
from resonate_nb.server.pages.layout import POLICY
from resonate_nb.server.stores import Stores

if TYPE_CHECKING:
    from resonate_nb.server.following import Watcher
    from resonate_nb.server.service import Service

SERVER_VARIABLE = "RESONATE_NB_SERVER"  # tells kernels where the resource of their server is
STORE_HEADER = "resonate-nb-store"  # names a store by its path, percent-encoded
_MOUNT = "resonate-nb"


class _Handler(APIHandler):
    """A handler behind Jupyter's doors."""

    auth_resource = "resonate-nb"

    def initialize(self, stores: Stores) -> None:
        self.stores = stores

    def service(self) -> Service:
        return self.stores.service(self._store())

    def watcher(self) -> Watcher:
        return self.stores.watcher(self._store())

    def _store(self) -> str:
        """Return which store is meant: by a header, as forms in notebooks say it, or by the query."""
        return unquote(self.request.headers.get(STORE_HEADER, "")) or str(
            self.get_query_argument("store", "")
        )

    def author(self) -> tuple[str, str]:
        return _name_of(self.current_user), "Jupyter"


def _behind_doors(handler: type[JupyterHandler]) -> type[JupyterHandler]:
    """Return the handler whose every method asks Jupyter who comes in and what they may do."""
    for verb in ("get", "post", "put", "patch", "delete"):
        if verb in {name for each in handler.__mro__ for name in vars(each) if each is not RequestHandler}:
            setattr(handler, verb, authenticated(authorized(getattr(handler, verb))))
    return handler


@_behind_doors
class _Promises(resource.Promises, _Handler):
    pass


@_behind_doors
class _OnePromise(resource.OnePromise, _Handler):
    pass


@_behind_doors
class _Events(resource.Events, _Handler):
    pass


@_behind_doors
class _Description(resource.Description, _Handler):
    pass


@_behind_doors
class _Inbox(InboxPage, JupyterHandler):
    """The inbox of all stores below the server's root."""

    auth_resource = "resonate-nb"

    def initialize(self, stores: Stores) -> None:
        self.stores = stores

    def shelf(self) -> Stores:
        return self.stores

    def place(self) -> Place:
        address = url_path_join(self.base_url, _MOUNT, "inbox")
        return Place(address, self.xsrf_form_html(), root=str(self.stores.root))

    def visitor(self) -> str:
        return _name_of(self.current_user)

    @property
    def content_security_policy(self) -> str:
        """What Jupyter asks for, and nothing that runs."""
        return f"{super().content_security_policy}; {POLICY}"


def _name_of(user: Any) -> str:
    return str(getattr(user, "name", None) or getattr(user, "username", ""))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "resonate_nb.server.jupyter"}]


def _load_jupyter_server_extension(app: Any) -> None:
    """Mount the resource; Jupyter calls this when it starts."""
    named = os.environ.get("RESONATE_NB_STORE")
    stores = Stores(
        Path(app.root_dir), SystemClock(), tuple(Path(each) for each in (named, *_configured(app)) if each)
    )
    shared = {"stores": stores}
    base = app.web_app.settings["base_url"]
    routes: list[tuple[str, type[JupyterHandler], dict[str, Stores]]] = [
        ("/promises", _Promises, shared),
        ("/promises/(.+)", _OnePromise, shared),
        ("/events", _Events, shared),
        ("/openapi.json", _Description, shared),
        ("/inbox/?", _Inbox, shared),
        ("/inbox/(.+)", _Inbox, shared),
    ]
    app.web_app.add_handlers(".*$", [(url_path_join(base, _MOUNT, path), *rest) for path, *rest in routes])
    os.environ[SERVER_VARIABLE] = base
    atexit.register(stores.close)


def _configured(app: Any) -> list[str]:
    """Return the stores that `c.ResonateNB.stores` names in Jupyter's configuration."""
    return list(app.config.get("ResonateNB", {}).get("stores", []))
