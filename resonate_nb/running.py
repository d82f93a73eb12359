"""Runs a notebook from start to end without a person: `resonate-nb run`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from resonate_nb import views
from resonate_nb.enquiry import inbox
from resonate_nb.enquiry.asking import NOTEBOOK_VARIABLE
from resonate_nb.errors import Pending, UsageError
from resonate_nb.promise import NEVER, TIMER_TAG, State
from resonate_nb.resonate import STORE_VARIABLE, Resonate, default_folder

if TYPE_CHECKING:
    from nbformat import NotebookNode

DONE, FAILED, PENDING = 0, 1, 75  # 75 is EX_TEMPFAIL of sysexits.h: try again later
_SLICE_SECONDS = 0.2  # a wait can be interrupted this often


def run_notebook(
    notebook: Path, *, output: Path | None = None, store: str | None = None, wait: bool = False
) -> int:
    """Run all cells in the notebook's folder and keep the outputs; return the command's exit code.

    The outputs up to a failure are kept too. At a question the run stops and tells how to answer; with
    `wait` it waits for the answers and runs again, which goes on where it stopped.

    Raises
    ------
    UsageError
        The file is absent, or no notebook.
    """
    folder = _store_of(notebook, store)
    while True:
        try:
            _run_once(notebook, output or notebook, folder)
        except DeadKernelError as failure:
            return _failed(failure)
        except CellExecutionError as failure:
            if failure.ename != Pending.__name__:
                return _failed(failure)
            answered = tell_and_wait(folder, failure.evalue, wait=wait)
            if not answered:
                return PENDING
        else:
            return DONE


def _run_once(notebook: Path, output: Path, folder: Path) -> None:
    document = _read(notebook)
    environment = {
        **os.environ,
        STORE_VARIABLE: str(folder),
        NOTEBOOK_VARIABLE: str(notebook.absolute()),
    }
    client = NotebookClient(document, timeout=None, resources={"metadata": {"path": str(notebook.parent)}})
    try:
        client.execute(env=environment)
    finally:
        nbformat.write(document, output)


def _read(notebook: Path) -> NotebookNode:
    try:
        return nbformat.read(notebook, as_version=4)
    except FileNotFoundError:
        raise UsageError(f"there is no notebook {notebook}") from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as problem:
        raise UsageError(f"{notebook} is no notebook: {problem}") from None


def _store_of(notebook: Path, store: str | None) -> Path:
    """Return the folder of the store that the notebook's kernel is to use."""
    if store is not None:
        return Path(store).absolute()
    return (notebook.parent / (os.environ.get(STORE_VARIABLE) or default_folder().name)).absolute()


def _failed(failure: Exception) -> int:
    print(failure, file=sys.stderr)  # noqa: T201 (the reason, for whoever ran the command)
    return FAILED


def tell_and_wait(folder: Path, evalue: str, *, wait: bool) -> bool:
    """Print which questions wait; return whether they were waited for and are settled."""
    root = Resonate(folder)
    try:
        asked = inbox.mentioned(root.execution, evalue)
        if not asked:  # the notebook has chosen another store, which only its kernel knows
            print(f"{Pending.__name__}: {evalue}")  # noqa: T201
            return False
        if waiting := _waiting(root, asked):
            print(inbox.table(waiting), flush=True)  # noqa: T201
            if folder != default_folder():
                print(f"to be answered with --store {shlex.quote(str(folder))}", flush=True)  # noqa: T201
        passes = _next_timer(root)
        while wait and _waiting(root, asked) and root.execution.clock.now() < passes:
            root.execution.store.wait_for_change(_SLICE_SECONDS)
        return wait
    finally:
        root.close()


def _next_timer(root: Resonate) -> int:
    """Return when the next timer passes: it may have been what else the notebook waits for, in a race."""
    pending = views.listing(root.execution, state=State.PENDING, tags=[(TIMER_TAG, "true")])
    return min((each.timeout_at for each in pending), default=NEVER)


def _waiting(root: Resonate, asked: set[str]) -> list[inbox.Waiting]:
    return [each for each in inbox.waiting(root.execution) if each.promise.id in asked]
