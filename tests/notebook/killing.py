"""Runs random cells in forked kernels that die or are edited at each statement; says where the end differs.

`python killing.py FIRST LAST` runs the cells with these seeds, and prints a line for each that went wrong.
"""

import ast
import contextlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import numpy as np  # noqa: F401 (what the forked kernels need is loaded once)
from describing import ADDRESS, describe
from generating import Cell
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from resonate_nb import configure
from resonate_nb.notebook import budget, cells

DIED = 9
OURS = ("_", "__", "___", "Out", "_exit_code")


class Kernel:
    """A forked process with a shell of its own."""

    def __init__(self, shell, store):
        self.shell, self.store = shell, store

    def run(self, *sources, dies_before=None):
        """Run cells; return what the last one showed and left behind, or None where it died."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                told = self._run(sources, dies_before)
            except BaseException:  # noqa: BLE001 (it is told to the parent)
                told = {"fault": traceback.format_exc()}
            with os.fdopen(writing, "w") as pipe:
                json.dump(told, pipe)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        return json.loads(told) if told else None

    def _run(self, sources, dies_before):
        configure(store=self.store)
        budget.SHARE = 1_000
        shell, resumed = self.shell, []
        link = cells.CellRun.link

        def watched(run, number):
            if run._chain is not None and run._chain.resumed.statements:
                resumed.append(run._chain.resumed.statements)
            runs = link(run, number)
            if number == dies_before and runs:
                os._exit(DIED)
            return runs

        cells.CellRun.link = watched
        shell.showtraceback = lambda *_, **__: None
        for source in sources:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                result = shell.run_cell(source, store_history=True)
        random, arrays = shell.user_ns["random"], shell.user_ns["np"]
        names = {key: part for key, part in shell.user_ns.items() if key not in OURS}
        return {
            "error": repr(result.error_in_exec or result.error_before_exec),
            "shown": _without_numbers(printed.getvalue()),
            "names": describe(names, shell.user_ns_hidden),
            "random": [
                hash(random.getstate()),
                arrays.random.get_state()[1].tolist(),
                arrays.random.get_state()[2],
            ],
            "resumed": resumed[-1:],
        }


def _without_numbers(text):
    """What a terminal shows, without the numbers of results, addresses and the empty lines between them."""
    text = ADDRESS.sub("", text)
    return [re.sub(r"^Out\[[0-9]+\]: ", "", line) for line in text.splitlines() if line]


class Trial:
    """All that is tried with one cell."""

    def __init__(self, shell, seed, folder):
        self._shell, self._folder = shell, folder
        self.cell = Cell(seed)
        self.wrong, self.resumed, self._stores = [], 0, 0

    def run(self):
        """Compare the cell's end with that of the plain cell, whatever came in between."""
        plain = self._kernel().run(*self.cell.setup, self._plain())
        if plain is None or "fault" in plain:
            self.wrong.append(("plain", str(plain)))
            return
        store = self._killed_everywhere(plain)
        again = Kernel(self._shell, store).run(*self.cell.setup, self._durable())
        self._compare("run again", plain, again)
        for _ in range(2):
            self._edited(store)

    def _killed_everywhere(self, plain):
        kernel = self._kernel()
        for number in range(1, len(ast.parse(self.cell.text()).body)):
            kernel.run(*self.cell.setup, self._durable(), dies_before=number)
        self._compare("killed at each statement", plain, kernel.run(*self.cell.setup, self._durable()))
        return kernel.store

    def _edited(self, store):
        statements = self.cell.edited()
        plain = self._kernel().run(*self.cell.setup, self._plain(statements))
        edited = Kernel(self._shell, self._copy(store)).run(*self.cell.setup, self._durable(statements))
        self._compare("edited", plain, edited, statements)
        over = self._kernel().run(*self.cell.setup, self._plain(), self._plain(statements))
        both = self._kernel().run(*self.cell.setup, self._durable(), self._durable(statements))
        self._compare("edited without a restart", [plain, over], both, statements)
        broken = [*statements[:-1], "nonsense_here", statements[-1]]
        over = self._kernel().run(*self.cell.setup, self._plain(broken), self._plain(statements))
        fixed = self._kernel().run(*self.cell.setup, self._durable(broken), self._durable(statements))
        self._compare("fixed without a restart", [plain, over], fixed, statements)

    def _compare(self, what, expected, found, statements=None):
        expected = expected if isinstance(expected, list) else [expected]
        self.resumed += bool(found and found.get("resumed"))
        names = _names(statements or self.cell.statements)
        if (
            found is None
            or "fault" in found
            or all(_parts(each, names) != _parts(found, names) for each in expected)
        ):
            self.wrong.append((what, self.cell.text(statements), _difference(expected[0], found, names)))

    def _kernel(self):
        self._stores += 1
        return Kernel(self._shell, self._folder / str(self._stores))

    def _copy(self, store):
        self._stores += 1
        return shutil.copytree(store, self._folder / str(self._stores))

    def _plain(self, statements=None):
        return "# plain\n" + self.cell.text(statements)

    def _durable(self, statements=None):
        return "%%durable --quiet\n" + self.cell.text(statements)


def _names(statements):
    """The names that a cell binds or could have found: others may be left from what it was before."""
    bound = {node.id for node in ast.walk(ast.parse("\n".join(statements))) if isinstance(node, ast.Name)}
    return bound | {"numbers", "nested", "table", "array", "view", "count", "label", "box", "history"}


def _parts(told, names):
    lines = [line for line in told["names"] if line.split(":")[0].split(".")[0].split("[")[0] in names]
    return told["error"], told["shown"], lines, told["random"]


def _difference(expected, found, names):
    if found is None or "fault" in found:
        return str(found)
    one, other = _parts(expected, names), _parts(found, names)
    lines = [f"- {line}" for line in one[2] if line not in other[2]] + [
        f"+ {line}" for line in other[2] if line not in one[2]
    ]
    rest = [f"{one[n]} != {other[n]}" for n in (0, 1) if one[n] != other[n]]
    return "\n".join(
        [f"resumed {found['resumed']}", *rest, *lines, *(["random"] if one[3] != other[3] else [])]
    )


def main(first, last):
    """Try the cells with these seeds."""
    warnings.simplefilter("ignore")
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    shell.run_line_magic("load_ext", "resonate_nb")
    wrong = resumed = 0
    for seed in range(first, last):
        with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
            trial = Trial(shell, seed, Path(folder))
            trial.run()
            resumed += trial.resumed
            for each in trial.wrong:
                wrong += 1
                print(f"--- {seed}:", *each, sep="\n", flush=True)
    print(f"{last - first} cells, {resumed} resumed, {wrong} wrong")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
