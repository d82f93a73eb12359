"""What a row of the trap table is: cells, some of them durable, and what is expected of those."""

from dataclasses import dataclass
from textwrap import dedent

PLAIN = "# plain\n"  # in place of a header, so that every line keeps its number


@dataclass(frozen=True)
class Durable:
    """A durable cell. After a restart it is replayed, unless it says otherwise."""

    code: str
    options: str = ""
    computes: str = ""  # it computes again: what the line under it says then, such as the reason
    refused: str = ""  # it does not run at all: what the error says

    @property
    def plain(self):
        """The cell without its header."""
        return PLAIN + text(self.code)

    @property
    def durable(self):
        """The cell with its header."""
        return f"%%durable {self.options}\n{text(self.code)}"


@dataclass(frozen=True)
class Row:
    """One trap: what is run plainly, durably, and durably again where it never ran before."""

    id: str
    cells: tuple  # texts, and `Durable` cells
    edited: tuple = ()  # what is run after the restart instead
    alone: bool = False  # it leaves something behind that only the end of the process takes away


def text(code):
    """Return code that is indented here as it stands in a notebook."""
    return dedent(code).strip("\n")


def row(id, *cells, edited=(), alone=False):
    """Return a row."""
    return Row(id, cells, tuple(edited), alone)
