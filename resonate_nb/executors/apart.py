"""A process that computes chunks of a map for the one that started it, asked and answering by pipes.

It is a plain interpreter that does not load the script which started it, so a script needs no guard for its
main part. The code that it runs comes with the first message.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any

from resonate_nb.executors import guests
from resonate_nb.executors.doorplate import Doorplate

if TYPE_CHECKING:
    from resonate_nb.executors.travelling import Luggage, Returned

PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from resonate_nb.executors.apart import main; main()"
)
_SIZE_BYTES = 8
_MOMENT_SECONDS = 1.0  # for a body that is about to end


@dataclass(frozen=True, slots=True)
class Greeting:
    """The first message: the function, and where to show what is computed."""

    luggage: Luggage
    doorplate: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """An answer that is an exception."""

    error: BaseException


def main() -> None:
    """Answer chunks until there are no more, or nobody is there to answer."""
    questions, answers = _pipes()
    messages: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(questions, messages), daemon=True).start()
    if not (first := messages.get()):
        return
    greeting: Greeting = pickle.loads(first)
    plate = Doorplate(Path(greeting.doorplate))
    with suppress(OSError):  # where that is possible, nothing is left behind by a kill
        plate.path.unlink()
    while message := messages.get():
        try:
            answer: Returned | Trouble = guests.compute_chunk(
                greeting.luggage,
                pickle.loads(message),
                f"process {os.getpid()}",
                lambda: True,
                plate.show,
            )
        except Exception as error:  # noqa: BLE001 - it is raised in the process that asked
            answer = Trouble(error)
        try:
            write(answers, pickle.dumps(answer))
        except BrokenPipeError:  # what was computed is kept
            return


def read(pipe: IO[bytes]) -> bytes:
    """Return the next message; nothing at the end."""
    head = pipe.read(_SIZE_BYTES)
    if len(head) < _SIZE_BYTES:
        return b""
    size = int.from_bytes(head, "big")
    content = pipe.read(size)
    return content if len(content) == size else b""


def write(pipe: IO[bytes], message: bytes) -> None:
    """Write a message."""
    pipe.write(len(message).to_bytes(_SIZE_BYTES, "big"))
    pipe.write(message)
    pipe.flush()


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Return both pipes, out of the way of bodies that read and print: that goes where errors go."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing: Any = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return questions, answers


def _listen(questions: IO[bytes], messages: SimpleQueue[bytes]) -> None:
    """Pass messages on; where nobody is there any more to ask, end what is computed, after a moment."""
    while message := read(questions):
        messages.put(message)
    messages.put(b"")
    time.sleep(_MOMENT_SECONDS)
    os._exit(1)
