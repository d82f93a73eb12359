"""What tells one competitor from another under an id of the caller's own, as far as that can be told."""

from __future__ import annotations

import functools
import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from resonate_nb.errors import UndigestibleInput
from resonate_nb.fingerprint import content_digest, fingerprint
from resonate_nb.handles import Handle

if TYPE_CHECKING:
    from collections.abc import Mapping


def identity_of(given: Any) -> object:
    """Return text, and lists of it, that are others where a handle, code, arguments or captured data are.

    What has no content is left out: the identity only guards an id against being used for something else.
    """
    if isinstance(given, Handle):
        return given.id
    if inspect.iscoroutine(given):
        return [given.__qualname__, *_contents(inspect.getcoroutinelocals(given))]
    if isinstance(given, functools.partial):
        return [identity_of(given.func), *_contents(dict(enumerate(given.args)) | given.keywords)]
    if callable(given):
        code = fingerprint(given)
        return [code.digest, *_contents({each.path: each.read() for each in code.captures})]
    return type(given).__qualname__


def _contents(named: Mapping[Any, object]) -> list[str]:
    found = []
    for name, value in named.items():
        with suppress(UndigestibleInput):
            found.append(content_digest([name, value], str(name)))
    return found
