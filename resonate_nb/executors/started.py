"""A process that was started to compute chunks, as whoever started it sees it."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING

from resonate_nb.executors import apart
from resonate_nb.executors.doorplate import Doorplate

if TYPE_CHECKING:
    from resonate_nb.executors.doorplate import Shown
    from resonate_nb.executors.travelling import Luggage

_SIGNALS = {each.value: each.name for each in signal.Signals}

Answers = SimpleQueue["tuple[Started, bytes]"]


class Started:
    """A process with a thread that talks to it; an empty answer says that the process died."""

    def __init__(self, luggage: Luggage, answers: Answers) -> None:
        self._plate = Doorplate.new()
        self._looked, self._changed = self._plate.read(), time.monotonic()
        self._popen = subprocess.Popen(
            [sys.executable, "-c", apart.PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the process that started it
        )
        self.pid = self._popen.pid
        self._questions: SimpleQueue[bytes] = SimpleQueue()
        self._questions.put(pickle.dumps(apart.Greeting(luggage, str(self._plate.path))))
        thread = threading.Thread(target=self._talk, args=(answers,), name="resonate-worker", daemon=True)
        thread.start()

    def send(self, chunk: bytes) -> None:
        """Ask for the next chunk; its answer goes to the queue."""
        self._questions.put(chunk)

    def send_no_more(self) -> None:
        """Let the process end once it has answered."""
        self._questions.put(b"")

    @property
    def shown(self) -> int:
        """The number of the item that was begun last."""
        return self._plate.read().number

    def look(self) -> tuple[Shown, float]:
        """Return the item that was begun last, and for how many seconds, at least, that has been so."""
        shown = self._plate.read()
        if shown != self._looked:
            self._looked, self._changed = shown, time.monotonic()
        return shown, time.monotonic() - self._changed

    def kill(self) -> None:
        """End the process with force."""
        self._popen.kill()

    def end(self, seconds: float) -> str:
        """Wait for its end, with force after so many seconds, and return what it died of."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        self._popen.kill()
        code = self._popen.wait()
        self._plate.remove()
        return f"exit code {code}" if code >= 0 else _SIGNALS.get(-code, f"signal {-code}")

    def _talk(self, answers: Answers) -> None:
        assert self._popen.stdin is not None  # noqa: S101 - it is a pipe, as was asked for
        assert self._popen.stdout is not None  # noqa: S101
        with suppress(OSError), self._popen.stdin as questions, self._popen.stdout as given:
            greeting = self._questions.get()
            while chunk := self._questions.get():
                answer = self._ask(questions, given, greeting, chunk)
                greeting = b""
                answers.put((self, answer))
                if not answer:
                    return

    def _ask(self, questions: IO[bytes], given: IO[bytes], greeting: bytes, chunk: bytes) -> bytes:
        try:
            for message in filter(None, (greeting, chunk)):
                apart.write(questions, message)
            return apart.read(given)
        except OSError:  # it died
            return b""
