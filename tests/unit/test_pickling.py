"""Classes and functions of the notebook: the live one while it means the same, else the copy.

Each test runs two real processes, as a kernel and the kernel after a restart, which share only bytes.
"""

import json
import subprocess
import sys

import pytest

COMMON = '''
import abc, collections, dataclasses, enum, functools, inspect, json, sys, types, typing
from resonate_nb.codec import Codec
from resonate_nb.values.keys import SigningKey
from resonate_nb.promise import Buffer, Value

def source(thing):
    """Say what code means, as the text between its def and the next empty line."""
    return MEANINGS[thing.__qualname__] if thing.__qualname__ in MEANINGS else inspect.getsource(thing)

MEANINGS = {}
codec = Codec(SigningKey(b"k" * 32), describe_code=source)

def keep(path, value, codec=codec):
    encoded = codec.encode(value, id="a")
    with open(path, "w") as file:
        json.dump([dict(encoded.headers), encoded.data.hex()], file)

def load(path, codec=codec):
    with open(path) as file:
        headers, data = json.load(file)
    return codec.decode(Value(headers, bytes.fromhex(data)), id="a")
'''

MODEL = '''
class Model:
    """A class of the notebook."""
    made = 0

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def copy(self):
        return Model(list(self.rows))

    @classmethod
    def empty(cls):
        return cls([])

    @property
    def size(self):
        return len(self.rows)

    class Part:
        word = "part"
'''

EDITED = MODEL.replace("return len(self.rows)", "return -1")


@pytest.fixture
def kernel(tmp_path):
    """Run cells in a new process, whose `__main__` they are; `path` is the same in all of them."""

    def run(*cells):
        script = tmp_path / "notebook.py"
        script.write_text("\n\n".join((COMMON, f"path = {str(tmp_path / 'value')!r}", *cells)))
        done = subprocess.run(
            [sys.executable, script], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    return run


def show(*expressions):
    return f"print(json.dumps([{', '.join(expressions)}]))"


def test_an_object_is_an_instance_of_the_class_that_was_defined_again(kernel):
    kernel(MODEL, "keep(path, [Model([1]), Model([2]), Model])")

    shown = kernel(MODEL, "a, b, kind = load(path)", show("type(a) is type(b) is kind is Model", "a.size"))

    assert shown == [True, 1]


def test_after_an_edit_the_old_code_is_loaded_and_does_not_mix_with_the_new(kernel):
    kernel(MODEL, "keep(path, [Model([1]), Model([2])])")

    shown = kernel(EDITED, "a, b = load(path)", show("type(a) is type(b)", "isinstance(a, Model)", "a.size"))

    assert shown == [True, False, 1]


def test_in_a_kernel_that_defined_nothing_the_copy_works_with_all_its_methods(kernel):
    kernel(MODEL, "keep(path, Model([1]))")

    shown = kernel(
        "a = load(path); Model = type(a)",
        show(
            "a.size",
            "a.copy().size",
            "a.empty().size",
            "a.Part.word",
            "Model.Part.__qualname__",
            "Model.__doc__",
        ),
    )

    assert shown == [1, 1, 0, "part", "Model.Part", "A class of the notebook."]


def test_without_a_way_to_describe_code_the_copy_is_taken(kernel):
    kernel(MODEL, "plain = Codec(SigningKey(b'k' * 32)); keep(path, Model([1]), plain)")

    shown = kernel(
        MODEL,
        "plain = Codec(SigningKey(b'k' * 32)); a = load(path, plain)",
        show("isinstance(a, Model)", "a.size"),
    )

    assert shown == [False, 1]


def test_within_one_process_an_object_keeps_its_class_even_without_descriptions(kernel):
    shown = kernel(
        MODEL,
        "plain = Codec(SigningKey(b'k' * 32)); keep(path, Model([1]), plain); Model.made = 7",
        "a = load(path, plain)",
        show("type(a) is Model", "Model.made"),
    )

    assert shown == [True, 7]


def test_an_instance_of_a_class_that_was_defined_again_without_a_change_is_of_the_live_class(kernel):
    kernel(
        MODEL,
        "old = Model([1])",
        MODEL,
        "assert type(old) is not Model; MEANINGS['Model'] = 'm'; keep(path, old)",
    )

    shown = kernel(MODEL, "MEANINGS['Model'] = 'm'; a = load(path)", show("isinstance(a, Model)"))

    assert shown == [True]


KINDS = """
class Colour(enum.Enum):
    RED = 1
    BLUE = 2

    def other(self):
        return Colour.BLUE if self is Colour.RED else Colour.RED

@dataclasses.dataclass
class Point:
    x: int
    tags: list = dataclasses.field(default_factory=list)

@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: int

Pair = collections.namedtuple("Pair", "left right")

class Typed(typing.NamedTuple):
    left: int

class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...

class Square(Shape):
    registry = []
    def __init__(self, side): self.side = side
    def area(self): return self.side ** 2

class Cube(Square):
    def area(self): return 6 * super().area()

Square.registry.append(Cube)

class Lazy:
    @functools.cached_property
    def value(self): return 1

class Outer:
    class Inner:
        def __init__(self, x): self.x = x
"""

MAKE = """
kinds = [Colour.RED, Point(1, ["a"]), Frozen(2), Pair(1, 2), Typed(3), Cube(2), Lazy(), Outer.Inner(5)]
"""

SHOW = show(
    "colour.other().name",
    "[point.x, point.tags]",
    "frozen.x",
    "hasattr(frozen, '__dict__')",
    "pair.right",
    "typed.left",
    "cube.area()",
    "lazy.value",
    "inner.x",
    "type(cube).registry[0] is type(cube)",
    "type(cube).__mro__[1].__name__",
)
SHOWN = ["BLUE", [1, ["a"]], 2, False, 2, 3, 24, 1, 5, True, "Square"]
UNPACK = """
colour, point, frozen, pair, typed, cube, lazy, inner = load(path)
Colour = type(colour)  # methods look names up in the notebook, as they did before
"""


@pytest.mark.parametrize("defined", [KINDS, ""], ids=["live", "copies"])
def test_classes_of_every_kind_come_back_and_work(kernel, defined):
    named = "MEANINGS.update(Pair='p', Typed='t')"
    kernel(KINDS, MAKE, named, "keep(path, kinds)")

    assert kernel(defined, named, UNPACK, SHOW) == SHOWN


def test_live_classes_of_every_kind_are_taken(kernel):
    named = "MEANINGS.update(Pair='p', Typed='t')"
    kernel(KINDS, MAKE, named, "keep(path, kinds)")

    shown = kernel(KINDS, named, UNPACK, show(
        "colour is Colour.RED",
        "point == Point(1, ['a'])",
        "frozen == Frozen(2)",
        "type(pair) is Pair",
        "type(typed) is Typed",
        "isinstance(cube, Shape)",
        "isinstance(inner, Outer.Inner)",
    ))  # fmt: skip

    assert all(shown)


def test_a_copy_of_a_subclass_stands_on_the_live_base(kernel):
    kernel(KINDS, "keep(path, Cube(2))")

    shown = kernel(
        KINDS.replace("6 * super", "7 * super"),
        "cube = load(path)",
        show("isinstance(cube, Cube)", "isinstance(cube, Square)", "cube.area()"),
    )

    assert shown == [False, True, 24]


FUNCTIONS = '''
rate = 2

def helper(x):
    return x * rate

def scale(x, by=1):
    """Scale."""
    return helper(x) + by

def even(n):
    return True if n == 0 else odd(n - 1)

def odd(n):
    return False if n == 0 else even(n - 1)

def decorate(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return ["wrapped", function(*arguments)]
    return wrapper

@decorate
def decorated(x):
    return x

@functools.lru_cache(maxsize=5)
def cached(x):
    return x + 1
'''


def test_a_function_is_the_live_one_while_it_means_the_same(kernel):
    kernel(FUNCTIONS, "keep(path, [scale, decorated])")

    assert kernel(FUNCTIONS, "a, b = load(path)", show("a is scale", "b is decorated")) == [True, True]


def test_a_function_loaded_as_a_copy_uses_the_notebooks_namespace(kernel):
    kernel(FUNCTIONS, "keep(path, scale)")

    shown = kernel(
        "def helper(x): return x * 100",
        "f = load(path)",
        show(
            "f(3)",
            "f.__globals__ is globals()",
            "f.__doc__",
            "'rate' in globals()",
            "type(__builtins__).__name__",
        ),
    )

    assert shown == [301, True, "Scale.", False, "module"]


def test_methods_of_a_copied_class_use_the_notebooks_namespace(kernel):
    kernel("class A:\n    def ask(self): return answer", "keep(path, A())")

    assert kernel("a = load(path); answer = 42", show("a.ask()")) == [42]


def test_functions_that_call_each_other_and_decorated_ones_come_back_as_copies(kernel):
    kernel(FUNCTIONS, "keep(path, [even, odd, decorated, cached, lambda x: helper(x)])")

    shown = kernel(
        "even, odd, decorated, cached, anonymous = load(path)",
        "helper = str",
        show(
            "even(5)",
            "odd(5)",
            "decorated(1)",
            "cached(1)",
            "cached.cache_parameters()['maxsize']",
            "anonymous(1)",
        ),
    )

    assert shown == [False, True, ["wrapped", 1], 2, 5, "1"]


def test_the_function_under_a_decorator_is_not_taken_for_the_decorated_one(kernel):
    kernel(FUNCTIONS, "MEANINGS['decorated'] = 'd'; keep(path, [decorated.__wrapped__, decorated])")

    shown = kernel(
        FUNCTIONS, "MEANINGS['decorated'] = 'd'; inner, outer = load(path)", show("inner(1)", "outer(1)")
    )

    assert shown == [1, ["wrapped", 1]]


def test_methods_come_back_bound_to_their_object(kernel):
    kernel(MODEL, "m = Model([1]); keep(path, [m, m.copy, Model.copy, Model.empty])")

    shown = kernel(
        MODEL,
        "m, bound, plain, made = load(path)",
        show("bound.__self__ is m", "plain is Model.copy", "made() is not None", "made.__self__ is Model"),
    )

    assert shown == [True] * 4


def test_what_a_function_reads_from_the_notebook_is_not_dragged_along(kernel):
    kernel("rows = list(range(1_000_000))", "def f(): return len(rows)", "keep(path, f)")

    assert kernel(
        "f = load(path); rows = [1]", "import os", show("os.path.getsize(path) < 10_000", "f()")
    ) == [True, 1]


def test_a_class_that_can_not_be_copied_is_kept_for_the_kernel_that_defines_it(kernel):
    cell = "class A:\n    lock = __import__('threading').Lock()"
    kernel(cell, "keep(path, A())")

    assert kernel(cell, "a = load(path)", show("type(a) is A")) == [True]
    assert kernel(
        "from resonate_nb.errors import UnreadableValue",
        "try: load(path)\nexcept UnreadableValue as error: text = str(error)",
        show("'A of the notebook changed' in text"),
    ) == [True]


def test_an_exception_of_the_notebook_is_caught_by_its_live_class(kernel):
    cell = (
        "class Broken(Exception):\n"
        "    def __init__(self, code, *, hint): super().__init__(f'code {code}'); self.hint = hint"
    )
    kernel(cell, "keep(path, Broken(5, hint='h'))")

    shown = kernel(
        cell,
        "try: raise load(path)\nexcept Broken as error: caught = error",
        show("str(caught)", "caught.hint"),
    )

    assert shown == ["code 5", "h"]


def test_a_class_inside_a_function_comes_back_once_per_kernel(kernel):
    kernel(
        "def make():\n    class Local:\n        def f(self): return Local, helper()\n    return Local",
        "keep(path, make()())",
    )

    shown = kernel(
        "def helper(): return 5",
        "a, b = load(path), load(path)",
        show("type(a) is type(b)", "a.f()[0] is type(a)", "a.f()[1]", "type(a).__qualname__"),
    )

    assert shown == [True, True, 5, "make.<locals>.Local"]


def test_an_object_that_says_itself_how_it_is_found_again_is_asked(kernel):
    cell = """
class Durable:
    __durable_function__ = True
    def __init__(self, name, wrapped): self.name, self.__wrapped__ = name, wrapped
    def __reduce__(self): return find, (self.name,)

def find(name): return globals()[name]

def plain(x): return x

f = Durable("f", plain)
"""
    kernel(cell, "keep(path, [f, f])")

    assert kernel(cell, "a, b = load(path)", show("a is b is f")) == [True]


NOTEBOOK = """
import IPython
shell = IPython.core.interactiveshell.InteractiveShell.instance(
    history_manager=None, user_module=__import__("types").ModuleType("__main__")
)
def run(cell):
    shell.run_cell(cell, store_history=False).raise_error()
"""


def test_the_namespace_of_an_ipython_shell_is_the_notebook(kernel):
    prelude = f'COMMON = {COMMON!r} + f\'\\npath = {{path!r}}\\nMEANINGS["Model"] = "m"\''
    define = f"run(COMMON); run({MODEL!r})"
    kernel(prelude, NOTEBOOK, define, "run('keep(path, [Model([1]), lambda: rows])')")

    shown = kernel(
        prelude,
        NOTEBOOK,
        define,
        "run('a, f = load(path); rows = 3; seen = [isinstance(a, Model), f()]')",
        show("*shell.user_ns['seen']"),
    )

    assert shown == [True, 3]


def test_a_base_class_that_registers_its_subclasses_comes_back_as_a_copy(kernel):
    kernel(
        "class Plugin:\n    found = []\n    def __init_subclass__(cls): Plugin.found.append(cls)",
        "class Sub(Plugin): pass",
        "keep(path, Sub())",
    )

    assert kernel("a = load(path)", show("type(a).__name__", "type(a).__mro__[1].found[-1] is type(a)")) == [
        "Sub",
        True,
    ]
