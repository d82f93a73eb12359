"""The names that code refers to, as chains of attributes: `helper`, `mod.helper`, and modules it imports."""

from __future__ import annotations

import ast
import dis
import types
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Chain = tuple[str, ...]
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


def chains_of_code(code: types.CodeType) -> tuple[set[Chain], set[str]]:
    """Return the chains that begin at a global, and the modules imported, in a code object and below."""
    chains: set[Chain] = set()
    imports: set[str] = set()
    chain: Chain = ()
    for instruction in dis.get_instructions(code):
        if chain and instruction.opname in _ATTRIBUTE:
            chain = (*chain, str(instruction.argval))
            continue
        if chain:
            chains.add(chain)
        chain = (str(instruction.argval),) if instruction.opname in _GLOBAL else ()
        if instruction.opname == "IMPORT_NAME":
            imports.add(str(instruction.argval))
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner_chains, inner_imports = chains_of_code(constant)
            chains |= inner_chains
            imports |= inner_imports
    return chains, imports


def chains_of_tree(tree: ast.AST, names: Iterable[str]) -> tuple[set[Chain], set[str]]:
    """Return the same for a syntax tree, as far as the chains begin at one of the names."""
    wanted, chains = set(names), set[Chain]()
    for node in ast.walk(tree):
        chain: Chain = ()
        root = node
        while isinstance(root, ast.Attribute):
            chain, root = (root.attr, *chain), root.value
        if isinstance(root, ast.Name) and root.id in wanted:
            chains.add((root.id, *chain))
    return chains | {(name,) for name in wanted - {chain[0] for chain in chains}}, imports_of_tree(tree)


def imports_of_tree(tree: ast.AST) -> set[str]:
    """Return the absolute names of the modules that a tree imports anywhere."""
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return imports
