"""Listening in on one method of one object, without changing what it does."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

_installing = threading.Lock()


def listen(
    owner: Any,
    name: str,
    listener: Callable[..., None],
    *,
    during: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Callable[[], None]:
    """Have a listener called with the arguments of each call that went well; return how to end that.

    The method itself runs inside the context `during` of whoever listened first. Any number may listen at
    once and leave in any order; after the last one the method is as before. If somebody else wrapped it
    meanwhile, what is ours stays beneath and only passes calls on.

    Raises
    ------
    AttributeError
        The object does not let its methods be replaced.
    """
    with _installing:
        tap = getattr(owner, name)
        if not isinstance(tap, _Tap):
            tap = _Tap(owner, name, during)
            setattr(owner, name, tap)
        tap.listeners += (listener,)
    return lambda: _leave(owner, tap, listener)


def _leave(owner: Any, tap: _Tap, listener: Callable[..., None]) -> None:
    with _installing:
        tap.listeners = tuple(each for each in tap.listeners if each is not listener)
        if not tap.listeners and owner.__dict__.get(tap.name) is tap:
            if tap.was_own:
                setattr(owner, tap.name, tap.method)
            else:
                delattr(owner, tap.name)


class _Tap:
    """A method in the place of which it stands, with those who listen."""

    def __init__(self, owner: Any, name: str, during: Callable[[], AbstractContextManager[None]]) -> None:
        self.name = name
        self.method = getattr(owner, name)
        self.was_own = name in getattr(owner, "__dict__", {})  # not of the class: somebody wrapped it before
        self.during = during
        self.listeners: tuple[
            Callable[..., None], ...
        ] = ()  # replaced as a whole, so that calls need no lock

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self.during():
            result = self.method(*args, **kwargs)
        for listener in self.listeners:
            listener(*args, **kwargs)
        return result
