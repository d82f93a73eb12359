"""What cells show: streams, displays, results, figures, tracebacks, from wherever it comes."""

from traps.row import Durable, row

IMPORT = (
    "from IPython.display import HTML, SVG, Image, JSON, Latex, Markdown\n"
    "from IPython.display import clear_output, display, update_display"
)


def shows(id, code, *later):
    """Return a row of one durable cell that imports what it shows with."""
    return row(id, IMPORT, Durable(code), *later)


ROWS = [
    shows(
        "both streams, interleaved",
        "import sys\nfor n in range(3):\n    print('out', n)\n    print('err', n, file=sys.stderr)",
    ),
    shows(
        "html, markdown, latex, json, svg, png",
        "display(HTML('<b>x</b>'))\n"
        "display(Markdown('*x*'), Latex('$x$'), JSON({'a': [1]}))\n"
        "display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'))\n"
        "Image(b'\\x89PNG\\r\\n\\x1a\\n' + b'\\0' * 20)",
    ),
    shows(
        "displays with metadata and several types at once",
        "forms = {'text/plain': 'x', 'text/html': '<i>x</i>'}\n"
        "display(forms, raw=True, metadata={'text/html': {'isolated': True}})",
    ),
    shows("the last expression", "x = [1, 2]\nx", "_", "print(__, Out[2] is _)"),
    shows("a last expression with a semicolon", "x = 5\nx;", "print(_, 2 in Out)"),
    shows("a last expression that is None", "x = 5\nNone", "print(repr(_))"),
    shows("an expression that rebinds the underscore", "_ = 3\n4", "print(_)"),
    shows("a result that other names hold", "x = [1]\nx", "_.append(2)\nprint(x)"),
    shows("a result that can't be kept", "x = 5\niter([1])\nx"),
    shows(
        "a display that is updated within",
        "h = display('a', display_id='one')\nprint('between')\nh.update('b')",
    ),
    shows(
        "a display that a later cell updates",
        "display('a', display_id='two')\nx = 1",
        "update_display('b', display_id='two')",
        "print(x)",
    ),
    shows(
        "a display handle that is kept",
        "h = display('a', display_id=True)\nx = h.display_id == h.display_id",
        "h.update('b')\ndel h",
    ),
    shows("clear_output", "print('a')\nclear_output()\nprint('b')"),
    shows(
        "clear_output that waits", "print('a')\nclear_output(wait=True)\nprint('b')\nclear_output(wait=True)"
    ),
    shows(
        "a progress bar of text",
        "import sys\nfrom tqdm import tqdm\n"
        "for _i in tqdm(range(20), bar_format='{n}/{total}', file=sys.stdout):\n    pass",
    ),
    shows(
        "carriage returns and backspaces",
        "print('10%\\r100%')\nprint('ab\\b\\bc')\nprint('x', end='\\r')\nprint('done')",
    ),
    shows("colours", "print('\\x1b[31mred\\x1b[0m')"),
    shows("much output", "for n in range(20_000):\n    print(n)"),
    shows("one very long line", "print('x' * 300_000)"),
    shows(
        "a thread that prints",
        "import threading\nt = threading.Thread(target=print, args=('from a thread',))\n"
        "t.start()\nt.join()\ndel t",
    ),
    shows("a shell line", "!echo from the shell"),
    shows(
        "a shell line that is assigned", "lines = !printf 'a\\nb\\n'\nprint(list(lines))\nlines = list(lines)"
    ),
    shows(
        "a subprocess that writes by itself",
        "import subprocess\n"
        "done = subprocess.run(['sh', '-c', 'echo out']).returncode\n"
        "import time\ntime.sleep(0.1)",
    ),
    # A thread of the kernel's brings it, which may take longer than such a cell.
    shows("the file descriptor itself", "import os, time\nwritten = os.write(1, b'raw\\n')\ntime.sleep(0.3)"),
    shows("a print that is flushed", "print('a', end='', flush=True)\nprint('b')"),
    shows("the log", "import logging\nlog = logging.getLogger('life')\nlog.warning('careful')\ndel log"),
    shows("a warning that is shown", "import warnings\nwarnings.showwarning('mind', UserWarning, 'f.py', 3)"),
    shows("unicode and tabs", "s = 'Zoë ✓\\t日本'\nif s:\n\tprint(s)\ns"),
    shows("continuation lines", "x = 1 + \\\n    2\nprint('a' \\\n      'b')\nx"),
    shows("a display without text", "display({'application/x-own': {'a': 1}}, raw=True)"),
    shows("a display of bytes", "display({'image/png': b'\\x89PNG'}, raw=True)"),
    shows(
        "an object with its own mime bundle",
        "class Own:\n    def _repr_mimebundle_(self, **_):\n"
        "        return {'text/plain': 'own', 'text/html': '<b>own</b>'}\nOwn()",
    ),
    shows(
        "an object whose repr fails",
        "class Bad:\n    def __repr__(self):\n        raise ValueError('no repr')\nx = 1\nBad() and x",
    ),
    shows("a frame", "import pandas as pd\npd.DataFrame({'a': [1, 2]})", "_.shape"),
    shows("a widget", "import ipywidgets\nwide = ipywidgets.IntSlider()\ndisplay(wide)\nprint(4)\ndel wide"),
    row(
        "an error in a function that a durable cell defines",
        Durable("def half(x):\n    y = x\n    return y / 0"),
        "half(3)",
    ),
    row(
        "every expression is shown",
        "get_ipython().ast_node_interactivity = 'all'",
        Durable("1\nx = 2\nx"),
        "_",
    ),
    row(
        "the last assignment is shown",
        "get_ipython().ast_node_interactivity = 'last_expr_or_assign'",
        Durable("x = 2\ny = x + 1"),
        "_",
        Durable("y += 1"),
        Durable("z: int = 4", "annotated"),
        Durable("a, b = 1, 2"),
        "print(_)",
    ),
    row(
        "no expression is shown",
        "get_ipython().ast_node_interactivity = 'none'",
        Durable("x = 2\nx"),
        "print(x)",
    ),
    row(
        "figures, shown by hand and at the end of the cell",
        "%matplotlib inline\nimport matplotlib.pyplot as plt",
        Durable("lines = plt.plot([1, 2])\nplt.title('t')\nplt.show()\ndel lines", "by-hand"),
        Durable("lines = plt.plot([2, 1])\ndel lines", "at-the-end"),
        alone=True,
    ),
]
