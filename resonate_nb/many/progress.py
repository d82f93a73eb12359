"""Progress of many calls: a bar where a person looks on, lines where a file is written."""

from __future__ import annotations

import math
import sys
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, Self

from resonate_nb import readable
from resonate_nb.execution import acting

if TYPE_CHECKING:
    from contextvars import Token

_LINE_SECONDS = 10.0  # between two lines
_LATE_SECONDS = 1.0  # after which a map inside another one shows itself

_shown: ContextVar[bool] = ContextVar("resonate_nb_progress", default=False)


class Progress:
    """Tells what was done before, is done now and failed, how fast, and what remains.

    The rate and the remaining time are those of the items that are computed. A map in the body of another
    one shows itself only when it takes a while, for as long as it does; in a worker process, not at all.
    """

    def __init__(self, name: str, total: int | None, *, shown: bool) -> None:
        self._counts = Counts(name, total)
        self._wanted = shown
        self._view: _View | None = None
        self._token: Token[bool] | None = None

    def count(self, *, replayed: bool, failed: bool) -> None:
        """Count one item that came to its end."""
        self._counts.count(replayed=replayed, failed=failed)
        if self._view is not None:
            self._view.update(replayed=replayed)

    def __enter__(self) -> Self:
        if self._wanted and acting.get() is None:  # in a worker process, nobody looks on
            self._view = _Late(self._counts) if _shown.get() else _view(self._counts, inner=False)
            self._token = _shown.set(True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._view is not None:
            self._view.close()
        if self._token is not None:
            try:
                _shown.reset(self._token)
            except ValueError:  # an iterator that is closed elsewhere than it began
                _shown.set(False)


class Counts:
    """How many items there are, and what came of them so far."""

    def __init__(self, name: str, total: int | None) -> None:
        self.name, self.total = name, total
        self.done = self.replayed = self.failed = 0
        self.began = time.monotonic()

    def count(self, *, replayed: bool, failed: bool) -> None:
        """Count one item."""
        self.done += 1
        self.replayed += replayed
        self.failed += failed

    @property
    def remarks(self) -> str:
        """What is not seen from the number of items that are done."""
        now = self.done - self.replayed if self.replayed else 0
        told = ((self.replayed, "before"), (now, "now"), (self.failed, "failed"))
        return ", ".join(f"{number:,} {what}" for number, what in told if number)

    @property
    def line(self) -> str:
        """All of it, in one line.

        >>> counts = Counts("square", 10)
        >>> counts.count(replayed=True, failed=False)
        >>> counts.line
        'square: 1 of 10 (1 before)'
        """
        total = "" if self.total is None else f" of {self.total:,}"
        remarks = f" ({self.remarks})" if self.remarks else ""
        rate = (self.done - self.replayed) / max(time.monotonic() - self.began, 1e-9)
        speed = f", {rate:,.3g} a second" if rate else ""
        left = "" if not rate or self.total is None else readable.seconds((self.total - self.done) / rate)
        return f"{self.name}: {self.done:,}{total}{remarks}{speed}" + (f", {left} left" if left else "")


class _View(Protocol):
    """What shows the counts."""

    def update(self, *, replayed: bool) -> None:
        """Show that one more item is done."""
        ...

    def close(self) -> None:
        """Show the last state, and let go."""
        ...


class _Bar:
    """A bar of tqdm, as a widget or as text."""

    def __init__(self, counts: Counts, kind: Any, *, inner: bool) -> None:
        self._counts = counts
        self._bar = kind(
            total=counts.total,
            initial=counts.replayed,
            desc=counts.name,
            leave=not inner,
            smoothing=0,
            unit="item",
        )
        self._bar.update(counts.done - counts.replayed)

    def update(self, *, replayed: bool) -> None:
        # What was there when the bar began counts for no rate.
        self._bar.initial += replayed
        if self._counts.remarks:
            self._bar.set_postfix_str(self._counts.remarks, refresh=False)
        self._bar.update()

    def close(self) -> None:
        if self._counts.total is not None and self._counts.done == self._counts.total:
            self._bar.set_postfix_str(self._counts.remarks)
        self._bar.close()


class _Late:
    """A bar that is not made before it is worth looking at: there may be thousands, all quick."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._due = counts.began + _LATE_SECONDS
        self._view: _View | None = None

    def update(self, *, replayed: bool) -> None:
        if self._view is not None:
            self._view.update(replayed=replayed)
        elif time.monotonic() >= self._due:
            self._due = math.inf
            self._view = _view(self._counts, inner=True)

    def close(self) -> None:
        if self._view is not None:
            self._view.close()


class _Lines:
    """Lines at distances, for what takes long; a file keeps them all."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._due = counts.began + _LINE_SECONDS
        self._wrote = False

    def update(self, *, replayed: bool) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _LINE_SECONDS
            self._write()

    def close(self) -> None:
        if self._wrote:
            self._write()

    def _write(self) -> None:
        self._wrote = True
        print(self._counts.line, file=sys.stderr, flush=True)  # noqa: T201 (a person may read it)


def _view(counts: Counts, *, inner: bool) -> _View | None:
    kernel = _kernel()
    if getattr(kernel, "_allow_stdin", False):  # else nobody looks on
        from tqdm.notebook import tqdm as widget_bar

        return _Bar(counts, widget_bar, inner=inner)
    if kernel is not None:
        return None  # a run without a person: its outputs are those of the values alone
    if getattr(sys.stderr, "isatty", bool)():
        from tqdm import tqdm

        return _Bar(counts, tqdm, inner=inner)
    return None if inner else _Lines(counts)


def _kernel() -> Any:
    module = sys.modules.get("IPython")
    return None if module is None else getattr(module.get_ipython(), "kernel", None)
