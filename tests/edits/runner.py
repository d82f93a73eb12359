"""A process that runs one side of every case through every door.

`python -m tests.edits.runner FOLDER STEPS DOORS` prints as JSON, by case and door, the value and how often
the body of `f` ran in the last step.
"""

import ast
import gc
import importlib
import json
import logging
import os
import sys
import warnings
from pathlib import Path

import pandas as pd  # noqa: F401 (before the garbage is frozen)
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from tests.edits.cases import CASES

MARK = "import logging\ndef mark():\n    logging.getLogger('marks').error('run')"
DOORS = {
    "plain": "result = {call}",
    "function": "from resonate_nb import durable\nkept = durable(name={name!r})(f)\nresult = {kept}",
    "map": "from resonate_nb import durable\nkept = durable(name='mapped-' + {name!r})(f)\n"
    "result = kept.map([{argument}], progress=False)[0]",
    "cell": "%%durable {name} --quiet\nresult = {of_names}",
    "joblib": "import joblib\nkept = joblib.Memory({folder!r}, verbose=0).cache(f)\nresult = {kept}",
    "diskcache": "import diskcache\nkept = diskcache.Cache({folder!r}).memoize(name={name!r})(f)\n"
    "result = {kept}",
}
OWN_MODULES = ("helpers", "deeper", "lib")


class Count(logging.Handler):
    """Counts how often a body ran, where no code of the body can see it."""

    runs = 0

    def emit(self, _record):
        self.runs += 1


class Runner:
    def __init__(self, folder):
        self.folder, self.count = folder, Count()
        logging.getLogger("marks").addHandler(self.count)
        logging.getLogger("marks").propagate = False
        config = Config(HistoryManager={"enabled": False})
        self.shell = InteractiveShell.instance(colors="NoColor", config=config)
        self.shell.run_line_magic("load_ext", "resonate_nb")
        self.path = list(sys.path)
        gc.freeze()  # the shell collects garbage at each reset: not among all that was imported

    def run(self, case, door, steps):
        """Return the value of the last step and how often the body ran in it."""
        self.shell.reset(new_session=True)
        result, runs = None, 0
        for name in OWN_MODULES:
            sys.modules.pop(name, None)
        for number in steps:
            parts = case.step(number)
            given, code = self.door(case, door, parts["call"])
            if code is None:
                return None
            self.lay_out(case, parts)
            before = self.count.runs
            for text in (MARK, parts["setup"], parts["f"], given, code):
                self.shell.run_cell(text, store_history=True).raise_error()
            result, runs = repr(self.shell.user_ns["result"]), self.count.runs - before
        return {"value": result, "runs": runs}

    def door(self, case, door, call):
        """Return a cell that makes the arguments and one that calls `f`; None where the call does not fit."""
        node = ast.parse(call, mode="eval").body
        names = [f"x{number}" for number in range(len(node.args))]
        given = "\n".join(
            f"{name} = {ast.unparse(each)}" for name, each in zip(names, node.args, strict=True)
        )
        forms = {_form(case.step(number)["call"]) for number in (0, 1)}
        fits = {"map": len(names) == 1 and not node.keywords, "cell": len(forms) == 1 and not node.keywords}
        if not fits.get(door, True):
            return "", None
        name = case.id.replace(" ", "-").replace("'", "").replace(",", "")
        code = DOORS[door].format(
            call=call,
            of_names=f"f({', '.join(names)})",
            kept=f"kept{call[1:]}",
            name=name,
            argument="x0",
            folder=str(self.folder / door / name),
        )
        return given if door in fits else "", code

    def lay_out(self, case, parts):
        """Put the case's own modules and its library where they are imported from."""
        folder = self.folder / "programs" / str(CASES.index(case))
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
        for name, text in parts["modules"].items():
            (folder / name).write_text(text)
        installed = folder / "site-packages"
        if parts["installed"] is not None:
            version, text = parts["installed"]
            about = installed / f"lib-{version}.dist-info"
            about.mkdir(parents=True, exist_ok=True)
            (installed / "lib.py").write_text(text)
            (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lib\nVersion: {version}\n")
            (about / "RECORD").write_text("lib.py,,\n")
            for other in installed.glob("lib-*.dist-info"):
                if other != about:
                    other.rename(folder / f"old-{other.name}")
        sys.path[:] = [str(folder), str(installed), *self.path]
        importlib.invalidate_caches()


def _form(call):
    node = ast.parse(call, mode="eval").body
    return len(node.args), tuple(sorted(each.arg for each in node.keywords))


def main(folder, steps, doors):
    sys.dont_write_bytecode = True  # a module that is edited twice within a second must be read again
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["RESONATE_NB_STORE"] = str(folder / "store")
    os.environ["RESONATE_NB_KEY_FILE"] = str(folder / "key")
    warnings.simplefilter("ignore")  # joblib warns of functions that it knows under the same name
    runner, numbers = Runner(folder), [int(each) for each in steps]
    cases = [case for case in CASES if len(numbers) == 1 or not case.restart_only]
    results = {
        case.id: {door: runner.run(case, door, numbers) for door in doors.split(",")} for case in cases
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
