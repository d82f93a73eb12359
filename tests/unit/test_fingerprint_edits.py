"""What an edit does to a fingerprint: a matrix of edits that count and edits that don't."""

import functools
import gc
import linecache
import weakref
from itertools import count

import pytest

from resonate_nb.fingerprint import difference, fingerprint

numbers = count()


def cell(text, namespace):
    """Run text as a notebook does: its lines are known under a name that is no file."""
    name = f"<edited cell {next(numbers)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), namespace)


def taken(*cells):
    namespace = {"__name__": "__main__"}
    for text in cells:
        cell(text, namespace)
    return fingerprint(namespace["f"])


def both(program, old, new):
    return program.replace("?", old), program.replace("?", new)


COUNTS = {
    "own code": ("def f(): return 1", "def f(): return 2"),
    "a constant's type": ("def f(): return 1", "def f(): return True"),
    "a renamed parameter": ("def f(a): return 1", "def f(b): return 1"),
    "a keyword default": ("def f(*, k=1): return k", "def f(*, k=2): return k"),
    "a default by name": ("A = 1\ndef f(k=A): return k", "A = 2\ndef f(k=A): return k"),
    "async": ("def f(): return 1", "async def f(): return 1"),
    "a decorator": both(
        "import functools\ndef deco(g):\n @functools.wraps(g)\n def w(): return g() + ?\n return w\n"
        "@deco\ndef f(): return 1",
        "1",
        "2",
    ),
    "what a library's decorator is told by name": both(
        "import functools\nN = ?\n@functools.lru_cache(N)\ndef f(): return 1", "1", "2"
    ),
    "a decorator that returns the function itself": both(
        "def deco(g): g.k = ?; return g\n@deco\ndef f(): return 1", "1", "2"
    ),
    "what a decorator of a library wraps": (
        "import functools\n@functools.lru_cache\ndef g(): return 1\ndef f(): return g()",
        "import functools\n@functools.lru_cache\ndef g(): return 2\ndef f(): return g()",
    ),
    "a wrapper in a closure of a library": (
        "import contextlib\n@contextlib.contextmanager\ndef g(): yield 1\ndef f(): return g()",
        "import contextlib\n@contextlib.contextmanager\ndef g(): yield 2\ndef f(): return g()",
    ),
    "an implementation of single dispatch": both(
        "import functools\n@functools.singledispatch\ndef g(x): return 1\n"
        "@g.register\ndef _(x: int): return ?\ndef f(): return g(1)",
        "2",
        "3",
    ),
    "a helper": ("def g(): return 1\ndef f(): return g()", "def g(): return 2\ndef f(): return g()"),
    "a helper's helper": (
        "def h(): return 1\ndef g(): return h()\ndef f(): return g()",
        "def h(): return 2\ndef g(): return h()\ndef f(): return g()",
    ),
    "a helper in a lambda": (
        "def g(): return 1\ndef f(xs): return map(lambda x: g(), xs)",
        "def g(): return 2\ndef f(xs): return map(lambda x: g(), xs)",
    ),
    "a constant": ("A = 0.1\ndef f(): return A", "A = 0.2\ndef f(): return A"),
    "minus zero": ("A = 0.0\ndef f(): return A", "A = -0.0\ndef f(): return A"),
    "a tuple's inside": ("A = (1, (2,))\ndef f(): return A", "A = (1, (2.0,))\ndef f(): return A"),
    "a constant that becomes data": ("A = 1\ndef f(): return A", "A = [1]\ndef f(): return A"),
    "a closure's number": (
        "def make(n):\n def f(): return n\n return f\nf = make(1)",
        "def make(n):\n def f(): return n\n return f\nf = make(2)",
    ),
    "a method": (
        "class C:\n def m(self): return 1\ndef f(): return C().m()",
        "class C:\n def m(self): return 2\ndef f(): return C().m()",
    ),
    "a property": (
        "class C:\n @property\n def m(self): return 1\ndef f(): return C().m",
        "class C:\n @property\n def m(self): return 2\ndef f(): return C().m",
    ),
    "a method's helper": (
        "def g(): return 1\nclass C:\n @staticmethod\n def m(): return g()\ndef f(): return C.m()",
        "def g(): return 2\nclass C:\n @staticmethod\n def m(): return g()\ndef f(): return C.m()",
    ),
    "a base class": (
        "class B:\n def m(self): return 1\nclass C(B): pass\ndef f(): return C().m()",
        "class B:\n def m(self): return 2\nclass C(B): pass\ndef f(): return C().m()",
    ),
    "a class attribute": ("class C:\n k = 1\ndef f(): return C.k", "class C:\n k = 2\ndef f(): return C.k"),
    "a class attribute set later": (
        "class C:\n k = 1\ndef f(): return C.k",
        "class C:\n k = 1\nC.k = 2\ndef f(): return C.k",
    ),
    "a method set later": (
        "class C: pass\nC.m = lambda self: 1\ndef f(): return C().m()",
        "class C: pass\nC.m = lambda self: 2\ndef f(): return C().m()",
    ),
    "a data class's default": (
        "from dataclasses import dataclass\n@dataclass\nclass C:\n k: int = 1\ndef f(): return C()",
        "from dataclasses import dataclass\n@dataclass\nclass C:\n k: int = 2\ndef f(): return C()",
    ),
    "a data class's factory": both(
        "from dataclasses import dataclass, field\n@dataclass\nclass C:\n"
        " k: list = field(default_factory=lambda: [?])\ndef f(): return C()",
        "1",
        "2",
    ),
    "an enumeration's value": (
        "import enum\nclass E(enum.Enum): A = 1\nX = E.A\ndef f(): return X.value",
        "import enum\nclass E(enum.Enum): A = 2\nX = E.A\ndef f(): return X.value",
    ),
    "another member of an enumeration": (
        "import enum\nclass E(enum.Enum): A, B = 1, 2\nX = E.A\ndef f(): return X",
        "import enum\nclass E(enum.Enum): A, B = 1, 2\nX = E.B\ndef f(): return X",
    ),
    "a typed dictionary's key": both(
        "import typing\nclass T(typing.TypedDict):\n ?: int\ndef f(): return T(k=1)", "k", "l"
    ),
    "a method inherited through a generic class": both(
        "import typing\nK = typing.TypeVar('K')\nclass B(typing.Generic[K]):\n def m(self): return ?\n"
        "class C(B[int]): pass\ndef f(): return C().m()",
        "1",
        "2",
    ),
    "a named tuple's field": (
        "from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef f(): return P",
        "from collections import namedtuple\nP = namedtuple('P', 'x z')\ndef f(): return P",
    ),
    "a member of an enumeration that was made by a call": (
        "import enum\nE = enum.Enum('E', 'A B')\ndef f(): return E",
        "import enum\nE = enum.Enum('E', 'A C')\ndef f(): return E",
    ),
    "a method without source": (
        "exec('class C:\\n def __init__(self): self.x = 1')\ndef f(): return C",
        "exec('class C:\\n def __init__(self): self.x = 2')\ndef f(): return C",
    ),
    "a lambda on a shared line": (
        "a, b = lambda x: x + 1, lambda x: x + 2\ndef f(): return a",
        "a, b = lambda x: x + 1, lambda x: x + 2\na = b\ndef f(): return a",
    ),
    "a constant lambda on a shared line": (
        "a, b = lambda: None, lambda: 7\ndef f(): return a",
        "a, b = lambda: 7, lambda: None\ndef f(): return a",
    ),
    "a partial's function": (
        "import functools\ng = functools.partial(min, 1)\ndef f(): return g()",
        "import functools\ng = functools.partial(max, 1)\ndef f(): return g()",
    ),
    "a partial's argument": (
        "import functools\ng = functools.partial(min, 1)\ndef f(): return g()",
        "import functools\ng = functools.partial(min, 2)\ndef f(): return g()",
    ),
    "a bound method": (
        "class C:\n def m(self): return 1\n def n(self): return 2\nc = C()\ng = c.m\ndef f(): return g()",
        "class C:\n def m(self): return 1\n def n(self): return 2\nc = C()\ng = c.n\ndef f(): return g()",
    ),
    "a callable object's class": (
        "class C:\n def __call__(self): return 1\ng = C()\ndef f(): return g()",
        "class C:\n def __call__(self): return 2\ng = C()\ndef f(): return g()",
    ),
    "recursion": ("def f(n): return f(n - 1)", "def f(n): return f(n - 2)"),
    "mutual recursion": (
        "def g(n): return f(n)\ndef f(n): return g(n)",
        "def g(n): return f(n - 1)\ndef f(n): return g(n)",
    ),
    "names that change places": (
        "def a(): return 1\ndef b(): return 2\ndef f(): return a(), b()",
        "def a(): return 1\ndef b(): return 2\na, b = b, a\ndef f(): return a(), b()",
    ),
    "what an imported name is": (
        "from math import sin as g\ndef f(): return g(1)",
        "from math import cos as g\ndef f(): return g(1)",
    ),
    "a builtin that is replaced": (
        "def f(): return len('a')",
        "def len(x): return 2\ndef f(): return len('a')",
    ),
    "a function's attribute": (
        "def g(): return g.k\ng.k = 1\ndef f(): return g()",
        "def g(): return g.k\ng.k = 2\ndef f(): return g()",
    ),
    "a name that is missing": ("def f(): return g()", "def g(): return 1\ndef f(): return g()"),
    "code without source": (
        "exec('def g(): return 1')\ndef f(): return g()",
        "exec('def g(): return 2')\ndef f(): return g()",
    ),
}
IS_NO_MATTER = {
    "a docstring": ("def f():\n 'a'\n return 1", "def f():\n 'b'\n return 1"),
    "a comment": ("def f(): return 1", "def f():\n # why\n return 1 # so"),
    "formatting": ("def f(): return [1, 2]", "def f():\n\n  return [\n    1,\n    2,\n  ]"),
    "the place in the cell": ("def f(): return 1", "\n\n\nx = 1\ndef f(): return 1"),
    "a block around it": ("def f(): return 1", "if True:\n    def f(): return 1"),
    "unrelated code": ("def f(): return 1", "def g(): return 1\ndef f(): return 1"),
    "data": ("A = [1]\ndef f(): return A", "A = [2]\ndef f(): return A"),
    "a helper's data": (
        "A = [1]\ndef g(): return A\ndef f(): return g()",
        "A = [2]\ndef g(): return A\ndef f(): return g()",
    ),
    "a helper's comment": (
        "def g(): return 1\ndef f(): return g()",
        "def g():\n # why\n return 1\ndef f(): return g()",
    ),
    "a method's docstring": (
        "class C:\n def m(self): return 1\ndef f(): return C",
        "class C:\n 'doc'\n def m(self):\n  'doc'\n  return 1\ndef f(): return C",
    ),
    "a number that is written differently": ("A = 16\ndef f(): return A", "A = 0x10\ndef f(): return A"),
    "an alias of a helper's copy": (
        "def g(): return 1\nh = g\ndef f(): return g(), h()",
        "def g(): return 1\nh = g\ndef g(): return 1\ndef f(): return g(), h()",
    ),
    "options of a durable function": (
        "from resonate_nb import durable\n@durable(version=1)\ndef g(): return 1\ndef f(): return g()",
        "from resonate_nb import durable as kept\n@kept\ndef g(): return 1\ndef f(): return g()",
    ),
    "the order of definitions": (
        "def g(): return 1\ndef h(): return 2\ndef f(): return g() + h()",
        "def f(): return g() + h()\ndef h(): return 2\ndef g(): return 1",
    ),
    "a counter that the code itself moves": (
        "n = 1\ndef f():\n global n\n n += 1",
        "n = 2\ndef f():\n global n\n n += 1",
    ),
    "an annotation's meaning": (
        "A = int\ndef f(x: A): return x",
        "A = float\ndef f(x: A): return x",
    ),
}


@pytest.mark.parametrize(("old", "new"), COUNTS.values(), ids=COUNTS)
def test_an_edit_of_the_meaning_counts(old, new):
    assert taken(old).digest == taken(old).digest
    assert taken(old).digest != taken(new).digest


@pytest.mark.parametrize(("old", "new"), IS_NO_MATTER.values(), ids=IS_NO_MATTER)
def test_another_edit_does_not(old, new):
    assert taken(old).digest == taken(new).digest


def test_the_order_in_which_cells_ran_does_not_count():
    helper, data, own = "def g(): return A[0]", "A = [1]", "def f(): return g()"
    assert taken(helper, data, own).digest == taken(own, data, helper).digest


def test_it_does_not_matter_which_function_was_taken_first():
    text = "def g(n): return f(n) + h(n)\ndef h(n): return g(n)\ndef f(n): return g(n)"
    one, other = {"__name__": "__main__"}, {"__name__": "__main__"}
    cell(text, one)
    cell(text, other)
    first = [fingerprint(one[name]).digest for name in "fgh"]
    assert first == [fingerprint(other[name]).digest for name in "hgf"][::-1]


def test_captured_data_is_named_by_the_way_to_it():
    text = (
        "a, b, c = [1], {2}, [3]\ndef g(): return b\nclass C:\n k = []\n def m(self): return c\n"
        "def f(d=[]): return a, g(), C"
    )
    captures = taken(text).captures
    assert [(each.path, each.read()) for each in captures] == [
        ("C.k", []),
        ("C.m.c", [3]),
        ("a", [1]),
        ("d", []),
        ("g.b", {2}),
    ]


def test_what_partials_methods_and_closures_hold_is_captured():
    text = (
        "import functools\nclass C:\n def m(self): return 1\nc = C()\nm = c.m\n"
        "p = functools.partial(print, [1], k=[2])\nappend = [3].append\n"
        "def make():\n x = [4]\n def f(): return m, p, append, x\n return f\nf = make()"
    )
    found = {each.path: each.read() for each in taken(text).captures}
    assert type(found.pop("m")).__name__ == "C"
    assert found == {"p.args[0]": [1], "p.keywords['k']": [2], "append": [3], "x": [4]}


def test_parts_say_what_a_fingerprint_consists_of():
    text = "from math import sqrt\nA = 0.1\ndef g(): return A\ndef f(): return g(), sqrt, nowhere"
    assert [(part.path, part.kind, part.source) for part in taken(text).parts] == [
        ("f", "code", "def f(): return g(), sqrt, nowhere"),
        ("sqrt", "constant", "math.sqrt"),
        ("nowhere", "missing", ""),
        ("g", "code", "def g(): return A\n"),
        ("g.A", "constant", "0.1"),
    ]


def test_a_difference_is_told_in_words():
    old = taken("A = 0.2\ndef g(): return A\ndef f(): return g()")
    new = taken("A = 0.1\ndef g(): return A + 1\ndef f(): return g()")
    assert difference(old.parts, new.parts) == [
        "helper `g` changed, line 1: `return A + 1`, was `return A`",
        "constant g.A: 0.1, was 0.2",
    ]
    assert difference(old.parts, old.parts) == []


def test_a_function_that_is_redefined_again_and_again_is_forgotten():
    namespace = {"__name__": "__main__"}
    text = "data = [1]\ndef g(n): return f(n), data\ndef f(n): return g(n)"
    cell(text, namespace)
    fingerprint(namespace["f"])
    old = weakref.ref(namespace["f"])
    cell(text, namespace)
    fingerprint(namespace["f"])
    gc.collect()
    assert old() is None


def test_a_namespace_that_went_away_is_forgotten_with_its_functions():
    class Big:
        pass

    namespace = {"__name__": "__main__", "big": Big()}
    cell("def g(): return big\ndef f(): return g(), big", namespace)
    assert len(fingerprint(namespace["f"]).captures) == 2
    big = weakref.ref(namespace["big"])
    del namespace
    gc.collect()
    assert big() is None


@pytest.mark.parametrize(
    ("text", "rebind"),
    [
        ("A = 1\ndef f(): return A", "A = 2"),
        ("A = (1,)\ndef f(): return A", "A = ([],)"),
        ("A = ([],)\ndef f(): return A", "A = (1,)"),
        ("A = [1]\ndef f(): return A", "A = 1"),
        ("A = [1]\ndef f(): return A", "del A"),
        ("def f(): return A", "A = 1"),
        ("def g(): return 1\ndef f(): return g()", "def g(): return 2"),
        ("def g(): return 1\ndef f(): return g()", "g.__code__ = (lambda: 3).__code__"),
        ("def f(x=1): return x", "f.__defaults__ = (2,)"),
        ("class C:\n k = 1\ndef f(): return C", "C.k = 2"),
        ("class C:\n def m(self): return 1\ndef f(): return C", "C.m = lambda self: 2"),
        ("def f(): return len('')", "len = id"),
        (
            "def make():\n k = 1\n def f(): return k\n return f\nf = make()",
            "f.__closure__[0].cell_contents = 2",
        ),
    ],
)
def test_what_is_bound_anew_is_seen_by_the_next_call(text, rebind):
    namespace = {"__name__": "__main__"}
    cell(text, namespace)
    before = fingerprint(namespace["f"])
    cell(rebind, namespace)
    assert fingerprint(namespace["f"]).digest != before.digest


@pytest.mark.parametrize(
    ("text", "rebind"),
    [
        ("A = 1000.5\ndef f(): return A", "A = 1000.5"),
        ("A = [1]\ndef f(): return A", "A = [2]"),
        ("def g(): return 1\ndef f(): return g()", "def g(): return 1"),
    ],
)
def test_what_is_bound_anew_to_the_same_meaning_changes_nothing(text, rebind):
    namespace = {"__name__": "__main__"}
    cell(text, namespace)
    before = fingerprint(namespace["f"])
    cell(rebind, namespace)
    assert fingerprint(namespace["f"]).digest == before.digest


def test_a_partial_and_a_callable_object_have_fingerprints():
    class Adder:
        def __call__(self, x):
            return x + 1

    assert (
        fingerprint(functools.partial(int, base=2)).digest
        != fingerprint(functools.partial(int, base=3)).digest
    )
    assert [each.path for each in fingerprint(Adder()).captures] == ["Adder"]
