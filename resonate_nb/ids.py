"""The text that names a promise: its limits, its escapes, its generations."""

from __future__ import annotations

import re

from resonate_nb.errors import InvalidId

MAX_BYTES = 1_024
_GENERATION = re.compile(r"~([1-9][0-9]*)\Z")
_TRAILING_NUMBER = re.compile(r"\.(?=[0-9]+\Z)")


def validate(id: str) -> str:
    """Return the id unchanged if the store can take it.

    Raises
    ------
    InvalidId
        The text is empty, longer than 1,024 bytes in UTF-8, or holds NUL or lone surrogates.
    """
    if not isinstance(id, str):
        raise InvalidId(str(id), f"it is a {type(id).__name__}, not text")
    try:
        size = len(id.encode())
    except UnicodeEncodeError:
        raise InvalidId(ascii(id), "it is not valid Unicode") from None
    if not size:
        raise InvalidId(id, "it is empty")
    if size > MAX_BYTES:
        raise InvalidId(id, f"it has {size:,} bytes, the most is {MAX_BYTES:,}")
    if "\0" in id:
        raise InvalidId(id, "it contains a NUL character")
    return id


def validate_explicit(id: str) -> str:
    """Return an id that a person chose, refusing what would name a generation of another promise."""
    if _GENERATION.search(validate(id)):
        raise InvalidId(id, "it ends like a generation (`~2`); `rerun` makes those")
    return id


def escape(text: str) -> str:
    """Return text fit for an id that we make: ``:``, ``~`` and the dot of a trailing number become ``%XX``.

    >>> escape("a:b~c.7")
    'a%3Ab%7Ec%2E7'
    """
    text = text.replace("%", "%25").replace(":", "%3A").replace("~", "%7E").replace("\0", "%00")
    return _TRAILING_NUMBER.sub("%2E", text)


def generation(id: str, number: int) -> str:
    """Return the id of the n-th generation: the id itself, ``{id}~2``, ``{id}~3``, ..."""
    return id if number == 1 else f"{id}~{number}"


def split_generation(id: str) -> tuple[str, int]:
    """Return the plain id and the generation's number.

    >>> split_generation("f@1/ab~3")
    ('f@1/ab', 3)
    """
    found = _GENERATION.search(id)
    if found is None or int(found[1]) < 2:
        return id, 1
    return id[: found.start()], int(found[1])


def internal(kind: str, *names: str) -> str:
    """Return the key of a row that is no promise, such as a message under way; no promise can have it."""
    return "\0" + "/".join((kind, *names))


def is_internal(id: object) -> bool:
    """Return whether this is the key of a row that is no promise."""
    return isinstance(id, str) and id.startswith("\0")
