"""HTML that shows but can't act: rebuilt from a short list of tags and attributes.

What is shown with a question lies in a store, which may come from somebody else, and ends on pages that may
run code for the reader. So nothing is passed through: what is not on the lists is dropped, or escaped.
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

_TAGS = frozenset(
    {"a", "b", "blockquote", "br", "caption", "code", "dd", "div", "dl", "dt", "em", "h1", "h2", "h3"}
    | {"h4", "h5", "h6", "hr", "i", "img", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub"}
    | {"sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul"}
)
_EMPTY = frozenset({"br", "hr", "img"})
_DROPPED_WHOLE = frozenset(
    {"script", "style", "title", "template", "noscript", "iframe", "object", "svg", "math"}
)
_ATTRIBUTES = frozenset({"colspan", "rowspan", "scope", "alt", "title", "border", "width", "height"})
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif);base64,[A-Za-z0-9+/=\s]*\Z")


def sanitized(html: str) -> str:
    """Return the HTML with only harmless tags and attributes; pictures only if they are in it.

    >>> sanitized('<b onclick="x()">1 < 2</b><script>evil()</script><img src="http://x/y.png">')
    '<b>1 &lt; 2</b><img>'
    """
    rebuilding = _Rebuilding()
    rebuilding.feed(html)
    rebuilding.close()
    return rebuilding.result()


class _Rebuilding(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._open: list[str] = []
        self._dropped = ""  # the tag whose whole content is being dropped
        self._depth = 0

    def result(self) -> str:
        """Return what was rebuilt, with all tags closed."""
        return "".join(self._parts) + "".join(f"</{tag}>" for tag in reversed(self._open))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._dropped:
            self._depth += tag == self._dropped
        elif tag in _DROPPED_WHOLE:
            self._dropped, self._depth = tag, 1
        elif tag in _TAGS:
            self._parts.append(f"<{tag}{''.join(map(_attribute, attrs))}>")
            if tag not in _EMPTY:
                self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._dropped:
            self._depth -= tag == self._dropped
            self._dropped = self._dropped if self._depth else ""
        elif tag in self._open:
            while (last := self._open.pop()) != tag:
                self._parts.append(f"</{last}>")
            self._parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._dropped:
            self._parts.append(escape(data))


def _attribute(attribute: tuple[str, str | None]) -> str:
    name, text = attribute
    allowed = name in _ATTRIBUTES or (name == "src" and _PICTURE.match(text or "") is not None)
    return f' {name}="{escape(text or "")}"' if allowed else ""
