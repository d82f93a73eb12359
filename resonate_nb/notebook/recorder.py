"""What a cell shows, recorded while it is shown, and shown again at replay.

In a kernel every output passes `session.send` and carries the id of the cell that it belongs to. In a
terminal there are no messages: there the streams, the publisher and the display hook are listened to.
"""

from __future__ import annotations

import base64
import json
import select
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from resonate_nb.notebook.folding import KINDS, Folding
from resonate_nb.notebook.taps import listen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from resonate_nb.notebook.folding import Output

NO_RESULT: Any = object()
_PROGRESS = {"HBoxModel", "HTMLModel", "FloatProgressModel", "LayoutModel"}  # and their styles
LONGEST_DRAIN = 0.2  # seconds that we wait for text that native code wrote past Python's streams


class Recorder:
    """Records the outputs of the cell in which it is started, whatever thread they come from."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._cell: str | None = None  # the id of the message that the cell came with
        self._folding = Folding()
        self._lock = threading.Lock()
        self._streams: tuple[Any, ...] = ()
        self._hooks: ExitStack | None = None
        self.made_widgets = False  # others than progress bars and our own: no replay brings them back

    def start(self) -> None:
        """Record from now on; starting twice is starting once."""
        if self._hooks is not None:
            return
        self._streams = (sys.stdout, sys.stderr)
        self._hooks = ExitStack()
        if getattr(self._shell, "kernel", None) is not None:
            self._cell = self._shell.display_pub.parent_header.get("msg_id")
            self._listen(self._hooks, self._shell.kernel.session, "send", self._on_send, during=_sending)
            self._listen(self._hooks, self._shell.kernel.iopub_thread, "send_multipart", self._on_frames)
        else:
            self._listen_to_terminal(self._hooks)

    def so_far(self) -> tuple[Output, ...]:
        """Return what the cell shows at present, and go on recording."""
        self.flush()
        with self._lock:
            return self._folding.outputs()

    @property
    def clears_next(self) -> bool:
        """Whether the next output would clear the others: ``clear_output(wait=True)`` came last."""
        return self._folding.clears_next

    def stop(self) -> tuple[Output, ...]:
        """Take the hooks away and return what the cell shows."""
        outputs = self.so_far()
        if self._hooks is not None:
            self._hooks.close()
            self._hooks = None
        return outputs

    def _listen_to_terminal(self, hooks: ExitStack) -> None:
        for name in ("stdout",) if sys.stderr is sys.stdout else ("stdout", "stderr"):
            self._listen(hooks, getattr(sys, name), "write", self._on_write_to(name))
        publisher, displayhook = self._shell.display_pub, self._shell.displayhook
        self._listen(hooks, publisher, "publish", self._on_publish, during=_mute)
        self._listen(hooks, publisher, "clear_output", self._on_clear_output, during=_mute)
        self._listen(hooks, displayhook, "write_output_prompt", _ignore, during=_mute)
        self._listen(hooks, displayhook, "write_format_data", self._on_result, during=_mute)
        self._listen(hooks, displayhook, "finish_displayhook", _ignore, during=_mute)

    def _listen(
        self, hooks: ExitStack, owner: Any, name: str, listener: Callable[..., None], **during: Any
    ) -> None:
        # A stream of the user's own may refuse to be listened to: it is not recorded, but the cell runs.
        with suppress(AttributeError, TypeError):
            hooks.callback(listen(owner, name, listener, **during))

    def _on_send(
        self, _stream: Any, message: Any, content: Any = None, parent: Any = None, *_: Any, **__: Any
    ) -> None:
        kind = message
        if not isinstance(message, str):
            kind, content, parent = (
                message["header"]["msg_type"],
                message["content"],
                message["parent_header"],
            )
        if not parent or parent.get("header", parent).get("msg_id") != self._cell:
            return
        if kind in KINDS:
            self._record(kind, content)
        elif kind == "comm_open":
            self.made_widgets = self.made_widgets or _is_widget(content)

    def _on_frames(self, frames: Sequence[bytes], *_: Any, **__: Any) -> None:
        """Hear what a forked process sent: it comes through a pipe as frames, past `session.send`."""
        if _depth_of.sending:
            return
        session = self._shell.kernel.session
        with suppress(ValueError):  # frames of something else than a message
            _, (_, header, parent, _, content, *_) = session.feed_identities(list(frames))
            kind = session.unpack(header)["msg_type"]
            self._on_send(None, kind, session.unpack(content), session.unpack(parent))

    def _on_write_to(self, name: str) -> Callable[[str], None]:
        def on_write(text: str) -> None:
            if not _depth_of.muted:
                self._record("stream", {"name": name, "text": text})

        return on_write

    def _on_publish(
        self, data: Any, metadata: Any = None, *_: Any, transient: Any = None, update: bool = False, **__: Any
    ) -> None:
        kind = "update_display_data" if update else "display_data"
        self._record(kind, {"data": data, "metadata": metadata, "transient": transient})

    def _on_clear_output(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002 - IPython's signature
        self._record("clear_output", {"wait": wait})

    def _on_result(self, format_dict: Any, md_dict: Any = None) -> None:
        self._record("execute_result", {"data": format_dict, "metadata": md_dict})

    def _record(self, kind: str, content: Mapping[str, Any]) -> None:
        # A malformed message was let through by Jupyter: recording must not be what breaks the cell.
        with suppress(KeyError, TypeError, ValueError, AttributeError), self._lock:
            self._folding.add(kind, {name: _as_json(each) for name, each in content.items()})

    def flush(self) -> None:
        """Have all that was written so far shown, before what comes next on another stream."""
        for stream in dict.fromkeys((*self._streams, sys.stdout, sys.stderr)):
            _drain(stream)
            # Whatever a stream that the user put there raises is no reason to lose the cell's outcome.
            with suppress(Exception):
                stream.flush()


def show(shell: Any, outputs: Sequence[Output], *, result: Any = NO_RESULT) -> None:
    """Show recorded outputs in the running cell, in their order.

    An `execute_result` gets the number of the running cell. With a `result`, the value behind it becomes
    ``_`` and ``Out[n]``, and what `run_cell` returns, as if the expression had been evaluated.
    """
    for output in outputs:
        kind = output["output_type"]
        if kind == "stream":
            stream = getattr(sys, output["name"])
            stream.write(output["text"])
            stream.flush()
        elif kind == "display_data":
            shell.display_pub.publish(
                data=dict(output["data"]),
                metadata=dict(output["metadata"]),
                transient=dict(output.get("transient", {})),
            )
        else:
            _show_result(shell.displayhook, output, result)


def _show_result(displayhook: Any, output: Output, result: Any) -> None:
    """Take the steps of IPython's display hook, with the recorded forms in place of computed ones."""
    data, metadata = dict(output["data"]), dict(output["metadata"])
    displayhook.check_for_underscore()
    displayhook.start_displayhook()
    displayhook.write_output_prompt()
    if result is not NO_RESULT:
        displayhook.update_user_ns(result)
        displayhook.fill_exec_result(result)
    displayhook.write_format_data(data, metadata)
    displayhook.log_output(data)
    displayhook.finish_displayhook()


def _is_widget(opened: Mapping[str, Any]) -> bool:
    """Return whether a comm belongs to a widget that a person can do something with."""
    state = opened.get("data", {}).get("state", {})
    model = state.get("_model_name", "")
    ours = str(state.get("_anywidget_id", "")).startswith("resonate_nb")
    return bool(model) and not (model in _PROGRESS or model.endswith("StyleModel") or ours)


class _Depth(threading.local):
    """How deep this thread is in calls that are recorded as a whole."""

    sending = 0  # in a kernel: inside `session.send`
    muted = 0  # in a terminal: inside what writes a display


_depth_of = _Depth()


@contextmanager
def _sending() -> Iterator[None]:
    _depth_of.sending += 1
    try:
        yield
    finally:
        _depth_of.sending -= 1


@contextmanager
def _mute() -> Iterator[None]:
    _depth_of.muted += 1
    try:
        yield
    finally:
        _depth_of.muted -= 1


def _ignore(*_: Any, **__: Any) -> None:
    """Hear nothing: the method is listened to only to mute what it writes."""


def _as_json(value: Any) -> Any:
    """Return a copy that JSON holds; whoever owns the value may change it later."""
    if value is None or isinstance(value, str | bool | int):
        return value
    return json.loads(json.dumps(value, default=_default))


def _default(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _drain(stream: Any) -> None:
    """Wait until what native code wrote to the file descriptor has come through the kernel's pipe."""
    pipe = getattr(stream, "_fid", None)  # ipykernel watches it in a thread and names it nowhere else
    if not isinstance(pipe, int):
        return
    deadline = time.monotonic() + LONGEST_DRAIN
    while select.select([pipe], [], [], 0)[0] and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.0001)  # lets the watching thread write what it has just read
