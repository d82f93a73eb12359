"""How cells read, bind and delete names."""

from traps.row import Durable, row

READING = [
    row(
        "read before it is written",
        "x = [1]",
        Durable("""
        y = x + [2]
        x = [9]
    """),
        "x, y",
    ),
    row(
        "augmented assignment",
        "n = 1",
        Durable("""
        n += 1
        n *= 3
    """),
        "n",
    ),
    row(
        "only in an f-string",
        "name = ['a']",
        Durable("text = f'{name[0]!r:>5}'"),
        "text",
        edited=["name = ['b']", Durable("text = f'{name[0]!r:>5}'", computes="computed"), "text"],
    ),
    row(
        "only in a nested function's default",
        "base = [1]",
        Durable("""
            def outer():
                def inner(x=base):
                    return x
                return inner()
            y = outer()
        """),
        "y is base",
        edited=[
            "base = [2]",
            Durable(
                """
                    def outer():
                        def inner(x=base):
                            return x
                        return inner()
                    y = outer()
                """,
                computes="computed",
            ),
            "y is base",
        ],
    ),
    row(
        "only in a comprehension's condition",
        "low = [2]",
        Durable("ys = [x for x in range(5) if x > low[0]]"),
        "ys",
        edited=["low = [3]", Durable("ys = [x for x in range(5) if x > low[0]]", computes="computed"), "ys"],
    ),
    row(
        "only in a keyword argument",
        "rev = [True]",
        Durable("ys = sorted([1, 2], reverse=rev[0])"),
        "ys",
        edited=["rev = [False]", Durable("ys = sorted([1, 2], reverse=rev[0])", computes="computed"), "ys"],
    ),
    row(
        "only in a slice",
        "cut = [1]",
        Durable("ys = [1, 2, 3][cut[0]:]"),
        "ys",
        edited=["cut = [2]", Durable("ys = [1, 2, 3][cut[0]:]", computes="computed"), "ys"],
    ),
    row(
        "a number in a helper of a helper",
        """
            k = 1
            def a():
                return k
            def b():
                return a()
        """,
        Durable("y = b()"),
        "y",
        edited=[
            """
                k = 2
                def a():
                    return k
                def b():
                    return a()
            """,
            Durable("y = b()", computes="computed"),
            "y",
        ],
    ),
    row(
        "an attribute of an object",
        """
            class C:
                pass
            c = C()
            c.x = 1
        """,
        Durable("y = c.x"),
        "y",
        edited=[
            """
            class C:
                pass
            c = C()
            c.x = 2
        """,
            Durable("y = c.x", computes="computed"),
            "y",
        ],
    ),
    row(
        "the same value by another road is replayed",
        "x = [1, 2]",
        Durable("y = sum(x)"),
        "y",
        edited=["x = list(range(1, 3))", Durable("y = sum(x)"), "y"],
    ),
    row(
        "1, 1.0 and True are not the same",
        "x = [1]",
        Durable("y = x[0]"),
        "y",
        edited=["x = [True]", Durable("y = x[0]", computes="computed"), "y"],
    ),
    row(
        "__name__",
        Durable("""
        n = __name__
        main = n == '__main__'
    """),
        "n, main",
    ),
    row(
        "__file__ and __doc__ of the notebook",
        Durable("""
            d = __doc__
            has = '__file__' in dir(__builtins__)
        """),
        "has",
    ),
    row("the last result", "5", Durable("y = _ + 1", computes="_"), "y"),
    row("Out and In", "5", Durable("y = len(Out) > 0", computes="Out"), "y"),
    row(
        "names with underscores",
        "_x, __y = [1], [2]",
        Durable("""
        _z = _x + __y
        __w__ = 3
    """),
        "_z, __w__",
    ),
    row(
        "a name that is missing is the same error",
        Durable("y = nowhere_defined", refused="NameError"),
        "1",
    ),
    row(
        "conditional on whether a name is there",
        Durable(
            """
            try:
                cache
            except NameError:
                cache = {}
            cache['a'] = 1
        """,
            "c",
        ),
        Durable(
            """
            try:
                cache
            except NameError:
                cache = {}
            cache['a'] = 1
        """,
            "c",
        ),
        "cache",
    ),
    row(
        "type() of an undefined name in a lambda that is never called",
        Durable("""
            f = lambda: undefined
            y = 1
        """),
        "y",
    ),
]
BINDING = [
    row(
        "a comprehension has a scope of its own", "x = 'out'", Durable("ys = [x for x in range(3)]"), "x, ys"
    ),
    row(
        "a walrus",
        Durable("""
        if (n := 3) > 2:
            m = n
        ys = [last := i for i in range(3)]
    """),
        "n, m, last",
    ),
    row(
        "the loop's variable stays",
        Durable("""
        for i in range(3):
            for j in 'ab':
                pass
    """),
        "i, j",
    ),
    row(
        "a loop over nothing binds nothing",
        """
        i = 'before'
        xs = []
    """,
        Durable("""
        for i in xs:
            pass
    """),
        "i",
    ),
    row(
        "with as",
        Durable(
            """
            import io
            with io.StringIO('a') as f:
                text = f.read()
        """,
            computes="StringIO",
        ),
        "text, f.closed",
    ),
    row(
        "except as is deleted",
        Durable("""
            try:
                1 / 0
            except ZeroDivisionError as e:
                kept = str(e)
        """),
        "kept, 'e' in globals()",
    ),
    row(
        "except as deletes what was there",
        "e = 5",
        Durable("""
            try:
                1 / 0
            except ZeroDivisionError as e:
                pass
            y = 1
        """),
        "'e' in globals()",
    ),
    row(
        "deleted then used again",
        Durable("""
        x = [1]
        y = x
        del x
        x = [2]
    """),
        "x, y",
    ),
    row("deleted", "x, keep = [1], [2]", Durable("del x"), "'x' in globals(), keep"),
    row(
        "deleted by a function",
        """
            x = [1]
            def drop():
                global x
                del x
        """,
        Durable("drop()"),
        "'x' in globals()",
    ),
    row(
        "unpacking with a star",
        Durable("""
            first, *rest = [1, 2, 3]
            (a, [b, *c]), d = (1, [2, 3]), 4
        """),
        "first, rest, a, b, c, d",
    ),
    row(
        "captures of a match",
        "thing = {'k': [1, 2], 'z': 3}",
        Durable("""
            match thing:
                case {'k': [a, *b], **rest}:
                    got = a
        """),
        "a, b, rest, got",
    ),
    row(
        "a match that does not match",
        "thing = 5",
        Durable("""
            match thing:
                case [x]:
                    got = x
                case _:
                    got = None
        """),
        "got, 'x' in globals()",
    ),
    row(
        "import as, from, of a submodule",
        Durable(
            """
                import os.path as p, json
                from collections import OrderedDict as OD
                import xml.dom
                d = OD(a=1)
            """
        ),
        "p.join('a', 'b'), json.dumps(1), d, xml.dom.__name__",
    ),
    row(
        "import in a function",
        Durable(
            """
                def f():
                    import math
                    global sqrt
                    from math import sqrt
                    return math.pi > 3
                y = f()
            """
        ),
        "y, sqrt(4), 'math' in globals()",
    ),
    row(
        "shadowed builtins",
        Durable("""
        list = [1]
        sum = 3
        id = 'x'
    """),
        "list, sum, id",
        "del list, sum, id",
    ),
    row(
        "shadowed builtins as inputs",
        "len = lambda x: 42",
        Durable("n = len([1])"),
        "n",
        edited=[Durable("n = len([1])", computes="computed"), "n"],
    ),
    row(
        "conditional assignment",
        "flag = [True]",
        Durable("""
            if flag[0]:
                a = 1
            else:
                b = 2
        """),
        "'a' in globals(), 'b' in globals()",
        edited=[
            "flag = [False]",
            Durable(
                """
                if flag[0]:
                    a = 1
                else:
                    b = 2
            """,
                computes="computed",
            ),
            "'a' in globals(), 'b' in globals()",
        ],
    ),
    row(
        "conditional assignment keeps what was there",
        """
            a = 'old'
            flag = [False]
        """,
        Durable("""
            if flag[0]:
                a = 1
        """),
        "a",
    ),
    row(
        "a conditional assignment over another old value",
        """
            a = ['old']
            flag = [False]
        """,
        Durable("""
            if flag[0]:
                a = 1
            z = 1
        """),
        "a",
        edited=[
            """
            a = ['other']
            flag = [False]
        """,
            Durable(
                """
            if flag[0]:
                a = 1
            z = 1
        """,
                computes="kept",
            ),
            "a",
        ],
    ),
    row(
        "global in a nested function",
        Durable("""
            def f():
                def g():
                    global made
                    made = [1]
                g()
            f()
        """),
        "made",
    ),
    row(
        "nonlocal",
        Durable(
            """
                def f():
                    n = 0
                    def g():
                        nonlocal n
                        n += 1
                        return n
                    g()
                    return g()
                y = f()
            """
        ),
        "y",
    ),
    row(
        "a class of the same name as a variable",
        "A = [1]",
        Durable("""
            old = A
            class A:
                x = 1
        """),
        "old, A.x",
    ),
    row(
        "a def of the same name as a variable",
        Durable("""
        f = 1
        def f():
            return 2
        f = 3
    """),
        "f",
    ),
    row(
        "for with else, while with break",
        Durable("""
            for i in range(3):
                pass
            else:
                done = True
            while True:
                once = 1
                break
        """),
        "i, done, once",
    ),
    row(
        "try with else and finally",
        Durable("""
            try:
                a = 1
            except ValueError:
                b = 2
            else:
                c = 3
            finally:
                d = 4
        """),
        "a, c, d",
    ),
    row("tuple assignment swaps", "a, b = [1], [2]", Durable("a, b = b, a"), "a, b"),
    row(
        "chained assignment",
        Durable("a = b = c = []"),
        """
        a.append(1)
        b, c
    """,
    ),
    row("assigning an item does not bind", "d = {}", Durable("d['x'], y = 1, 2"), "d, y"),
    row(
        "annotations at the top",
        Durable("""
        x: int = 1
        y: 'str'
    """),
        "x, 'y' in globals(), __annotations__",
    ),
]
HIDDEN = [
    row("exec", Durable("exec('made = 1')", computes="exec"), "made"),
    row("globals()", Durable("globals()['made'] = 1", computes="can't be seen"), "made"),
    row(
        "setattr on the main module",
        "import sys",
        Durable("setattr(sys.modules['__main__'], 'made', [1])"),
        "made",
    ),
    row(
        "a helper that uses globals()",
        """
            def put(name):
                globals()[name] = [1]
        """,
        Durable("put('made')"),
        "made",
    ),
    row(
        "a helper that uses exec",
        """
            def put(text):
                exec(text, globals())
        """,
        Durable("put('made = [2]')"),
        "made",
    ),
    row(
        "a star import",
        Durable(
            """
        from math import *
        y = floor(pi)
    """,
            computes="star",
        ),
        "y",
    ),
    row(
        "%run",
        "open('script.py', 'w').write('made = 3');",
        Durable("%run script.py", computes="%run"),
        "made",
    ),
    row(
        "the shell's output",
        Durable("""
        x = !echo hello
        y = list(x)
    """),
        "y",
    ),
    row(
        "a line magic that is harmless",
        Durable("""
            x = 1
            %pwd
            y = 2
        """),
        "x, y",
    ),
    row("the shell's push", Durable("get_ipython().push({'made': 1})", computes="can't be seen"), "made"),
    row("a semicolon and a last expression", Durable("x = 1; x + 1;"), "x"),
    row("an empty cell, and one of comments", Durable(""), Durable("# only a comment"), "1"),
    row(
        "the last expression is None",
        Durable("""
        x = [1]
        x.append(2)
    """),
        "x",
    ),
    row(
        "the last result is an input",
        "xs = [1]",
        Durable("""
        y = 1
        xs
    """),
        "_ is xs",
    ),
    row(
        "a large int and a name beginning with <",
        Durable("""
        big = 10 ** 40
        d = {'<changed>': 1}
    """),
        "big, d",
    ),
]
ROWS = [*READING, *BINDING, *HIDDEN]
