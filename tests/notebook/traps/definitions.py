"""Classes, functions and what is made of them, defined in durable cells or met by them."""

from traps.row import Durable, row, text

POINT = """
    class Point:
        def __init__(self, x):
            self.x = x
        def double(self):
            return self.x * 2
"""

CLASSES = [
    row(
        "a class and its instance in one cell",
        Durable(text(POINT) + "\np = Point(1)"),
        "isinstance(p, Point), p.double(), type(p) is Point",
    ),
    row(
        "a class here, its instance in the next cell",
        POINT,
        Durable("p = Point(1)"),
        "isinstance(p, Point), type(p) is Point",
    ),
    row(
        "a class in a durable cell, its instance in a plain one",
        Durable(POINT),
        """
            p = Point(1)
            print(p.double())
        """,
    ),
    row(
        "a subclass in another cell",
        Durable(POINT),
        Durable("""
            class P3(Point):
                z = 0
            p = P3(2)
        """),
        "isinstance(p, Point), P3.__mro__[1] is Point, p.double()",
    ),
    row(
        "instances of a subclass of a builtin",
        """
            class L(list):
                pass
        """,
        Durable("""
            xs = L([1])
            xs.note = 'n'
        """),
        "print(xs, xs.note, type(xs) is L)",
    ),
    row(
        "an enumeration",
        Durable("""
            from enum import Enum
            class Color(Enum):
                RED = 1
                BLUE = 2
            c = Color.RED
        """),
        "c is Color.RED, Color(2)",
    ),
    row(
        "flags and automatic values",
        Durable(
            """
                from enum import Flag, auto
                class F(Flag):
                    A = auto()
                    B = auto()
                both = F.A | F.B
            """
        ),
        "both is F(3), F.A in both",
    ),
    row(
        "a data class",
        Durable(
            """
                from dataclasses import dataclass, field
                @dataclass
                class D:
                    x: int
                    ys: list = field(default_factory=list)
                d = D(1)
            """
        ),
        "print(d, d == D(1), isinstance(d, D))",
    ),
    row(
        "a frozen data class with slots",
        Durable(
            """
                from dataclasses import dataclass
                @dataclass(frozen=True, slots=True)
                class D:
                    x: int
                d = D(1)
                keyed = {d: [1]}
            """
        ),
        """
            keyed[D(1)].append(2)
            keyed
        """,
    ),
    row(
        "named tuples, both ways",
        Durable(
            """
                from collections import namedtuple
                from typing import NamedTuple
                A = namedtuple('A', 'x y')
                class B(NamedTuple):
                    x: int
                    y: int = 2
                a, b = A(1, 2), B(1)
            """
        ),
        "isinstance(a, A), isinstance(b, B), a == b, b._asdict()",
    ),
    row(
        "an abstract base and its registered child",
        Durable(
            """
                from abc import ABC, abstractmethod
                class Base(ABC):
                    @abstractmethod
                    def f(self): ...
                class Child(Base):
                    def f(self):
                        return 1
                c = Child()
            """
        ),
        "isinstance(c, Base), c.f()",
    ),
    row(
        "a class registered with an abstract one",
        """
            from abc import ABC
            class Base(ABC):
                pass
            class Other:
                pass
            o = Other()
        """,
        Durable("Base.register(Other);", computes="register"),
        "isinstance(o, Base)",
    ),
    row(
        "a protocol",
        Durable(
            """
                from typing import Protocol, runtime_checkable
                @runtime_checkable
                class Has(Protocol):
                    def f(self): ...
                class A:
                    def f(self):
                        return 2
                a = A()
            """
        ),
        "isinstance(a, Has)",
    ),
    row(
        "a typed dict, a new type and a type variable",
        Durable(
            """
                from typing import TypedDict, NewType, TypeVar, Generic
                T = TypeVar('T')
                class TD(TypedDict):
                    x: int
                Id = NewType('Id', int)
                class Box(Generic[T]):
                    def __init__(self, x):
                        self.x = x
                b = Box[int](1)
                alias = dict[str, Box[int]]
            """,
            computes="'T'",
        ),
        "print(TD(x=1), Id(3), b.x, Box[T].__parameters__[0] is T, alias)",
    ),
    row(
        "slots",
        Durable(
            """
                class S:
                    __slots__ = ('x', 'y')
                    def __init__(self):
                        self.x = [1]
                s = S()
            """
        ),
        """
            s.y = 3
            print(s.x, s.y, hasattr(s, '__dict__'))
        """,
    ),
    row(
        "slots changed in place",
        """
            class S:
                __slots__ = ('x', 'y')
            s = S()
            s.x = 1
            alias = [s]
        """,
        Durable("""
            s.y = [2]
            del s.x
        """),
        "hasattr(s, 'x'), alias[0].y",
    ),
    row(
        "properties and descriptors",
        Durable(
            """
                class P:
                    def __init__(self):
                        self._x = 1
                    @property
                    def x(self):
                        return self._x
                    @x.setter
                    def x(self, v):
                        self._x = v
                p = P()
                p.x = 5
            """
        ),
        "p.x, P.x.fget(p)",
    ),
    row(
        "class and static methods",
        Durable(
            """
                class C:
                    made = 0
                    @classmethod
                    def make(cls):
                        return cls()
                    @staticmethod
                    def twice(x):
                        return 2 * x
                c = C.make()
                m = C.make
                s = C.twice
            """
        ),
        "isinstance(m(), C), s(2), isinstance(c, C)",
    ),
    row(
        "nested classes",
        Durable("""
            class Outer:
                class Inner:
                    x = 1
            o = Outer.Inner()
        """),
        "isinstance(o, Outer.Inner), o.x",
    ),
    row(
        "a class made in a function",
        Durable("""
            def make():
                class Local:
                    x = 1
                return Local
            L = make()
            l = L()
        """),
        "isinstance(l, L), l.x",
    ),
    row(
        "a class made by type()",
        Durable("""
            T = type('T', (), {'x': [1]})
            t = T()
        """),
        "isinstance(t, T), t.x is T.x",
    ),
    row(
        "a metaclass",
        Durable(
            """
                class Meta(type):
                    def __call__(cls, *a):
                        made = super().__call__(*a)
                        made.tag = cls.__name__
                        return made
                class A(metaclass=Meta):
                    pass
                a = A()
            """
        ),
        "a.tag, type(A) is Meta",
    ),
    row(
        "a metaclass that registers",
        """
            class Meta(type):
                known = []
                def __init__(cls, *a):
                    super().__init__(*a)
                    Meta.known.append(cls.__name__)
        """,
        Durable("""
            class A(metaclass=Meta):
                pass
            a = A()
        """),
        "Meta.known",
    ),
    row(
        "__init_subclass__ that registers",
        """
            class Base:
                known = []
                def __init_subclass__(cls):
                    Base.known.append(cls.__name__)
        """,
        Durable("""
            class A(Base):
                pass
            a = A()
        """),
        "Base.known",
    ),
    row(
        "__set_name__ that registers",
        """
            known = []
            class Field:
                def __set_name__(self, owner, name):
                    known.append(name)
        """,
        Durable("""
            class A:
                x = Field()
            a = A()
        """),
        "known",
    ),
    row(
        "a class body with a side effect",
        "log = []",
        Durable(
            """
            class A:
                log.append('made')
                x = 1
        """,
            computes="class body",
        ),
        "log",
    ),
    row(
        "a class attribute that is a mutable",
        Durable("""
            class A:
                seen = []
            a, b = A(), A()
            a.seen.append(1)
        """),
        "b.seen, A.seen",
    ),
    row(
        "a class attribute from before that is changed in place",
        """
            class A:
                seen = []
            a = A()
        """,
        Durable("a.seen.append(1)"),
        "A.seen",
    ),
    row(
        "an instance that refers to its class's list",
        """
            class A:
                seen = []
            a = A()
        """,
        Durable("mine = A.seen"),
        """
            mine.append(1)
            A.seen
        """,
    ),
    row(
        "a cached property",
        """
            from functools import cached_property
            class A:
                @cached_property
                def x(self):
                    return [1]
            a = A()
        """,
        Durable("y = a.x"),
        "a.x is y, vars(a)",
    ),
    row(
        "instances that refer to each other",
        POINT,
        Durable("""
            p, q = Point(1), Point(2)
            p.other, q.other = q, p
        """),
        "p.other.other is p",
    ),
    row(
        "instances as keys",
        POINT,
        Durable("""
        p = Point(1)
        d = {p: 'p'}
        s = {p}
    """),
        "d[p], p in s",
    ),
    row(
        "an instance with its own pickling",
        """
            class A:
                def __init__(self):
                    self.x, self.f = 1, len
                def __getstate__(self):
                    return {'x': self.x}
                def __setstate__(self, s):
                    self.__dict__.update(s, f=len)
        """,
        Durable("""
            a = A()
            a.x = 2
        """),
        "a.x, a.f",
    ),
    row(
        "pickle.dumps works after a restart",
        POINT,
        Durable("p = Point(1)"),
        """
            import pickle
            pickle.loads(pickle.dumps(p)).x, pickle.dumps(Point)[:2]
        """,
    ),
    row(
        "an exception of the notebook",
        Durable(
            """
                class Oops(ValueError):
                    def __init__(self, a, b):
                        self.a = a
                        super().__init__(f'{a} and {b}')
                try:
                    raise Oops(1, 2)
                except Oops as e:
                    kept = e
            """
        ),
        "type(kept) is Oops, str(kept), kept.a, kept.args",
    ),
    row("the class is defined again between", POINT, Durable("p = Point(1)"), POINT, "isinstance(p, Point)"),
]
FUNCTIONS = [
    row(
        "functions and lambdas",
        Durable("""
            def f(x, *a, k=[1], **kw):
                'doc'
                return x
            g = lambda x: f(x) + 1
            fs = [f, g]
        """),
        "f(1), g(1), fs[0] is f, f.__globals__ is globals(), f.__doc__",
    ),
    row(
        "a closure",
        Durable("""
            def adder(n):
                def add(x):
                    return x + n
                return add
            add3 = adder(3)
        """),
        "add3(1), add3.__globals__ is globals()",
    ),
    row(
        "closures that share a cell",
        Durable(
            """
                def pair():
                    n = 0
                    def up():
                        nonlocal n
                        n += 1
                    def get():
                        return n
                    return up, get
                up, get = pair()
                up()
            """
        ),
        """
            up()
            get()
        """,
    ),
    row(
        "a decorator of the user",
        """
            import functools
            def deco(f):
                @functools.wraps(f)
                def wrapper(*a):
                    return f(*a) + 1
                return wrapper
        """,
        Durable(
            """
            @deco
            def f(x):
                return x
            y = f(1)
        """,
            computes="deco",
        ),
        "f(1), f.__name__, f.__wrapped__(1)",
    ),
    row(
        "a decorated function from before",
        """
            import functools
            def deco(f):
                @functools.wraps(f)
                def wrapper(*a):
                    return f(*a) + 1
                return wrapper
            @deco
            def f(x):
                return x
        """,
        Durable("""
            y = f(1)
            g = f
        """),
        "g is f, g(1)",
    ),
    row(
        "a registry",
        """
            REG = []
            def register(f):
                REG.append(f)
                return f
        """,
        Durable(
            """
            @register
            def f():
                return 1
            z = 1
        """,
            computes="register",
        ),
        "len(REG), REG[0] is f",
    ),
    row(
        "a method of a registry as the decorator",
        """
            class App:
                def __init__(self):
                    self.routes = {}
                def route(self, path):
                    def deco(f):
                        self.routes[path] = f
                        return f
                    return deco
            app = App()
        """,
        Durable(
            """
            @app.route('/')
            def index():
                return 'hi'
            n = 1
        """,
            computes="app.route",
        ),
        "app.routes['/'] is index",
    ),
    row(
        "lru_cache",
        Durable(
            """
                from functools import lru_cache
                @lru_cache(maxsize=None)
                def fib(n):
                    return n if n < 2 else fib(n - 1) + fib(n - 2)
                y = fib(10)
            """
        ),
        "fib(11), fib.__wrapped__.__name__",
    ),
    row(
        "recursive functions",
        Durable("""
            def fact(n):
                return 1 if n < 2 else n * fact(n - 1)
            y = fact(5)
        """),
        "fact(6)",
    ),
    row(
        "mutually recursive functions in two cells",
        Durable("""
            def even(n):
                return n == 0 or odd(n - 1)
        """),
        Durable("""
            def odd(n):
                return n != 0 and even(n - 1)
            y = even(10)
        """),
        "odd(3)",
    ),
    row(
        "a generator function",
        Durable("""
            def count(n):
                yield from range(n)
            xs = list(count(3))
        """),
        "list(count(2))",
    ),
    row(
        "an async function",
        Durable("""
            import asyncio
            async def f(x):
                await asyncio.sleep(0)
                return x
            y = await f(3)
        """),
        "await f(4)",
    ),
    row(
        "partial and bound methods as outputs",
        POINT,
        Durable("""
            from functools import partial
            p = Point(4)
            f = partial(Point, 3)
            m = p.double
        """),
        "f().x, m(), m.__self__ is p, isinstance(f(), Point)",
    ),
    row(
        "defaults that depend on other statements",
        Durable(
            """
            limit = [3]
            def f(x=limit):
                return x
        """,
            computes="limit",
        ),
        "f() is limit",
    ),
    row(
        "defaults from an earlier cell",
        "limit = [3]",
        Durable("""
            def f(x=limit):
                return x
            y = f()
        """),
        "f() is limit, y is limit",
    ),
    row(
        "a default that is a call",
        "import time",
        Durable(
            """
            def f(x=time.time() * 0):
                return x
            y = 1
        """,
            computes="time.time",
        ),
        "f()",
    ),
    row(
        "annotations",
        Durable(
            """
                from __future__ import annotations
                def f(x: int, y: 'Later' = None) -> list[int]:
                    return [x]
                z: int = 3
            """
        ),
        "f.__annotations__, __annotations__",
    ),
    row(
        "a function with attributes",
        Durable("""
        def f():
            return f.n
        f.n = 7
        y = f()
    """),
        "f(), f.n",
    ),
    row(
        "a function of the store has the notebook's globals",
        Durable("""
            scale = 2
            f = lambda x: x * scale
        """),
        """
            scale = 5
            f(1), f.__globals__ is globals()
        """,
    ),
    row(
        "a function that is replaced after its definition",
        Durable("""
            def f():
                return 1
            old = f
            def f():
                return 2
        """),
        "old(), f()",
    ),
    row(
        "a function that is wrapped by hand",
        """
            def twice(g):
                return lambda x: 2 * g(x)
        """,
        Durable("""
            def f(x):
                return x
            f = twice(f)
        """),
        "f(3)",
    ),
    row(
        "singledispatch",
        Durable(
            """
                from functools import singledispatch
                @singledispatch
                def show(x):
                    return 'any'
                @show.register
                def _(x: int):
                    return 'int'
                y = show(1)
            """,
            computes="show.register",
        ),
        "show(2), show('')",
    ),
    row(
        "registering with a dispatcher from before",
        """
            from functools import singledispatch
            @singledispatch
            def show(x):
                return 'any'
        """,
        Durable("show.register(int, lambda x: 'int');", computes="show"),
        "show(2), show('')",
    ),
    row(
        "contextlib's contextmanager",
        Durable(
            """
                from contextlib import contextmanager
                @contextmanager
                def cm():
                    yield 4
                with cm() as x:
                    y = x
            """
        ),
        """
            with cm() as z:
                print(z, y)
        """,
    ),
    row(
        "functions in a dict",
        Durable("""
            ops = {'add': lambda a, b: a + b, 'mul': lambda a, b: a * b}
            y = ops['add'](1, 2)
        """),
        "ops['mul'](2, 3)",
    ),
    row(
        "lambdas bound late",
        Durable("""
            fs = [lambda: i for i in range(3)]
            gs = []
            for j in range(3):
                gs.append(lambda: j)
        """),
        """
            j = 10
            [f() for f in fs], [g() for g in gs]
        """,
    ),
    row(
        "a function deletes and makes globals",
        """
            old = 1
            def swap():
                global old, new
                new = old + 1
                del old
        """,
        Durable("swap()"),
        "print(new, 'old' in globals())",
    ),
    row(
        "functions that refer to each other by default",
        Durable("""
            def a(n, b=None):
                return n
            def c(n, d=a):
                return d(n)
            y = c(1)
        """),
        "c.__defaults__[0] is a",
    ),
]
ROWS = [*CLASSES, *FUNCTIONS]
