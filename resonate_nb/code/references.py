"""The names that a piece of code reads from outside itself, from its syntax tree or its bytecode."""

from __future__ import annotations

import ast
import dis
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resonate_nb.code.syntax import is_named_durable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


@dataclass(frozen=True, slots=True)
class Reference:
    """A chain of attributes that begins at a name from outside: `helper`, `mod.helper`."""

    names: tuple[str, ...]
    module: str | None = None  # the code imports the first name itself, from there; leading dots: relative
    at_definition: bool = False  # read when the code was defined, not when it runs

    @property
    def label(self) -> str:
        """How messages call it."""
        return ".".join(self.names if self.module is None else (self.module, *self.names))


@dataclass(frozen=True, slots=True)
class References:
    """What a piece of code reads from outside."""

    read: tuple[Reference, ...]  # each once, in the order of the source
    rebound: frozenset[str]  # names from outside that the code binds anew, by `global` or `nonlocal`


def references_of_tree(
    tree: ast.AST, is_durable: Callable[[ast.expr], bool] = is_named_durable
) -> References:
    """Return what a definition's body, a lambda's or a whole cell's code reads from outside.

    Of a function that is its body, and when it is defined its decorators: its defaults are known as they
    are. Of a class it is all that stands at the level of the class, when it is defined: its methods are
    definitions of their own.
    """
    reader = _Reader(is_durable)
    outside = _Scope("module")
    if isinstance(tree, _FUNCTIONS):
        reader.read_decorators(tree, outside)
        reader.read_function(tree, outside)
    elif isinstance(tree, ast.ClassDef):
        reader.at_definition = True
        reader.read_class(tree, outside, into_methods=False)
    else:
        reader.read([tree], outside)
    return References(tuple(reader.found), frozenset(reader.rebound))


def references_of_bytecode(code: types.CodeType) -> References:
    """Return what a code object without source reads from outside, as far as bytecode tells."""
    found: dict[Reference, None] = {}
    rebound: set[str] = set()
    for each in nested_code(code):
        chain: tuple[str, ...] = ()
        module = ""
        constants: list[object] = []
        for instruction in dis.get_instructions(each):
            operation, operand = instruction.opname, str(instruction.argval)
            if chain and operation in _ATTRIBUTE:
                chain = (*chain, operand)
                continue
            found |= {Reference(chain): None} if chain else {}
            chain = (operand,) if operation in _GLOBAL else ()
            if operation == "STORE_GLOBAL":
                rebound.add(operand)
            elif operation == "IMPORT_NAME":
                module = "." * int(str(constants[-2])) + operand  # the level lies under the names
                found[Reference((), module)] = None
            elif operation == "IMPORT_FROM":
                found[Reference((operand,), module)] = None
            constants.append(instruction.argval)
    read = [*found, *(Reference((name,)) for name in code.co_freevars)]
    return References(tuple(read), frozenset(rebound))


def nested_code(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield a code object, and those of all functions and classes defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from nested_code(constant)


@dataclass(slots=True)
class _Scope:
    """What is bound in one scope, and the scope around it."""

    kind: str  # "module", "class", "function"
    parent: _Scope | None = None
    bound: set[str] = field(default_factory=set)
    imported: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    passed_on: set[str] = field(default_factory=set)  # declared `nonlocal`
    outside: set[str] = field(default_factory=set)  # declared `global`


class _Reader:
    """Walks through nested scopes; inside one scope by a loop, so that long expressions are no matter."""

    def __init__(self, is_durable: Callable[[ast.expr], bool]) -> None:
        self.found: dict[Reference, None] = {}
        self.rebound: set[str] = set()
        self.at_definition = False
        self._is_durable = is_durable

    def read(self, nodes: Iterable[ast.AST | None], scope: _Scope, *, into_methods: bool = True) -> None:
        """Read nodes of one scope in the order in which they run, mostly."""
        waiting = [node for node in nodes if node is not None][::-1]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Name):
                self._name(node, scope)
            elif isinstance(node, ast.Attribute):
                waiting += self._attribute(node, scope)
            elif isinstance(node, _FUNCTIONS):
                self._definition(node, scope)
                if into_methods:
                    self.read_function(node, scope)
            elif isinstance(node, ast.ClassDef):
                self.read_class(node, scope)
                scope.bound |= {node.name} if scope.kind == "class" else set()
            elif isinstance(node, _COMPREHENSIONS):
                self._comprehension(node, scope)
            elif isinstance(node, ast.AnnAssign):
                self._annotation(node.annotation, scope)
                waiting += [each for each in (node.target, node.value) if each is not None]
            else:
                waiting += _in_order(node)[::-1]

    def read_decorators(self, node: _Function, scope: _Scope) -> None:
        """Read what is evaluated once, when the function is defined."""
        self.at_definition = True
        decorators = getattr(node, "decorator_list", ())
        self.read((each for each in decorators if not self._is_durable(each)), scope)
        self.at_definition = False

    def read_function(self, node: _Function, parent: _Scope) -> None:
        """Read the body of a function, in a scope of its own."""
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        scope = _scope_of("function", body, parent)
        arguments = node.args
        listed = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        scope.bound |= {each.arg for each in (*listed, arguments.vararg, arguments.kwarg) if each is not None}
        scope.bound |= {each.name for each in getattr(node, "type_params", ())}
        self.rebound |= {name for name in scope.outside | scope.passed_on if self._is_outside(name, scope)}
        self.read(body, scope)

    def read_class(self, node: ast.ClassDef, parent: _Scope, *, into_methods: bool = True) -> None:
        """Read a class: its decorators, bases and what stands at its level."""
        self.read((each for each in node.decorator_list if not self._is_durable(each)), parent)
        self.read((*node.bases, *(each.value for each in node.keywords)), parent)
        scope = _Scope("class", parent)
        for each in getattr(node, "type_params", ()):
            scope.bound.add(each.name)
        self.read(node.body, scope, into_methods=into_methods)

    def _definition(self, node: _Function, scope: _Scope) -> None:
        decorators = getattr(node, "decorator_list", ())
        self.read((each for each in decorators if not self._is_durable(each)), scope)
        self.read((*node.args.defaults, *node.args.kw_defaults), scope)
        if scope.kind == "class" and not isinstance(node, ast.Lambda):
            scope.bound.add(node.name)

    def _comprehension(self, node: ast.AST, parent: _Scope) -> None:
        generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
        self.read([generators[0].iter], parent)
        targets = [name for each in generators for name in ast.walk(each.target)]
        names = {each.id for each in targets if isinstance(each, ast.Name) and not _is_read(each)}
        scope = _Scope("function", parent, names)
        for number, each in enumerate(generators):
            self.read((each.iter if number else None, each.target, *each.ifs), scope)
        self.read((getattr(node, name, None) for name in ("key", "value", "elt")), scope)

    def _annotation(self, annotation: ast.expr, scope: _Scope) -> None:
        """Read an annotation where it does something: data classes and models are made from theirs."""
        if scope.kind == "class":
            for node in ast.walk(annotation):
                if isinstance(node, ast.Name):
                    self._reference((node.id,), scope, at_definition=True)

    def _name(self, node: ast.Name, scope: _Scope) -> None:
        if _is_read(node):
            self._reference((node.id,), scope)
        elif scope.kind == "class":
            scope.bound.add(node.id)

    def _attribute(self, node: ast.Attribute, scope: _Scope) -> list[ast.AST]:
        """Read a chain that begins at a name; return what any other begins at."""
        names: list[str] = [node.attr] if _is_read(node) else []
        root = node.value
        while isinstance(root, ast.Attribute):
            names.append(root.attr)
            root = root.value
        if not isinstance(root, ast.Name):
            return [root]
        self._reference((root.id, *reversed(names)), scope)
        return []

    def _reference(self, names: tuple[str, ...], scope: _Scope, *, at_definition: bool = False) -> None:
        at_definition = at_definition or self.at_definition
        owner = _owner(names[0], scope)
        if owner is None:
            self.found.setdefault(Reference(names, at_definition=at_definition))
        elif names[0] in owner.imported:
            module, first = owner.imported[names[0]]
            self.found.setdefault(Reference((*first, *names[1:]), module, at_definition))

    def _is_outside(self, name: str, scope: _Scope) -> bool:
        return name in scope.outside or _owner(name, scope) is None


def _owner(name: str, scope: _Scope) -> _Scope | None:
    """Return the scope in which a name is bound, None if that is outside of the code."""
    first, current = scope, scope
    while True:
        if name in current.outside:
            return None
        visible = current.kind != "class" or current is first
        if visible and name not in current.passed_on and (name in current.bound or name in current.imported):
            return current
        if current.parent is None:
            return None
        current = current.parent


def _scope_of(kind: str, body: Iterable[ast.AST], parent: _Scope) -> _Scope:
    """Return the scope of a function with all that its body binds, without what is nested in it."""
    scope = _Scope(kind, parent)
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        _bind(node, scope)
        if isinstance(node, _COMPREHENSIONS):
            scope.bound |= {each.target.id for each in ast.walk(node) if isinstance(each, ast.NamedExpr)}
        elif not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            waiting += ast.iter_child_nodes(node)
    for name in scope.outside | scope.passed_on:
        scope.bound.discard(name)
        scope.imported.pop(name, None)
    return scope


def _bind(node: ast.AST, scope: _Scope) -> None:
    match node:
        case ast.Name(id=name) if not _is_read(node):
            scope.bound.add(name)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            scope.bound.add(name)
        case (
            ast.ExceptHandler(name=str(name))
            | ast.MatchAs(name=str(name))
            | ast.MatchStar(name=str(name))
            | ast.MatchMapping(rest=str(name))
        ):
            scope.bound.add(name)
        case ast.Global(names=names):
            scope.outside |= set(names)
        case ast.Nonlocal(names=names):
            scope.passed_on |= set(names)
        case ast.Import(names=aliases):
            for alias in aliases:
                module = alias.name if alias.asname else alias.name.partition(".")[0]
                scope.imported[alias.asname or module] = module, ()
        case ast.ImportFrom(names=aliases):
            module = "." * node.level + (node.module or "")
            scope.imported |= {alias.asname or alias.name: (module, (alias.name,)) for alias in aliases}
        case _:
            pass


def _in_order(node: ast.AST) -> list[ast.AST]:
    """Return the children of a node, values before the names that they are bound to."""
    children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Assign):
        return [node.value, *node.targets]
    if isinstance(node, ast.AugAssign):
        target = ast.Name(node.target.id, ast.Load()) if isinstance(node.target, ast.Name) else None
        return [each for each in (target, node.value, node.target) if each is not None]
    if isinstance(node, ast.For | ast.AsyncFor):
        return [node.iter, node.target, *node.body, *node.orelse]
    return children


def _is_read(node: ast.Name | ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Load)
