"""What is set in a process outside of variables, by the words in which users know it."""

from __future__ import annotations

import locale
import logging
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


_INLINE = "module://matplotlib_inline.backend_inline"  # the kernel asks for it so, `%matplotlib` as "inline"


def settings() -> dict[str, object]:
    """Return all settings that later code may depend on; of libraries, of those that are loaded.

    Values are compared with ``==`` and are never changed afterwards, so that they can be kept for later.
    """
    found: dict[str, object] = {
        "the working directory": _working_directory(),
        "the warning filters": tuple(warnings.filters),
        "sys.path": tuple(sys.path),
        "the locale": locale.setlocale(locale.LC_ALL),
        "the root logger": _logger(logging.getLogger()),
    }
    found.update({f"the environment variable {name}": value for name, value in os.environ.items()})
    for module, (needed, read) in _OF_LIBRARIES.items():
        loaded = sys.modules.get(module)
        if hasattr(loaded, needed):  # else it is being loaded just now
            found.update(read(loaded))
    return found


def _working_directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 (a string, compared for each cell)
    except FileNotFoundError:
        return None


def _logger(root: logging.Logger) -> tuple[object, ...]:
    return root.level, tuple(root.handlers), tuple(root.filters), root.manager.disable


def _of_decimal(decimal: Any) -> dict[str, object]:
    context = decimal.getcontext()
    traps = tuple(signal.__name__ for signal, trapped in context.traps.items() if trapped)
    return {
        "the decimal context": (
            context.prec,
            context.rounding,
            context.Emin,
            context.Emax,
            context.capitals,
            context.clamp,
            traps,
        )
    }


def _of_numpy(numpy: Any) -> dict[str, object]:
    found = {f"numpy's print option {name}": each for name, each in numpy.get_printoptions().items()}
    return {**found, "numpy's error handling": numpy.geterr()}


def _of_pandas(pandas: Any) -> dict[str, object]:
    return {f"the pandas option {name}": each for name, each in _leaves(pandas.options.d)}


def _of_matplotlib(matplotlib: Any) -> dict[str, object]:
    # The raw items: reading one by its name would choose a backend and warn of what is deprecated.
    items = dict(dict.items(matplotlib.rcParams))
    items.pop("backend_fallback", None)  # only says whether the backend was asked for
    found = {name: tuple(each) if type(each) is list else each for name, each in items.items()}
    if found.get("backend") == _INLINE:
        found["backend"] = "inline"
    return {f"matplotlib's parameter {name}": each for name, each in found.items()}


def _of_sklearn(sklearn: Any) -> dict[str, object]:
    return {f"scikit-learn's option {name}": each for name, each in sklearn.get_config().items()}


def _leaves(options: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    for name, each in options.items():
        if isinstance(each, dict):
            yield from _leaves(each, f"{path}{name}.")
        else:
            yield path + name, each


_OF_LIBRARIES: dict[str, tuple[str, Callable[[Any], dict[str, object]]]] = {
    "decimal": ("getcontext", _of_decimal),
    "numpy": ("get_printoptions", _of_numpy),
    "pandas": ("options", _of_pandas),
    "matplotlib": ("rcParams", _of_matplotlib),
    "sklearn": ("get_config", _of_sklearn),
}
