"""Cells that change objects which were there before."""

from traps.row import Durable, row

ROWS = [
    row("a list grows", "xs = [1]", Durable("xs.append(2)"), "print(xs)"),
    row("a list is sorted", "xs = [3, 1, 2]", Durable("xs.sort()"), "xs"),
    row("an item is assigned", "d = {'a': [1]}", Durable("d['b'] = 2"), "d"),
    row("an attribute is assigned", "class A:\n    pass\na = A()", Durable("a.x = [1]"), "print(a.x)"),
    row(
        "another name sees the change",
        "xs = [1]\nouter = {'inner': [xs]}",
        Durable("xs.append(2)"),
        "print(outer, outer['inner'][0] is xs)",
    ),
    row(
        "a frame gets a column",
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\nframes = [df]",
        Durable("df['b'] = df['a'] * 2"),
        "print(frames[0])",
    ),
    row(
        "two outputs are one object",
        Durable("a = [1]\nb = a"),
        "b.append(2)\na",
    ),
    row("a lock is an output", Durable("import threading\nlock = threading.Lock()", computes="lock")),
]
