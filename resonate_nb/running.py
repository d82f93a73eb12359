"""Runs a notebook from start to end without a person: `resonate-nb run`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from resonate_nb.errors import UsageError
from resonate_nb.resonate import STORE_VARIABLE

DONE, FAILED = 0, 1


def run_notebook(notebook: Path, *, output: Path | None = None, store: str | None = None) -> int:
    """Run all cells in the notebook's folder and keep the outputs; return the command's exit code.

    The outputs up to a failure are kept too.

    Raises
    ------
    UsageError
        The file is absent, or no notebook.
    """
    try:
        document = nbformat.read(notebook, as_version=4)
    except FileNotFoundError:
        raise UsageError(f"there is no notebook {notebook}") from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as problem:
        raise UsageError(f"{notebook} is no notebook: {problem}") from None
    environment = dict(os.environ)
    if store is not None:
        environment[STORE_VARIABLE] = str(Path(store).absolute())
    client = NotebookClient(document, timeout=None, resources={"metadata": {"path": str(notebook.parent)}})
    try:
        client.execute(env=environment)
    except (CellExecutionError, DeadKernelError) as failure:
        print(failure, file=sys.stderr)  # noqa: T201 (the reason, for whoever ran the command)
        return FAILED
    finally:
        nbformat.write(document, output or notebook)
    return DONE
