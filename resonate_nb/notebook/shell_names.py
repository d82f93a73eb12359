"""Which names of the namespace are the shell's or ours, and not the user's."""

from __future__ import annotations

import re

RUN = "__rnb_run_"  # in front of the number of a cell's run
_SHELL_NAMES = frozenset({"get_ipython", "exit", "quit", "open"})
_HISTORY = re.compile(r"In|Out|_{1,3}|_[0-9]+|_i{1,3}|_i[0-9]+|_ih|_oh|_dh|_exit_code")


def is_history(name: str) -> bool:
    """Return whether a name is one of those that IPython binds anew after each cell."""
    return _HISTORY.fullmatch(name) is not None


def is_shells(name: str) -> bool:
    """Return whether a name is no variable of the user's."""
    return name in _SHELL_NAMES or name.startswith(RUN) or is_history(name)
