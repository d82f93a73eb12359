"""Hears which files are opened, written, removed and listed, and by whom."""

from __future__ import annotations

import importlib
import os
import stat
import sys
import sysconfig
from typing import TYPE_CHECKING, Any

from resonate_nb.corridor.context import attributed, running, thread_starts
from resonate_nb.opened import auditing
from resonate_nb.opened.file_states import NOTHING, leave_out, left_out, stamp
from resonate_nb.opened.tracing import Place, Trace, placed

if TYPE_CHECKING:
    from collections.abc import Callable

    Hearing = Callable[[tuple[Trace, ...], tuple[Any, ...]], None]

_SYSTEM = ("/proc", "/sys", "/dev")
_CODE = (".py", ".pyc", ".pyw", ".pyi", ".so", ".pyd", ".zip", ".egg", ".whl")
_PARTS_OF_LIBRARIES = (".dist-info", ".egg-info", os.sep + "__pycache__")
_IMPORTERS = ("<frozen importlib", "<frozen zipimport", os.path.dirname(importlib.__file__) + os.sep)  # noqa: PTH120
_READERS_OF_CODE = ("linecache", "inspect", "resonate_nb.code.source")
_FRAMES_TO_READERS = 4  # linecache opens through `tokenize.open`
_WRITES = os.O_WRONLY | os.O_RDWR


def listen() -> None:
    """Hear of files from now on; nothing is heard while no promise is computed."""
    if not left_out(_SYSTEM[0]):
        leave_out(*_SYSTEM, *_folders_of_code(), *_folders_of_shells())
        handlers = {event: _attributed_to_traces(hearing) for event, hearing in _HEARINGS.items()}
        auditing.hear(handlers | {"os.chdir": _hear_of_moving} | dict.fromkeys(_THREADS, _hear_of_thread))


def _folders_of_code() -> set[str]:
    """Return the folders of the interpreter and of libraries; never those above, where data may lie."""
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    prefixes = {(sys.prefix, sys.exec_prefix), (sys.base_prefix, sys.base_exec_prefix)}
    paths = [
        sysconfig.get_path(
            kind,
            vars={"base": base, "platbase": plat, "installed_base": base, "installed_platbase": plat},
        )
        for kind in kinds
        for base, plat in prefixes
    ]
    paths += [path for path in sys.path if os.path.basename(path) in {"site-packages", "dist-packages"}]  # noqa: PTH119
    return {*paths, os.path.dirname(__file__)}  # noqa: PTH120


def _folders_of_shells() -> list[str]:
    """Return where notebooks keep what is no data: history, profiles, caches of fonts."""
    home = os.path.expanduser("~")  # noqa: PTH111
    named = [os.environ.get(name) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")]
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")  # noqa: PTH118
    settings = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")  # noqa: PTH118
    usual = (
        *(os.path.join(home, each) for each in (".ipython", ".matplotlib", ".local/share/jupyter")),  # noqa: PTH118
        *(os.path.join(folder, "matplotlib") for folder in (caches, settings)),  # noqa: PTH118
    )
    return [*filter(None, named), *usual]


def _attributed_to_traces(hearing: Hearing) -> auditing.Handler:
    def handler(arguments: tuple[Any, ...]) -> None:
        traces = attributed()
        if not traces:
            return
        try:
            hearing(traces, arguments)
        except Exception as fault:  # noqa: BLE001 (the user's own opening must not fail for a fault of ours)
            for trace in traces:
                trace.faults.append(f"what it did to files could not be recorded ({fault!r})")

    return handler


def _hear_of_opening(traces: tuple[Trace, ...], arguments: tuple[Any, ...]) -> None:
    path, _mode, flags = arguments
    place = _place(path)
    if place is None or (place.path.endswith(_CODE) and _is_opened_as_code()):
        return
    if not flags & _WRITES:
        for trace in traces:
            trace.reads(place)
        return
    makes_anew = flags & os.O_TRUNC or (flags & os.O_CREAT and not os.path.lexists(place.path))
    for trace in traces:
        if flags & os.O_RDWR and not makes_anew:
            trace.reads(place)
        trace.writes(place, appends=bool(flags & os.O_APPEND))


def _hear_of_database(traces: tuple[Trace, ...], arguments: tuple[Any, ...]) -> None:
    # What is done to it is not heard of: it is read, and in the end it either changed or not.
    name = os.fsdecode(arguments[0])
    if name.startswith("file:"):
        name = name[len("file:") :].partition("?")[0]
    if not name or name.startswith(":memory:"):
        return
    for path in (name, f"{name}-wal"):
        place = _place(path)
        if place is None:
            continue
        for trace in traces:
            if path != name or stamp(place.path) != NOTHING:
                trace.reads(place)
            else:
                trace.writes(place)


def _hear_of_change(traces: tuple[Trace, ...], arguments: tuple[Any, ...]) -> None:
    """Of the making or removal of one path."""
    _changes(traces, arguments[0], arguments[-1])


def _hear_of_link(traces: tuple[Trace, ...], arguments: tuple[Any, ...]) -> None:
    _changes(traces, arguments[1], arguments[-1])


def _hear_of_renaming(traces: tuple[Trace, ...], arguments: tuple[Any, ...]) -> None:
    old, new, old_folder, new_folder = arguments
    _changes(traces, old, old_folder)
    _changes(traces, new, new_folder)


def _hear_of_truncation(traces: tuple[Trace, ...], arguments: tuple[Any, ...]) -> None:
    if (place := _place(arguments[0])) is not None:
        for trace in traces:
            trace.reads(place)
            trace.writes(place)


def _hear_of_listing(traces: tuple[Trace, ...], arguments: tuple[Any, ...]) -> None:
    asked = "." if arguments[0] is None else arguments[0]
    caller = sys._getframe(auditing.CALLER).f_code  # noqa: SLF001 (who asks can't be had otherwise)
    if caller.co_filename.startswith(_IMPORTERS):
        return
    if caller.co_name == "_iterdir" and not isinstance(asked, int) and caller.co_filename.endswith("glob.py"):
        return  # a part of what `_hear_of_pattern` hears
    place = _place(asked)
    if place is None:
        return
    for trace in traces:
        trace.lists(place)


def _hear_of_pattern(traces: tuple[Trace, ...], arguments: tuple[Any, ...]) -> None:
    pattern, recursive, root, folder = arguments
    if folder is not None:
        return  # `_hear_of_listing` hears of each folder
    hidden = sys._getframe(auditing.CALLER).f_locals.get("include_hidden", True)  # noqa: SLF001
    place = placed(os.path.join(os.fsdecode(root or ""), os.fsdecode(pattern)))  # noqa: PTH118
    for trace in traces:
        trace.looks_for(place, recursive=bool(recursive), hidden=bool(hidden))


def _hear_of_moving(_arguments: tuple[Any, ...]) -> None:
    for trace in running():
        if trace.start is None:
            trace.start = os.getcwd()  # noqa: PTH109


def _hear_of_thread(arguments: tuple[Any, ...]) -> None:
    thread_starts(arguments[0])


def _changes(traces: tuple[Trace, ...], path: Any, folder: Any) -> None:
    place = _place(path, folder if isinstance(folder, int) else -1)
    if place is not None:
        for trace in traces:
            trace.writes(place)


def _place(path: Any, folder: int = -1) -> Place | None:
    """Return where a path leads, relative to an open folder maybe; None if it is nobody's data."""
    if isinstance(path, int):  # opened before
        named = _path_of_open(path) if path >= 0 else None
    else:
        named = os.fsdecode(path)
        if folder >= 0 and not os.path.isabs(named):  # noqa: PTH117
            opened = _path_of_open(folder)
            named = None if opened is None else os.path.join(opened, named)  # noqa: PTH118
    if named is None or "\0" in named:
        return None
    place = placed(named)
    if left_out(place.path) or any(each + os.sep in place.path for each in _PARTS_OF_LIBRARIES):
        return None
    return place


def _path_of_open(descriptor: int) -> str | None:
    """Return the path of an open folder, where the system tells it."""
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            return None
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
    except OSError:
        return None


def _is_opened_as_code() -> bool:
    """Return whether a module is imported, or its source shown; its fingerprint says what it means."""
    frame = sys._getframe(auditing.CALLER + 1)  # noqa: SLF001 (who opens can't be had otherwise)
    if frame.f_code.co_filename.startswith(_IMPORTERS):
        return True
    for _ in range(_FRAMES_TO_READERS):
        if frame.f_globals.get("__name__") in _READERS_OF_CODE:
            return True
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


_THREADS = ("_thread.start_new_thread", "_thread.start_joinable_thread")
_HEARINGS: dict[str, Hearing] = {
    "open": _hear_of_opening,
    "sqlite3.connect": _hear_of_database,
    "os.remove": _hear_of_change,
    "os.mkdir": _hear_of_change,
    "os.rmdir": _hear_of_change,
    "os.rename": _hear_of_renaming,
    "os.link": _hear_of_link,
    "os.symlink": _hear_of_link,
    "os.truncate": _hear_of_truncation,
    "os.listdir": _hear_of_listing,
    "os.scandir": _hear_of_listing,
    "glob.glob/2": _hear_of_pattern,
}
