"""Finds the path to the smallest part of a value that can't be kept."""

from __future__ import annotations

import pickle
import sys
import time
import types
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any

from resonate_nb.errors import ResonateError, Unpicklable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resonate_nb.values.pickling import Pickling

DEEPEST = 40  # steps of a path
MOST_TRIALS = 500
PATIENCE = 5.0  # seconds, after which the path found so far is good enough
MOST_CHILDREN = 100_000

Child = tuple[str, object]  # what to append to the path, and the part


def explain(value: object, name: str, error: Exception, pickling: Pickling) -> Unpicklable:
    """Return the error that names the part of `value` which made pickling fail with `error`."""
    if isinstance(error.__cause__, RecursionError) or isinstance(error, RecursionError):
        return Unpicklable(name or "value", _type_name(value), "it is nested too deeply")
    search = _Search(pickling)
    path, part, reason = search.descend(value, name, error)
    return Unpicklable(path or "value", _type_name(part), _reason(reason))


class _Search:
    """A descent into the first part that fails, with a bound on the number of trials."""

    def __init__(self, pickling: Pickling) -> None:
        self._pickling = pickling
        self._trials = MOST_TRIALS
        self._until = time.monotonic() + PATIENCE
        self._seen: set[int] = set()

    def descend(self, part: object, path: str, error: Exception) -> tuple[str, object, Exception]:
        """Return path, part and error of the smallest part that fails."""
        for _ in range(DEEPEST):
            self._seen.add(id(part))
            children = [child for child in _children(part, path) if id(child[1]) not in self._seen]
            failing = self._first_failing(children)
            if failing is None:
                break
            (label, part), error = failing
            path = _join(path, label)
        return path, part, error

    def _first_failing(self, children: Sequence[Child]) -> tuple[Child, Exception] | None:
        """Halve the children until the first one that fails stands alone."""
        error = self._failure([child for _, child in children])
        while error is not None and len(children) > 1:
            first = children[: len(children) // 2]
            first_error = self._failure([child for _, child in first])
            children = first if first_error is not None else children[len(children) // 2 :]
            error = first_error if first_error is not None else self._failure([each for _, each in children])
        return None if error is None else (children[0], error)

    def _failure(self, parts: list[object]) -> Exception | None:
        """Return why the parts can't be pickled; None if they can, or if enough was tried."""
        self._trials -= 1
        if not parts or self._trials < 0 or time.monotonic() > self._until:
            return None
        try:
            self._pickling.dump(parts)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - what the classes of the value raise
            return error
        return None


def _children(part: Any, path: str) -> list[Child]:
    """Return the parts of which pickling would write the given one."""
    found: list[Child] = []
    try:
        for child in _iterate(part, path):
            found.append(child)
            if len(found) >= MOST_CHILDREN:
                break
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a part that fails while it is taken apart is the smallest
        return found
    return found


def _iterate(part: Any, path: str) -> Iterator[Child]:
    if isinstance(part, dict):
        yield from ((f" key {_short(key)}", key) for key in part if not isinstance(key, str))
        yield from (
            (key if not path and isinstance(key, str) else f"[{_short(key)}]", item)
            for key, item in part.items()
        )
    elif isinstance(part, list | tuple | deque):
        yield from ((f"[{place}]", item) for place, item in enumerate(part))
    elif isinstance(part, set | frozenset):
        yield from ((".<element>", item) for item in part)
    elif isinstance(part, types.FunctionType):
        yield from _of_function(part)
    elif isinstance(part, types.MethodType):
        yield ".__self__", part.__self__
        yield ".__func__", part.__func__
    elif isinstance(part, type):
        yield from ((f".{name}", _unwrapped(item)) for name, item in vars(part).items())
    elif isinstance(part, BaseException):
        yield from chain(
            _of_object(part), ((".__cause__", part.__cause__), (".__context__", part.__context__))
        )
    elif _is_frame(part):
        yield from ((f"[{_short(name)}]", column) for name, column in part.items())
    elif _is_column(part):
        yield from ((f".iloc[{place}]", item) for place, item in enumerate(part))
    elif _is_object_array(part):
        yield from ((f".flat[{place}]", item) for place, item in enumerate(part.flat))
    else:
        yield from _of_object(part)


def _of_function(part: types.FunctionType) -> Iterator[Child]:
    for name, cell in zip(part.__code__.co_freevars, part.__closure__ or (), strict=True):
        try:
            yield f".<closure>.{name}", cell.cell_contents
        except ValueError:  # an empty cell
            continue
    yield from ((f".<default>[{place}]", item) for place, item in enumerate(part.__defaults__ or ()))
    yield from ((f".<default>.{name}", item) for name, item in (part.__kwdefaults__ or {}).items())
    yield from ((f".{name}", item) for name, item in vars(part).items())


def _of_object(part: object) -> Iterator[Child]:
    """Yield what the object's own reduction consists of."""
    reduced = part.__reduce_ex__(5)
    if isinstance(reduced, str):
        return
    reduction: tuple[Any, ...] = (*reduced, None, None, None, None)
    _, arguments, state, items, pairs, *_ = reduction
    for attributes in state if isinstance(state, tuple) and len(state) == 2 else (state,):
        if isinstance(attributes, dict):
            yield from ((f".{name}", item) for name, item in attributes.items())
        elif attributes is not None:
            yield ".<state>", attributes
    yield from ((f"[{place}]", item) for place, item in enumerate(items or ()))
    yield from ((f"[{_short(key)}]", item) for key, item in pairs or ())
    yield from ((f".<argument>[{place}]", item) for place, item in enumerate(arguments))


def _unwrapped(attribute: Any) -> object:
    if isinstance(attribute, staticmethod | classmethod):
        return attribute.__func__
    return attribute.fget if isinstance(attribute, property) else attribute


def _is_frame(part: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(part, pandas.DataFrame)


def _is_column(part: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(part, pandas.Series | pandas.Index)


def _is_object_array(part: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(part, numpy.ndarray) and part.dtype == object


def _join(path: str, label: str) -> str:
    return path + label if path or not label.startswith((".", "[", " ")) else f"value{label}"


def _short(key: object) -> str:
    shown = repr(key) if isinstance(key, str | int | float | bytes | tuple) else f"<{_type_name(key)}>"
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _type_name(part: object) -> str:
    kind = type(part)
    return (
        kind.__qualname__
        if kind.__module__ in {"builtins", "__main__"}
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, pickle.PicklingError | TypeError | ResonateError) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}"
