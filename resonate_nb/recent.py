"""What ran last in this process, by name: where an explanation begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

ASKED = "it was asked for by `rerun`"
OTHER_ALIASES = "other names than then reach what it changes, so what was kept does not fit"
OTHER_DRAWS = "a random generator that it draws from is in another state than then"
Happened = Literal["replayed", "computed", "refused", "plain"]  # plain: it ran, but was not to be kept


@dataclass(frozen=True, slots=True)
class Run:
    """The last run under one name."""

    kind: str
    name: str
    id: str  # of the work; empty where it had none
    happened: Happened
    reason: str = ""  # why it was computed, where the store can't tell


@dataclass(frozen=True, slots=True)
class Recent:
    """The last runs, in the order in which they began."""

    _runs: dict[tuple[str, str], Run] = field(default_factory=dict)

    def note(self, run: Run) -> None:
        """Remember a run in the place of the last one of the same name."""
        key = run.kind, run.name
        self._runs.pop(key, None)
        self._runs[key] = run

    def find(self, name: str) -> Run | None:
        """Return the last run of a cell or function of this name, whichever was later."""
        found = [run for run in list(self._runs.values()) if run.name == name]
        return found[-1] if found else None

    def last(self) -> Run | None:
        """Return the last run of all."""
        runs = list(self._runs.values())
        return runs[-1] if runs else None
