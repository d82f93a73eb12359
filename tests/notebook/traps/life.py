"""Cells as people run them: out of order, nested, awaited, empty, with magics, in odd spellings."""

from traps.row import Durable, row

AGEN = (
    "import asyncio\nasync def numbers():\n    for n in range(3):\n"
    "        await asyncio.sleep(0)\n        yield n\n"
)
ACM = "import contextlib\n@contextlib.asynccontextmanager\nasync def opened():\n    yield [1]\n"

ROWS = [
    row("top-level await", "import asyncio", Durable("x = await asyncio.sleep(0, 5)\nx"), "_"),
    row("async for", AGEN, Durable("xs = []\nasync for n in numbers():\n    xs.append(n)"), "print(xs, n)"),
    row("async comprehension", AGEN, Durable("xs = [n async for n in numbers()]\nxs"), "_"),
    row("async with", ACM, Durable("async with opened() as xs:\n    xs.append(2)\nxs"), "_"),
    row(
        "an awaited expression that prints",
        "import asyncio",
        Durable("print('a')\nawait asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))"),
        "_",
    ),
    row("a cell with nothing but the header", Durable("")),
    row("a cell of comments", Durable("# nothing\n\n# here")),
    row("a cell of one text", Durable("'''text'''"), "_"),
    row("a cell of one magic", Durable("%who", computes="can't be seen"), "x = 1"),
    row(
        "a magic whose output is assigned",
        Durable("folder = %pwd\nsame = folder == __import__('os').getcwd()\ndel folder"),
        "print(same)",
    ),
    row(
        "a cell that runs twice in a row",
        "xs = [1]",
        Durable("y = sum(xs)"),
        Durable("y = sum(xs)"),
        "print(y)",
    ),
    row("a cell that runs over its own output", "x = 1", Durable("x = x + 1"), "print(x)"),
    row(
        "two cells that take turns",
        "x = 1",
        Durable("x = x + 1", "up"),
        Durable("x = x * 3", "times"),
        Durable("x = x + 1", "up"),
        "print(x)",
    ),
    row(
        "a nested run of another cell",
        Durable("done = get_ipython().run_cell('inner = 5').success", computes="can't be seen"),
        "print(inner, done)",
    ),
    row(
        "a script",
        "open('script.py', 'w').write('made = [7]');",
        Durable("%run script.py", computes="can't be seen"),
        "print(made)",
    ),
    row(
        "a working directory that changed between",
        "import os\nos.makedirs('inner', exist_ok=True)",
        Durable("x = [1]"),
        "os.chdir('inner')",
        Durable("y = x + [2]"),
        "print(y)\nos.chdir('..')",
    ),
    row(
        "a name in letters of other alphabets",
        Durable("größe = 3\n日本 = [größe]", "größe-日本"),
        "print(日本)",
    ),
    row("a cell in one line with semicolons", Durable("a = 1; b = [a]; print(b)"), "print(a, b)"),
    row("a cell that ends in blank lines", Durable("a = 1\na\n\n\n"), "_"),
    row("a cell that begins with blank lines", Durable("\n\na = 1\na"), "_"),
    row(
        "the underscore as a loop's variable",
        Durable("xs = []\nfor _ in range(3):\n    xs.append(_)\nxs"),
        "print(_)",
    ),
    row(
        "a forked child",
        Durable(
            "import multiprocessing\n"
            "with multiprocessing.get_context('fork').Pool(1) as pool:\n"
            "    xs = pool.map(abs, [-1, -2])\ndel pool"
        ),
        "print(xs)",
    ),
    row(
        "a function that is run in a child before the cell",
        "import multiprocessing\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool:\n"
        "    xs = pool.map(abs, [-1])\ndel pool",
        Durable("y = xs[0] + 1"),
        "print(y)",
    ),
]
