"""The exception with which a request is refused: an HTTP status and a sentence."""

from __future__ import annotations


class Refused(Exception):
    """The request can't be carried out; nothing was changed."""

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(status, reason)

    def __str__(self) -> str:
        return self.reason
