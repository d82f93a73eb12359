"""What a cell reads, binds and deletes: known cases, and generated cells that are really executed."""

import ast
import builtins
import sys
import textwrap
from collections.abc import MutableMapping
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resonate_nb.notebook.analysis import analyse, cell_name
from resonate_nb.notebook.definitions import replayable_definition


def analysis_of(source):
    return analyse(ast.parse(textwrap.dedent(source)))


def names(text):
    return set(text.split())


# source, inputs (builtins left out), writes, deletes
CASES = [
    # assignment
    ("x = 1", "", "x", ""),
    ("x = y", "y", "x", ""),
    ("x = x", "x", "x", ""),
    ("x = 1; y = x", "", "x y", ""),
    ("y = x; x = 1", "x", "x y", ""),
    ("a = b = c", "c", "a b", ""),
    ("a, (b, *c) = d", "d", "a b c", ""),
    ("a = [0]; a[a[0]] = b", "b", "a", ""),
    ("a[i] = v", "a i v", "", ""),
    ("a.b.c = v", "a v", "", ""),
    ("x += 1", "x", "x", ""),
    ("x = 0; x += y", "y", "x", ""),
    ("a[i] += v", "a i v", "", ""),
    ("a.n -= v", "a v", "", ""),
    ("x: int", "", "", ""),
    ("x: T = v", "T v", "x", ""),
    ("a.b: T = v", "a T v", "", ""),
    ("x[x := 1] = 2", "x", "x", ""),
    ("__name__", "__name__", "", ""),
    # expressions
    ("f(a, *b, k=c, **d)", "f a b c d", "", ""),
    ("f'{a!r:{b}}'", "a b", "", ""),
    ("a[b:c:d]", "a b c d", "", ""),
    ("a if b else c", "a b c", "", ""),
    ("(x := 1) + x", "", "x", ""),
    ("x + (x := 1)", "x", "x", ""),
    ("{(k := 1): k}", "", "k", ""),
    ("a and (x := 1)\nx", "a x", "x", ""),
    ("(x := a) and b\nx", "a b", "x", ""),
    ("a < (x := 1) < (y := 2)\nx, y", "a y", "x y", ""),
    ("((x := 1) if a else (x := 2))\nx", "a", "x", ""),
    ("((x := 1) if a else 2)\nx", "a x", "x", ""),
    ("await f(x)", "f x", "", ""),
    # branches
    ("if a:\n  x = 1\nx", "a x", "x", ""),
    ("if a:\n  x = 1\nelse:\n  x = 2\nx", "a", "x", ""),
    ("if a:\n  x = 1\nelse:\n  raise E\nx", "a E", "x", ""),
    ("if a:\n  x = 1\nelif b:\n  x = 2\nx", "a b x", "x", ""),
    ("if (x := a):\n  pass\nx", "a", "x", ""),
    ("assert a, m", "a m", "", ""),
    # loops
    ("for x in xs:\n  y = x\ny, x", "xs x y", "x y", ""),
    ("for x in range(3):\n  y = x\ny, x", "", "x y", ""),
    ("for x in [1, 2]:\n  y = x\ny, x", "", "x y", ""),
    ("for x in [*a]:\n  y = x\ny", "a y", "x y", ""),
    ("for x in range(3):\n  if a: continue\n  y = x\ny", "a y", "x y", ""),
    ("for x in range(0):\n  y = x\ny", "y", "x y", ""),
    ("for a.b in xs: pass", "a xs", "", ""),
    ("for x in xs:\n  break\nelse:\n  y = 1\ny", "xs y", "x y", ""),
    ("total = 0\nfor x in xs: total += x", "xs", "total x", ""),
    ("while a:\n  x = 1\nelse:\n  y = 1\nx, y", "a x y", "x y", ""),
    ("async for x in xs:\n  y = x", "xs", "x y", ""),
    ("x = 1\nfor _ in range(2):\n  y = x\n  if a: del x", "a", "x _ y", "x"),
    ("class C:\n  x = 1\n  for _ in range(2):\n    y = x\n    del x", "x", "C", ""),
    ("class C:\n  x = 1\n  while x:\n    if a:\n      del x\n      continue", "a x", "C", ""),
    # with
    ("with open(p) as f:\n  s = f.read()\ns", "p", "f s", ""),
    ("with suppress(E):\n  s = f()\ns", "suppress E f s", "s", ""),
    ("with a as b, b as c: pass", "a", "b c", ""),
    ("async with a as b:\n  c = b", "a", "b c", ""),
    ("with a as b[i]: pass", "a b i", "", ""),
    # try
    ("try:\n  x = 1\nexcept E:\n  x = 2\nx", "E", "x", ""),
    ("try:\n  x = 1\nexcept E:\n  pass\nx", "E x", "x", ""),
    ("try:\n  x = 1\nexcept E:\n  raise\nx", "E", "x", ""),
    ("try:\n  x = 1\nexcept E:\n  x", "E x", "x", ""),
    ("try:\n  x = 1\nfinally:\n  y = x\ny, x", "x", "x y", ""),
    ("try:\n  pass\nexcept E as e:\n  m = e\ne", "E e", "e m", "e"),
    ("try:\n  pass\nexcept E:\n  x = 1\nelse:\n  x = 2\nx", "E", "x", ""),
    ("try:\n  f()\nexcept* E as e:\n  x = e", "f E", "e x", "e"),
    # match
    ("match a:\n  case [x, *ys]: z = x\nz", "a z", "x ys z", ""),
    ("match a:\n  case {'k': x, **rest}: pass", "a", "x rest", ""),
    ("match a:\n  case C(x=1) as y: pass", "a C", "y", ""),
    ("match a:\n  case m.V: pass", "a m", "", ""),
    ("match a:\n  case 1: x = 1\n  case _: x = 2\nx", "a", "x", ""),
    ("match a:\n  case 1: x = 1\n  case _ if b: x = 2\nx", "a b x", "x", ""),
    ("match a:\n  case (1 as x) | (2 as x): pass", "a", "x", ""),
    # comprehensions
    ("[x for x in xs]", "xs", "", ""),
    ("[x for x in x]", "x", "", ""),
    ("[a for b in c if d]", "a c d", "", ""),
    ("[y for x in xs for y in x.ys]", "xs", "", ""),
    ("{k: v for k, v in a}; {k for k in b}; (k for k in c)", "a b c", "", ""),
    ("[(last := x) for x in xs]\nlast", "xs last", "last", ""),
    ("[[y for y in x] + [z] for x in xs]", "xs z", "", ""),
    ("x = 1\n[x for _ in y]", "y", "x", ""),
    ("[lambda: x + w for x in xs]", "xs w", "", ""),
    ("[x async for x in xs]", "xs", "", ""),
    # functions
    ("def f(): return x", "x", "f", ""),
    ("x = 1\ndef f(): return x", "", "f x", ""),
    ("def f(): return x\nx = 1", "x", "f x", ""),
    ("def f(x): return x", "", "f", ""),
    ("def f():\n  x = 1\n  return x", "", "f", ""),
    ("def f():\n  print(x)\n  x = 1", "", "f", ""),
    ("def f(a=b, *c, d=e, **g) -> r: return a, c, d, g", "b e r", "f", ""),
    ("def f(a: t): pass", "t", "f", ""),
    ("def f(): return f()", "", "f", ""),
    ("def f(): return g()\ndef g(): return f()\nf()", "", "f g", ""),
    ("def f(): return g()\nf()\ndef g(): pass", "g", "f g", ""),
    ("def f(): return g()\n@register\ndef h(): pass\ndef g(): pass", "g register", "f g h", ""),
    ("def f():\n  global x\n  x = y", "y", "f x", ""),
    ("def f():\n  global x\n  def g(): return x\n  x = 1", "x", "f x", ""),
    ("def f():\n  global x\n  del x", "", "f x", "x"),
    ("def f():\n  x = 1\n  def g():\n    nonlocal x\n    x = 2\n    return x", "", "f", ""),
    ("def f():\n  x = 1\n  def g(): return x + y\n  return g", "y", "f", ""),
    ("def f():\n  class A:\n    x = x\n  return A", "x", "f", ""),
    ("def f():\n  x = 1\n  class A:\n    y = x\n  return A", "", "f", ""),
    ("def f():\n  class A:\n    y = 1\n    def m(self): return y", "y", "f", ""),
    ("def f():\n  for i in xs: pass\n  with a as b: pass\n  import c.d\n  return i, b, c", "xs a", "f", ""),
    ("def f():\n  try: pass\n  except E as e: return e", "E", "f", ""),
    ("def f():\n  match a:\n    case [x, *y]: return x, y\n    case {**z}: return z", "a", "f", ""),
    ("def f():\n  x += 1", "", "f", ""),
    ("def f():\n  [(y := x) for x in xs]\n  return y", "xs", "f", ""),
    ("def f():\n  @d\n  def g(a=b): return c", "b c d", "f", ""),
    ("@d(p)\ndef f(): pass", "d p", "f", ""),
    ("async def f(): await x", "x", "f", ""),
    ("lambda a, b=c: a + b + d", "c d", "", ""),
    ("f = lambda: f", "f", "f", ""),
    # classes
    ("class A(B, metaclass=M): x = y", "B M y", "A", ""),
    ("class A:\n  x = 1\n  y = x", "", "A", ""),
    ("class A:\n  y = x\n  x = 1", "x", "A", ""),
    ("class A:\n  x = 1\n  def m(self): return x", "x", "A", ""),
    ("class A:\n  def m(self): return A, __class__, super()", "", "A", ""),
    ("class A:\n  global x\n  x = 1", "", "A x", ""),
    ("class A:\n  x = 1\n  z = [x for _ in w]", "w x", "A", ""),
    ("class A:\n  x: T = 1", "T", "A", ""),
    ("class A:\n  x = 1\n  class B:\n    y = x", "x", "A", ""),
    ("@d\nclass A: pass", "d", "A", ""),
    # imports
    ("import a.b, c as d", "", "a d", ""),
    ("from a import b, c as d", "", "b d", ""),
    ("from __future__ import annotations", "", "annotations", ""),
    ("import a\na.x", "", "a", ""),
    # deletion
    ("del x", "x", "", "x"),
    ("x = 1; del x", "", "x", "x"),
    ("x = 1; del x; x", "x", "x", "x"),
    ("x = 1; del x; x = 2; x", "", "x", "x"),
    ("del a.b, c[i], (d, e)", "a c i d e", "", "d e"),
    ("x = 1\nif a:\n  del x\nx", "a x", "x", "x"),
    ("x = 1\ntry:\n  del x\n  f()\nexcept E: pass\nx", "E f x", "x", "x"),
    # IPython's calls
    ("get_ipython().run_line_magic('time', 'x = f(y)')\nx", "get_ipython f y", "x", ""),
    ("x = get_ipython().getoutput('ls $folder {a + b}')", "get_ipython folder a b", "x", ""),
    ("get_ipython().system('awk \"{print $1}\" ')", "get_ipython", "", ""),
]
if sys.version_info >= (3, 12):
    CASES += [
        ("type X[T] = dict[T, V]", "V", "X", ""),
        ("def f[T: B](x: T) -> U: return T", "B U", "f", ""),
        ("class A[T](G[T]): x: T = 1", "G", "A", ""),
    ]


@pytest.mark.parametrize(("source", "inputs", "writes", "deletes"), CASES)
def test_a_cell_s_names_are_known(source, inputs, writes, deletes):
    found = analysis_of(source)

    assert {name for name in found.inputs if not hasattr(builtins, name) or name in inputs.split()} == names(
        inputs
    )
    assert (found.writes, found.deletes) == (names(writes), names(deletes))
    assert not found.opaque


@pytest.mark.parametrize(
    "source",
    [
        "from os import *",
        "exec('x = 1')",
        "f(eval)",
        "def f(): return globals()",
        "locals()['x'] = 1",
        "vars()",
        "[eval(s) for s in a]",
        "import __main__",
        "f.__globals__['x'] = 1",
        "ip = get_ipython(); ip.run_line_magic('run', 'a.py')",
        "get_ipython().run_line_magic('run', 'a.py')",
        "get_ipython().run_line_magic('time', 'exec(code)')",
        "get_ipython().run_line_magic('time', 'x = ')",
        "get_ipython().run_line_magic(name, 'a.py')",
        "get_ipython().run_cell_magic('bash', '', 'ls')",
        "get_ipython().user_ns['x'] = 1",
        "get_ipython().push({'x': 1})",
    ],
)
def test_what_can_t_be_seen_makes_a_cell_opaque(source):
    assert analysis_of(source).opaque


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "vars(thing)",
        "stack.push(1)",
        "get_ipython().system('ls')",
        "get_ipython().run_line_magic('matplotlib', 'inline')",
        "get_ipython().run_line_magic('time', 'x = 1')",
    ],
)
def test_what_only_looks_dangerous_is_not_opaque(source):
    assert not analysis_of(source).opaque


def test_statements_have_a_kind_and_tell_reads_at_once_from_reads_in_a_body():
    cell = analysis_of("from __future__ import annotations\nimport a\ndef f(x=b): return c\nclass A: pass\nd")

    assert [each.kind for each in cell.statements] == [
        "future",
        "import",
        "definition",
        "definition",
        "other",
    ]
    assert cell.statements[2].reads == {"b", "c"}
    assert cell.statements[2].reads_now == {"b"}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("df = load()", "df"),
        ("X = a; y = b", "X-y"),
        ("import pandas as pd\ndf = pd.read_csv(p)", "df"),
        ("_, b = f(); a = 1", "b-a-_"),
        ("a = b = c = d = e = 1", "a-b-c+2"),
        ("total = 0\nfor i in xs: total += i", "total"),
        ("for i in xs: print(i)", "i"),
        ("with open(p) as f: text = f.read()", "text"),
        ("def f(): pass", "f"),
        ("class A: pass\ndef b(): pass", "A-b"),
        ("import numpy", "numpy"),
        ("x = 1; del x", "cell"),
        ("plt.show()", "plt.show"),
        ("df.groupby('a')['b'].mean()", "df.groupby.mean"),
        ("await fetch(1)", "fetch"),
        ("get_ipython().system('ls')", "system"),
        ("model", "cell"),
        ("1 + 1", "cell"),
        ("", "cell"),
        ("a_rather_long_name_for_a_table = a_second_long_name = 1", "a_rather_long_name_for_a_table+1"),
        (f"{'x' * 60} = 1", "x" * 40),
    ],
)
def test_an_unnamed_cell_is_named_after_what_it_assigns(source, name):
    assert cell_name(analysis_of(source)) == name


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "from a import *",
        "def f(a, b=1, *, c=(2, 'x')) -> int: return n",
        "n = 1\ndef f(): return n",
        "@durable(version=2)\ndef f(): pass",
        "@functools.lru_cache(maxsize=None)\ndef f(): pass",
        "def f(a=lambda: make()): pass",
        "@dataclass(frozen=True)\nclass A:\n  '''D.'''\n  x: int = 1\n  y: list = field(default_factory=f)",
        "class A:\n  @property\n  def x(self): return n\n  @x.setter\n  def x(self, v): self.y = v",
        "class E(ValueError): pass",
        "n = 1\nclass A:\n  n = 2\n  m = n",
    ],
)
def test_plain_definitions_may_run_again_at_replay(source):
    cell = analysis_of(source)

    assert replayable_definition(cell.statements[-1], cell) is None


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("@register\ndef f(): pass", "@register"),
        ("@lru_cache(maxsize=size())\ndef f(): pass", "size"),
        ("n = 1\ndef f(a=n): pass", "'n'"),
        ("n = 1\n@lru_cache(maxsize=n)\ndef f(): pass", "'n'"),
        ("Base = make()\nclass A(Base): pass", "'Base'"),
        ("n = 1\nclass A:\n  m = n", "'n'"),
        ("class A:\n  registry.append(1)", "class body"),
        ("class A:\n  table['a'] = 1", "changes another object"),
        ("class A:\n  started = time.time()", "time.time"),
        ("def f(a=make()): pass", "make"),
        ("def f(a=(b := 1)): pass", "signature"),
        ("class A:\n  @register\n  def m(self): pass", "@register"),
        ("class A(make()): pass", "make"),
        ("sys.path.append('lib')\nimport lib", "sys.path"),
    ],
)
def test_a_definition_that_depends_on_more_says_why_it_can_t_be_replayed(source, reason):
    cell = analysis_of(source)

    assert reason in replayable_definition(cell.statements[-1], cell)


# Generated cells, executed

VARIABLES = ("a", "b", "c", "d")


class Watched(MutableMapping):
    """A namespace that notes what is read before it is bound, what is bound and what is deleted."""

    def __init__(self, shared):
        self.shared = shared  # where functions look names up
        self.read_first, self.bound, self.deleted = set(), set(), set()
        self.surely_bound = set()
        self.gone = set()  # by the cell's own doing: reading these fails, whatever was there before

    def __getitem__(self, name):
        if name not in self.surely_bound | self.gone:
            self.read_first.add(name)
        return self.shared[name]

    def __setitem__(self, name, value):
        self.bound.add(name)
        self.surely_bound.add(name)
        self.gone.discard(name)
        self.shared[name] = value

    def __delitem__(self, name):
        del self.shared[name]
        self.deleted.add(name)
        self.surely_bound.discard(name)
        self.gone.add(name)

    def __iter__(self):
        return iter(self.shared)

    def __len__(self):
        return len(self.shared)


def indented(block):
    return textwrap.indent(block, "  ")


variables = st.sampled_from(VARIABLES)
atoms = variables | st.integers(0, 3).map(str)
pure = st.one_of(
    atoms, st.builds("({} + {})".format, atoms, atoms)
)  # `:=` in a comprehension would bypass Watched
expressions = st.recursive(
    atoms | st.builds("sum([{} for v in range({} % 3) if {}])".format, pure, pure, pure),
    lambda inner: st.one_of(
        st.builds("({} + {})".format, inner, inner),
        st.builds("({} < {} < {})".format, inner, inner, inner),
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} := {})".format, variables, inner),
        st.builds("(lambda {}: {})({})".format, variables, inner, inner),
        st.builds("list({{{}: {}}})[0]".format, inner, inner),
        st.builds("(1 // {})".format, inner),
    ),
    max_leaves=6,
)
simple_statements = st.one_of(
    st.builds("{} = {}".format, variables, expressions),
    st.builds("{}, {} = {}, {}".format, variables, variables, expressions, expressions),
    st.builds("{} += {}".format, variables, expressions),
    st.builds("{}: int = {}".format, variables, expressions),
    st.builds("del {}".format, variables),
    st.builds("print({}, file=io.StringIO())".format, expressions),
    st.builds("assert {}".format, expressions),
    st.builds("import math as {}; {} = 1".format, variables, variables),
)


def compound(block):
    body = block.map(indented)
    return st.one_of(
        st.builds("if {}:\n{}".format, expressions, body),
        st.builds("if {}:\n{}\nelse:\n{}".format, expressions, body, body),
        st.builds("for {} in range({} % 3):\n{}".format, variables, expressions, body),
        st.builds("for {} in range(2):\n{}\nelse:\n{}".format, variables, body, body),
        st.builds("for {} in range(3):\n{}\n  if {}: break\n{}".format, variables, body, expressions, body),
        st.builds("while {}:\n{}\n  break\nelse:\n{}".format, expressions, body, body),
        st.builds("try:\n{}\nexcept Exception as {}:\n{}".format, body, variables, body),
        st.builds("try:\n{}\nexcept Exception:\n{}\nelse:\n{}\nfinally:\n{}".format, body, body, body, body),
        st.builds("try:\n{}\nfinally:\n{}".format, body, body),
        st.builds("with suppress(Exception):\n{}".format, body),
        st.builds("with nullcontext({}) as {}:\n{}".format, expressions, variables, body),
        st.builds(
            "match {}:\n  case 1:\n{}\n  case {}:\n{}".format,
            expressions,
            body.map(indented),
            variables,
            body.map(indented),
        ),
        st.builds(
            "match ({}, {}):\n  case [{}, 1]:\n{}".format,
            expressions,
            expressions,
            st.just("c"),
            body.map(indented),
        ),
        st.builds("class {}:\n{}".format, variables, body),
        st.builds("def f(v={}):\n  global g\n  g = v\nf()".format, expressions),
    )


statements = st.recursive(
    simple_statements,
    lambda inner: compound(st.lists(inner, min_size=1, max_size=3).map("\n".join)),
    max_leaves=8,
)


@given(
    st.lists(statements, min_size=1, max_size=5).map("\n".join),
    st.lists(st.integers(0, 2), min_size=4, max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_what_a_cell_really_touches_was_foreseen(source, values):
    """Read first is among the inputs, bound among the writes; what is sure is bound."""
    cell = analysis_of(source)
    shared = {"__name__": "cell", "__annotations__": {}}
    exec("import io\nfrom contextlib import suppress, nullcontext", shared)
    shared |= dict(zip(VARIABLES, values, strict=True))
    whole = Watched(shared)
    for statement in cell.statements:
        one = Watched(shared)
        one.surely_bound, one.gone = whole.surely_bound, whole.gone
        code = compile(ast.Module([statement.node], []), "cell", "exec")
        finished = False
        with suppress(Exception):
            exec(code, shared, one)
            finished = True
        whole.read_first |= one.read_first
        whole.bound |= one.bound
        whole.deleted |= one.deleted
        if not finished:
            break
        assert statement.sure_writes <= one.bound
        assert statement.sure_writes <= shared.keys()

    assert whole.read_first & set(VARIABLES) <= cell.inputs
    assert whole.bound - {"__annotations__"} <= cell.writes
    assert whole.deleted <= cell.deletes
