"""Fingerprints: digests of what code means, with all that it refers to of the user's own.

Functions, classes, modules and immutable literals that a body refers to by name are code. Other globals
and closure cells that it reads are captured data: their digests join a call's identity, never its version.
What is looked up by `getattr` with text, or through `globals()`, is not seen.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import enum
import functools
import hashlib
import importlib.util
import sys
import threading
import types
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from resonate_nb.digest import digest
from resonate_nb.libraries import is_installed_file, is_library, library_version
from resonate_nb.references import Chain, chains_of_code, chains_of_tree, imports_of_tree
from resonate_nb.source import source_of
from resonate_nb.syntax import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Library = Literal["major", "exact"]
_LITERALS = frozenset({type(None), bool, int, float, complex, str, bytes, type(Ellipsis)})
_MISSING = object()
_CLASS_NOISE = frozenset(
    {
        *("__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__parameters__"),
        *("__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__"),
        *("__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl"),
        *("__dataclass_fields__", "__dataclass_params__", "__match_args__", "__orig_bases__"),
    }
)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a fingerprint consists of, for explanations and differences."""

    path: str  # "f", "helper", "mod.helper", "ALPHA", "numpy"
    kind: str  # "code", "constant", "library", "missing"
    digest: str
    source: str  # source text of code, repr of a constant, version of a library


@dataclass(frozen=True, slots=True)
class Capture:
    """Data that code reads by name."""

    path: str
    read: Callable[[], object]  # the live object, at the time of the call


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a function or cell means."""

    digest: str  # 32 hexadecimal digits
    parts: tuple[Part, ...]
    captures: tuple[Capture, ...]
    source: str
    stale: str | None  # the module whose source on disk is not the code that runs


def fingerprint(function: Any, *, library: Library = "major") -> Fingerprint:
    """Return the fingerprint of a function or class; cheap when nothing that it refers to was bound anew."""
    known = _known.get(function, {}).get(library)
    if known is None or not all(check() for check in known[0]):
        walk = _Walk(library)
        walk.visit(getattr(function, "__qualname__", "function"), function)
        known = tuple(walk.checks), walk.result()
        _known.setdefault(function, {})[library] = known
    return known[1]


def fingerprint_cell(
    tree: ast.Module, names: Iterable[str], namespace: Mapping[str, object], *, library: Library = "major"
) -> Fingerprint:
    """Return the fingerprint of a cell that reads these global names."""
    walk = _Walk(library)
    walk.add("", "code", canonical(tree), ast.unparse(tree))
    chains, imports = chains_of_tree(tree, names)
    walk.follow(chains, imports, namespace)
    return walk.result()


def describe_code(thing: Any) -> str:
    """Return text that identifies the code of a function or class, for the digests of values."""
    thing = getattr(thing, "__wrapped__", thing) if hasattr(thing, "__durable_function__") else thing
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", repr(type(thing)))
    if is_library(module):
        return f"{module}:{name}@{library_version(module or 'builtins', 'major')}"
    if thing in _describing.things:
        return f"{module}:{name}"
    _describing.things.append(thing)
    try:
        code = fingerprint(thing)
        data = [(each.path, content_digest(each.read(), each.path)) for each in code.captures]
    finally:
        _describing.things.pop()
    return f"{name}@{code.digest}{data or ''}"


def content_digest(value: object, path: str = "value") -> str:
    """Return the digest of a value in which functions and classes count by their fingerprints."""
    return digest(value, path=path, describe_code=describe_code)


def source_diff(old: str, new: str) -> str:
    """Return how a source differs from an older one, as a unified diff."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "pinned", "now", lineterm="", n=2)
    return "\n".join(lines)


class _Describing(threading.local):
    def __init__(self) -> None:
        self.things: list[Any] = []


_describing = _Describing()
_known: weakref.WeakKeyDictionary[Any, dict[str, tuple[tuple[Callable[[], bool], ...], Fingerprint]]] = (
    weakref.WeakKeyDictionary()
)


class _Walk:
    """Goes through all that code refers to, each thing once, by the first path in the order of names."""

    def __init__(self, library: Library) -> None:
        self.checks: list[Callable[[], bool]] = []
        self._library: Library = library
        self._parts: dict[str, Part] = {}
        self._captures: dict[str, Capture] = {}
        self._seen: dict[int, str] = {}
        self._alive: list[object] = []  # so that no id is used twice during the walk
        self._stale: str | None = None

    def result(self) -> Fingerprint:
        """Return what the walk found; the first part is the thing itself."""
        parts = tuple(self._parts.values())
        text = "\n".join(sorted(f"{part.kind} {part.path} {part.digest}" for part in parts))
        captures = tuple(self._captures[path] for path in sorted(self._captures))
        return Fingerprint(_hash(text), parts, captures, parts[0].source if parts else "", self._stale)

    def add(self, path: str, kind: str, meaning: str, source: str) -> None:
        """Count one part."""
        self._parts.setdefault(path, Part(path, kind, _hash(meaning), source))

    def visit(self, path: str, thing: Any, read: Callable[[], object] | None = None) -> None:
        """Count a thing that code refers to, and all that it refers to itself."""
        if _is_literal(thing):
            self.add(path, "constant", f"{type(thing).__name__}:{_literal(thing)}", repr(thing))
            return
        if id(thing) in self._seen:
            self.add(path, "code", f"the same as {self._seen[id(thing)]}", "")
            return
        self._seen[id(thing)] = path
        self._alive.append(thing)
        match thing:
            case types.FunctionType():
                self._function(path, thing)
            case type():
                self._class(path, thing)
            case types.ModuleType():
                self._module(path, thing.__name__)
            case enum.Enum():
                self.add(path, "constant", f"{type(thing).__qualname__}.{thing.name}", repr(thing))
                self.visit(f"{path}.__class__", type(thing))
            case types.MethodType() | functools.partial():
                self._bound(path, thing)
            case staticmethod() | classmethod():
                self.visit(f"{path}.__func__", thing.__func__)
            case property():
                for role in ("fget", "fset", "fdel"):
                    self.visit(f"{path}.{role}", getattr(thing, role))
            case types.BuiltinFunctionType() | types.MethodDescriptorType() | types.WrapperDescriptorType():
                self._named(path, thing)
            case _ if callable(getattr(thing, "__wrapped__", None)):
                self.visit(f"{path}.__wrapped__", thing.__wrapped__)
            case _ if callable(thing) and is_library(getattr(thing, "__module__", "__main__")):
                self._named(path, thing)
            case _:
                self._captures.setdefault(path, Capture(path, read or (lambda: thing)))

    def follow(self, chains: set[Chain], imports: set[str], namespace: Mapping[str, object]) -> None:
        """Visit what the chains of names lead to, and the modules imported inside the code."""
        for chain in sorted(chains):
            self._follow(chain, namespace)
        for module in sorted(imports):
            self._module(f"import {module}", module)

    def _follow(self, chain: Chain, namespace: Mapping[str, object]) -> None:
        path, found, last = "", _MISSING, chain[0]
        for name in chain:
            path = f"{path}.{name}" if path else name
            here, found, last = namespace, namespace.get(name, _MISSING), name
            self.checks.append(functools.partial(_unchanged, here, name, found))
            if not isinstance(found, types.ModuleType) or is_library(found.__name__):
                break
            namespace = vars(found)
        if found is _MISSING:
            if not hasattr(builtins, chain[0]) and len(path.split(".")) == 1:
                self.add(path, "missing", "", "")
            return
        if isinstance(found, types.ModuleType) and not is_library(found.__name__) and len(chain) > 1:
            return  # a submodule at the end of a chain: what it is used for has chains of its own
        self.visit(path, found, lambda: here[last])

    def _function(self, path: str, function: types.FunctionType) -> None:
        if is_library(function.__module__):
            self._named(path, function)
            return
        code = function.__code__
        source = source_of(code)
        self.add(path, "code", source.meaning, source.text)
        if source.stale and self._stale is None:
            self._stale = function.__module__
        self.checks.append(_same_function(function))
        for kind, defaults in (("defaults", function.__defaults__), ("kwdefaults", function.__kwdefaults__)):
            values = defaults.items() if isinstance(defaults, dict) else enumerate(defaults or ())
            for key, value in values:
                self.visit(f"{path}.<{kind}>.{key}", value)
        self._closure(path, function)
        chains, imports = chains_of_code(code)
        self.follow(chains, imports, function.__globals__)
        if callable(wrapped := getattr(function, "__wrapped__", None)):
            self.visit(f"{path}.__wrapped__", wrapped)

    def _closure(self, path: str, function: types.FunctionType) -> None:
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            content = _content(cell)
            self.checks.append(functools.partial(_holds, cell, content))
            if content is not _MISSING:
                self.visit(f"{path}.<closure>.{name}", content, functools.partial(_content, cell))

    def _class(self, path: str, cls: type) -> None:
        if is_library(cls.__module__):
            self._named(path, cls)
            return
        self.add(path, "code", f"class {cls.__qualname__}", "")
        for name, member in sorted(vars(cls).items()):
            if name not in _CLASS_NOISE:
                self.checks.append(functools.partial(_unchanged, vars(cls), name, member))
                self.visit(f"{path}.{name}", member)
        for number, base in enumerate(cls.__bases__):
            self.visit(f"{path}.<base>.{number}", base)

    def _bound(self, path: str, thing: Any) -> None:
        function = thing.func if isinstance(thing, functools.partial) else thing.__func__
        state = (thing.args, thing.keywords) if isinstance(thing, functools.partial) else thing.__self__
        self.visit(f"{path}.<function>", function)
        self.visit(f"{path}.<bound>", state)

    def _named(self, path: str, thing: Any) -> None:
        module = getattr(thing, "__module__", None) or getattr(
            getattr(thing, "__objclass__", None), "__module__", "builtins"
        )
        self.add(path, "code", f"{module}:{getattr(thing, '__qualname__', type(thing).__qualname__)}", "")
        self._distribution(str(module))

    def _distribution(self, module: str) -> None:
        version = library_version(module, self._library)
        if version:
            top = module.partition(".")[0]
            self.add(f"<library>.{top}", "library", version, version)

    def _module(self, path: str, name: str) -> None:
        """Count a whole module: an installed one by its version, one of the user's own by its file."""
        if is_library(name):
            self._distribution(name)
            return
        file = _file_of_module(name)
        if file is None or is_installed_file(file):
            self._distribution(name)
            return
        if f"<module>.{name}" in self._parts:
            return
        text = Path(file).read_text(encoding="utf-8")
        tree = ast.parse(text)
        self.add(f"<module>.{name}", "code", canonical(tree), text)
        for module in sorted(imports_of_tree(tree)):
            self._module(f"{path}.{module}", module)


def _file_of_module(name: str) -> str | None:
    module = sys.modules.get(name)
    try:
        spec = getattr(module, "__spec__", None) or importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    origin = None if spec is None else spec.origin
    return origin if origin is not None and origin.endswith(".py") else None


def _same_function(function: types.FunctionType) -> Callable[[], bool]:
    code, defaults = function.__code__, function.__defaults__
    keywords = dict(function.__kwdefaults__ or {})
    return lambda: (
        function.__code__ is code
        and function.__defaults__ is defaults
        and (function.__kwdefaults__ or {}) == keywords
    )


def _holds(cell: types.CellType, content: object) -> bool:
    return _same(_content(cell), content)


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return _MISSING


def _unchanged(namespace: Mapping[str, object], name: str, found: object) -> bool:
    return _same(namespace.get(name, _MISSING), found)


def _same(one: object, other: object) -> bool:
    return one is other or (type(one) is type(other) and type(one) in _LITERALS and repr(one) == repr(other))


def _is_literal(thing: object) -> bool:
    if type(thing) in (tuple, frozenset):
        return all(_is_literal(each) for each in thing)  # type: ignore[attr-defined]
    return type(thing) in _LITERALS


def _literal(thing: Any) -> str:
    if type(thing) is frozenset:
        return ",".join(sorted(f"{type(each).__name__}:{_literal(each)}" for each in thing))
    if type(thing) is tuple:
        return ",".join(f"{type(each).__name__}:({_literal(each)})" for each in thing)
    return repr(thing)


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
