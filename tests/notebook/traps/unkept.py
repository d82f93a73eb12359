"""Cells that make, read or use up what has no content: connections, locks, iterators, open files."""

from traps.row import Durable, row

CONNECT = (
    "import sqlite3\n"
    "sqlite3.connect('x.db').executescript('create table if not exists t as select 1 a').close()\n"
    "conn = sqlite3.connect('x.db')"
)
READ = "rows = conn.execute('select count(*) from t').fetchall()"


def makes(id, code, part, later="print(w)"):
    return row(id, Durable(f"{code}\nw = 3", computes=part), later)


ROWS = [
    row(
        "an object that refuses to be pickled and holds data, which the cell changes",
        "class Engine:\n    def __init__(self):\n        self.log, self.me = [], self\n"
        "    def __reduce_ex__(self, protocol):\n        raise TypeError('no')\nengine = Engine()",
        Durable("engine.log.append(1)"),
        "print(engine.log)",
    ),
    makes("a lock", "import threading\nlock = threading.Lock()", "lock is a _thread.lock"),
    makes(
        "a running thread",
        "import threading\nt = threading.Thread(target=len, args=('',))\nt.start()\nt.join()",
        "t.",
        "print(w)\ndel t",
    ),
    makes("a generator", "g = (n for n in range(5))", "g is a generator"),
    makes(
        "a generator that is half used",
        "g = (n for n in range(5))\nnext(g)",
        "g is a generator",
        "print(w, next(g))",
    ),
    makes(
        "a half-used iterator of a file",
        "open('f', 'w').write('a\\nb\\n')\nlines = iter(open('f'))\nnext(lines)",
        "lines",
    ),
    makes("an open file", "f = open('f', 'w')", "f is a _io.TextIOWrapper"),
    makes("a connection", CONNECT, "conn is a sqlite3.Connection"),
    makes("a socket", "import socket\ns = socket.socket()", "s is a socket.socket", "s.close()"),
    makes(
        "a process",
        "import subprocess\np = subprocess.Popen(['true'])\np.wait()\nn = p.returncode",
        "p.",
        "print(w)\ndel p",
    ),
    row(
        "a part deep inside an object",
        "import threading\nclass Logger:\n    def __init__(self):\n        self._lock = threading.Lock()\n"
        "class Model:\n    def __init__(self):\n        self.logger = Logger()",
        Durable("model = Model()", computes="model.logger._lock"),
        "print(type(model).__name__)",
    ),
    row(
        "a generator is an input",
        "numbers = (n for n in range(5))",
        Durable("first = next(numbers)", computes="used up"),
        "print(first, next(numbers))",
    ),
    row(
        "an open file is an input",
        "open('f', 'w').write('a\\nb\\n')\nf = open('f')",
        Durable("line = f.readline()", computes="used up"),
        "print(line, f.readline())",
    ),
    row(
        "a queue is an input",
        "import queue\nq = queue.Queue()\nq.put(1)",
        Durable("x = q.get()", computes="used up"),
        "print(x, q.empty())",
    ),
    row(
        "a lock is an input",
        "import threading\nlock = threading.Lock()",
        Durable("with lock:\n    x = 1"),
        "print(x, lock.locked())",
    ),
    row("a connection is an input", CONNECT, Durable(READ), "print(rows)"),
    row(
        "a connection is read by a helper",
        CONNECT,
        "def count():\n    return conn.execute('select count(*) from t').fetchone()",
        Durable("n = count()"),
        "print(n)",
    ),
    row(
        "a connection that the cell writes through",
        "import sqlite3\nconn = sqlite3.connect(':memory:')\nconn.execute('create table t (a)').close()",
        Durable("conn.execute('insert into t values (1)').close()\nw = 1", computes="conn is a sqlite3"),
        "print(conn.execute('select * from t').fetchall())",
    ),
    row(
        "another connection computes again",
        "path = 'x.db'",
        CONNECT.replace("'x.db'", "path"),
        Durable(READ),
        edited=(
            "path = 'y.db'",
            CONNECT.replace("'x.db'", "path"),
            Durable(READ, computes="computed"),
            "print(rows)",
        ),
    ),
    row(
        "a plain cell that used the connection before computes again when it changes",
        "import sqlite3\nconn = sqlite3.connect(':memory:')",
        "conn.executescript('create table t as select 1 a').close()",
        Durable(READ + "\nrows += conn.execute('select a from t').fetchall()"),
        edited=(
            "import sqlite3\nconn = sqlite3.connect(':memory:')",
            "conn.executescript('create table t as select 2 a').close()",
            Durable(READ + "\nrows += conn.execute('select a from t').fetchall()", computes="computed"),
            "print(rows)",
        ),
    ),
    row(
        "an alias of the connection is used before",
        "import sqlite3\nconn = sqlite3.connect(':memory:')\nbox = [conn]",
        "box[0].executescript('create table t as select 1 a').close()",
        Durable("rows = conn.execute('select a from t').fetchall()"),
        edited=(
            "import sqlite3\nconn = sqlite3.connect(':memory:')\nbox = [conn]",
            "box[0].executescript('create table t as select 2 a').close()",
            Durable("rows = conn.execute('select a from t').fetchall()", computes="computed"),
            "print(rows)",
        ),
    ),
    row(
        "an object with a lock in it that the cell changes",
        "import threading\nclass Model:\n    def __init__(self):\n"
        "        self.lock, self.fitted = threading.Lock(), 0",
        "model = Model()",
        Durable("model.fitted = 7", computes="model.lock"),
        "print(model.fitted)",
    ),
    row(
        "an object with a lock in it that the cell only reads",
        "import threading\nclass Model:\n    def __init__(self):\n"
        "        self.lock, self.fitted = threading.Lock(), 5",
        "model = Model()",
        Durable("x = model.fitted"),
        "print(x)",
    ),
    row(
        "a connection made again",
        Durable(CONNECT + "\nn = conn.execute('select count(*) from t').fetchone()", "--remake conn"),
        "print(n, conn.execute('select 5').fetchone())",
    ),
    row(
        "a connection and a cursor made again, from what the cell assigned",
        Durable(
            "import sqlite3\npath = ':memory:'\nconn = sqlite3.connect(path)\ncur = conn.cursor()",
            "--remake conn,cur",
        ),
        "print(conn.execute('select 5').fetchone())",
    ),
    row(
        "what is made again prints once",
        Durable("def make():\n    print('made')\n    return (n for n in 'ab')\ng = make()", "--remake g"),
        "print(list(g))",
    ),
    row(
        "a generator that the cell went on to use can't be made again",
        Durable("g = (n for n in range(5))\nx = next(g)", "--remake g", computes="reads from g"),
        "print(x, next(g))",
    ),
    row(
        "a file that the cell wrote to can't be made again",
        Durable("f = open('f', 'w')\nf.write('a')", "--remake f", computes="reads from f"),
        "f.close()\nprint(open('f').read())",
    ),
    row(
        "what later lines put into it can't be made again",
        Durable("xs = list()\nxs.append(1)", "--remake xs", computes="it changed xs"),
        "print(xs)",
    ),
    row(
        "what it was made from changed in place",
        Durable(
            "names = ['a']\ng = (n for n in names)\nnames.append('b')",
            "--remake g",
            computes="it changed names",
        ),
        "print(list(g))",
    ),
    row(
        "only some outputs are kept",
        "xs = [1]",
        Durable("import threading\nlock = threading.Lock()\nw = [3]", "--outputs w"),
        "print(w)\nlock = None",
    ),
    row("an ignored connection", CONNECT, Durable(READ, "--ignore conn"), "print(rows)"),
    row(
        "an ignored number",
        "depth = 3",
        Durable("x = depth + 1", "--ignore depth"),
        edited=("depth = 3\nother = 4", Durable("x = depth + 1", "--ignore depth"), "print(x)"),
    ),
    *(
        row(
            f"{options} is refused",
            "data = [1]\nfrom threading import Lock",
            Durable(code, options, refused=words),
        )
        for options, code, words in [
            ("--outputs nothing", "x = 1", "--outputs names 'nothing'"),
            ("--outputs", "x = 1", "--outputs of %%durable needs a value"),
            ("--outputs a,,b", "a = b = 1", "'' is no name"),
            ("--outputs for", "x = 1", "'for' is no name"),
            ("--ignore nothing", "x = 1", "--ignore names 'nothing'"),
            ("--ignore x", "x = 1", "--ignore names 'x'"),
            ("--remake nothing", "x = 1", "--remake names 'nothing'"),
            ("--remake data", "x = data", "it is an input"),
            ("--remake a", "a, b = Lock(), 1", "'b' among it"),
            ("--remake a", "if data:\n    a = Lock()", "does more than to assign it"),
            ("--remake a", "with Lock() as a:\n    pass", "does more than to assign it"),
            ("--remake f", "def f():\n    pass", "definitions run again anyway"),
            ("--remake a", "n = 1\na = (n for _ in 'ab')\nn = 2", "changes 'n' later"),
            ("--remake a", "import asyncio\na = await asyncio.sleep(0)", "awaits"),
        ]
    ),
]
