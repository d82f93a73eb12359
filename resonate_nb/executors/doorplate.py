"""Which item a worker process computes at the moment, for the one that started it: a few shared bytes.

It is written before each body, which a message would make slow, and can be read after the process died.
"""

from __future__ import annotations

import mmap
import struct
import tempfile
from pathlib import Path
from typing import NamedTuple

from resonate_nb.promise import NEVER

_FORMAT = struct.Struct("=qq")
NOBODY = -1


class Shown(NamedTuple):
    """The item that is computed, by number, and when it has to end."""

    number: int
    timeout_at: int


class Doorplate:
    """What one process writes and another one reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), _FORMAT.size)

    @classmethod
    def new(cls) -> Doorplate:
        """Return one that shows nobody."""
        with tempfile.NamedTemporaryFile(prefix="resonate-nb-", delete=False) as file:
            file.write(_FORMAT.pack(NOBODY, NEVER))
        return cls(Path(file.name))

    def show(self, number: int, timeout_at: int) -> None:
        """Show an item."""
        _FORMAT.pack_into(self._bytes, 0, number, timeout_at)

    def read(self) -> Shown:
        """Return the item that is shown; `NOBODY` before the first."""
        return Shown(*_FORMAT.unpack_from(self._bytes))

    def remove(self) -> None:
        """Leave nothing behind."""
        self._bytes.close()
        self.path.unlink(missing_ok=True)
