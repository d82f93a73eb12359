"""What is computed again after an edit, and what is not."""

from traps.row import Durable, row

TWO_DOWN = """
    def low(x):
        return x + {}
    def mid(x):
        return low(x)
    def top(x):
        return mid(x)
"""
USE = "y = top(1)"
METHOD = """
    class M:
        def f(self):
            return {}
    m = M()
"""
ANEW = "computed"


def edit(id, before, after, code, options="cell"):
    """Return a row: the cell computes again when what stands before it is edited."""
    return row(
        id, before, Durable(code, options), "y", edited=[after, Durable(code, options, computes=ANEW), "y"]
    )


def no_edit(id, before, after, code, options="cell"):
    """Return a row: the cell is replayed after a change that changes nothing."""
    return row(id, before, Durable(code, options), "y", edited=[after, Durable(code, options), "y"])


ROWS = [
    edit("a helper two levels down", TWO_DOWN.format(1), TWO_DOWN.format(2), USE),
    edit("a constant", "K = 3", "K = 4", "y = K * 2"),
    edit(
        "a constant of a helper",
        """
            K = 3
            def f():
                return K
        """,
        """
            K = 4
            def f():
                return K
        """,
        "y = f()",
    ),
    edit(
        "a default",
        """
        def f(x=1):
            return x
    """,
        """
        def f(x=2):
            return x
    """,
        "y = f()",
    ),
    edit(
        "a keyword default",
        """
        def f(*, x=1):
            return x
    """,
        """
        def f(*, x=2):
            return x
    """,
        "y = f()",
    ),
    edit("a method", METHOD.format(1), METHOD.format(2), "y = m.f()"),
    edit(
        "a method of a base",
        """
            class B:
                def f(self):
                    return 1
            class C(B):
                pass
            c = C()
        """,
        """
            class B:
                def f(self):
                    return 2
            class C(B):
                pass
            c = C()
        """,
        "y = c.f()",
    ),
    edit(
        "a method that is met only through an instance's attribute",
        """
            class A:
                def f(self):
                    return 1
            class W:
                pass
            w = W()
            w.a = A()
        """,
        """
            class A:
                def f(self):
                    return 2
            class W:
                pass
            w = W()
            w.a = A()
        """,
        "y = w.a.f()",
    ),
    edit(
        "a class attribute",
        """
        class A:
            k = 1
    """,
        """
        class A:
            k = 2
    """,
        "y = A.k",
    ),
    edit(
        "a decorator",
        """
            def deco(f):
                return lambda: f() + 1
            @deco
            def g():
                return 1
        """,
        """
            def deco(f):
                return lambda: f() + 2
            @deco
            def g():
                return 1
        """,
        "y = g()",
    ),
    edit("a function in a dict", "ops = {'f': lambda: 1}", "ops = {'f': lambda: 2}", "y = ops['f']()"),
    edit(
        "a closure's number",
        """
            def make(n):
                return lambda: n
            f = make(1)
        """,
        """
            def make(n):
                return lambda: n
            f = make(2)
        """,
        "y = f()",
    ),
    edit(
        "a property",
        """
            class A:
                @property
                def x(self):
                    return 1
            a = A()
        """,
        """
            class A:
                @property
                def x(self):
                    return 2
            a = A()
        """,
        "y = a.x",
    ),
    edit(
        "an operator",
        """
            class A:
                def __add__(self, o):
                    return 1
            a = A()
        """,
        """
            class A:
                def __add__(self, o):
                    return 2
            a = A()
        """,
        "y = a + a",
    ),
    edit(
        "a module of one's own",
        """
            open('mod_a.py', 'w').write('def f():\\n    return 1\\n')
            import mod_a;
        """,
        """
            open('mod_a.py', 'w').write('def f():\\n    return 22\\n')
            import mod_a;
        """,
        "y = mod_a.f()",
    ),
    edit(
        "a partial's argument",
        """
            from functools import partial
            def f(x):
                return x
            g = partial(f, 1)
        """,
        """
            from functools import partial
            def f(x):
                return x
            g = partial(f, 2)
        """,
        "y = g()",
    ),
    edit(
        "which helper a name means",
        """
            def a():
                return 1
            def b():
                return 2
            h = a
        """,
        """
            def a():
                return 1
            def b():
                return 2
            h = b
        """,
        "y = h()",
    ),
    edit(
        "a helper that a data class calls",
        """
            from dataclasses import dataclass
            @dataclass
            class D:
                x: int = 1
        """,
        """
            from dataclasses import dataclass
            @dataclass
            class D:
                x: int = 2
        """,
        "y = D().x",
    ),
    edit(
        "a member of an enumeration",
        """
            from enum import Enum
            class E(Enum):
                A = 1
        """,
        """
            from enum import Enum
            class E(Enum):
                A = 2
        """,
        "y = E.A.value",
    ),
    edit(
        "a handler of singledispatch",
        """
            from functools import singledispatch
            @singledispatch
            def s(x):
                return 0
            @s.register
            def _(x: int):
                return 1
        """,
        """
            from functools import singledispatch
            @singledispatch
            def s(x):
                return 0
            @s.register
            def _(x: int):
                return 2
        """,
        "y = s(1)",
    ),
    edit(
        "a name in a decorator's argument",
        """
            def deco(n):
                def d(f):
                    return lambda: n
                return d
            k = 1
            @deco(k)
            def g():
                pass
        """,
        """
            def deco(n):
                def d(f):
                    return lambda: n
                return d
            k = 2
            @deco(k)
            def g():
                pass
        """,
        "y = g()",
    ),
    edit(
        "a name in a class body",
        """
        k = 1
        class A:
            z = k
    """,
        """
        k = 2
        class A:
            z = k
    """,
        "y = A.z",
    ),
    edit(
        "a name in a base's argument",
        """
            class Base:
                def __init_subclass__(cls, n):
                    cls.n = n
            k = 1
            class A(Base, n=k):
                pass
        """,
        """
            class Base:
                def __init_subclass__(cls, n):
                    cls.n = n
            k = 2
            class A(Base, n=k):
                pass
        """,
        "y = A.n",
    ),
    no_edit(
        "a comment in a helper",
        """
            def f():
                return 1
        """,
        """
            def f():
                # a comment
                return 1
        """,
        "y = f()",
    ),
    no_edit(
        "a docstring in a helper",
        """
            def f():
                return 1
        """,
        """
            def f():
                'says it'
                return 1
        """,
        "y = f()",
    ),
    no_edit(
        "the layout of a helper",
        """
            def f(a, b):
                return [a, b]
        """,
        """
            def f(
                a,
                b,
            ):
                return [
                    a,
                    b,
                ]
        """,
        "y = f(1, 2)",
    ),
    no_edit(
        "quotes and parentheses",
        """
            def f():
                return 'a' + ("b")
        """,
        """
            def f():
                return ("a" + 'b')
        """,
        "y = f()",
    ),
    no_edit(
        "an unused helper",
        """
            def f():
                return 1
        """,
        """
            def unused():
                return 5
            def f():
                return 1
        """,
        "y = f()",
    ),
    no_edit("an unused variable", "a, b = [1], [2]", "a, b = [1], [3]", "y = a[0]"),
    no_edit(
        "the order of definitions",
        """
            def f():
                return 1
            K = 2
        """,
        """
            K = 2
            def f():
                return 1
        """,
        "y = f() + K",
    ),
    row(
        "a comment in the cell itself",
        Durable(
            """
            y = 1
            z = 2
        """,
            "cell",
        ),
        edited=[
            Durable(
                """
            # about y
            y = 1

            z = (2)
        """,
                "cell",
            ),
            "y, z",
        ],
    ),
    row(
        "the order of cells",
        Durable("a = 1"),
        Durable("b = 2"),
        "a, b",
        edited=[Durable("b = 2"), Durable("a = 1"), "a, b"],
    ),
    row(
        "a cell in between",
        "x = [1]",
        Durable("y = x[0]"),
        "y",
        edited=["x = [1]", "unrelated = 5", Durable("y = x[0]"), "y"],
    ),
    row(
        "the cell's own last line",
        "x = [1]",
        Durable(
            """
            y = x[0]
            z = y + 1
        """,
            "cell",
        ),
        "z",
        edited=[
            "x = [1]",
            Durable(
                """
            y = x[0]
            z = y + 2
        """,
                "cell",
                computes=ANEW,
            ),
            "z",
        ],
    ),
    row(
        "the class of an instance in the store is edited",
        Durable(
            """
            class A:
                def f(self):
                    return 1
        """,
            "a",
        ),
        Durable("x = A()", "b"),
        "x.f(), isinstance(x, A)",
        edited=[
            Durable(
                """
                class A:
                    def f(self):
                        return 2
            """,
                "a",
                computes=ANEW,
            ),
            Durable("x = A()", "b", computes=ANEW),
            "x.f(), isinstance(x, A)",
        ],
    ),
    row(
        "a class that the cell does not read is edited, its instance comes from the store",
        """
            class A:
                def f(self):
                    return 1
            def make():
                return A()
        """,
        Durable("x = make()", "b"),
        "x.f(), isinstance(x, A)",
        edited=[
            """
                class A:
                    def f(self):
                        return 2
                def make():
                    return A()
            """,
            Durable("x = make()", "b", computes=ANEW),
            "x.f(), isinstance(x, A)",
        ],
    ),
]
