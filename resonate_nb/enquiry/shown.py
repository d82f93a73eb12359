"""What is shown with a question: any object as text, HTML and picture, of a size that fits a page."""

from __future__ import annotations

import base64
import io
import pprint
import re
from typing import TYPE_CHECKING, Any

from resonate_nb.errors import UndigestibleInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROWS = 10  # of a table; what is more is counted
LONGEST_TEXT = 10_000  # characters
LONGEST_HTML = 200_000
TEXT, HTML, PNG = "text/plain", "text/html", "image/png"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def mimebundle(value: Any, format: Callable[[object], Mapping[str, Any]] | None = None) -> dict[str, str]:
    """Return how a value is shown, by media type; images in base64. None is shown as nothing.

    `format` renders objects as IPython does; without it their own `_repr_html_` and `_repr_png_` do.
    """
    if value is None:
        return {}
    if isinstance(value, str):
        return {TEXT: _shortened(value)}
    if _is_table(value):
        return _table(value)
    if hasattr(value, "savefig"):
        return _figure(value)
    rendered = dict((format or _plain)(value))
    return _fitting(rendered) or {TEXT: _shortened(repr(value))}


def digest_of_shown(value: object, shown: Mapping[str, str], digest: Callable[[object, str], str]) -> str:
    """Return what identifies the value that is shown: its whole content, not the extract.

    A value without content to digest, and a figure, are identified by how they look.
    """
    if value is None:
        return ""
    if not hasattr(value, "savefig"):
        try:
            return digest(value, "show")
        except UndigestibleInput:
            pass
    return digest({kind: _ADDRESS.sub("", each) for kind, each in shown.items()}, "show")


def _is_table(value: Any) -> bool:
    return (
        hasattr(value, "head") and len(getattr(value, "shape", ())) in {1, 2} and not isinstance(value, type)
    )


def _table(value: Any) -> dict[str, str]:
    head = value.head(ROWS)
    rows, *columns = value.shape
    size = f"{rows:,} rows" + (f" x {columns[0]:,} columns" if columns else "")
    size = f"the first {ROWS} of {size}" if rows > ROWS else size
    page = head if columns else getattr(head, "to_frame", lambda: head)()
    html = page._repr_html_() if hasattr(page, "_repr_html_") else ""
    text = {TEXT: f"{_shortened(str(head))}\n({size})"}
    return {**text, HTML: f"{html}<p>{size}</p>"} if 0 < len(html or "") <= LONGEST_HTML else text


def _figure(value: Any) -> dict[str, str]:
    picture = io.BytesIO()
    value.savefig(picture, format="png", bbox_inches="tight")
    return {TEXT: type(value).__name__, PNG: base64.b64encode(picture.getvalue()).decode()}


def _plain(value: Any) -> Mapping[str, Any]:
    found: dict[str, Any] = {TEXT: pprint.pformat(value)}
    for kind, method in ((HTML, "_repr_html_"), (PNG, "_repr_png_")):
        if not isinstance(value, type) and callable(render := getattr(value, method, None)):
            found[kind] = render()
    return found


def _fitting(rendered: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    if isinstance(text := rendered.get(TEXT), str):
        found[TEXT] = _shortened(text)
    if isinstance(html := rendered.get(HTML), str) and len(html) <= LONGEST_HTML:
        found[HTML] = html
    picture = rendered.get(PNG)
    if isinstance(picture, bytes):
        picture = base64.b64encode(picture).decode()
    if isinstance(picture, str):
        found[PNG] = picture.replace("\n", "")
    return found


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]}\n... ({len(text):,} characters)"
