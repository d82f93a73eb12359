"""The graph of all code that a piece of code refers to, walked in the order of the source.

Nodes are what is the user's own. What else a name may refer to is written on the edge: a literal,
something of a library, nothing, or "data", which is read at each call and no part of the code.
"""

from __future__ import annotations

import ast
import functools
import types
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from resonate_nb.code.class_members import describe_class
from resonate_nb.code.compounds import refer_to_compound
from resonate_nb.code.following import follow, is_durable_decorator
from resonate_nb.code.libraries import PYTHON, library_of
from resonate_nb.code.literals import literal_text
from resonate_nb.code.live_code import has_own_parts, module_of, plain
from resonate_nb.code.nodes import Node, Role, graph_digest, text_digest, unique
from resonate_nb.code.objects import code_text
from resonate_nb.code.parts import Part
from resonate_nb.code.places import Place, place_in
from resonate_nb.code.references import references_of_bytecode, references_of_tree
from resonate_nb.code.source import source_of_function
from resonate_nb.code.syntax import canonical
from resonate_nb.code.watching import Watch, cell_content, expect, watch_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resonate_nb.code.libraries import Policy
    from resonate_nb.code.source import Source, Stamp


class Graph:
    """Grows from a root until all that it refers to is known."""

    def __init__(self, policy: Policy) -> None:
        self.nodes: list[Node] = []
        self.parts: list[Part] = []
        self.captures: list[tuple[str, Place]] = []
        self.watches: list[Watch] = []
        self.stamps: dict[Stamp, None] = {}
        self.stale: str | None = None
        self.lasting = True  # False: something is referred to that can change without being bound anew
        self._policy = policy
        self._libraries: set[str] = set()
        self._by_id: dict[int, Node] = {}
        self._unread: deque[Node] = deque()

    def grow_from(self, root: Any) -> None:
        """Walk from a function, class or anything else that can be called."""
        root = plain(root)
        name = getattr(root, "__name__", type(root).__name__)
        node = self.node_of(name, root)
        if node is None:
            node = Node(name, root, Watch(lambda: None), text="root")
            self.nodes.append(node)
            self.lasting = False
            self.refer(node, name, root, place_in({name: root}, name))
        node.prefix = ""
        self._read_all()

    def grow_from_cell(self, tree: ast.Module, names: set[str], namespace: Mapping[str, object]) -> None:
        """Walk from a cell that reads these names of the namespace."""
        node = Node("", None, Watch(lambda: None), text=f"cell {canonical(tree)}")
        self.nodes.append(node)
        self.add_part("", "code", node.text, ast.unparse(tree))
        follow(self, node, references_of_tree(tree), namespace, only=names)
        self._read_all()

    def digest(self) -> str:
        """Return the digest of the whole graph."""
        return graph_digest(self.nodes)

    def captured(self) -> tuple[tuple[str, Place], ...]:
        """Return where the code reads data, each place once, by path."""
        places = sorted(dict.fromkeys(self.captures), key=lambda capture: capture[0])
        return tuple(zip(unique(path for path, _ in places), (place for _, place in places), strict=True))

    def refer(self, node: Node, label: str, value: Any, place: Place, *, as_data: bool = False) -> Role:
        """Add what a name refers to; `as_data` also when it is a literal, because the code binds it anew."""
        value = plain(value)
        text = literal_text(value)
        if text is not None and not as_data:
            self._constant(node, label, text, repr(value)[:1_000])
            own_kind = self.node_of(node.path_of(f"{label}.__class__"), type(value))
            if own_kind is not None:
                node.edges.append((f"{label}.__class__", own_kind))
            return Role.LITERAL
        target = self.node_of(node.path_of(label), value)
        if target is not None:
            node.edges.append((label, target))
            return Role.CODE
        return refer_to_compound(self, node, label, value, place)

    def node_of(self, path: str, value: Any) -> Node | None:
        """Return the node of a function, class or module of the user's own; None for anything else."""
        if id(value) in self._by_id:
            return self._by_id[id(value)]
        match value:
            case types.FunctionType():
                is_own = library_of(module_of(value)) is None or has_own_parts(value)
            case type():
                is_own = library_of(value.__module__) is None
            case types.ModuleType():
                is_own = library_of(value.__name__) is None
            case _:
                is_own = False
        if not is_own:
            return None
        node = Node(path, value, watch_of(value), prefix=f"{path}.")
        self._by_id[id(value)] = node
        self.nodes.append(node)
        self.watches.append(node.watch)
        self._unread.append(node)
        return node

    def watch_module(self, module: types.ModuleType) -> Watch:
        """Return a watch on a module through which a name was found."""
        watch = watch_of(module)
        self.watches.append(watch)
        return watch

    def refer_to_library(self, node: Node, label: str, module: str, name: str) -> Role:
        """Add something that is known by its name in a library, or in Python itself."""
        library = library_of(module) or PYTHON
        shown = f"{module}.{name}" if name else module
        self._constant(node, label, library.says(shown, self._policy), shown)
        if library.name and library.name not in self._libraries:
            self._libraries.add(library.name)
            meaning = text_digest(f"{library.name} {library.counted(self._policy)}")
            self.parts.append(Part(library.name, "library", meaning, library.version))
        return Role.CODE

    def refer_to_nothing(self, node: Node, label: str) -> None:
        """Add a name that means nothing yet."""
        node.edges.append((label, "missing"))
        self.add_part(node.path_of(label), "missing", "missing", "")

    def capture(self, node: Node, label: str, place: Place) -> Role:
        """Add data that is read by name."""
        node.edges.append((label, "data"))
        self.captures.append((node.path_of(label), place))
        return Role.DATA

    def add_part(self, path: str, kind: str, text: str, source: str) -> None:
        """Add what explains a part of the digest."""
        self.parts.append(Part(path, kind, text_digest(text), source))

    def note_source(self, source: Source, module: str) -> None:
        """Remember the file that was compared with the code that runs."""
        if source.stamp is not None:
            self.stamps.setdefault(source.stamp)
        if source.stale and self.stale is None:
            self.stale = module

    def _constant(self, node: Node, label: str, text: str, shown: str) -> None:
        node.edges.append((label, text))
        self.add_part(node.path_of(label), "constant", text, shown)

    def _read_all(self) -> None:
        while self._unread:
            node = self._unread.popleft()
            match node.thing:
                case types.FunctionType():
                    self._read_function(node, node.thing)
                case type():
                    describe_class(self, node, node.thing)
                case _:
                    self._read_module(node, node.thing)

    def _read_function(self, node: Node, function: types.FunctionType) -> None:
        if library_of(module_of(function)) is not None:
            self._read_wrapper(node, function)
            return
        source = source_of_function(function)
        self.note_source(source, module_of(function))
        if source.tree is None:
            node.text = code_text(function.__code__)
            references = references_of_bytecode(function.__code__)
        else:
            is_durable = functools.partial(is_durable_decorator, namespace=function.__globals__)
            node.text = canonical(source.tree, is_durable)
            references = references_of_tree(source.tree, is_durable)
        self.add_part(node.path, "code", node.text, source.text)
        self._read_defaults(node, function)
        follow(self, node, references, function.__globals__)
        self._read_wrapped(node, function)

    def _read_wrapper(self, node: Node, function: types.FunctionType) -> None:
        """Read a library's function that wraps code of the user's own; its other state is the library's."""
        node.text = f"wrapper {module_of(function)}.{function.__code__.co_qualname}"
        self.add_part(node.path, "code", node.text, "")
        self.refer_to_library(node, "__code__", module_of(function), function.__code__.co_qualname)
        for number, name in enumerate(function.__code__.co_freevars):
            content = cell_content((function.__closure__ or ())[number])
            if isinstance(plain(content), types.FunctionType | type):
                self.refer(node, name, content, Place("cell", number, node.watch.holder))
                self.watch_cell(node, number, Role.CODE, content)
        registry = getattr(function, "registry", None)
        if isinstance(registry, types.MappingProxyType):  # of functools.singledispatch
            self.lasting = False
            for kind in sorted(registry, key=lambda each: f"{each.__module__}.{each.__qualname__}"):
                step = attrgetter("registry")
                place = Place("global", function.__name__, node.watch.holder).then(step)
                self.refer(node, f"registry[{kind.__qualname__}]", registry[kind], place)
        self._read_wrapped(node, function)

    def watch_cell(self, node: Node, number: int, role: Role, value: object) -> None:
        """Watch what a cell of a closure holds."""
        content = Watch(lambda: None)
        expect(content, "", role, value)
        node.watch.cells.append((number, content))

    def _read_defaults(self, node: Node, function: types.FunctionType) -> None:
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        defaults = function.__defaults__ or ()
        for number, value in enumerate(defaults):
            label = names[len(names) - len(defaults) + number]
            self.refer(node, label, value, Place("default", number, node.watch.holder))
        for name, value in sorted((function.__kwdefaults__ or {}).items()):
            self.refer(node, name, value, Place("keyword default", name, node.watch.holder))

    def _read_wrapped(self, node: Node, function: types.FunctionType) -> None:
        wrapped = vars(function).get("__wrapped__")
        if callable(wrapped):
            place = Place("attribute", "__wrapped__", node.watch.holder)
            self.refer(node, "__wrapped__", wrapped, place)

    def _read_module(self, node: Node, module: types.ModuleType) -> None:
        """Read a module that is passed around as a whole: any of its code may be used."""
        node.text = "module"
        self.add_part(node.path, "code", node.text, "")
        for name, value in sorted(vars(module).items()):
            is_code = isinstance(plain(value), types.FunctionType | type) or literal_text(value) is not None
            if is_code and not name.startswith("__"):
                role = self.refer(node, name, value, Place("attribute", name, node.watch.holder))
                expect(node.watch, name, role, value)
