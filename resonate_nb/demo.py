"""The demo: a real analysis loses its kernel, twice, and goes on in a new one where it was."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import psutil
from ipykernel.kernelspec import write_kernel_spec
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from resonate_nb.demo_packages import DemoFailed, environment_with_packages
from resonate_nb.demo_progress import (
    GRID,
    INSIDE,
    check_that_settled_stays_settled,
    deed,
    listed,
    scores,
    settled,
    statements,
)
from resonate_nb.store.disk import DiskStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nbformat import NotebookNode

    from resonate_nb.promise import Promise

NOTEBOOK = "02-a-real-analysis.ipynb"
BEFORE = 3  # statements of that cell that are done before its kernel is killed
CELL_LIMIT = 600  # seconds, far above what any cell takes on a slow machine
STORE = ".resonate"


def run_demo(folder: Path | None = None, *, say: Callable[[str], None] = print) -> int:
    """Kill a real analysis twice, run it again, compare it with an undisturbed run; return an exit code.

    The notebook and its store stay in `folder`, which must be new or empty; by default it is made in the
    current directory.
    """
    try:
        environment = environment_with_packages(say)
        _demonstrate(_working_folder(folder), environment, say)
    except CellExecutionError as failure:
        say(f"The demo failed, a cell raised {failure.ename}: {failure.evalue}")
    except (DemoFailed, CellTimeoutError, DeadKernelError) as failure:
        say(f"The demo failed: {failure}")
    else:
        return 0
    return 1


def _demonstrate(folder: Path, environment: dict[str, str], say: Callable[[str], None]) -> None:
    say("\n1. Run the analysis, and kill its kernel in the middle of the grid")
    cut_off = _Run(folder, environment, say)
    cut_off.until_killed_in_the_grid()

    say("\n2. Start a new kernel and run all cells, and kill that one inside a cell")
    cut_off_again = _Run(folder, environment, say)
    cut_off_again.until_killed_inside_a_cell()
    check_that_settled_stays_settled(cut_off.settled, cut_off_again.settled)

    say("\n3. Start a new kernel and run all cells")
    resumed = _Run(folder, environment, say)
    resumed.to_the_end()
    check_that_settled_stays_settled(cut_off_again.settled, resumed.settled)

    say("\n4. For comparison, without a kill and from an empty store")
    with tempfile.TemporaryDirectory(prefix="resonate-nb-demo-") as elsewhere:
        undisturbed = _Run(Path(elsewhere), environment, say)
        undisturbed.to_the_end()

    say(
        f"\nAfter the first kill the analysis took {cut_off_again.seconds:.0f} s instead of "
        f"{undisturbed.seconds:.0f} s, and after the second one {resumed.seconds:.0f} s."
    )
    if resumed.results != undisturbed.results:
        raise DemoFailed("the results of the resumed run are not those of the undisturbed run")
    say(f"The results of both are equal, bit for bit ({len(json.loads(resumed.results)[0])} models).")
    _say_how_to_open(folder / NOTEBOOK, environment, say)


class _Run:
    """One run of the analysis in a kernel of its own, watched from outside through the store."""

    def __init__(self, folder: Path, environment: dict[str, str], say: Callable[[str], None]) -> None:
        self.folder = folder
        self.store = folder / STORE
        self.environment = {**environment, "RESONATE_NB_STORE": str(self.store)}
        self.say = say
        self.notebook: NotebookNode = nbformat.read(_packaged_notebook(), as_version=4)
        self.seconds = 0.0  # spent in cells
        self.results = ""  # the table as JSON, which holds every bit of a float
        self.settled: dict[str, Promise] = {}

    def until_killed_in_the_grid(self) -> None:
        """Run the cells up to the grid, and kill the kernel when half of the grid is settled."""
        grid = next(i for i, cell in enumerate(self.notebook.cells) if GRID in cell.source)
        with self._kernel() as client:
            self._run_cells(client, range(grid))
            size = int(self._ask(client, "len(grid)"))
            self._execute_until_killed(client, grid, lambda store: len(scores(listed(store))) >= size // 2)
        done = len(scores(self.settled))
        if not 0 < done < size:
            raise DemoFailed(f"the kernel was killed with {done} of {size} items settled")
        self.say(f"   {'grid':<10} kernel killed (SIGKILL) with {done} of {size} items settled")

    def until_killed_inside_a_cell(self) -> None:
        """Run the cells up to one of several statements, and kill the kernel when some of these are done."""
        inside = next(i for i, cell in enumerate(self.notebook.cells) if cell.id == INSIDE)
        with self._kernel() as client:
            self._run_cells(client, range(inside))
            self._execute_until_killed(client, inside, lambda store: statements(listed(store)) >= BEFORE)
        done = statements(self.settled)
        self.say(f"   {INSIDE:<10} kernel killed (SIGKILL) with {done} statements done")

    def _execute_until_killed(
        self, client: NotebookClient, index: int, enough: Callable[[DiskStore], bool]
    ) -> None:
        started = time.perf_counter()
        try:
            with _killed_when(client, self.store, enough):
                self._execute(client, index)
        except DeadKernelError:
            self.seconds += time.perf_counter() - started
            self.settled = settled(self.store)
            nbformat.write(self.notebook, self.folder / NOTEBOOK)
        else:
            raise DemoFailed("a cell was finished before its kernel could be killed")

    def to_the_end(self) -> None:
        """Run all cells, read the results and keep the notebook with its outputs."""
        self.settled = settled(self.store)
        goes_on = statements(self.settled) > 0
        with self._kernel() as client:
            self._run_cells(client, range(len(self.notebook.cells)))
            stats = self._ask(client, "get_ipython().run_line_magic('durable', 'stats')")
            if goes_on is not bool(re.search(r"resumed +1 cell", stats)):
                raise DemoFailed(f"the cell {INSIDE!r} did not go on where its kernel died")
            tables = "[results.to_dict('records'), falls.to_dict('records')]"
            self.results = self._ask(client, f"__import__('json').dumps({tables})")
        nbformat.write(self.notebook, self.folder / NOTEBOOK)

    def _run_cells(self, client: NotebookClient, indexes: range) -> None:
        """Run cells and say of each one what it did, as the store tells it."""
        for index in indexes:
            cell = self.notebook.cells[index]
            if cell.cell_type != "code":
                continue
            before = self.settled
            started = time.perf_counter()
            self._execute(client, index)
            seconds = time.perf_counter() - started
            self.seconds += seconds
            self.settled = settled(self.store)
            self.say(f"   {cell.id:<10} {deed(cell.source, before, self.settled):<40} {seconds:6.1f} s")

    def _execute(self, client: NotebookClient, index: int) -> None:
        client.execute_cell(self.notebook.cells[index], index)

    def _ask(self, client: NotebookClient, expression: str) -> str:
        """Return what the expression prints in the kernel; the notebook keeps no trace of it."""
        question = nbformat.v4.new_code_cell(f"print({expression})")
        self.notebook.cells.append(question)
        try:
            client.execute_cell(question, len(self.notebook.cells) - 1, store_history=False)
        finally:
            self.notebook.cells.pop()
        return "".join(output.text for output in question.outputs).strip()

    @contextmanager
    def _kernel(self) -> Iterator[NotebookClient]:
        """Start a kernel with this very interpreter, and stop it whatever happens."""
        with tempfile.TemporaryDirectory(prefix="resonate-nb-kernel-") as specs:
            write_kernel_spec(Path(specs) / "python3")
            manager = AsyncKernelManager(
                kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[specs])
            )
            client = NotebookClient(
                self.notebook,
                km=manager,
                timeout=CELL_LIMIT,
                record_timing=False,
                coalesce_streams=True,
                extra_arguments=["--log-level=ERROR"],  # no warnings of the kernel between our lines
            )
            with client.setup_kernel(env=self.environment, cwd=str(self.folder)):
                yield client


@contextmanager
def _killed_when(client: NotebookClient, path: Path, enough: Callable[[DiskStore], bool]) -> Iterator[None]:
    """Watch the store, and kill the kernel once there is enough in it."""
    kernel = psutil.Process(client.km.provisioner.pid)
    store = DiskStore(path)
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if enough(store):
                kernel.kill()
                return
            store.wait_for_change(0.1)

    # A daemon, because Ctrl-C can fall into the start, when the thread runs and nobody knows it yet.
    watcher = threading.Thread(target=watch, name="resonate-nb-demo-killer", daemon=True)
    try:
        watcher.start()
        yield
    finally:
        ended.set()
        if watcher.is_alive():
            watcher.join()
        store.close()


def _packaged_notebook() -> Path:
    """Return where the notebook is: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / NOTEBOOK).exists():
            return folder / NOTEBOOK
    raise DemoFailed(f"the notebook {NOTEBOOK} is missing: install resonate-nb again")


def _working_folder(wanted: Path | None) -> Path:
    """Make the folder that the demo works in."""
    try:
        if wanted is None:
            return _new_folder(Path.cwd())
        folder = wanted.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise DemoFailed(f"{folder} is not empty: name a new folder")
    except OSError as error:
        raise DemoFailed(f"no working folder ({error}): name one that can be written") from error
    return folder


def _new_folder(parent: Path) -> Path:
    number = 1
    while True:
        folder = parent / ("resonate-nb-demo" if number == 1 else f"resonate-nb-demo-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def _say_how_to_open(notebook: Path, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
    say(f"\nThe notebook and its store are in {notebook.parent}")
    say("Open it in JupyterLab and run all cells; nothing will be computed again:")
    if importlib.util.find_spec("jupyterlab") is None:
        say("   python -m pip install jupyterlab")
    path = environment.get("PYTHONPATH")
    prefix = "" if path is None else f"PYTHONPATH={shlex.quote(path)} "
    say(f"   {prefix}jupyter lab {shlex.quote(str(notebook))}")
