"""From the messages of a cell to the outputs that a notebook file keeps, as front ends fold them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# An output as nbformat 4 has it: `stream`, `display_data` or `execute_result`, all of it JSON. A display that
# later cells may update has its name in addition, under `transient`; an execution count is None.
Output: TypeAlias = dict[str, Any]

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KINDS = frozenset({"stream", "display_data", "execute_result", "update_display_data", "clear_output"})

_PIECES_PER_STREAM = 1_000  # what is more is joined, so that a progress bar does not pile up its past
_ERASED = re.compile(r"[^\n]\x08")


def fold(messages: Iterable[Mapping[str, Any]]) -> tuple[Output, ...]:
    """Return what the messages of a cell leave behind; errors and messages of other kinds are passed over.

    Streams are joined while nothing comes between. Carriage returns and backspaces overwrite.
    ``clear_output`` clears, at once or before the next output. ``update_display_data`` goes into the displays
    of that name; a display that was emptied so is dropped. Views of widgets are dropped, with the whole
    output unless it has more than plain text beside them: no widget survives its kernel.
    """
    folding = Folding()
    for message in messages:
        folding.add(message["header"]["msg_type"], message["content"])
    return folding.outputs()


class Folding:
    """Outputs that grow message by message; the memory that it needs is that of what is to be seen."""

    def __init__(self) -> None:
        self._outputs: list[Output] = []
        self._pieces: list[str] = []  # of the text of the last output, if it is a stream
        self._clear_next = False

    @property
    def clears_next(self) -> bool:
        """Whether the next output, whatever it is, takes the place of all that there is."""
        return self._clear_next

    def add(self, kind: str, content: Mapping[str, Any]) -> None:
        """Take in a message, given its type and its content."""
        if kind == "clear_output":
            self._clear_next = bool(content.get("wait"))
            if not self._clear_next:
                self._clear()
        elif kind == "update_display_data":
            self._update(content)
        elif kind in KINDS:
            if self._clear_next:
                self._clear()
            if kind == "stream":
                self._write(content["name"], content["text"])
            else:
                self._display(kind, content)

    def outputs(self) -> tuple[Output, ...]:
        """Return the outputs as they are now; the dicts belong to the caller."""
        self._join()
        return tuple({**output} for output in map(_without_widgets, self._outputs) if output is not None)

    def _clear(self) -> None:
        self._clear_next = False
        self._outputs.clear()
        self._pieces.clear()

    def _write(self, name: str, text: str) -> None:
        if not text:
            return
        last = self._outputs[-1] if self._outputs else None
        if last is None or last.get("name") != name:
            self._join()
            self._outputs.append({"output_type": "stream", "name": name, "text": ""})
        self._pieces.append(text)
        if len(self._pieces) > _PIECES_PER_STREAM and ("\r" in text or "\b" in text):
            self._join()

    def _join(self) -> None:
        if self._pieces:
            self._outputs[-1]["text"] = overwritten(self._outputs[-1]["text"] + "".join(self._pieces))
            self._pieces.clear()

    def _display(self, kind: str, content: Mapping[str, Any]) -> None:
        self._join()
        output: Output = {
            "output_type": kind,
            "data": dict(content["data"]),
            "metadata": dict(content["metadata"] or {}),
        }
        if kind == "execute_result":
            output["execution_count"] = None
        name = _display_id(content)
        if name is not None:
            output["transient"] = {"display_id": name}
        self._outputs.append(output)

    def _update(self, content: Mapping[str, Any]) -> None:
        for output in self._outputs:
            if "transient" in output and _display_id(output) == _display_id(content):
                output["data"] = dict(content["data"])
                output["metadata"] = dict(content["metadata"] or {})


def overwritten(text: str) -> str:
    r"""Return the text as it stands after carriage returns and backspaces, by JupyterLab's rules.

    A carriage return at the very end stays, for the text that may follow.

    >>> overwritten("10%\r100%\nab\b\bc\n50%\r")
    '100%\nc\n50%\r'
    """
    if "\b" in text:
        text = _erased(text)
    if "\r" not in text:
        return text
    lines = re.sub(r"\r+\n", "\n", text).split("\n")
    return "\n".join(_line_overwritten(line) if "\r" in line else line for line in lines)


def _erased(text: str) -> str:
    count = 1
    while count:
        text, count = _ERASED.subn("", text)
    return re.sub(r"(^|\n)\x08+", r"\1", text)


def _line_overwritten(line: str) -> str:
    end = "\r" if line.endswith("\r") else ""
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown + end


def _display_id(content: Mapping[str, Any]) -> str | None:
    name: str | None = (content.get("transient") or {}).get("display_id")
    return name


def _without_widgets(output: Output) -> Output | None:
    if "data" in output and all(each == "" for each in output["data"].values()):  # emptied, as forms are
        return None
    if WIDGET_VIEW not in output.get("data", {}):
        return output
    data = {kind: each for kind, each in output["data"].items() if kind != WIDGET_VIEW}
    if data.keys() <= {"text/plain"}:
        return None
    metadata = {kind: each for kind, each in output["metadata"].items() if kind != WIDGET_VIEW}
    return {**output, "data": data, "metadata": metadata}
