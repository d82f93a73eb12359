"""What a cell does to names behind its text: magics, shell lines, `exec` and star imports.

IPython has turned magics and shell lines into calls by the time that a cell is a syntax tree:
``get_ipython().run_line_magic('time', 'x = 1')``, ``get_ipython().system('ls $folder')``.
"""

from __future__ import annotations

import ast
import re
import string

# Names that give code the whole namespace. They count wherever they are loaded, called or not; only
# `vars(thing)` and `dir(thing)` are about the thing.
DOORS = frozenset({"exec", "eval", "globals", "locals", "__main__"})
DOORS_WITHOUT_ARGUMENTS = frozenset({"vars", "dir"})
DOORS_AS_ATTRIBUTES = frozenset(
    {"f_globals", "f_locals", "__globals__", "user_ns", "user_global_ns", "run_cell", "run_cell_async"}
    | {"run_cell_magic", "safe_execfile", "run_ast_nodes", "run_code"}
)
DOORS_OF_THE_SHELL = frozenset({"push", "ex", "ev", "magic", "reset", "del_var", "drop_by_id"})

# Line magics that neither read nor bind names, run no code of the user, and leave nothing behind that a
# replay would miss, as settings of the shell are (`%config`, `%load_ext`, `%precision`).
QUIET_MAGICS = frozenset(
    "cd dirs env ls lsmagic matplotlib mkdir popd pushd pwd set_env".split()  # noqa: SIM905
)
MAGICS_OF_ONE_STATEMENT = frozenset({"time"})

_DOLLAR = re.compile(r"\$([A-Za-z_]\w*)")


def reaches_hidden_names(node: ast.AST) -> bool:
    """Return whether this node, without what is inside it, may read or bind names that nobody can see.

    What counts: ``from x import *``; ``exec``, ``eval``, ``globals``, ``locals`` by name; ``vars()`` and
    ``dir()`` without argument; ``__main__``; frames' and functions' namespaces; the shell's own
    (``user_ns``, ``push``, ...); and every magic that is not known to be harmless.
    """
    match node:
        case ast.ImportFrom(names=[ast.alias(name="*")]):
            return True
        case ast.Import(names=names) if any(alias.name == "__main__" for alias in names):
            return True
        case ast.Name(id=name, ctx=ast.Load()) if name in DOORS:
            return True
        case ast.Call(func=ast.Name(id=name), args=[], keywords=[]) if name in DOORS_WITHOUT_ARGUMENTS:
            return True
        case ast.Attribute(attr=name) if name in DOORS_AS_ATTRIBUTES:
            return True
        case ast.Attribute(attr=name, value=value) if name in DOORS_OF_THE_SHELL and _is_shell(value):
            return True
        case ast.Attribute(attr="run_line_magic", value=value) if not _is_shell(value):
            return True
        case ast.Call(func=ast.Attribute(attr="run_line_magic")):
            return not _is_harmless(node)
    return False


def _is_harmless(node: ast.Call) -> bool:
    called = call_of_ipython(node)
    if called is None:
        return False
    return called[0] in QUIET_MAGICS or code_of_magic(*called) is not None


def call_of_ipython(node: ast.Call) -> tuple[str, str] | None:
    """Return the name of the magic, or of the shell method, and its line.

    >>> call_of_ipython(ast.parse("get_ipython().run_line_magic('time', 'x = 1')", mode="eval").body)
    ('time', 'x = 1')
    >>> call_of_ipython(ast.parse("get_ipython().system('ls')", mode="eval").body)
    ('system', 'ls')
    """
    match node:
        case ast.Call(
            func=ast.Attribute(attr="run_line_magic", value=shell),
            args=[ast.Constant(value=str(name)), ast.Constant(value=str(line)), *_],
        ) if _is_shell(shell):
            return name, line
        case ast.Call(
            func=ast.Attribute(attr="system" | "getoutput" as name, value=shell),
            args=[ast.Constant(value=str(line)), *_],
        ) if _is_shell(shell):
            return name, line
    return None


def expanded_names(name: str, line: str) -> frozenset[str]:
    """Return the names that IPython puts into the line: ``{expression}`` and ``$name``."""
    found = set() if name in MAGICS_OF_ONE_STATEMENT else set(_DOLLAR.findall(line))
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(line) if field]
    except ValueError:  # unbalanced braces: IPython leaves such a line as it is
        fields = []
    for field in fields:
        try:
            tree = ast.parse(field.strip(), mode="eval")
        except SyntaxError:
            continue
        found |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return frozenset(found)


def code_of_magic(name: str, line: str) -> list[ast.stmt] | None:
    """Return the statements that the magic runs in the namespace, where the line is plain Python."""
    if name not in MAGICS_OF_ONE_STATEMENT:
        return None
    try:
        return ast.parse(line.strip()).body
    except SyntaxError:
        return None


def _is_shell(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_ipython"
