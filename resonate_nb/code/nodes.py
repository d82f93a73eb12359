"""Nodes of the graph of code, and the digest of a whole graph, which depends on its meaning alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from resonate_nb.code.watching import Watch


class Role(Enum):
    """What a name is to the code that refers to it."""

    LITERAL = auto()
    CODE = auto()
    DATA = auto()


@dataclass(slots=True, eq=False)
class Node:
    """A function, class, module or cell of the user's own, and what it refers to."""

    path: str  # by which it was found first; the root's names are not put behind its own
    thing: Any
    watch: Watch
    prefix: str = ""  # what the paths of all that it refers to begin with
    text: str = ""  # its own code, in canonical form
    edges: list[tuple[str, Node | str]] = field(default_factory=list)  # by the name that it uses

    def path_of(self, label: str) -> str:
        """Return the path of what this node calls so."""
        return f"{self.prefix}{label}"


def text_digest(text: str) -> str:
    """Return the digest of a text: 32 hexadecimal digits."""
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def graph_digest(nodes: Sequence[Node]) -> str:
    """Return the digest of the graph whose first node is the root.

    Nodes that mean the same count as one, however many copies of a function a notebook holds: their
    digests are refined by those of what they refer to, until no more of them can be told apart, and once
    more, so that the set of digests says what refers to what. Cycles need no special care.
    """
    known = {id(node): text_digest(node.text) for node in nodes}
    distinct = 0
    while True:
        settled = len(set(known.values())) == distinct
        distinct = len(set(known.values()))
        known = {id(node): text_digest(_written(node, known)) for node in nodes}
        if settled:
            break
    return text_digest("\n".join((known[id(nodes[0])], *sorted(set(known.values())))))


def _written(node: Node, known: dict[int, str]) -> str:
    """Return a node's text and edges; the order and the number of equal edges mean nothing."""
    edges = {(label, known[id(end)] if isinstance(end, Node) else end) for label, end in node.edges}
    return "\n".join((node.text, *(f"{label!r} {end!r}" for label, end in sorted(edges))))


def unique(paths: Iterable[str]) -> list[str]:
    """Return the paths with a number behind those that were there before."""
    seen: Counter[str] = Counter()
    numbered = []
    for path in paths:
        seen[path] += 1
        numbered.append(path if seen[path] == 1 else f"{path}#{seen[path]}")
    return numbered
