"""The pyplot figures that are open around a cell, and what the cell does to them."""

from __future__ import annotations

import sys
from typing import Any


class OpenFigures:
    """The figures that are open when a cell begins; until it ends it is heard when something draws into them.

    Those that the inline backend shows it closes before the cell's end.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._drawn_into: set[int] = set()
        self._callbacks: dict[int, Any] = {}
        self._ears: dict[int, Any] = {}

    def begin(self) -> None:
        """Hear from now on."""
        self._before = _open_figures()
        self._callbacks = {number: figure.stale_callback for number, figure in self._before.items()}
        self._ears = {number: self._ear(number) for number in self._before}
        for number, figure in self._before.items():
            figure.stale_callback = self._ears[number]

    def stop(self) -> None:
        """Hear no more."""
        for number, figure in self._before.items():
            if figure.stale_callback is self._ears[number]:
                figure.stale_callback = self._callbacks[number]

    def change(self) -> str | None:
        """Return in words what differs from the begin, None if nothing does."""
        now = _open_figures()
        if any(self._before.get(number) is not figure for number, figure in now.items()):
            return "left a pyplot figure open"
        if now.keys() != self._before.keys():
            return "closed a pyplot figure that was open before"
        if self._drawn_into:
            return "drew into a pyplot figure that was open before"
        return "chose another current pyplot figure" if list(now) != list(self._before) else None

    def _ear(self, number: int) -> Any:
        callback = self._callbacks[number]

        def stale(figure: Any, value: Any) -> None:
            self._drawn_into.add(number)
            if callback is not None:
                callback(figure, value)

        return stale


def _open_figures() -> dict[int, Any]:
    """Return the figures by number, the current one last."""
    helpers: Any = sys.modules.get("matplotlib._pylab_helpers")
    managers = {} if helpers is None else helpers.Gcf.figs
    return {number: manager.canvas.figure for number, manager in managers.items()}
