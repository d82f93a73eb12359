"""Every row of the trap table: plain, durable, and replayed in a process that never computed it.

Three kernels serve the whole table. One runs the cells without their headers, one runs them durably for
the first time, one delivers them: no state of a row is in that one, as after a restart. Between rows each is
made as new. Compared are outputs, errors, and the namespace: contents, types, and which ways lead to the
same object. A few rows are run with a real restart, too.
"""

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from traps import RESTARTED, ROWS
from traps.row import Durable, text

HERE = Path(__file__).parent
LINE = re.compile(r"[^\n]*: (computed|replayed|resumed)[^\n]*")  # under a durable cell
INSIDE = "__import__('runpy').run_path({path!r})[{name!r}]"  # a function of ours, leaving no name behind
PREPARE = INSIDE.format(path=str(HERE / "preparing.py"), name="prepare")
DESCRIBE = INSIDE.format(path=str(HERE / "describing.py"), name="print_description")

# Kernels that people still have, with what they need beside: each runs another third of the rows.
OLDER = [("ipykernel==6.31.0", "nest-asyncio==1.6.0"), ("ipykernel==7.3.0", "nest-asyncio2==1.7.4")]
OLDER_ROWS = [(packages, name) for n, packages in enumerate(OLDER) for name in list(ROWS)[n::3]]


@dataclass
class Ran:
    """What came of running the cells of a row."""

    shown: list  # outputs and error of each cell
    lines: list  # under each cell; empty where there was none
    namespace: list

    def differs_from(self, other):
        """Return the lines that differ, of what must be the same however the cells were run."""
        sides = [[*map(repr, each.shown), *each.namespace] for each in (self, other)]
        return "\n".join(line for line in difflib.ndiff(*sides) if line[0] in "+-")


class Side:
    """One way of running cells, in a kernel of its own."""

    def __init__(self, kernel, *, durable):
        self.kernel, self._durable = kernel, durable
        self._begun = []

    def prepare(self, name):
        """Make the kernel as new for a row."""
        folder = self.kernel.cwd / ("durable" if self._durable else "plain") / re.sub(r"\W", "-", name)
        store = str(self.kernel.cwd / "store") if self._durable else None
        reply = self.kernel.run(f"{PREPARE}(get_ipython(), {str(folder)!r}, {store!r}, {name + '/'!r})")
        assert reply.error is None, reply.error

    def begin(self, cells):
        """Send all cells, so that other kernels can be given theirs meanwhile."""
        self._begun = [self.kernel.begin(self._code(cell), allow_stdin=True) for cell in cells]

    def finish(self):
        """Wait for the cells."""
        replies = [self.kernel.finish(cell) for cell in self._begun]
        outputs = [reply.outputs for reply in replies]
        lines = [_take_line(each) for each in outputs]
        shown = [(*each, reply.error) for each, reply in zip(outputs, replies, strict=True)]
        described = self.kernel.run(f"{DESCRIBE}(get_ipython())")
        assert described.error is None, described.error
        return Ran(shown, lines, json.loads(described.text))

    def run(self, cells):
        """Run the cells and return what came of it."""
        self.begin(cells)
        return self.finish()

    def _code(self, cell):
        if isinstance(cell, Durable):
            return cell.durable if self._durable else cell.plain
        return text(cell)


def _take_line(outputs):
    """Take the line under a durable cell out of what it showed, and return it."""
    last = outputs[-1].get("data", {}).get("text/plain", "") if outputs else ""
    if outputs and outputs[-1]["output_type"] == "display_data" and LINE.fullmatch(last):
        outputs.pop()
        return last
    return ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("traps")


def three_sides(pool, folder):
    """Return a plain side, one that computes durably, and one that delivers."""
    return [Side(pool.kernel(folder), durable=durable) for durable in (False, True, True)]


@pytest.fixture(scope="module")
def kernels(kernel_pool, folder):
    sides = three_sides(kernel_pool, folder)
    yield sides
    for side in sides:
        side.kernel.kill()


@pytest.fixture(scope="module")
def older_kernels(older_pool, tmp_path_factory):
    """Return a function that gives the sides in kernels of some version."""
    sides = {}

    def of(packages):
        if packages not in sides:
            sides[packages] = three_sides(older_pool(packages), tmp_path_factory.mktemp("older-traps"))
        return sides[packages]

    yield of
    for side in (side for each in sides.values() for side in each):
        side.kernel.kill()


@pytest.mark.parametrize("name", ROWS)
def test_a_durable_cell_does_what_a_plain_one_does_and_is_delivered_after_a_restart(kernels, name):
    _assert_holds(kernels, ROWS[name], name)


@pytest.mark.parametrize(("packages", "name"), OLDER_ROWS, ids=str)
def test_the_same_holds_on_older_kernels(older_kernels, packages, name):
    _assert_holds(older_kernels(packages), ROWS[name], name)


def _assert_holds(sides, row, name):
    for side in sides:
        side.prepare(name)
    alone = True  # also where it fails: what is left behind must not fail the next ones
    try:
        _assert_delivered(row, name, *sides)
        alone = row.alone
    finally:
        for side in sides if alone else ():
            side.kernel.kill()


def _assert_delivered(row, name, plain, first, later):
    plain.begin(row.cells)
    first.begin(row.cells)
    computed, expected = first.finish(), plain.finish()
    if refused := [(n, cell.refused) for n, cell in enumerate(row.cells) if getattr(cell, "refused", "")]:
        for number, words in refused:
            assert words in str(computed.shown[number][-1])
        return
    assert not computed.differs_from(expected)

    if row.edited:
        plain.prepare(name)
        plain.begin(row.edited)
    later.begin(row.edited or row.cells)
    delivered = later.finish()
    expected = plain.finish() if row.edited else expected
    assert not delivered.differs_from(expected)
    _assert_delivered_as_expected(row.edited or row.cells, delivered.lines)

    if not row.edited:
        plain.begin(row.cells)
        again = first.run(row.cells)
        assert not again.differs_from(plain.finish()), "run again in the same kernel"


@pytest.mark.parametrize("name", RESTARTED)
def test_the_same_holds_after_a_real_restart(kernel, name):
    row, side = ROWS[name], Side(kernel, durable=True)
    side.prepare(name)
    computed = side.run(row.cells)
    kernel.kill()
    kernel.restart()
    side.prepare(name)
    delivered = side.run(row.cells)
    assert not delivered.differs_from(computed)
    _assert_delivered_as_expected(row.cells, delivered.lines)


def _assert_delivered_as_expected(cells, lines):
    for cell, line in zip(cells, lines, strict=True):
        if isinstance(cell, Durable) and cell.computes:
            assert ": computed" in line
            assert cell.computes in line
        elif isinstance(cell, Durable):
            assert ": replayed" in line
