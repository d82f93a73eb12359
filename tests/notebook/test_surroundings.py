"""Cells that change what is no variable: never delivered without the change, and kept where there is none."""

import pytest

LOAD = "%load_ext resonate_nb"
COUNT = "import pathlib; pathlib.Path(FOLDER, 'runs').open('a').write('x')"

# By what is changed: cells before, the durable cell, and a plain cell that tells the difference.
CHANGES = {
    "the working directory": ("import os", "os.chdir('/')", "print(os.getcwd())"),
    "an environment variable": ("import os", "os.environ['RNB_A'] = '1'", "print(os.environ.get('RNB_A'))"),
    "the warning filters": (
        "import warnings",
        "warnings.simplefilter('error', UnicodeWarning)",
        "print(warnings.filters[0])",
    ),
    "the module path": ("import sys", "sys.path.append('/somewhere')", "print(sys.path[-1])"),
    "the root logger": (
        "import logging",
        "logging.getLogger().setLevel('ERROR')",
        "print(logging.getLogger().level)",
    ),
    "the decimal context": (
        "import decimal",
        "decimal.getcontext().prec = 5",
        "print(decimal.Decimal(1) / 3)",
    ),
    "numpy's print options": (
        "import numpy as np",
        "np.set_printoptions(precision=2)",
        "print(np.array([1 / 3]))",
    ),
    "numpy's error handling": ("import numpy as np", "np.seterr(all='ignore')", "print(np.geterr())"),
    "an option of pandas": (
        "import pandas as pd",
        "pd.set_option('display.max_rows', 7)",
        "print(pd.get_option('display.max_rows'))",
    ),
    "an option of pandas, imported by the cell itself": (
        "import sys",
        "import pandas as pd\npd.set_option('display.max_rows', 7)",
        "print('pandas' in sys.modules and pd.get_option('display.max_rows'))",
    ),
    "a parameter of matplotlib": (
        "import matplotlib as mpl",
        "mpl.rcParams['font.sans-serif'].insert(0, 'Mine')",
        "print(mpl.rcParams['font.sans-serif'][0])",
    ),
    "matplotlib's backend": (
        "import matplotlib as mpl",
        "mpl.use('svg')",
        "print(mpl.get_backend())",
    ),
    "an open figure": (
        "import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot as plt",
        "plt.plot([1, 2]);",
        "print(plt.get_fignums())",
    ),
    "a figure that was open before": (
        "import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot as plt\nplt.figure();",
        "plt.title('mine');",
        "print(plt.gca().get_title())",
    ),
    "a figure that is closed": (
        "import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot as plt\nplt.figure();",
        "plt.close('all')",
        "print(plt.get_fignums())",
    ),
    "a thread of the notebook's code": (
        "import threading, time\nbeats = lambda: [time.sleep(0.01) for _ in range(3000)]",
        "threading.Thread(target=beats, name='beats', daemon=True).start()",
        "print('beats' in [each.name for each in threading.enumerate()])",
    ),
    "a thread that outlives the cell": (
        "import threading, time",
        "threading.Timer(30, print).start()",
        "print(any(isinstance(each, threading.Timer) for each in threading.enumerate()))",
    ),
    "a child process": (
        "import multiprocessing, time",
        "multiprocessing.Process(target=time.sleep, args=(30,)).start()",
        "print(len(multiprocessing.active_children()))",
    ),
}

KEPT = {
    "imports that change filters and options": "import pandas as pd\nimport sklearn.linear_model\nx = 1",
    "an import by a function": "def load():\n    import a_library\n    return 1\nx = load()",
    "a figure that is shown": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nx = 1",
    "a plot of pandas": "import pandas as pd\nax = pd.Series([1, 2]).plot()\ndel ax\nx = 1",
    "changes that are undone": (
        "import os, warnings\nimport pandas as pd\nfrom contextlib import chdir\nos.environ['RNB_A'] = '1'\n"
        "with warnings.catch_warnings(), chdir('/'), pd.option_context('display.max_rows', 7):\n"
        "    warnings.simplefilter('error')\n    x = os.getcwd()\ndel os.environ['RNB_A']"
    ),
    "an import whose filters are undone": (
        "import warnings\nwith warnings.catch_warnings():\n    import a_library\nx = 1"
    ),
    "threads of a pool that wait": (
        "import asyncio, functools\nx = await asyncio.to_thread(functools.partial(abs, -1))"
    ),
    "the workers of a parallel search": (
        "from joblib import Parallel, delayed\nx = sum(Parallel(n_jobs=2)(delayed(abs)(i) for i in [-1, 2]))"
    ),
}


def runs(kernel):
    marks = kernel.cwd / "runs"
    return len(marks.read_text()) if marks.exists() else 0


def run(kernel, *cells):
    """Run cells after the extension is loaded; return what the last one printed."""
    replies = [kernel.run(cell) for cell in (LOAD, f"FOLDER = {str(kernel.cwd)!r}", *cells)]
    assert [reply.error for reply in replies] == [None] * len(replies)
    return replies[-1].text


@pytest.mark.parametrize(("before", "change", "after"), CHANGES.values(), ids=CHANGES)
def test_what_a_cell_changes_around_it_is_changed_whenever_it_has_run(kernel, before, change, after):
    cell = f"%%durable change\n{COUNT}\n{change}"
    untouched = run(kernel, before, after)
    changed = run(kernel, cell, after)
    assert changed != untouched
    kernel.restart()
    assert run(kernel, before, cell, after) == changed
    assert runs(kernel) == 2


@pytest.mark.parametrize("cell", KEPT.values(), ids=KEPT)
def test_what_leaves_nothing_behind_is_kept(kernel, cell):
    installed = kernel.cwd / "site-packages"
    installed.mkdir()
    (installed / "a_library.py").write_text(
        "import os, warnings\nwarnings.simplefilter('ignore', ResourceWarning)\nos.environ['RNB_B'] = '1'\n"
    )
    cells = "import sys\nsys.path.append('site-packages')", f"%%durable\n{COUNT}\n{cell}", "print(x)"
    computed = run(kernel, *cells)
    kernel.restart()
    assert run(kernel, *cells) == computed
    assert runs(kernel) == 1


def test_what_the_users_own_module_sets_counts_unless_the_cell_imports_it(kernel):
    (kernel.cwd / "settled.py").write_text("import os\nos.environ['RNB_A'] = '1'\n")
    asks = "import os\nprint(os.environ.get('RNB_A'))"
    inside = f"%%durable inside\n{COUNT}\ndef load():\n    import settled\nload()"
    imports = f"%%durable imports\n{COUNT}\nimport settled\nx = 1"
    for number, cell in enumerate((inside, imports), start=1):
        for _ in range(2):
            assert run(kernel, cell, asks) == "1\n"
            kernel.restart()
        assert runs(kernel) == number + 1


def test_the_line_under_the_cell_says_what_was_changed(kernel):
    run(kernel, "import os")
    reply = kernel.finish(kernel.begin("%%durable\nos.environ['RNB_A'] = '1'", allow_stdin=True))
    assert "not kept: it changed the environment variable RNB_A" in str(reply.outputs)


def test_modules_keep_their_loaders_and_no_hook_stays_after_the_cell(kernel):
    shown = run(
        kernel,
        "%%durable\nimport json.tool, sys\nloader = type(json.tool.__loader__).__name__\n"
        "own = 'exec_module' in vars(json.tool.__loader__)",
        "print(loader, own)",
    )
    assert shown == "SourceFileLoader False\n"
