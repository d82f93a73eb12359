"""Questions to people: `ask`, `approve`, `choose`, `form`, and their twins for asynchronous code.

A question is a durable promise that only a person settles. Once answered, it is never asked again; until
then it can be answered from the form under the cell, the inbox, the command line, or another program.

All take the same options:

show
    What the question is about: text, a table, a figure; a large table is shown as its first rows.
default
    The answer that a form offers, and that counts at the deadline with ``on_timeout="default"``.
timeout, on_timeout
    After ``"2d"`` (or seconds, or a timedelta) `PromiseTimedOut` is raised, or the default delivered.
notify
    Called once, when the question is asked, with its id and a link to answer at (None without a server);
    in asynchronous code it is called in a thread.
id
    An id of your own choice; the guard checks that the question is the same.
tags
    Texts to find the question by.
comment
    Whether a comment may be given with the answer; it is kept in the tag ``rnb:comment``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, Unpack, cast, overload

from resonate_nb import resonate
from resonate_nb.enquiry import asking
from resonate_nb.enquiry.asking import Policy
from resonate_nb.enquiry.questions import (
    Kind,
    Question,
    as_json,
    checked_schema,
    options_schema,
    typed_schema,
)
from resonate_nb.enquiry.shown import digest_of_shown, mimebundle
from resonate_nb.enquiry.terminal import Terminal
from resonate_nb.execution import acting
from resonate_nb.fingerprint import content_digest
from resonate_nb.promise import NO_TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from resonate_nb.durations import Duration
    from resonate_nb.enquiry.asking import Stage

T = TypeVar("T")


class Options(TypedDict, total=False):
    """What every question takes; see the module's description."""

    show: object
    default: object
    timeout: Duration | None
    on_timeout: Literal["raise", "default"]
    notify: Callable[[str, str | None], object] | None
    id: str | None
    tags: Mapping[str, str]
    comment: bool


@overload
def ask(
    text: str,
    *,
    min: int | None = None,
    max: int | None = None,
    pattern: str | None = None,
    **options: Unpack[Options],
) -> str: ...


@overload
def ask(
    text: str,
    type: type[T],
    *,
    min: object = None,
    max: object = None,
    pattern: str | None = None,
    **options: Unpack[Options],
) -> T: ...


def ask(
    text: str,
    type: type = str,
    *,
    min: object = None,
    max: object = None,
    pattern: str | None = None,
    **options: Unpack[Options],
) -> object:
    """Return what a person answers: a text, a number, a truth value, a date or a time.

    `min` and `max` bound the value, or the length of a text; `pattern` fits the whole text.

    Raises
    ------
    Pending
        Nobody can answer here; run again after the answer.
    PromiseTimedOut
        The deadline passed without an answer.
    UsageError
        The type can't be asked for, or an option does not fit it.
    """
    schema = typed_schema(type, min=min, max=max, pattern=pattern)
    return _ask("ask", text, schema, options)


def approve(text: str, **options: Unpack[Options]) -> bool:
    """Return whether a person approves; see `ask` for what is raised."""
    return cast("bool", _ask("approve", text, {"type": "boolean"}, options))


def choose(text: str, options: Iterable[T], many: bool = False, **more: Unpack[Options]) -> Any:  # noqa: FBT001, FBT002 (the interface)
    """Return which of the options a person chooses; a list of them with `many`; see `ask`."""
    return _ask("choose", text, options_schema(options, many=many), more)


def form(schema: Mapping[str, Any], text: str = "", **options: Unpack[Options]) -> Any:
    """Return what a person fills in: JSON that fits the schema (JSON Schema 2020-12); see `ask`."""
    return _ask("form", text, checked_schema(schema), options)


@overload
async def aask(
    text: str,
    *,
    min: int | None = None,
    max: int | None = None,
    pattern: str | None = None,
    **options: Unpack[Options],
) -> str: ...


@overload
async def aask(
    text: str,
    type: type[T],
    *,
    min: object = None,
    max: object = None,
    pattern: str | None = None,
    **options: Unpack[Options],
) -> T: ...


async def aask(
    text: str,
    type: type = str,
    *,
    min: object = None,
    max: object = None,
    pattern: str | None = None,
    **options: Unpack[Options],
) -> object:
    """Do as `ask` does while other tasks go on."""
    schema = typed_schema(type, min=min, max=max, pattern=pattern)
    return await _aask("ask", text, schema, options)


async def aapprove(text: str, **options: Unpack[Options]) -> bool:
    """Do as `approve` does while other tasks go on."""
    return cast("bool", await _aask("approve", text, {"type": "boolean"}, options))


async def achoose(text: str, options: Iterable[T], many: bool = False, **more: Unpack[Options]) -> Any:  # noqa: FBT001, FBT002 (the interface)
    """Do as `choose` does while other tasks go on."""
    return await _aask("choose", text, options_schema(options, many=many), more)


async def aform(schema: Mapping[str, Any], text: str = "", **options: Unpack[Options]) -> Any:
    """Do as `form` does while other tasks go on."""
    return await _aask("form", text, checked_schema(schema), options)


def _ask(kind: Kind, text: str, schema: dict[str, Any], options: Options) -> object:
    return asking.ask(resonate.default().execution, _stage(), *_question(kind, text, schema, **options))


async def _aask(kind: Kind, text: str, schema: dict[str, Any], options: Options) -> object:
    execution = resonate.default().execution
    return await asking.aask(execution, _stage(), *_question(kind, text, schema, **options))


def _question(
    kind: Kind,
    text: str,
    schema: dict[str, Any],
    *,
    show: object = None,
    default: object = None,
    timeout: Duration | None = None,
    on_timeout: Literal["raise", "default"] = "raise",
    notify: Callable[[str, str | None], object] | None = None,
    id: str | None = None,
    tags: Mapping[str, str] = NO_TEXTS,
    comment: bool = False,
) -> tuple[Question, Policy]:
    shown = mimebundle(show, _formatter())
    question = Question(
        kind=kind,
        text=str(text),
        schema=schema,
        default=as_json(default),
        shown=shown,
        shown_digest=digest_of_shown(show, shown, content_digest),
        on_timeout=on_timeout,
        comment=comment,
    )
    return question, Policy(id=id, timeout=timeout, tags=tags, notify=notify)


def _stage() -> Stage:
    """Return where the caller's questions are shown."""
    if acting.get() is not None:
        return Terminal(waits=False)
    shell = _shell()
    if shell is None:
        return Terminal()
    if getattr(shell, "kernel", None) is None:
        return Terminal(run=str(shell.execution_count))
    from resonate_nb.notebook.stage import NotebookStage

    return NotebookStage(shell)


def _formatter() -> Callable[[object], Mapping[str, Any]] | None:
    """Return what IPython renders objects with, where it runs."""
    shell = _shell()
    return (
        None
        if shell is None
        else lambda value: cast("Mapping[str, Any]", shell.display_formatter.format(value)[0])
    )


def _shell() -> Any:
    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()
