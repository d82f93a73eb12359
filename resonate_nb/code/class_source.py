"""The source of a class, which keeps no code object that says where it comes from."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resonate_nb.code.by_identity import ByIdentity
from resonate_nb.code.literals import literal_text
from resonate_nb.code.objects import same_code
from resonate_nb.code.source import Source, is_current, is_plainly_loaded, read_text, reloadable, text_of_cell
from resonate_nb.code.syntax import canonical
from resonate_nb.code.texts import FUTURES, ParsedText, parsed_text

if TYPE_CHECKING:
    import types
    from collections.abc import Mapping, Sequence


def source_of_class(cls: type, methods: Sequence[types.FunctionType]) -> Source:
    """Return the source of a class, given the methods that its text defines.

    They and the annotations must be what is written there. Where that does not decide, attributes choose,
    and then the text that ran last. Once found, the text stays the class's own.
    """
    known = _known.get(cls)
    if known is not None and (known.stamp is None or is_current(known.stamp)):
        return known
    found = _search(cls, methods)
    if known is not None and known.tree is not None:
        same = found.tree is not None and canonical(found.tree) == canonical(known.tree)
        found = replace(known, stamp=found.stamp, stale=not same)
    _known.set(cls, found)
    return found


_known: ByIdentity[Source] = ByIdentity()


def _search(cls: type, methods: Sequence[types.FunctionType]) -> Source:
    module = sys.modules.get(cls.__module__)
    namespace: Mapping[str, Any] = {} if module is None else vars(module)
    futures = methods[0].__code__.co_flags & FUTURES if methods else 0
    found: list[tuple[ast.ClassDef, Source]] = []
    missed: Source = Source()
    for filename in _files(cls, methods, namespace):
        text, on_disk = read_text(filename, namespace)
        parsed = parsed_text(text, filename, futures)
        stamp = reloadable(on_disk, namespace)
        for node in parsed.classes.get(cls.__qualname__, ()) if parsed is not None else ():
            if parsed is not None and _has_methods(node, parsed, methods) and _has_annotations(node, cls):
                found.append((node, Source(node, parsed.cut(node), stamp)))
            else:
                missed = Source(stamp=stamp, stale=on_disk is not None and is_plainly_loaded(namespace))
    # Attributes may have changed since the class was defined, so they only choose among several texts.
    fitting = [source for node, source in found if _has_values(node, cls)]
    return next(reversed(fitting or [source for _, source in found]), missed)


def _files(cls: type, methods: Sequence[types.FunctionType], namespace: Mapping[str, Any]) -> list[str]:
    if methods:
        return list(dict.fromkeys(method.__code__.co_filename for method in methods))
    file = [str(namespace["__file__"])] if namespace.get("__file__") else []
    if cls.__module__ != "__main__":
        return file
    opening = re.compile(rf"(?m)^\s*class\s+{re.escape(cls.__name__)}\b")
    cells = {name: text_of_cell(name) or "" for name in list(linecache.cache)}
    defining = [name for name in cells if opening.search(cells[name])]
    return [*file, *_in_order_of_running(defining, cells, namespace)]


def _in_order_of_running(
    names: list[str], cells: Mapping[str, str], namespace: Mapping[str, Any]
) -> list[str]:
    """Return the names of cells, those that ran last at the end; a notebook knows its cells as `In`."""
    inputs = namespace.get("In")
    ran = {
        str(text).strip(): number for number, text in enumerate(inputs if isinstance(inputs, list) else ())
    }
    return sorted(names, key=lambda name: ran.get(cells[name].strip(), -1))


def _has_methods(node: ast.ClassDef, parsed: ParsedText, methods: Sequence[types.FunctionType]) -> bool:
    """Return whether all methods of a class are what is written there."""
    inside = parsed.codes_inside(node)
    return all(any(same_code(method.__code__, code) for code in inside) for method in methods)


def _has_annotations(node: ast.ClassDef, cls: type) -> bool:
    """Return whether the same names are annotated; those that stand in a block may be."""
    live, certain, possible = set(inspect.get_annotations(cls)), set(), set()
    for each in ast.walk(node):
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            possible.add(each.target.id)
            certain |= {each.target.id} if each in node.body else set()
    return certain <= live <= possible


def _has_values(node: ast.ClassDef, cls: type) -> bool:
    """Return whether attributes that are given as literals have these values, where they are seen."""
    assigned = (each for each in node.body if isinstance(each, ast.Assign | ast.AnnAssign))
    return all(_has_value(each, cls) for each in assigned)


def _has_value(statement: ast.Assign | ast.AnnAssign, cls: type) -> bool:
    target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
    if not isinstance(target, ast.Name) or not isinstance(statement.value, ast.Constant):
        return True
    live = vars(cls).get(target.id, ...)
    text = literal_text(live.value if type(live) is cls and hasattr(live, "value") else live)
    return text in (None, literal_text(...), literal_text(statement.value.value))
