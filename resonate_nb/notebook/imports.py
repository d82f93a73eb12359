"""Tells listeners what runs because a module is imported for the first time."""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, SourceFileLoader, SourcelessFileLoader
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from importlib.machinery import ModuleSpec
    from types import ModuleType

# Each of their instances loads one module, so that one may be told apart; other loaders are shared.
_LOADERS_OF_ONE_MODULE = (SourceFileLoader, SourcelessFileLoader, ExtensionFileLoader)


class ImportListener(Protocol):
    """What wants to be around while modules run."""

    def around_import(self, module: str) -> AbstractContextManager[object] | None:
        """Return the block in which the module is to run, None where it does not matter."""


class FirstImports(MetaPathFinder):
    """Finds nothing itself: it asks the other finders, and makes the module run inside its listeners' blocks.

    Modules keep their loaders, whatever they are: only `exec_module` of a loader is replaced, for one call.
    """

    def __init__(self) -> None:
        self._listeners: list[ImportListener] = []
        self._here = threading.local()

    def listen(self, listener: ImportListener) -> None:
        """Tell a listener from now on; telling it already changes nothing."""
        if listener not in self._listeners:
            self._listeners.append(listener)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def unlisten(self, listener: ImportListener) -> None:
        """Tell a listener no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._listeners and self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the other finders find, or nothing where no listener cares."""
        if getattr(self._here, "searching", False):
            return None  # another finder of this kind asks all finders
        self._here.searching = True
        try:
            blocks = [block for each in self._listeners if (block := each.around_import(fullname))]
            spec = self._found_by_others(fullname, path, target) if blocks else None
        finally:
            self._here.searching = False
        if spec is not None and isinstance(spec.loader, _LOADERS_OF_ONE_MODULE):
            _run_inside(spec.loader, blocks)
        return spec

    def _found_by_others(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        others = (getattr(each, "find_spec", None) for each in list(sys.meta_path) if each is not self)
        found = (find(fullname, path, target) for find in others if find is not None)
        return next((spec for spec in found if spec is not None), None)


def _run_inside(
    loader: SourceFileLoader | SourcelessFileLoader | ExtensionFileLoader,
    blocks: Sequence[AbstractContextManager[object]],
) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        del vars(loader)["exec_module"]
        with ExitStack() as stack:
            for block in blocks:
                stack.enter_context(block)
            execute(module)

    vars(loader)["exec_module"] = exec_module


first_imports = FirstImports()
