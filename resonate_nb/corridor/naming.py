"""Ids that a function's author chooses: a format over the arguments, a callable, or drawn ones."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any, Final, cast

from resonate_nb.about import short
from resonate_nb.errors import InvalidId, UsageError
from resonate_nb.ids import validate_explicit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_FIRST = 0  # of what a field's name is split into: the argument's name


class Opaque:
    """Stands for ids that say nothing: each call draws one."""

    def __repr__(self) -> str:
        return "opaque"

    def __reduce__(self) -> str:
        return "opaque"


opaque: Final = Opaque()


def checked_scheme(name: str, scheme: object, parameters: Iterable[str]) -> Any:
    """Return the scheme unchanged if ids can be made by it.

    Raises
    ------
    UsageError
        It names what is no parameter of the function, or is no scheme at all.
    """
    if scheme is None or isinstance(scheme, Opaque) or (callable(scheme) and not isinstance(scheme, type)):
        return scheme
    if not isinstance(scheme, str):
        raise UsageError(
            f"{name}: id= is a format of the arguments, like 'news/{{day}}', a callable that takes them, "
            f"or opaque, not a {type(scheme).__name__}"
        )
    known = list(parameters)
    for field in _fields(name, scheme):
        if field not in known:
            raise UsageError(
                f"{name}: id={scheme!r} names {field!r}, which is no parameter: it has {', '.join(known)}"
            )
    return scheme


def made_by(scheme: str | Callable[..., object], name: str, arguments: Mapping[str, Any]) -> str:
    """Return the id that a scheme makes of a call's bound arguments.

    Raises
    ------
    InvalidId
        What it makes can't be an id, or the arguments don't fit the format.
    """
    try:
        made = _Format().vformat(scheme, (), arguments) if isinstance(scheme, str) else scheme(**arguments)
        return validate_explicit(cast("str", made))
    except InvalidId as invalid:
        raise InvalidId(invalid.id, f"{invalid.reason}, as made for {_call(name, arguments)}") from None
    except (LookupError, AttributeError, ValueError, TypeError) as misfit:
        if not isinstance(scheme, str):
            misfit.add_note(f"raised by the callable that makes the ids of {name}")
            raise
        problem = f"the arguments of {_call(name, arguments)} don't fit it ({misfit})"
        raise InvalidId(scheme, problem) from misfit


class _Format(string.Formatter):
    """`str.format`, without a way to what is behind underscores."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if "._" in field_name:
            raise ValueError(f"{field_name!r} reads a private attribute")
        return super().get_field(field_name, args, kwargs)


def _fields(name: str, scheme: str) -> Iterator[str]:
    """Give the names of the arguments in a format, those in nested formats among them."""
    try:
        for _, field, nested, _ in string.Formatter().parse(scheme):
            if field is not None:
                yield _first(field)
                yield from _fields(name, nested or "")
    except ValueError as error:
        raise UsageError(f"{name}: id={scheme!r} is no format: {error}") from None


def _first(field: str) -> str:
    return field.partition(".")[_FIRST].partition("[")[_FIRST]


def _call(name: str, arguments: Mapping[str, Any]) -> str:
    shown = [f"{key}={_shown(value)}" for key, value in arguments.items()]
    return f"{name}({', '.join(shown)})"


def _shown(value: object) -> str:
    plain = repr(value) if isinstance(value, bool | int | float | str | None) else short(value)
    return plain if len(plain) <= 40 else plain[:37] + "..."
