"""The edit matrix: small programs before and after, and whether the edit means something.

`f` is what is made durable. A part is one text, or two: before and after. After an edit that means something
the value is another one, so a result that was kept for the old program is a wrong one.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """One edit; what is no pair stays as it is."""

    id: str
    means: bool  # whether the value changes
    f: object = "def f(x):\n    mark()\n    return x"
    setup: object = ""  # a cell before it
    call: object = "f(1)"
    modules: dict = field(default_factory=dict)  # files of the user's own
    installed: object = None  # (version, text) of a library named `lib`
    restart_only: bool = False  # what a running process can't see by its nature

    def step(self, number):
        """Return the parts before (0) or after (1) the edit."""
        modules = {name: _at(part, number) for name, part in self.modules.items()}
        return {
            "f": _at(self.f, number),
            "setup": _at(self.setup, number),
            "call": _at(self.call, number),
            "modules": modules,
            "installed": _at(self.installed, number),
        }


def _at(part, number):
    return part[number] if isinstance(part, list) else part


def body(text, arguments=""):
    """Return the source of `f` with this body."""
    lines = "".join(f"    {line}\n" for line in ("mark()", *text.splitlines()))
    return f"def f({arguments}):\n{lines}"


def both(text, old, new):
    """Return a text with a gap, filled twice."""
    return [text.replace("?", old), text.replace("?", new)]


def edit(id, **parts):
    return Case(id, True, **parts)


def no_edit(id, **parts):
    return Case(id, False, **parts)


G = body("return g(2)")
METHOD = body("return C().m()")
CODE = [
    edit("own code", f=[body("return 1"), body("return 2")], call="f()"),
    edit(
        "operator in a comprehension", f=both(body("return [n ? 2 for n in range(3)]"), "+", "*"), call="f()"
    ),
    edit("a helper", setup=both("def g(x):\n    return x + ?", "1", "2"), f=G, call="f()"),
    edit(
        "a helper's helper",
        setup=both("def h(x):\n    return x + ?\ndef g(x):\n    return h(x)", "1", "2"),
        f=G,
        call="f()",
    ),
    edit(
        "two helpers that change places",
        setup=both("def a(): return 1\ndef b(): return 2\ng, k = ?", "a, b", "b, a"),
        f=body("return g(), k()"),
        call="f()",
    ),
    edit(
        "a helper that is redefined, its caller not",
        setup=both("def h(): return 1\ndef g(x): return h()\n?", "", "def h(): return 2"),
        f=G,
        call="f()",
    ),
    edit("a constant", setup=both("K = ?", "0.1", "0.2"), f=body("return K"), call="f()"),
    edit("a constant's type", setup=both("K = ?", "1", "True"), f=body("return repr(K)"), call="f()"),
    edit("minus zero", setup=both("K = ?", "0.0", "-0.0"), f=body("return repr(K)"), call="f()"),
    edit("a tuple of constants", setup=both("K = (1, (2, ?))", "3", "4"), f=body("return K"), call="f()"),
    edit("a default", f=[body("return k", "k=1"), body("return k", "k=2")], call="f()"),
    edit("a helper's default", setup=both("def g(x, k=?): return x + k", "1", "2"), f=G, call="f()"),
    edit(
        "a default that was taken from a name",
        setup=both("K = ?\ndef g(x, k=K): return x + k", "1", "2"),
        f=G,
        call="f()",
    ),
    edit(
        "an annotation that is read",
        f=both("def f(x: ?):\n    mark()\n    return f.__annotations__['x'].__name__", "int", "float"),
    ),
    edit("a method", setup=both("class C:\n    def m(self): return ?", "1", "2"), f=METHOD, call="f()"),
    edit(
        "a base class's method",
        setup=both("class B:\n    def m(self): return ?\nclass C(B): pass", "1", "2"),
        f=METHOD,
        call="f()",
    ),
    edit("a class attribute", setup=both("class C:\n    k = ?", "1", "2"), f=body("return C.k"), call="f()"),
    edit(
        "a class attribute set later",
        setup=both("class C:\n    k = 1\n?", "", "C.k = 2"),
        f=body("return C.k"),
        call="f()",
    ),
    edit(
        "a property's helper",
        setup=both("def g(): return ?\nclass C:\n    @property\n    def m(self): return g()", "1", "2"),
        f=body("return C().m"),
        call="f()",
    ),
    edit(
        "a data class's default",
        setup=both("from dataclasses import dataclass\n@dataclass\nclass C:\n    k: int = ?", "1", "2"),
        f=body("return C().k"),
        call="f()",
    ),
    edit(
        "an enumeration's member",
        setup=both("import enum\nclass E(enum.Enum):\n    A = ?\nX = E.A", "1", "2"),
        f=body("return X.value"),
        call="f()",
    ),
    edit(
        "the class of an argument",
        setup=both("class C:\n    def m(self): return ?", "1", "2"),
        f=body("return x.m()", "x"),
        call="f(C())",
    ),
    edit(
        "a callable object's class",
        setup=both("class C:\n    def __call__(self, x): return x + ?\ng = C()", "1", "2"),
        f=G,
        call="f()",
    ),
    edit(
        "a decorator's helper",
        setup=both(
            "import functools\ndef h(): return ?\ndef deco(k):\n    @functools.wraps(k)\n"
            "    def inner(*a): return k(*a) + h()\n    return inner\n@deco\ndef g(x): return x",
            "1",
            "2",
        ),
        f=G,
        call="f()",
    ),
    edit(
        "what a library's decorator wraps",
        setup=both("import functools\n@functools.lru_cache\ndef g(x): return x + ?", "1", "2"),
        f=G,
        call="f()",
    ),
    edit(
        "a lambda in a dictionary",
        setup=both("table = {'g': lambda x: x + ?}", "1", "2"),
        f=body("return table['g'](2)"),
        call="f()",
    ),
    edit(
        "a partial's function",
        setup=both("import functools\ndef h(k, x): return x + k + ?\ng = functools.partial(h, 1)", "1", "2"),
        f=G,
        call="f()",
    ),
    edit(
        "a partial's argument",
        setup=both("import functools\ndef h(k, x): return x + k\ng = functools.partial(h, ?)", "1", "2"),
        f=G,
        call="f()",
    ),
    edit(
        "a closure's number",
        setup=both("def make(n):\n    def g(x): return x + n\n    return g\ng = make(?)", "1", "2"),
        f=G,
        call="f()",
    ),
    edit(
        "a closure's list",
        setup=both("def make(n):\n    def g(x): return x + n[0]\n    return g\ng = make([?])", "1", "2"),
        f=G,
        call="f()",
    ),
    edit("what an import brings", setup=both("from math import ? as g", "sin", "cos"), f=G, call="f()"),
    edit(
        "a builtin that is hidden",
        setup=both("?", "x = 0", "def len(x): return 7"),
        f=body("return len('a')"),
        call="f()",
    ),
    edit(
        "a function as an argument",
        setup=both("def g(x): return x + ?", "1", "2"),
        f=body("return h(1)", "h"),
        call="f(g)",
    ),
    edit(
        "a partial as an argument",
        setup=both("import functools\ndef g(k, x): return x + k + ?", "1", "2"),
        f=body("return h(1)", "h"),
        call="f(functools.partial(g, 5))",
    ),
]
RELOAD = "import importlib, helpers\nimportlib.reload(helpers)"
MODULES = [
    edit(
        "a module's helper",
        setup=RELOAD,
        modules={"helpers.py": both("def g(x):\n    return x + ?\n", "1", "2")},
        f=body("return helpers.g(2)"),
        call="f()",
    ),
    edit(
        "a module's helper, imported by name",
        setup=f"{RELOAD}\nfrom helpers import g",
        modules={"helpers.py": both("def g(x):\n    return x + ?\n", "1", "2")},
        f=G,
        call="f()",
    ),
    edit(
        "a module that a module imports",
        setup="import importlib, deeper, helpers\nimportlib.reload(deeper)\nimportlib.reload(helpers)",
        modules={
            "deeper.py": both("def h(x):\n    return x + ?\n", "1", "2"),
            "helpers.py": "import deeper\ndef g(x):\n    return deeper.h(x)\n",
        },
        f=body("return helpers.g(2)"),
        call="f()",
    ),
    edit(
        "a module's constant",
        setup=RELOAD,
        modules={"helpers.py": both("K = ?\n", "1", "2")},
        f=body("return helpers.K"),
        call="f()",
    ),
    edit(
        "a module's table",
        setup=RELOAD,
        modules={"helpers.py": both("TABLE = [?]\n", "1", "2")},
        f=body("return helpers.TABLE[0]"),
        call="f()",
    ),
    no_edit(
        "a module's comments and what f does not use",
        setup=RELOAD,
        modules={"helpers.py": both("?def g(x):\n    return x\n", "", "# new\ndef other(): pass\n\n\n")},
        f=body("return helpers.g(2)"),
        call="f()",
    ),
    edit(
        "a library's next major version",
        setup="import lib",
        installed=[("1.2", "def g(x): return x + 1"), ("2.0", "def g(x): return x + 2")],
        f=body("return lib.g(2)"),
        call="f()",
        restart_only=True,
    ),
    no_edit(
        "a library's next minor version",
        setup="import lib",
        installed=[("1.2", "def g(x): return x + 1"), ("1.3", "def g(x): return 1 + x")],
        f=body("return lib.g(2)"),
        call="f()",
        restart_only=True,
    ),
]
KIND = body("return type(x).__name__, repr(x)", "x")
SUM = body("return repr(x.sum()), str(x.dtype)", "x")
NUMPY, PANDAS = "import numpy as np", "import pandas as pd"
FRAME = body("return list(x.columns), [str(d) for d in x.dtypes], x.to_dict('list'), list(x.index)", "x")
DATA = [
    edit("an argument", call=["f(1)", "f(2)"], f=KIND),
    edit("1 and 1.0", call=["f(1)", "f(1.0)"], f=KIND),
    edit("1 and True", call=["f(1)", "f(True)"], f=KIND),
    edit("0.0 and -0.0", call=["f(0.0)", "f(-0.0)"], f=KIND),
    edit("text and bytes", call=["f('a')", "f(b'a')"], f=KIND),
    edit("a list and a tuple", call=["f([1])", "f((1,))"], f=KIND),
    edit("1 and True in a list", call=["f([1])", "f([True])"], f=KIND),
    edit("a dictionary's order", call=["f({'a': 1, 'b': 2})", "f({'b': 2, 'a': 1})"], f=KIND),
    edit("arguments that change places", f=body("return a - b", "a, b"), call=["f(1, 2)", "f(2, 1)"]),
    edit("an array's content", setup=NUMPY, f=SUM, call=["f(np.arange(4.0))", "f(np.arange(4.0) + 1)"]),
    edit("an array's type", setup=NUMPY, f=SUM, call=["f(np.arange(4))", "f(np.arange(4.0))"]),
    edit(
        "an array's shape",
        setup=NUMPY,
        f=body("return x.shape", "x"),
        call=["f(np.zeros((2, 3)))", "f(np.zeros((3, 2)))"],
    ),
    edit(
        "one element of a large array",
        setup=both(f"{NUMPY}\nbig = np.zeros(200_000)\nbig[123_456] = ?", "1", "2"),
        f=SUM,
        call="f(big)",
    ),
    edit(
        "a frame's column order",
        setup=PANDAS,
        f=FRAME,
        call=["f(pd.DataFrame({'a': [1], 'b': [2]}))", "f(pd.DataFrame({'b': [2], 'a': [1]}))"],
    ),
    edit(
        "a frame's column type",
        setup=PANDAS,
        f=FRAME,
        call=["f(pd.DataFrame({'a': [1]}))", "f(pd.DataFrame({'a': [1]}, dtype='int32'))"],
    ),
    edit(
        "a frame's index",
        setup=PANDAS,
        f=FRAME,
        call=["f(pd.DataFrame({'a': [1]}))", "f(pd.DataFrame({'a': [1]}, index=[5]))"],
    ),
    edit("a list that is read", setup=both("L = [1, ?]", "2", "3"), f=body("return L"), call="f()"),
    edit(
        "a list that was changed in place",
        setup=both("L = [1]\n?", "", "L.append(2)"),
        f=body("return L"),
        call="f()",
    ),
    edit(
        "deep inside a dictionary that is read",
        setup=both("D = {'a': {'b': [1, {'c': ?}]}}", "1", "2"),
        f=body("return D['a']['b'][1]['c']"),
        call="f()",
    ),
    edit("a set that is read", setup=both("S = {1, ?}", "2", "3"), f=body("return sorted(S)"), call="f()"),
    edit(
        "an object's attribute",
        setup=both("class C: pass\nc = C()\nc.k = ?", "1", "2"),
        f=body("return c.k"),
        call="f()",
    ),
    edit(
        "a file that it reads",
        modules={"data.csv": ["1,2", "1,3"]},
        f=body("with open('data.csv') as lines:\n    return lines.read()"),
        call="f()",
    ),
    edit(
        "a file that a helper reads with pandas",
        modules={"data.csv": ["a,b\n1,2\n", "a,b\n1,3\n"]},
        setup="import pandas as pd\ndef g(x): return pd.read_csv('data.csv').to_dict('list')",
        f=G,
        call="f()",
    ),
    edit(
        "what a helper reads",
        setup=both("L = [?]\ndef g(x): return x + L[0]", "1", "2"),
        f=G,
        call="f()",
    ),
]
NAMES = "{'alpha', 'beta', 'gamma', 'delta', 'epsilon'}"
NO_EDITS = [
    no_edit(
        "a file that is written again, the same",
        modules={"data.csv": "1,2"},
        f=body("with open('data.csv') as lines:\n    return lines.read()"),
        call="f()",
    ),
    no_edit("a comment", f=[body("return 1"), body("# why\nreturn 1  # so")], call="f()"),
    no_edit("a docstring", f=both("def f():\n    '?'\n    mark()\n    return 1", "a", "b"), call="f()"),
    no_edit("formatting", f=[body("return [1, 2]"), body("\nreturn [\n    1,\n    2,\n]")], call="f()"),
    no_edit(
        "how literals are written",
        f=[body("return [16, 'a', 1_000]"), body('return [0x10, "a", 1000]')],
        call="f()",
    ),
    no_edit(
        "a helper's comment and docstring",
        setup=["def g(x):\n    return x", "def g(x):\n    'same'\n    # same\n    return x"],
        f=G,
        call="f()",
    ),
    no_edit(
        "a method's docstring",
        setup=[
            "class C:\n    def m(self): return 1",
            "class C:\n    'C'\n    def m(self):\n        'm'\n        return 1",
        ],
        f=METHOD,
        call="f()",
    ),
    no_edit(
        "the order of definitions",
        setup=["def g(x): return h()\ndef h(): return 1", "def h(): return 1\ndef g(x): return h()"],
        f=G,
        call="f()",
    ),
    no_edit("unrelated code", setup=["", "def other(): return 1\nother()"], f=body("return 1"), call="f()"),
    no_edit("a name that f does not read", setup=["old = 1", "new = [2]"], f=body("return 1"), call="f()"),
    no_edit("an import that f does not use", setup=["", "import json, os"], f=body("return 1"), call="f()"),
    no_edit("the place in the cell", f=[body("return 1"), "\n\nz = 1\n\n" + body("return 1")], call="f()"),
    no_edit("an argument by keyword", f=KIND, call=["f(1)", "f(x=1)"]),
    no_edit("the order of keywords", f=body("return a - b", "a, b"), call=["f(a=1, b=2)", "f(b=2, a=1)"]),
    no_edit("a default spelled out", f=body("return a + b", "a, b=2"), call=["f(1)", "f(1, 2)"]),
    no_edit("an equal list", setup="L = [1, 2]", f=body("return L"), call="f()"),
    no_edit("a set of texts in another process", f=body("return sorted(x)", "x"), call=f"f({NAMES})"),
    no_edit(
        "a frozen set that is read", setup=f"S = frozenset({NAMES})", f=body("return sorted(S)"), call="f()"
    ),
    no_edit(
        "a set's insertion order",
        f=body("return sorted(x)", "x"),
        call=["f({1, 9, 17, 25})", "f({25, 17, 9, 1})"],
    ),
    no_edit("text that is built", f=KIND, call=["f('abc')", "f(''.join(['a', 'bc']))"]),
    no_edit(
        "equal texts that are one object or two", f=KIND, call=["f(['ab', 'ab'])", "f(['ab', ''.join('ab')])"]
    ),
    no_edit(
        "an array's view", setup=NUMPY, f=SUM, call=["f(np.arange(6.0)[:3])", "f(np.arange(6.0)[:3].copy())"]
    ),
    no_edit(
        "an array's memory order",
        setup=NUMPY,
        f=SUM,
        call=["f(np.ones((2, 3)))", "f(np.asfortranarray(np.ones((2, 3))))"],
    ),
    no_edit(
        "a frame that was built otherwise",
        setup=PANDAS,
        f=FRAME,
        call=[
            "f(pd.DataFrame({'a': [1.0], 'b': [2.0]}))",
            "f(pd.concat([pd.Series([1.0], name='a'), pd.Series([2.0], name='b')], axis=1))",
        ],
    ),
    no_edit(
        "the same definitions again",
        setup="def g(x): return x + 1\nK = 2\nL = [3]",
        f=body("return g(K), L"),
        call="f()",
    ),
    no_edit(
        "a class defined again",
        setup="class C:\n    def __init__(self): self.k = 1",
        f=body("return x.k", "x"),
        call="f(C())",
    ),
    no_edit(
        "an alias of a helper", setup=["def g(x): return x", "def g(x): return x\nalias = g"], f=G, call="f()"
    ),
    no_edit(
        "a path", setup="import pathlib", f=body("return str(x)", "x"), call="f(pathlib.Path('a') / 'b')"
    ),
    no_edit("another decimal of the same number", f=KIND, call=["f(0.5)", "f(5e-1)"]),
]
CASES = [*CODE, *MODULES, *DATA, *NO_EDITS]
