"""Which statements of a cell run again at replay, to make what can't be kept: `--remake`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from IPython.utils.capture import capture_output

from resonate_nb.content.digest_forms import type_name
from resonate_nb.errors import ResonateError, UsageError
from resonate_nb.fingerprint import content_digest, fingerprint_cell
from resonate_nb.inputs import Inputs
from resonate_nb.notebook.shell_names import is_shells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from resonate_nb.notebook.analysis import CellAnalysis, Statement


class Remaking:
    """The statements that assign some names, and whether running them again gives the same things.

    Raises
    ------
    UsageError
        A name is not assigned by the cell, or not by statements that do nothing else.
    """

    def __init__(self, analysis: CellAnalysis, names: frozenset[str]) -> None:
        self._names, self._analysis = names, analysis
        for name in sorted(names - analysis.writes):
            known = "an input: the cell that assigns it makes it" if name in analysis.inputs else "unknown"
            raise UsageError(f"--remake names {name!r}, which this cell does not assign; it is {known}")
        self.statements = [each for each in analysis.statements if each.writes & names]
        for each in self.statements:
            self._check(each)
        self._read: dict[int, tuple[str, Inputs]] = {}  # by statement: what it meant and read
        self._made: dict[str, str | None] = {}  # the names' digests when they were made

    def before(self, number: int, namespace: dict[str, Any]) -> None:
        """Note what the next statement reads, and what the one before has made."""
        self._note_made(number - 1, namespace)
        for each in self.statements:
            if each.index == number:
                meaning, captures = self._meaning(each, namespace)
                self._read[number] = meaning, Inputs({}, captures, _by_type)

    def obstacle(self, namespace: dict[str, Any]) -> str | None:
        """Return why running the statements again would not do, now that the cell has ended."""
        self._note_made(len(self._analysis.statements) - 1, namespace)
        for each in self.statements:
            if each.index in self._read:
                meaning, inputs = self._read[each.index]
                if changed := [*inputs.mutated(), *inputs.rebound()]:
                    return f"it changed {changed[0]} after line {each.node.lineno} had read it for --remake"
                if meaning != self._meaning(each, namespace)[0]:
                    return f"it changed what line {each.node.lineno} calls for --remake"
        reasons = (self._changed_since(name, namespace) for name in sorted(self._made))
        return next((reason for reason in reasons if reason is not None), None)

    def run(self, shell: Any, filename: str) -> None:
        """Run the statements again; what they show was recorded with the cell and is shown from there."""
        flags = shell.compile.flags
        for each in self.statements:
            code = compile(ast.Module([each.node], []), filename, "exec", flags=flags, dont_inherit=True)
            with capture_output():
                exec(code, shell.user_ns)  # noqa: S102 (the user's own cell)

    def _check(self, statement: Statement) -> None:
        node, line = statement.node, statement.node.lineno
        [name, *_] = sorted(statement.writes & self._names)
        if statement.kind != "other":
            raise UsageError(
                f"--remake names {name!r}, which line {line} defines: definitions run again anyway"
            )
        others = sorted((statement.writes | statement.deletes) - self._names)
        if not isinstance(node, ast.Assign | ast.AnnAssign) or others or not _assigns_names_only(node):
            besides = f", {others[0]!r} among it" if others else ""
            raise UsageError(
                f"--remake names {name!r}, but line {line} does more than to assign it{besides}: "
                f"give {name!r} an assignment of its own"
            )
        if any(isinstance(each, ast.Await | ast.Yield | ast.YieldFrom) for each in ast.walk(node)):
            raise UsageError(
                f"--remake names {name!r}, which line {line} awaits: that can't run again by itself"
            )
        for later in self._analysis.statements[statement.index + 1 :]:
            if changed := sorted(statement.reads & (later.writes | later.deletes) - self._names):
                raise UsageError(
                    f"--remake names {name!r}, which line {line} makes from {changed[0]!r}, and line "
                    f"{later.node.lineno} changes {changed[0]!r} later: give it another name there"
                )

    def _meaning(self, statement: Statement, namespace: dict[str, Any]) -> tuple[str, list[Any]]:
        names = {name for name in statement.reads - self._names if not is_shells(name)}
        code = fingerprint_cell(ast.Module([statement.node], []), names, namespace)
        return code.digest, [each for each in code.captures if each.path not in self._names]

    def _note_made(self, number: int, namespace: dict[str, Any]) -> None:
        for each in self.statements:
            if each.index == number:
                for name in each.writes & namespace.keys():
                    self._made[name] = _digest(namespace[name])

    def _changed_since(self, name: str, namespace: dict[str, Any]) -> str | None:
        if name not in namespace:
            return f"it deleted {name}, which --remake names"
        last = max(each.index for each in self.statements if name in each.writes)
        later = self._analysis.statements[last + 1 :]
        if hasattr(type(namespace[name]), "__next__") and any(name in each.reads for each in later):
            return f"it reads from {name}, a {type_name(namespace[name])} that would be made new for --remake"
        if _digest(namespace[name]) != self._made[name]:
            return f"it changed {name} after it was made, so that to make it new would not do"
        return None


def check_names(option: str, names: Iterable[str], known: frozenset[str], does: str) -> None:
    """Refuse names that an option is not about.

    Raises
    ------
    UsageError
        Names the option and the first such name.
    """
    for name in sorted(set(names) - known):
        raise UsageError(f"{option} names {name!r}, which this cell does not {does}")


def _assigns_names_only(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    parts = [part for each in targets for part in (each.elts if isinstance(each, ast.Tuple) else [each])]
    return all(isinstance(part, ast.Name) for part in parts)


def _digest(value: object) -> str | None:
    try:
        return content_digest(value)
    except ResonateError:  # a connection, for example, in which nothing can be seen
        return None


def _by_type(_owner: object, _path: str) -> Callable[[object], str | None]:
    return type_name
