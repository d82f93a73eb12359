"""A process that computes chunks of a map for the one that started it, asked and answering by pipes.

It is a plain interpreter that does not load the script which started it, so a script needs no guard for its
main part. The code that it runs comes with the first message.
"""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
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


@dataclass(frozen=True, slots=True)
class Greeting:
    """The first message: the function, whoever asks, and where to show what is computed."""

    luggage: Luggage
    parent: int
    doorplate: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """An answer that is an exception."""

    error: BaseException


def main() -> None:
    """Answer chunks until there are no more, or nobody is there to answer."""
    questions, answers = _pipes()
    greeting: Greeting = pickle.loads(read(questions) or b"")
    plate = Doorplate(Path(greeting.doorplate))
    while message := read(questions):
        try:
            answer: Returned | Trouble = guests.compute_chunk(
                greeting.luggage,
                pickle.loads(message),
                f"process {os.getpid()}",
                lambda: _asked_by(greeting.parent),
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


def _asked_by(parent: int) -> bool:
    """Return whether whoever asked is still there."""
    return os.name != "posix" or os.getppid() == parent
