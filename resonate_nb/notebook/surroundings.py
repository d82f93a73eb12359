"""What a cell changes that is no variable, and that a replay of its names would not bring back."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from resonate_nb.code.libraries import library_of
from resonate_nb.notebook.activities import activities
from resonate_nb.notebook.figures import OpenFigures
from resonate_nb.notebook.imports import first_imports
from resonate_nb.notebook.keeping import NotToBeKept
from resonate_nb.notebook.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

_ABSENT = object()


class Surroundings:
    """The surroundings of a cell between its begin and its end: settings, threads, processes, open figures.

    What importing a library sets belongs to the library, wherever the import stands: whoever imports it
    sets it again. What the import of a module of the user's own sets does so only in an import statement
    of the cell itself, since these run again at replay.
    """

    def __init__(self, namespace: Mapping[str, object]) -> None:
        self._namespace = namespace
        self._expected: dict[
            str, list[object]
        ] = {}  # by setting: its values that are none of the cell's doing
        self._activities: dict[tuple[str, int | None], str] = {}
        self._figures = OpenFigures()
        self._thread: int | None = None
        self._importing = False
        self._before_import: dict[str, object] | None = None

    def begin(self) -> None:
        """Watch from now on."""
        self._expected = {name: [value] for name, value in settings().items()}
        self._activities = activities(self._namespace)
        self._figures.begin()
        self._thread = threading.get_ident()
        first_imports.listen(self)

    def stop(self) -> None:
        """Watch no more."""
        first_imports.unlisten(self)
        self._figures.stop()

    def statement(self, *, imports: bool) -> None:
        """Note that a statement of the cell begins, and so the one before it has ended."""
        if self._before_import is not None:
            self._expect(self._before_import, settings())
        self._before_import = settings() if imports else None

    def refuse_changes(self) -> None:
        """Refuse to keep a cell that has changed its surroundings.

        Raises
        ------
        NotToBeKept
            Says what the cell changed.
        """
        if (change := self.change()) is not None:
            raise NotToBeKept(f"it {change}")

    def change(self) -> str | None:
        """Return in words what differs from the cell's begin, by its own doing; None if nothing does."""
        self.statement(imports=False)
        now = settings()
        for name in {**self._expected, **now}:
            if now.get(name, _ABSENT) not in self._expected.get(name, [_ABSENT]):
                return f"changed {name}"
        for what, words in activities(self._namespace).items():
            if what not in self._activities:
                return f"left {words} running"
        return self._figures.change()

    def around_import(self, module: str) -> AbstractContextManager[object] | None:
        """Expect what a library sets while it is loaded, with all that it loads itself."""
        if self._importing or threading.get_ident() != self._thread or library_of(module) is None:
            return None
        return self._loading()

    @contextmanager
    def _loading(self) -> Iterator[None]:
        before, self._importing = settings(), True
        try:
            yield
        finally:
            self._importing = False
            self._expect(before, settings())

    def _expect(self, before: Mapping[str, object], after: Mapping[str, object]) -> None:
        """Take for unchanged what was unchanged before."""
        for name in {**before, **after}:
            value = after.get(name, _ABSENT)
            expected = self._expected.setdefault(name, [_ABSENT])
            if value not in expected and before.get(name, _ABSENT) in expected:
                expected.append(value)
