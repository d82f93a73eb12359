"""A namespace as lines of text: types, contents, and which ways lead to the same object.

Runs inside kernels, by its path. It knows nothing of the product, whose digests and pickles it checks.
"""

import functools
import importlib
import json
import re
import sys
import types
import warnings

SCALARS = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented), range, slice)
WITHOUT_IDENTITY = (*SCALARS, tuple, frozenset)
SHOWN_HISTORY = frozenset({"_", "__", "___", "Out"})
HISTORY = re.compile(r"In|Out|_{1,3}|_[0-9]+|_i{1,3}|_i[0-9]+|_ih|_oh|_dh")
# Of classes: what the interpreter keeps for itself, or says in an order that is no one's.
UNSAID = frozenset(
    {"__dict__", "__weakref__", "_abc_impl", "__firstlineno__", "__static_attributes__", "__module__"}
    | {"__annotations_cache__", "__annotate_func__", "__slotnames__"}
)
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def print_description(shell):
    """Print the lines for the namespace of a kernel, as JSON."""
    print(json.dumps(describe(shell.user_ns, shell.user_ns_hidden)))


def describe(namespace, hidden=()):
    """Return the lines for all names of the user, in order; equal namespaces have equal lines."""
    walk = _Walk(namespace)
    for name in sorted(namespace):
        ours = HISTORY.fullmatch(name) is None or name in SHOWN_HISTORY
        if ours and not (name in hidden and hidden[name] is namespace[name]):
            walk.item(name, namespace[name])
    walk.shared_memory()
    return walk.lines


class _Walk:
    def __init__(self, namespace):
        self.lines = []
        self._namespace = namespace
        self._met = {}  # by id: the first way that led there, and the object, so that it lives
        self._inside = []  # tuples, which have no identity, but may hold themselves
        self._arrays = []

    def item(self, way, value):
        if type(value) in SCALARS:
            self.lines.append(f"{way}: {type(value).__name__} {value!r}")
            return
        if type(value) not in WITHOUT_IDENTITY:
            if id(value) in self._met:
                self.lines.append(f"{way}: is {self._met[id(value)][0]}")
                return
            self._met[id(value)] = way, value
        if any(value is outer for outer in self._inside):
            self.lines.append(f"{way}: itself")
            return
        self._inside.append(value)
        self._describe(way, value)
        self._inside.pop()

    def _describe(self, way, value):
        describe = KINDS.get(type(value))
        if describe is None:
            kind = next((each for each in BASES if isinstance(value, each)), object)
            describe = BASES.get(kind, _Walk._object)
        describe(self, way, value)

    def say(self, way, kind, value=""):
        self.lines.append(f"{way}: {kind} {value}".rstrip())

    def parts(self, parts):
        for way, part in parts:
            self.item(way, part)

    def _sequence(self, way, value):
        self.say(way, type(value).__name__, len(value))
        self.parts((f"{way}[{number}]", part) for number, part in enumerate(value))

    def _mapping(self, way, value):
        self.say(way, type(value).__name__, len(value))
        for number, (key, part) in enumerate(value.items()):
            if type(key) in SCALARS:
                self.item(f"{way}[{key!r}]", part)
            else:
                self.item(f"{way}.key{number}", key)
                self.item(f"{way}.value{number}", part)

    def _set(self, way, value):
        self.say(way, type(value).__name__, len(value))
        self.parts((f"{way}{{{number}}}", part) for number, part in enumerate(sorted(value, key=_text)))

    def _module(self, way, value):
        self.say(way, "module", value.__name__)

    def _function(self, way, value):
        if _is_librarys(value):
            self.say(way, "function", f"{value.__module__}.{value.__qualname__}")
            return
        place = "the notebook" if value.__globals__ is self._namespace else value.__globals__.get("__name__")
        self.say(way, "function", f"{value.__module__}.{value.__qualname__} in {place}: {value.__doc__}")
        self.say(f"{way}.__code__", _code(value.__code__))
        self.parts(
            (f"{way}.{name}", part)
            for name, part in [
                ("__defaults__", value.__defaults__),
                ("__kwdefaults__", value.__kwdefaults__),
                ("__annotations__", value.__annotations__),
                ("__dict__", vars(value)),
            ]
            if part
        )
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                self.item(f"{way}.<{name}>", cell.cell_contents)
            except ValueError:
                self.say(f"{way}.<{name}>", "empty")

    def _builtin(self, way, value):
        owner = getattr(value, "__self__", None)
        self.say(way, "builtin", value.__qualname__)
        if owner is not None and not isinstance(owner, types.ModuleType):
            self.item(f"{way}.__self__", owner)

    def _class(self, way, value):
        if _is_librarys(value):
            self.say(way, "class", f"{value.__module__}.{value.__qualname__}")
            return
        self.say(way, f"class of {type(value).__qualname__}", f"{value.__module__}.{value.__qualname__}")
        self.parts((f"{way}.__bases__[{number}]", base) for number, base in enumerate(value.__bases__))
        members = {name: part for name, part in vars(value).items() if name not in UNSAID}
        self.parts((f"{way}.{name}", members[name]) for name in sorted(members))

    def _wrapped(self, way, value):
        self.say(way, type(value).__name__)
        self.item(f"{way}.__func__", value.__func__)

    def _method(self, way, value):
        self._wrapped(way, value)
        self.item(f"{way}.__self__", value.__self__)

    def _property(self, way, value):
        self.say(way, type(value).__name__)
        self.parts((f"{way}.{name}", getattr(value, name)) for name in ("fget", "fset", "fdel"))

    def _slot(self, way, value):
        self.say(way, type(value).__name__, value.__name__)

    def _by_text(self, way, value):
        self.say(way, type(value).__name__, ADDRESS.sub("", repr(value)))

    def _cached(self, way, value):
        self.say(way, type(value).__name__, value.__qualname__)
        self.parts((f"{way}.{name}", part) for name, part in sorted(vars(value).items()))

    def _array(self, way, value):
        flags = "writeable" if value.flags.writeable else "read-only"
        order = "".join(letter for letter in "CF" if value.flags[f"{letter}_CONTIGUOUS"])
        self.say(way, type(value).__name__, f"{value.dtype} {value.shape} {order} {flags}")
        self.say(f"{way}[:]", value.tolist())
        self._arrays.append((way, value))
        if value.dtype == object:
            self.parts((f"{way}.flat[{number}]", part) for number, part in enumerate(value.flat))

    def _frame(self, way, value):
        self.say(way, type(value).__name__, f"{value.shape} {value.attrs}")
        self.say(
            f"{way}.columns", type(value.columns).__name__, f"{value.columns.dtype} {list(value.columns)}"
        )
        self._index(f"{way}.index", value.index)
        for number in range(value.shape[1]):
            self._column(f"{way}.iloc[:, {number}]", value.iloc[:, number])

    def _series(self, way, value):
        self.say(way, type(value).__name__, f"{value.name} {value.attrs}")
        self._index(f"{way}.index", value.index)
        self._column(way, value)

    def _index(self, way, value):
        self.say(way, type(value).__name__, f"{value.dtype} {list(value.names)} {list(value)}")

    def _column(self, way, column):
        self.say(way, column.dtype, column.tolist())
        if column.dtype == object:
            self.parts((f"{way}[{number}]", part) for number, part in enumerate(column))

    def _object(self, way, value):
        cls = type(value)
        if _is_librarys(cls):
            self.say(way, f"{cls.__module__}.{cls.__qualname__}")
        else:
            self.say(way, "object")
            self.item(f"{way}.__class__", cls)
        for base, contents in ((list, self._sequence), (dict, self._mapping), (set, self._set)):
            if isinstance(value, base):
                contents(f"{way}.<{base.__name__}>", value)
        if isinstance(value, SCALARS):
            self._by_text(way, value)
        if isinstance(value, tuple):
            self._sequence(f"{way}.<tuple>", value)
        state = dict(getattr(value, "__dict__", {}))
        state |= {name: getattr(value, name) for name in _slots(cls) if hasattr(value, name)}
        if state:
            self.parts((f"{way}.{name}", state[name]) for name in sorted(state, key=str))
        elif not isinstance(value, (list, dict, set, tuple, *SCALARS)):
            self._reduced(way, value)

    def _reduced(self, way, value):
        """Say what a class written in C says of its state to pickle and copy, if it does."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reduced = value.__reduce_ex__(4)
        except Exception:  # noqa: BLE001 (whatever the class raises, it has no state to tell)
            return
        if isinstance(reduced, str):
            self.say(way, reduced)
            return
        _, arguments, *more = reduced
        contents = [list(each) for each in more[1:3] if each is not None]
        self.item(f"{way}.<state>", [*arguments[1:], *more[:1], *contents])
        self.item(f"{way}.<first>", arguments[0] if arguments else None)

    def shared_memory(self):
        """Say which arrays are views of the same memory."""
        numpy = sys.modules.get("numpy")
        for number, (way, array) in enumerate(self._arrays):
            for other_way, other in self._arrays[:number]:
                if numpy.may_share_memory(array, other):
                    self.say(way, "shares memory with", other_way)


def _text(value):
    if type(value) in SCALARS:
        return repr(value)
    walk = _Walk({})
    walk.item("", value)
    return "\n".join(walk.lines)


def _slots(cls):
    names = [vars(each).get("__slots__", ()) for each in cls.__mro__]
    found = [name for each in names for name in ([each] if isinstance(each, str) else each)]
    return [name for name in found if name not in {"__dict__", "__weakref__"}]


def _code(code):
    inner = [_code(each) if isinstance(each, types.CodeType) else _constant(each) for each in code.co_consts]
    return f"line {code.co_firstlineno} {code.co_code.hex()} {code.co_names} {code.co_varnames} {inner}"


def _constant(value):
    return sorted(map(repr, value)) if isinstance(value, frozenset) else value


def _is_librarys(thing):
    if thing.__module__ in {"__main__", None}:
        return False
    found = sys.modules.get(thing.__module__)
    for name in thing.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is thing


KINDS = {
    list: _Walk._sequence,
    tuple: _Walk._sequence,
    dict: _Walk._mapping,
    types.MappingProxyType: _Walk._mapping,
    set: _Walk._set,
    frozenset: _Walk._set,
    types.ModuleType: _Walk._module,
    types.FunctionType: _Walk._function,
    types.BuiltinFunctionType: _Walk._builtin,
    types.MethodType: _Walk._method,
    staticmethod: _Walk._wrapped,
    classmethod: _Walk._wrapped,
    property: _Walk._property,
    functools.lru_cache(len).__class__: _Walk._cached,
    types.MemberDescriptorType: _Walk._slot,
    types.GetSetDescriptorType: _Walk._slot,
    types.WrapperDescriptorType: _Walk._slot,
    types.MethodDescriptorType: _Walk._slot,
    types.ClassMethodDescriptorType: _Walk._slot,
    types.GenericAlias: _Walk._by_text,
    types.UnionType: _Walk._by_text,
}
BASES = {type: _Walk._class, types.ModuleType: _Walk._module}
if "numpy" in sys.modules:
    BASES[importlib.import_module("numpy").ndarray] = _Walk._array
if "pandas" in sys.modules:
    pandas = importlib.import_module("pandas")
    BASES |= {pandas.DataFrame: _Walk._frame, pandas.Series: _Walk._series, pandas.Index: _Walk._index}
