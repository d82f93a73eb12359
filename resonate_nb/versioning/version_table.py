"""The versions of a durable function side by side: what is kept under each, and how their code differs."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, overload

from resonate_nb import readable, versions
from resonate_nb.fingerprint import difference
from resonate_nb.store.base import Query
from resonate_nb.versioning import pins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resonate_nb.execution import Execution
    from resonate_nb.fingerprint import Part
    from resonate_nb.versions import VersionRecord

_PAGE = 500
_HEADINGS = ("version", "fingerprint", "since", "promises", "size", "")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a durable function."""

    number: int | None  # None: its fingerprint is the version
    fingerprint: str
    pinned_at: int  # when its number was pinned, else when it first ran; milliseconds since the epoch
    promises: int  # how many are kept under it
    bytes: int  # of their values
    current: bool  # whether it is the one that calls compute now

    @property
    def name(self) -> str:
        """The version as ids spell it."""
        return versions.spelled(self.number, self.fingerprint)


class Versions(Sequence[Version]):
    """All versions of a function that have run, numbered ones first; shows itself as a table."""

    def __init__(self, execution: Execution, name: str, rows: Sequence[Version]) -> None:
        self._execution, self._name, self._rows = execution, name, tuple(rows)

    @overload
    def __getitem__(self, index: int) -> Version: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Version]: ...

    def __getitem__(self, index: int | slice) -> Version | Sequence[Version]:
        """Return a version by its place in the table."""
        return self._rows[index]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._rows)

    def diff(self, old: int | str, new: int | str) -> str:
        """Return how one version's code differs from an older one's, each by number or fingerprint.

        Raises
        ------
        VersionMissing
            There is no such version.
        """
        return difference_between(
            *(versions.find_record(self._execution, self._name, each) for each in (old, new))
        )

    def __repr__(self) -> str:
        if not self._rows:
            return f"no version of {self._name} has run"
        lines = [_HEADINGS, *map(_cells, self._rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
        return "\n".join(padded)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(each)}</th>" for each in _HEADINGS)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(each))}</tr>" for each in self._rows
        )
        return f"<table><caption>{escape(self._name)}</caption><tr>{head}</tr>{body}</table>"


def table_of(execution: Execution, name: str, number: int | None, fingerprint: str) -> Versions:
    """Return the versions of a function, of which the one with this number and fingerprint is current."""
    promises, sizes = _kept(execution, name)
    pinned = pins.all_pinned(execution, name)
    with_number = {each.fingerprint for each in pinned}
    automatic = [
        record
        for record in versions.records_of(execution, name)
        if record.fingerprint not in with_number or versions.spelled(None, record.fingerprint) in promises
    ]

    def row(its_number: int | None, its_fingerprint: str, since: int) -> Version:
        under = versions.spelled(its_number, its_fingerprint)
        current = (its_number, its_fingerprint) == (number, fingerprint)
        return Version(its_number, its_fingerprint, since, promises[under], sizes[under], current)

    rows = [row(each.number, each.fingerprint, each.pinned_at) for each in pinned]
    rows += [row(None, each.fingerprint, each.recorded_at) for each in automatic]
    return Versions(execution, name, rows)


def difference_between(old: VersionRecord, new: VersionRecord) -> str:
    """Return in words, then line by line, how the code of a version differs from that of another."""
    before, after = ({part.path: part for part in each.parts if part.kind == "code"} for each in (old, new))
    if old.parts and new.parts:  # the function itself, under whatever name, is compared with itself
        before["itself"], after["itself"] = before.pop(old.parts[0].path), after.pop(new.parts[0].path)
    lines = difference(old.parts, new.parts)
    for path in dict.fromkeys((*after, *before)):
        was, now = before.get(path), after.get(path)
        if was is None or now is None or was.digest != now.digest:
            lines += _unified(was, now)
    return "\n".join(lines)


def _unified(was: Part | None, now: Part | None) -> Iterator[str]:
    sources = ["" if part is None else part.source for part in (was, now)]
    before, after = (source.splitlines() for source in sources)
    old, new = (part.path if part is not None else "nothing" for part in (was, now))
    return difflib.unified_diff(before, after, old, new, lineterm="")


def _kept(execution: Execution, name: str) -> tuple[Counter[str], Counter[str]]:
    """Return how many promises there are under each version, and the bytes of their values."""
    promises, sizes = Counter[str](), Counter[str]()
    tags, cursor = (("rnb:kind", "function"), ("rnb:name", name)), None
    while True:
        page = execution.store.list(Query(tags=tags, limit=_PAGE, cursor=cursor), execution.clock.now())
        for entry in execution.store.get_many(each.id for each in page.promises).values():
            version = entry.promise.tags.get("rnb:version", "")
            promises[version] += 1
            sizes[version] += entry.promise.value.size
        cursor = page.cursor
        if cursor is None:
            return promises, sizes


def _cells(version: Version) -> tuple[str, ...]:
    return (
        "automatic" if version.number is None else str(version.number),
        version.fingerprint[: versions.VERSION_DIGITS],
        readable.moment(version.pinned_at),
        f"{version.promises:,}",
        readable.size(version.bytes),
        "current" if version.current else "",
    )
