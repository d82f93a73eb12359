"""The options behind `%%durable`, read once."""

from __future__ import annotations

import keyword
import shlex
from dataclasses import dataclass

from resonate_nb.durations import milliseconds
from resonate_nb.errors import UsageError

_WITH_NAMES = ("--ignore", "--outputs", "--remake")
_WITH_VALUE = ("--version", "--id", "--watch", "--timeout", "--retry", *_WITH_NAMES)
_SWITCHES = ("--rerun", "--quiet", "--dry-run")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellOptions:
    """What the header of a durable cell says."""

    asked: bool = True  # for a durable cell; else `%durable on` made it one
    name: str | None = None
    version: int | None = None
    id: str | None = None
    ignore: frozenset[str] = frozenset()
    outputs: frozenset[str] | None = None  # None: all
    remake: frozenset[str] = frozenset()
    watch: tuple[str, ...] = ()  # paths and patterns of files that the cell reads unseen
    timeout: int | None = None  # in milliseconds
    retry: int = 0  # further attempts
    rerun: bool = False
    quiet: bool = False
    dry_run: bool = False


def parse_options(text: str) -> CellOptions:
    """Return the options of a header.

    Raises
    ------
    UsageError
        Names the option that does not exist, lacks its value, or has one that it can't have.

    >>> parse_options("prices --ignore a,b --rerun").name
    'prices'
    """
    words, given, names = _words(text), dict[str, str](), list[str]()
    while words:
        word, _, value = words.pop(0).partition("=")
        if word in _WITH_VALUE:
            if not value and not words:
                raise UsageError(f"{word} of %%durable needs a value")
            given[word] = value or words.pop(0)
        elif word in _SWITCHES:
            given[word] = "yes"
        elif word.startswith("-"):
            known = ", ".join((*_WITH_VALUE, *_SWITCHES))
            raise UsageError(f"%%durable has no option {word!r}; it has {known}")
        else:
            names.append(word)
    if len(names) > 1:
        raise UsageError(f"a durable cell has one name, not {len(names)}: {' '.join(names)}")
    names_of = {option: _names(option, given[option]) for option in _WITH_NAMES if option in given}
    return CellOptions(
        name=names[0] if names else None,
        version=_number(given.get("--version")),
        id=given.get("--id"),
        ignore=names_of.get("--ignore", frozenset()),
        watch=tuple(filter(None, given.get("--watch", "").split(","))),
        outputs=names_of.get("--outputs"),
        remake=names_of.get("--remake", frozenset()),
        timeout=milliseconds(given["--timeout"]) if "--timeout" in given else None,
        retry=_retries(given.get("--retry", "0")),
        rerun="--rerun" in given,
        quiet="--quiet" in given,
        dry_run="--dry-run" in given,
    )


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as problem:
        raise UsageError(f"the options of %%durable can't be read ({problem}): {text}") from None


def _names(option: str, text: str) -> frozenset[str]:
    names = text.split(",")
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError(
                f"{option} takes names with commas between and no spaces, like a,b; {name!r} is no name"
            )
    return frozenset(names)


def _retries(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"--retry takes a whole number of further attempts, not {text!r}")
    return int(text)


def _number(text: str | None) -> int | None:
    if text is not None and not (text.isdigit() and int(text) > 0):
        raise UsageError(f"--version takes a whole number from 1, not {text!r}")
    return None if text is None else int(text)
