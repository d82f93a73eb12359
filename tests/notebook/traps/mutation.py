"""Cells that change objects which were there before, and objects that are shared."""

from traps.row import Durable, row

NUMPY = "import numpy as np"
PANDAS = "import pandas as pd"
ESTIMATOR = """
class Mean:
    def fit(self, xs):
        self.mean_ = sum(xs) / len(xs)
        return self
model = Mean()
"""

IN_PLACE = [
    row("a list grows", "xs = [1]", Durable("xs.append(2)"), "print(xs)"),
    row("a list is sorted", "xs = [3, 1, 2]", Durable("xs.sort()"), "xs"),
    row("an item is assigned", "d = {'a': [1]}", Durable("d['b'] = 2"), "d"),
    row("an item is deleted", "d = {'a': 1, 'b': 2}", Durable("del d['a']"), "d"),
    row(
        "an attribute is assigned",
        """
        class A:
            pass
        a = A()
    """,
        Durable("a.x = [1]"),
        "print(a.x)",
    ),
    row(
        "an attribute is deleted",
        """
        class A:
            pass
        a = A()
        a.x = 1
    """,
        Durable("del a.x"),
        "vars(a)",
    ),
    row(
        "a set and a deque grow",
        """
            from collections import deque
            s, q = {1}, deque([1], 3)
        """,
        Durable("s.add(2); q.extend([2, 3, 4])"),
        "s, q",
    ),
    row("a slice is assigned", "xs = [1, 2, 3, 4]", Durable("xs[1:3] = []"), "xs"),
    row(
        "a dict is updated through a view of it",
        """
            d = {'a': [1]}
            values = d.values()
        """,
        Durable(
            """
            for each in values:
                each.append(2)
        """,
            refused="values is a dict_values",
        ),
        "d",
    ),
    row(
        "augmented assignment to a list changes it",
        """
            xs = [1]
            alias = xs
        """,
        Durable("xs += [2]"),
        "alias, alias is xs",
    ),
    row(
        "augmented assignment to a tuple rebinds it",
        """
            xs = (1,)
            alias = xs
        """,
        Durable("xs += (2,)"),
        "alias, xs",
    ),
    row(
        "a nested object deep inside",
        "d = {'a': [{'b': {1: [0]}}]}",
        Durable("d['a'][0]['b'][1].append(1)"),
        "d",
    ),
    row("a bytearray and its memoryview", "b = bytearray(b'abc')", Durable("b[0] = 90"), "b"),
    row(
        "the instance's dictionary",
        """
        class A:
            pass
        a = A()
    """,
        Durable("vars(a)['x'] = 1"),
        "a.x",
    ),
    row(
        "an attribute of a class",
        """
            class A:
                count = 0
            a = A()
        """,
        Durable("A.count = 5", computes="A.count"),
        "print(a.count, A.count)",
    ),
    row(
        "an attribute of a function",
        """
            def f():
                return f.calls
            f.calls = 0
        """,
        Durable("f.calls += 1", computes="f.calls"),
        "f()",
    ),
    row(
        "a counter in the class, by its instances",
        """
            class A:
                made = 0
                def __init__(self):
                    A.made += 1
        """,
        Durable("a = A()", computes="A.made"),
        "A.made",
    ),
    row("an estimator is fitted", ESTIMATOR, Durable("model.fit([1, 2, 3]);"), "model.mean_"),
    row(
        "a fitted estimator has another name",
        ESTIMATOR,
        Durable("fitted = model.fit([1, 2, 3])"),
        "fitted is model, fitted.mean_",
    ),
    row(
        "scikit-learn's estimator",
        """
            from sklearn.linear_model import LinearRegression
            model = LinearRegression()
        """,
        Durable("model.fit([[0], [1]], [0, 1]);"),
        "print(model.coef_)",
    ),
]
WAYS = [
    row(
        "through a helper",
        """
        xs = [1]
        def grow(them):
            them.append(2)
    """,
        Durable("grow(xs)"),
        "xs",
    ),
    row(
        "through a helper that knows the name",
        """
            xs = [1]
            def grow():
                xs.append(2)
        """,
        Durable("grow()"),
        "xs",
    ),
    row(
        "through an alias",
        """
        xs = [1]
        ys = xs
    """,
        Durable("ys.append(2)"),
        "xs",
    ),
    row(
        "through an alias made in the cell",
        "xs = [1]",
        Durable("""
        ys = xs
        ys.append(2)
    """),
        "xs, xs is ys",
    ),
    row(
        "through a closure",
        """
            def counter():
                n = []
                def count():
                    n.append(1)
                    return len(n)
                return count
            count = counter()
        """,
        Durable("a = count()"),
        "count()",
    ),
    row(
        "through a nonlocal name",
        """
            def counter():
                n = 0
                def count():
                    nonlocal n
                    n += 1
                    return n
                return count
            count = counter()
        """,
        Durable("a = count()", computes="count.n anew"),
        "count()",
    ),
    row(
        "through a default argument",
        """
            def remember(x, seen=[]):
                seen.append(x)
                return seen
        """,
        Durable("a = remember(1)"),
        "print(remember(2), a)",
    ),
    row(
        "through a bound method",
        """
        xs = [1]
        add = xs.append
    """,
        Durable("add(2)"),
        "xs",
    ),
    row(
        "through a partial",
        """
            from functools import partial
            xs = [1]
            add = partial(xs.extend, [2, 3])
        """,
        Durable("add()"),
        "xs",
    ),
    row(
        "through a lambda",
        """
        xs = [1]
        add = lambda x: xs.append(x)
    """,
        Durable("add(2)"),
        "xs",
    ),
    row(
        "through a property",
        """
            class A:
                def __init__(self):
                    self.log = []
                @property
                def x(self):
                    self.log.append('read')
                    return 1
            a = A()
        """,
        Durable("y = a.x"),
        "a.log",
    ),
    row(
        "through setattr",
        """
        class A:
            pass
        a = A()
    """,
        Durable("setattr(a, 'x', [1])"),
        "a.x",
    ),
    row(
        "through operator",
        """
        import operator
        d = {}
    """,
        Durable("operator.setitem(d, 'a', 1)"),
        "d",
    ),
    row("through a comprehension", "xs = [[1], [2]]", Durable("[x.append(0) for x in xs]"), "xs"),
    row(
        "through an iterator of a list",
        "it = iter([1, 2, 3])",
        Durable("first = next(it)", computes="used up"),
        "list(it)",
    ),
    row(
        "an iterator over a list that has a name",
        """
            xs = [1, 2, 3]
            it = iter(xs)
        """,
        Durable("first = next(it)", computes="used up"),
        """
            xs.append(4)
            list(it)
        """,
    ),
    row(
        "a context manager changes it",
        """
            from contextlib import contextmanager
            log = []
            @contextmanager
            def noting():
                log.append('in')
                yield
                log.append('out')
        """,
        Durable("""
            with noting():
                x = 1
        """),
        "log",
    ),
    row(
        "a counter that is global",
        """
            n = 0
            def count():
                global n
                n += 1
                return n
        """,
        Durable("a = count()"),
        "n, a",
    ),
    row(
        "shuffled by a seeded generator",
        """
            import random
            rng = random.Random(1)
            xs = list(range(9))
        """,
        Durable("rng.shuffle(xs)"),
        "print(xs, rng.random())",
    ),
    row(
        "a lock is an output",
        Durable(
            """
        import threading
        lock = threading.Lock()
    """,
            computes="lock",
        ),
    ),
]
ARRAYS = [
    row(
        "an output is a view of an input", NUMPY, "X = np.zeros(4)", Durable("half = X[:2]"), "half[:] = 7; X"
    ),
    row("an output is a view of another", NUMPY, Durable("X = np.zeros(4); half = X[:2]"), "half[:] = 7; X"),
    row(
        "two outputs are views of what is gone",
        NUMPY,
        Durable("a = (b := np.arange(9.0)[2:])[::-2]"),
        "b[:] = 7; a",
    ),
    row(
        "columns of one table, and rows that do not overlap",
        NUMPY,
        """
            table = np.arange(12).reshape(3, 4)
        """,
        Durable("X, y, first, last = table[:, :-1], table[:, -1], table[:1], table[-1:]"),
        "X[:] = 0; table, y, first, last",
    ),
    row(
        "views of a view that is an input",
        NUMPY,
        "half = np.zeros(8)[4:]",
        Durable("tail, back = half[2:], half[::-1]"),
        "half[:] = 1; tail, back",
    ),
    row(
        "a view of an input that was changed",
        NUMPY,
        "X = np.zeros(4)",
        Durable("X[0] = 5; half = X[:2]"),
        "half[1] = 7; X",
    ),
    row(
        "windows and diagonals",
        NUMPY,
        Durable("x = np.arange(6.0); w = np.lib.stride_tricks.sliding_window_view(x, 3)"),
        "x[0] = 9; w",
    ),
    row(
        "columns of an array in Fortran order",
        NUMPY,
        Durable("F = np.asfortranarray(np.arange(6.0).reshape(2, 3)); column = F[:, 1]"),
        "column[:] = 0; F",
    ),
    row(
        "other layout of an equal input",
        NUMPY,
        "X = np.arange(6.0).reshape(2, 3)",
        Durable("row0 = X[0]"),
        "row0[:] = 0; X",
        edited=[
            NUMPY,
            "X = np.asfortranarray(np.arange(6.0).reshape(2, 3))",
            Durable("row0 = X[0]", computes="kept"),
            "row0[:] = 0; X",
        ],
    ),
    row(
        "an array of objects and its view",
        NUMPY,
        Durable("X = np.array([[1], None, 3], dtype=object); v = X[1:]", computes="shares memory"),
        "v[0] = 2; X",
    ),
    row(
        "a large array and its view in a dict",
        NUMPY,
        Durable("X = np.zeros(4000); d = {'x': X[10:]}"),
        "d['x'][0] = 1; X[10]",
    ),
    row(
        "an array is changed through a view",
        NUMPY,
        """
            X = np.zeros(4)
            half = X[:2]
        """,
        Durable("half[:] = 7"),
        "print(X, half)",
    ),
    row(
        "an array is changed that has a view",
        NUMPY,
        """
            X = np.zeros(4)
            half = X[:2]
        """,
        Durable("X[:] = 7"),
        "print(X, half)",
    ),
    row(
        "np.put, out= and a ufunc's at",
        NUMPY,
        "X = np.zeros(4)",
        Durable("""
            np.put(X, [0], 5)
            np.add(X, 1, out=X)
            np.add.at(X, [1], 3)
        """),
        "X",
    ),
    row(
        "a transposed array",
        NUMPY,
        "X = np.arange(6).reshape(2, 3)",
        Durable("""
            T = X.T.copy(order='K')
            X.T[0] = 9
        """),
        "print(X, T)",
    ),
    row(
        "a read-only array",
        NUMPY,
        Durable("""
            X = np.arange(3)
            X.flags.writeable = False
        """),
        "X.flags.writeable",
    ),
    row(
        "an array of objects",
        NUMPY,
        """
            inner = [1]
            X = np.array([inner, None], dtype=object)
        """,
        Durable("X[0].append(2)"),
        "inner",
    ),
    row(
        "a memoryview of an array is not kept",
        NUMPY,
        "X = np.zeros(3)",
        Durable("m = memoryview(X)", computes="m"),
        """
            X[0] = 1
            m[0]
        """,
    ),
]
FRAMES = [
    row(
        "a frame, what was made of it, and a column are no views of each other",
        PANDAS,
        Durable("""
            df = pd.DataFrame({'a': [1, 2], 's': ['x', 'y'], 'n': pd.array([1, None])})
            other, s = df.rename(columns={'a': 'b'}), df['s']
        """),
        "df.loc[0] = [9, 'Q', 7]; s[1] = 'R'; print(df, other, s)",
    ),
    row(
        "a frame and an array under it",
        PANDAS,
        Durable("df = pd.DataFrame({'a': [1.0, 2.0]}); X = df.to_numpy().copy(); v = X[:1]"),
        "v[:] = 5; print(df, X)",
    ),
    row(
        "a frame gets a column",
        PANDAS,
        """
            df = pd.DataFrame({'a': [1, 2]})
            frames = [df]
        """,
        Durable("df['b'] = df['a'] * 2"),
        "print(frames[0])",
    ),
    row(
        "a frame is changed by loc and in place",
        PANDAS,
        "df = pd.DataFrame({'a': [2, 1], 'b': [None, 'x']})",
        Durable("""
            df.loc[0, 'a'] = 9
            df.loc[5] = [1, None]
            df.columns = ['c', 'd']
        """),
        "print(df)",
    ),
    row(
        "a column is a copy",
        PANDAS,
        "df = pd.DataFrame({'a': [1, 2]})",
        Durable("s = df['a']"),
        """
            s.iloc[0] = 9
            print(df, s)
        """,
    ),
    row(
        "a frame over an array",
        PANDAS,
        NUMPY,
        """
            X = np.zeros((2, 2))
            df = pd.DataFrame(X, copy=False)
        """,
        Durable("X[0, 0] = 5"),
        "print(df)",
    ),
    row(
        "attributes of a frame",
        PANDAS,
        "df = pd.DataFrame({'a': [1]})",
        Durable("df.attrs['unit'] = 'm'"),
        "df.attrs",
    ),
    row(
        "the name and the index of a series",
        PANDAS,
        "s = pd.Series([1, 2])",
        Durable("""
            s.name = 'n'
            s.index = ['x', 'y']
        """),
        "print(s)",
    ),
]
SHARING = [
    row(
        "an object in a set is changed",
        """
            class K:
                def __init__(self, x):
                    self.x = x
            ks = {K(i) for i in range(5)}
            alias = next(each for each in ks if each.x == 3)
        """,
        Durable("for k in ks: k.x += 1; k = None"),
        "alias.x, sorted(each.x for each in ks)",
    ),
    row(
        "an output is an element of a set",
        """
            class K:
                def __init__(self, x):
                    self.x = x
            ks = frozenset(K(i) for i in range(5))
        """,
        Durable("k = next(each for each in ks if each.x == 3)"),
        "k in ks",
    ),
    row(
        "another name sees the change",
        """
            xs = [1]
            outer = {'inner': [xs]}
        """,
        Durable("xs.append(2)"),
        "print(outer, outer['inner'][0] is xs)",
    ),
    row(
        "frames that hold it",
        PANDAS,
        """
            df = pd.DataFrame({'a': [1]})
            frames = [df]
        """,
        Durable("frames[0]['b'] = 2"),
        "print(df, frames[0] is df)",
    ),
    row(
        "two outputs are one object",
        Durable("""
        a = [1]
        b = a
    """),
        """
        b.append(2)
        a
    """,
    ),
    row(
        "an output holds another",
        Durable("""
        a = [1]
        b = {'a': a, 'again': [a]}
    """),
        """
        b['a'].append(2)
        a
    """,
    ),
    row(
        "an output is an input",
        "a = [1]",
        Durable("b = a"),
        """
        b.append(2)
        a
    """,
    ),
    row(
        "an output holds an input",
        "a = [1]",
        Durable("b = {'a': a}"),
        """
        b['a'].append(2)
        a
    """,
    ),
    row(
        "an output is a part of an input",
        "d = {'a': [1]}",
        Durable("part = d['a']"),
        """
        part.append(2)
        d
    """,
    ),
    row(
        "a part of a part",
        "d = {'a': [{'b': [1]}]}",
        Durable("part = [d['a'][0]]"),
        """
            part[0]['b'].append(2)
            d
        """,
    ),
    row(
        "an output is a part of what a helper holds",
        """
            d = {'a': [1]}
            def get():
                return d['a']
        """,
        Durable("part = get()"),
        """
            part.append(2)
            d
        """,
    ),
    row(
        "an output is an attribute of an input",
        """
            class A:
                pass
            a = A()
            a.xs = [1]
        """,
        Durable("xs = a.xs"),
        """
            xs.append(2)
            a.xs
        """,
    ),
    row(
        "outputs made of one part of an input",
        "d = {'a': [1]}",
        Durable("""
            p = d['a']
            q = [d['a']]
        """),
        """
            p.append(2)
            print(d, q)
        """,
    ),
    row(
        "a list of dicts is filtered",
        "rows = [{'n': 1}, {'n': 2}]",
        Durable("big = [r for r in rows if r['n'] > 1]"),
        """
            big[0]['n'] = 7
            rows
        """,
    ),
    row(
        "a changed input holds another input",
        "a, b = [1], []",
        Durable("b.append(a)"),
        """
        a.append(2)
        b
    """,
    ),
    row(
        "a changed input keeps its parts",
        """
            inner = [1]
            d = {'inner': inner}
        """,
        Durable("d['more'] = 2"),
        """
            inner.append(2)
            d
        """,
    ),
    row(
        "a part of a changed input",
        "d = {'a': [1]}",
        Durable("""
            d['b'] = 2
            part = d['a']
        """),
        """
            part.append(3)
            d
        """,
    ),
    row(
        "an input is put in another's place",
        "a, b = [1], [2]",
        Durable("a, b = b, a"),
        """
            a.append(0)
            print(a, b)
        """,
    ),
    row(
        "one of two names is rebound",
        """
        a = [1]
        b = a
    """,
        Durable("a = a + [2]"),
        "a, b",
    ),
    row(
        "one of two names is rebound and the other changed",
        """
            a = [1]
            b = a
        """,
        Durable("""
            b.append(3)
            a = [0]
        """),
        "a, b",
    ),
    row(
        "an object that is nowhere else any more",
        """
            a = [1]
            b = [a]
        """,
        Durable("""
            a.append(2)
            a = None
        """),
        "a, b",
    ),
    row(
        "a list that holds itself",
        Durable("""
        a = [1]
        a.append(a)
    """),
        "a[1] is a",
    ),
    row(
        "two that hold each other, one of them an input",
        "a = {}",
        Durable("""
            b = {'a': a}
            a['b'] = b
        """),
        "a['b'] is b, b['a'] is a",
    ),
    row(
        "a shared key",
        """
        key = (1, [2][0])
        class K:
            pass
        k = K()
    """,
        Durable("d = {k: 1}"),
        "d[k]",
    ),
    row(
        "a default dict with a factory of the notebook",
        """
            from collections import defaultdict
            def make():
                return [0]
        """,
        Durable("""
            d = defaultdict(make)
            d['a']
        """),
        "d['b']",
    ),
    row(
        "a cell over what it changed itself",
        "xs = [1]",
        Durable("xs.append(len(xs))"),
        Durable("xs.append(len(xs))"),
        "xs",
    ),
    row(
        "the same cell twice on a counter",
        "n = 0",
        Durable("n = n + 1", "count"),
        Durable("n = n + 1", "count"),
        "n",
    ),
    row(
        "None, True and small texts have no identity",
        """
            a = None
            t = 'text'
        """,
        Durable("""
            b = a
            u = t
            flags = [True, b]
        """),
        "b is a, flags",
    ),
    row(
        "an object is put into a library's registry",
        """
            import json
            log = []
        """,
        Durable("""
            json.log = log
            log.append(1)
        """),
        "log",
    ),
]
ROWS = [*IN_PLACE, *WAYS, *ARRAYS, *FRAMES, *SHARING]
