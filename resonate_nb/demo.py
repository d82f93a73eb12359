"""The demo: a real analysis loses its kernel in the middle, and goes on in a new one."""

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

from resonate_nb.clock import SystemClock
from resonate_nb.demo_packages import DemoFailed, environment_with_packages
from resonate_nb.store.base import Query
from resonate_nb.store.disk import DiskStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nbformat import NotebookNode

    from resonate_nb.promise import Promise

NOTEBOOK = "02-a-real-analysis.ipynb"
GRID = "score.map("  # in the source of the cell that is killed half-way
SCORES = "score@"  # how the ids of its calls begin
CELL_LIMIT = 600  # seconds, far above what any cell takes on a slow machine
STORE = ".resonate"


def run_demo(folder: Path | None = None, *, say: Callable[[str], None] = print) -> int:
    """Kill a real analysis half-way, run it again, compare it with an undisturbed run; return an exit code.

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
    cut_off.until_killed()

    say("\n2. Start a new kernel and run all cells")
    resumed = _Run(folder, environment, say)
    resumed.to_the_end()
    _check_that_settled_stays_settled(cut_off.settled, resumed.settled)

    say("\n3. For comparison, without a kill and from an empty store")
    with tempfile.TemporaryDirectory(prefix="resonate-nb-demo-") as elsewhere:
        undisturbed = _Run(Path(elsewhere), environment, say)
        undisturbed.to_the_end()

    saved = undisturbed.seconds - resumed.seconds
    say(
        f"\nAfter the kill the analysis took {resumed.seconds:.0f} s instead of {undisturbed.seconds:.0f} s: "
        f"{saved:.0f} s saved."
    )
    if resumed.results != undisturbed.results:
        raise DemoFailed("the results of the resumed run are not those of the undisturbed run")
    say(f"The results of both are equal, bit for bit ({len(json.loads(resumed.results))} models).")
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

    def until_killed(self) -> None:
        """Run the cells up to the grid, and kill the kernel when half of the grid is settled."""
        grid = next(i for i, cell in enumerate(self.notebook.cells) if GRID in cell.source)
        with self._kernel() as client:
            self._run_cells(client, range(grid))
            size = int(self._ask(client, "len(grid)"))
            try:
                with _killed_when_settled(client, self.store, size // 2):
                    self._execute(client, grid)
            except DeadKernelError:
                self.settled = _settled(self.store)
            else:
                raise DemoFailed("the grid was finished before its kernel could be killed")
        settled = len(_scores(self.settled))
        if not 0 < settled < size:
            raise DemoFailed(f"the kernel was killed with {settled} of {size} items settled")
        self.say(f"   {'grid':<10} kernel killed (SIGKILL) with {settled} of {size} items settled")
        nbformat.write(self.notebook, self.folder / NOTEBOOK)

    def to_the_end(self) -> None:
        """Run all cells, read the results and keep the notebook with its outputs."""
        self.settled = _settled(self.store)
        with self._kernel() as client:
            self._run_cells(client, range(len(self.notebook.cells)))
            self.results = self._ask(client, "__import__('json').dumps(results.to_dict('records'))")
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
            self.settled = _settled(self.store)
            self.say(f"   {cell.id:<10} {_deed(cell.source, before, self.settled):<40} {seconds:6.1f} s")

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
def _killed_when_settled(client: NotebookClient, path: Path, count: int) -> Iterator[None]:
    """Watch the store, and kill the kernel once so many scores are settled."""
    kernel = psutil.Process(client.km.provisioner.pid)
    store = DiskStore(path)
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if len(_scores(_list(store))) >= count:
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


def _settled(path: Path) -> dict[str, Promise]:
    """Return the settled promises of a store that may not exist yet."""
    if not path.exists():
        return {}
    store = DiskStore(path)
    try:
        return _list(store)
    finally:
        store.close()


def _list(store: DiskStore) -> dict[str, Promise]:
    page = store.list(Query(limit=1000), SystemClock().now())
    return {promise.id: promise for promise in page.promises if promise.settled}


def _scores(ids: Mapping[str, Promise]) -> set[str]:
    return {id for id in ids if id.startswith(SCORES)}


def _deed(source: str, before: Mapping[str, Promise], after: Mapping[str, Promise]) -> str:
    """Say what a cell did, by the promises that were settled before and after it."""
    if GRID in source:
        return _deed_of_grid(len(_scores(before)), len(_scores(after)))
    named = re.match(r"%%durable (\w+)", source)
    if named is None:
        return "not durable"
    own = {id for id in after if id.startswith(f"cell/{named[1]}@")}
    if not own:
        raise DemoFailed(f"the store has no promise of the cell {named[1]!r}")
    return "computed" if own - before.keys() else "replayed"


def _deed_of_grid(before: int, after: int) -> str:
    if before == 0:
        return f"computed, {after} items"
    if before == after:
        return f"replayed, {after} items"
    return f"resumed at item {before + 1} of {after}"


def _check_that_settled_stays_settled(earlier: Mapping[str, Promise], later: Mapping[str, Promise]) -> None:
    for id, promise in earlier.items():
        if later.get(id) != promise:
            raise DemoFailed(f"{id} was settled before the kill and is another promise after it")
    for id in later.keys() - earlier.keys():
        if not id.startswith(SCORES):
            raise DemoFailed(f"{id} was computed again after the kill")


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
