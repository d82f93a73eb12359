"""Pages of promises, the same from every store: projected to the present, filtered, in the order of ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonate_nb.store.base import Page, Query
from resonate_nb.store.rows import unpack_listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonate_nb.promise import Promise

_LAST = 0x10FFFF
_BEFORE_SURROGATES, _AFTER_SURROGATES = 0xD7FF, 0xE000


def validated(query: Query) -> Query:
    """Return the query, refusing what no store can answer."""
    if query.limit < 1:
        raise ValueError(f"a page has at least one promise, not {query.limit}")
    try:
        for text in (query.prefix, query.cursor or "", *(text for tag in query.tags for text in tag)):
            text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the query is not valid Unicode: {error}") from None
    return query


def page(candidates: Iterable[tuple[str, bytes]], query: Query, now: int) -> Page:
    """Return the first promises among rows in order that the query is about.

    The cursor is the last id of the page, and None when no further promise fits.
    """
    found: list[Promise] = []
    for id, row in candidates:
        promise = unpack_listed(id, row).seen(now)
        if not _fits(promise, query):
            continue
        if len(found) == query.limit:
            return Page(tuple(found), found[-1].id)
        found.append(promise)
    return Page(tuple(found), None)


def successor(prefix: str) -> str:
    """Return the least text that is above every text with this prefix.

    >>> successor("ab"), successor("a\U0010ffff")
    ('ac', 'b')
    """
    kept = prefix.rstrip(chr(_LAST))
    last = ord(kept[-1])
    following = _AFTER_SURROGATES if last == _BEFORE_SURROGATES else last + 1
    return kept[:-1] + chr(following)


def _fits(promise: Promise, query: Query) -> bool:
    if query.state is not None and promise.state is not query.state:
        return False
    return all(promise.tags.get(key) == text for key, text in query.tags)
