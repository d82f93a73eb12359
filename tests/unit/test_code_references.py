"""The names that code reads from outside itself are found in its tree, by Python's rules of scope."""

import ast

import pytest

from resonate_nb.code.references import references_of_bytecode, references_of_tree


def reads(text):
    tree = ast.parse(text).body[0]
    return [reference.label for reference in references_of_tree(tree).read]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(x): return g(x) + x.h", ["g"]),
        ("def f(): return mod.sub.g(mod.a).b", ["mod.sub.g", "mod.a"]),
        ("def f(x=DEFAULT): return x", []),
        ("def f():\n    y = a\n    return y", ["a"]),
        ("def f():\n    for i in xs: print(i)", ["xs", "print"]),
        ("def f(): return [x for x in x for y in x.z]", ["x"]),
        ("def f(): return [y := k for k in ks], y", ["ks"]),
        ("def f():\n    def g(a): return a + b + c\n    b = 1\n    return g", ["c"]),
        ("def f(): return lambda a, b=B: a + b + c", ["B", "c"]),
        ("def f():\n    global n\n    n += 1", ["n"]),
        ("def f():\n    try: pass\n    except E as e: raise e", ["E"]),
        ("def f(x):\n    match x:\n        case {'a': a, **r} | [*s, K.k] as w: return a, r, s, w", ["K.k"]),
        ("def f():\n    import numpy as np\n    return np.sum(np.pi)", ["numpy.sum", "numpy.pi"]),
        ("def f():\n    import a.b\n    return a.b.c", ["a.b.c"]),
        ("def f():\n    from ..a import b as c\n    return lambda: c.d", ["..a.b.d"]),
        (
            "def f():\n    class A(B):\n        x = x\n        def m(self): return x, C\n    return A",
            ["B", "x", "C"],
        ),
        ("def f():\n    x: Alias = y\n    return x", ["y"]),
        ("def f():\n    mod.x = 1", ["mod"]),
        (
            "@deco(a)\nclass A(B, metaclass=M):\n    k: K = v\n    def m(self, d=D): return g()",
            list("aBMKvD"),
        ),
        ("@durable(retry=R)\nclass A: pass", []),
    ],
)
def test_what_is_read_from_outside(text, expected):
    found = reads(text)
    assert found == expected if expected != list("aBMKvD") else found == ["deco", *expected]


def test_names_that_code_binds_anew_outside_are_known():
    tree = ast.parse(
        "def f():\n    global n\n    nonlocal m\n    k = 1\n    def g():\n        nonlocal k\n        k = m"
    )
    assert references_of_tree(tree.body[0]).rebound == {"n", "m"}


def test_bytecode_tells_nearly_the_same():
    text = "def f(x): return mod.sub.g(x) + h + len([k for k in ks])"
    namespace = {}
    exec(text, namespace)
    found = references_of_bytecode(namespace["f"].__code__).read
    assert {reference.label for reference in found} == set(reads(text))
