"""How what was kept of a durable cell comes back: definitions first, then names, then what it showed."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from resonate_nb.content import in_place
from resonate_nb.notebook import randomness
from resonate_nb.notebook.recorder import NO_RESULT, show

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resonate_nb.notebook.analysis import CellAnalysis


def define(shell: Any, analysis: CellAnalysis, filename: str) -> None:
    """Run the imports and definitions of the cell again, in their order."""
    flags = shell.compile.flags
    for each in analysis.statements:
        if each.kind != "other":
            tree = ast.fix_missing_locations(ast.Module([each.node], []))
            code = compile(tree, filename, "exec", flags=flags, dont_inherit=True)
            exec(code, shell.user_ns)  # noqa: S102 (the user's own cell)


def replay(
    shell: Any, kept: Mapping[str, Any], parts: Mapping[str, object], *, remake: Callable[[], None]
) -> None:
    """Restore what the cell changed, set and delete names, make what can't be kept, show what it showed.

    Generators of random numbers are left as the cell left them.
    """
    for number, state in kept["<contents>"].items():
        in_place.restore(parts[number], state)
    shell.user_ns.update({name: value for name, value in kept.items() if not name.startswith("<")})
    for name in kept["<deleted>"]:
        shell.user_ns.pop(name, None)
    remake()
    randomness.restore(kept)
    show(shell, kept["<shown>"], result=kept.get("<last>", NO_RESULT))
