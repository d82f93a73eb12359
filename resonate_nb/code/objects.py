"""What a code object does, as text, wherever it stands: for comparing, and for code without source."""

from __future__ import annotations

import sys
from types import CodeType

_COUNTED = "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_flags"
_NAMED = "co_name", "co_names", "co_varnames", "co_freevars", "co_cellvars"


def code_text(code: CodeType) -> str:
    """Return what a code object does, as text that only the same Python version gives again."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"bytecode of Python {version}: {_text(code)}"


def same_code(one: CodeType, other: CodeType) -> bool:
    """Return whether two code objects do the same, whatever their files and lines are."""
    if one.co_name != other.co_name or one.co_code != other.co_code:
        return False
    return _text(one) == _text(other)


def _text(code: CodeType) -> str:
    counted = [getattr(code, name) for name in _COUNTED]
    named = [getattr(code, name) for name in _NAMED]
    constants = ",".join(_constant(each, code) for each in code.co_consts)
    return f"code({counted},{named},{code.co_code.hex()},{code.co_exceptiontable.hex()},[{constants}])"


def _constant(constant: object, owner: CodeType) -> str:
    if isinstance(constant, CodeType):
        return _text(constant)
    if isinstance(constant, frozenset):
        return f"frozenset({sorted(_constant(each, owner) for each in constant)})"
    # Since Python 3.13 the body of a class says on which line it stands, and which attributes its methods
    # set in an order that differs between processes.
    if "__firstlineno__" in owner.co_names:
        if constant == owner.co_firstlineno:
            return "its own line"
        if isinstance(constant, tuple) and all(isinstance(each, str) for each in constant):
            return f"tuple({sorted(constant)})"
    if isinstance(constant, tuple):
        return f"tuple({','.join(_constant(each, owner) for each in constant)})"
    if type(constant) is int:
        return f"{constant:#x}"
    return f"{type(constant).__name__}:{constant!r}"
