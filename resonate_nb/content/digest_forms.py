"""The canonical forms of values: what a value's content is, in simpler parts.

A form function takes a value and returns a `Form`, whose parts are plain values, arrays of bytes
(`Content`), or objects that have a form of their own. It raises `Refused` for what has no content. The
forms are part of the store's format: they say nothing that differs between processes or Python versions.
"""

from __future__ import annotations

import array
import copyreg
import datetime as dt
import enum
import functools
import io
import pickle
import re
import sys
import types
import weakref
import zoneinfo
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from resonate_nb.code.live_code import name_of_hidden_method

OWN_DIGEST = "__durable_digest__"

NEW_OBJECT = copyreg.__newobj__  # type: ignore[attr-defined]

# What `__reduce_ex__` and `__getstate__` raise for objects without a state that could be written down.
REDUCE_ERRORS = (
    TypeError,
    ValueError,
    AttributeError,
    LookupError,
    AssertionError,
    RuntimeError,
    OSError,
    pickle.PicklingError,
)


class Form(NamedTuple):
    """A value's content: its kind, and parts that are digested in turn."""

    kind: str
    parts: Sequence[object]
    steps: Sequence[str] = ()  # how each part is reached from the value, for messages: `.name` or a name


class Content(NamedTuple):
    """Bytes that need not lie in one place: their number, and buffers that follow each other."""

    size: int
    blocks: Iterable[Any]


class Refused(Exception):
    """The value has no content that could identify it."""

    def __init__(self, hint: str = "") -> None:
        self.hint = hint
        super().__init__(hint)


FormOf = Callable[[Any], Form]


class Kind(NamedTuple):
    """What a class is to a digest."""

    form_of: FormOf
    identity: bool  # whether two places that hold one instance differ from two that hold equal ones


def own_kind(cls: type) -> Kind | None:
    """Return what a class is that says itself what its content is; None for any other class."""
    return Kind(_own_form, identity=True) if hasattr(cls, OWN_DIGEST) else None


def kind_of(cls: type) -> Kind:
    """Return what a class of the standard library, or any other class, is to a digest."""
    return Kind(_form_of(cls), _has_identity(cls))


def _form_of(cls: type) -> FormOf:
    exact = FORMS.get(cls)
    if exact is not None:
        return exact
    for base, form_of in FAMILIES.items():
        if issubclass(cls, base):
            return form_of
    return reduced_form


def _has_identity(cls: type) -> bool:
    if cls in IMMUTABLE or cls.__module__ == "typing":
        return False
    if issubclass(cls, (enum.Enum, dt.tzinfo, PurePath)):
        return False
    # Without attributes such an object is its content, and no cycle can lead back to it.
    return not (issubclass(cls, (tuple, frozenset, str, bytes, int, float)) and cls.__dictoffset__ == 0)


def type_name(value: object) -> str:
    """Return the name of a value's type as a person would say it."""
    cls = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _own_form(value: Any) -> Form:
    return Form("own digest", (type(value), getattr(value, OWN_DIGEST)()), ("", f".{OWN_DIGEST}()"))


def reduced_form(value: Any) -> Form:
    """Return the form that pickle's protocol gives: class, arguments, state, items.

    Only the protocol is used. The bytes of a pickle depend on interning, memo and set order.
    """
    cls = type(value)
    reduce = copyreg.dispatch_table.get(cls)
    try:
        reduced: Any = value.__reduce_ex__(4) if reduce is None else reduce(value)
        if isinstance(reduced, str):
            return _global_form(value, reduced)
        make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        listed = None if items is None else list(items)
        mapped = None if pairs is None else dict(pairs)
    except REDUCE_ERRORS as error:
        raise Refused from error
    if make is NEW_OBJECT:
        make, arguments = arguments[0], arguments[1:]
    shape, names, values = _attributes(state)
    arguments_step = "" if isinstance(value, tuple) else ".__reduce__()[1]"
    return Form(
        "object",
        (make, arguments or None, listed, mapped, shape, ascii(names), *values),
        (".__class__", arguments_step, "", "", "", "", *names),
    )


def _global_form(value: Any, name: str) -> Form:
    """Return the form of what is known by its name, if it is found there: a name alone may be anybody's."""
    module = getattr(value, "__module__", None)
    found: Any = sys.modules.get(module) if isinstance(module, str) else None
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not value:
        raise Refused(f"it is not what is found under its name, {module}.{name}")
    return Form("global", (module, name))


def _attributes(state: Any) -> tuple[object, tuple[str, ...], tuple[object, ...]]:
    """Return a state's shape, and the names and values of the attributes that it holds.

    The shape tells apart what the names don't: no state, attributes, attributes beside slots, anything else.
    """
    if state is None:
        return None, (), ()
    if _named(state):
        return "attributes", tuple(state), tuple(state.values())
    if type(state) is tuple and len(state) == 2 and _named(state[1]) and (not state[0] or _named(state[0])):
        attributes, slots = state[0] or {}, state[1]
        return len(attributes), (*attributes, *slots), (*attributes.values(), *slots.values())
    return "state", (), (state,)


def _named(state: object) -> bool:
    return type(state) is dict and set(map(type, state)) <= {str}


def _refused_iterator(_: object) -> Form:
    raise Refused("an iterator gives its items once: pass the collection that it runs over")


def _refused_reference(_: object) -> Form:
    raise Refused("a weak reference may lose its object at any time: pass the object itself")


def _stream_form(value: Any) -> Form:
    if isinstance(value, (io.StringIO, io.BytesIO)):
        return reduced_form(value)
    raise Refused("an open file is a place in a file, not its content: pass the path")


def _iterator_form(value: Any) -> Form:
    # Iterators of C pickle on some versions of Python and not on others; a class of one's own has a state.
    if type(value).__module__ in {"builtins", "itertools"}:
        return _refused_iterator(value)
    return reduced_form(value)


def _exception_form(error: BaseException) -> Form:
    # Not by `__reduce__`: what it holds for AttributeError and others differs between versions of Python.
    files = (error.filename, error.filename2) if isinstance(error, OSError) else ()
    shape, names, values = _attributes(object.__getstate__(error))
    parts = (type(error), error.args, files, shape, ascii(names), *values)
    return Form("exception", parts, ("", ".args", "", "", "", *names))


def _enum_form(member: enum.Enum) -> Form:
    return Form("enum", (type(member), member.value if isinstance(member, enum.Flag) else member.name))


def _path_form(path: PurePath) -> Form:
    # The state of a path differs between Python 3.11, 3.12 and 3.13; its text does not.
    return Form("path", (type(path), str(path), getattr(path, "__dict__", None)))


def _moment_form(moment: dt.datetime | dt.time) -> Form:
    local = moment.replace(tzinfo=None).isoformat()
    return Form(type(moment).__name__, (local, moment.fold, moment.tzinfo), ("", "", ".tzinfo"))


def _zone_form(zone: zoneinfo.ZoneInfo) -> Form:
    if zone.key is None:
        raise Refused("a time zone read from a file has no name: use `ZoneInfo(key)`")
    return Form("zone", (zone.key,))


def _memory_form(memory: memoryview) -> Form:
    try:
        return Form("memoryview", (memory.format, memory.shape, Content(memory.nbytes, (memory.tobytes(),))))
    except ValueError as error:
        raise Refused("it was released: pass what it was a view of") from error


def _array_form(numbers: array.array[Any]) -> Form:
    content = Content(len(numbers) * numbers.itemsize, (numbers,))
    return Form("array.array", (numbers.typecode, numbers.itemsize, content))


def _partial_form(partial: functools.partial[Any]) -> Form:
    parts = (partial.func, partial.args, partial.keywords, vars(partial))
    return Form("partial", parts, (".func", ".args", ".keywords", ""))


def _builtin_form(function: Any) -> Form:
    owner = function.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return Form("builtin function", (function.__module__, function.__qualname__))
    if (offered := name_of_hidden_method(function)) is not None:
        return Form("builtin function", offered)
    return Form("builtin method", (function.__name__, owner), ("", ".__self__"))


def _method_form(method: types.MethodType) -> Form:
    if (offered := name_of_hidden_method(method)) is not None:
        return Form("builtin function", offered)
    return Form("method", (method.__func__, method.__self__), ("", ".__self__"))


def _descriptor_form(descriptor: Any) -> Form:
    return Form("descriptor", (descriptor.__objclass__, descriptor.__name__), (".__objclass__",))


def _cached_function_form(function: Any) -> Form:
    parts = (function.__wrapped__, tuple(function.cache_parameters().values()))
    return Form("cached function", parts, (".__wrapped__",))


FORMS: dict[type, FormOf] = {
    Form: lambda form: form,
    bytearray: lambda value: Form("bytearray", (Content(len(value), (value,)),)),
    memoryview: _memory_form,
    array.array: _array_form,
    range: lambda value: Form("range", (value.start, value.stop, value.step)),
    slice: lambda value: Form("slice", (value.start, value.stop, value.step), (".start", ".stop", ".step")),
    dt.datetime: _moment_form,
    dt.time: _moment_form,
    dt.timezone: lambda zone: Form("timezone", (zone.utcoffset(None), zone.tzname(None))),
    zoneinfo.ZoneInfo: _zone_form,
    re.Pattern: lambda pattern: Form("pattern", (pattern.pattern, pattern.flags)),
    types.MappingProxyType: lambda proxy: Form("mappingproxy", (dict(proxy),), ("",)),
    types.GenericAlias: lambda alias: Form("alias", (alias.__origin__, alias.__args__)),
    types.UnionType: lambda union: Form("union", union.__args__),
    types.ModuleType: lambda module: Form("module", (module.__name__,)),
    types.MethodType: _method_form,
    types.BuiltinFunctionType: _builtin_form,
    types.MethodWrapperType: _builtin_form,
    types.MethodDescriptorType: _descriptor_form,
    types.WrapperDescriptorType: _descriptor_form,
    types.ClassMethodDescriptorType: _descriptor_form,
    types.GetSetDescriptorType: _descriptor_form,
    types.MemberDescriptorType: _descriptor_form,
    functools.partial: _partial_form,
    functools._lru_cache_wrapper: _cached_function_form,  # noqa: SLF001  the type has no public name
}

IMMUTABLE = frozenset({*FORMS, tuple, frozenset}) - {
    bytearray,
    memoryview,
    array.array,
    types.MappingProxyType,
    functools.partial,
}

FAMILIES: dict[type, FormOf] = {  # in the order of asking
    weakref.ReferenceType: _refused_reference,
    weakref.ProxyType: _refused_reference,
    weakref.CallableProxyType: _refused_reference,
    weakref.finalize: _refused_reference,
    weakref.WeakSet: _refused_reference,
    weakref.WeakKeyDictionary: _refused_reference,
    weakref.WeakValueDictionary: _refused_reference,
    enum.Enum: _enum_form,
    BaseException: _exception_form,
    PurePath: _path_form,
    io.IOBase: _stream_form,
    Generator: _refused_iterator,
    Iterator: _iterator_form,
}
