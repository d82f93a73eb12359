"""The global random generators of a kernel: their states, who seeded them, what a cell drew from them.

The generators belong to the process, and so does the watch over them: while the extension is loaded, the
functions that seed them and that read their states are replaced by ones that tell the watch.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from resonate_nb.fingerprint import content_digest
from resonate_nb.notebook.imports import first_imports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from resonate_nb.corridor.work import Work

_SEEDING = re.compile(r"(seed|set_?state|set_rng_state)\w*\s*\(")
_originals: dict[Callable[..., Any], Callable[..., Any]] = {}  # by what stands in their place


@dataclass(frozen=True, slots=True)
class Generator:
    """A module that draws from one hidden state, with the names of its functions."""

    module: str
    home: str  # the module in which its functions are made
    reads: str
    restores: str
    seeds: tuple[str, ...]

    @property
    def loaded(self) -> bool:
        """Whether the module is there with all its functions: it may be running at the moment."""
        return hasattr(sys.modules.get(self.module), self.reads)

    def state(self) -> Any:
        """Return a copy of the state that survives pickling and needs no torch to be read."""
        read = self._function(self.reads)
        if self.module == "numpy.random":
            return read(legacy=False)
        return bytes(read().tolist()) if self.module == "torch.random" else read()

    def restore(self, state: Any) -> None:
        """Set the state, as who drew what is kept had loaded the module, too."""
        module = importlib.import_module(self.module)
        if self.module == "torch.random":
            state = module.torch.tensor(list(state), dtype=module.torch.uint8)
        self._function(self.restores)(state)

    def _function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(sys.modules[self.module], name)
        return _originals.get(function, function)


GENERATORS = {
    each.module: each
    for each in (
        Generator("random", "random", "getstate", "setstate", ("seed",)),
        Generator("numpy.random", "numpy.random.mtrand", "get_state", "set_state", ("seed",)),
        Generator("torch.random", "torch.random", "get_rng_state", "set_rng_state", ("manual_seed", "seed")),
    )
}


class Watch:
    """Knows which generators somebody seeded, and tells the cells that run what is done to them."""

    def __init__(self) -> None:
        self.seeded: set[str] = set()
        self.cells: list[Draws] = []

    def begin(self, earlier: str) -> None:
        """Watch from now on; `earlier` is the code that ran unwatched.

        Who seeded before that can't be known: if the code speaks of it at all, every generator counts.
        numba compiles calls of these functions, and knows them by identity: where it is loaded already, they
        stay as they are, and every generator counts, too.
        """
        if "numba" in sys.modules:
            self.seeded.update(GENERATORS)
            return
        for name, generator in GENERATORS.items():
            if generator.loaded:
                self._listen(generator)
                if _SEEDING.search(earlier):
                    self.seeded.add(name)
        first_imports.listen(self)

    def end(self) -> None:
        """Watch no more, and leave the generators' modules as they were."""
        first_imports.unlisten(self)
        for generator in GENERATORS.values():
            if generator.loaded:
                self._replace(generator, lambda _, function: _originals.pop(function, function))

    def around_import(self, module: str) -> AbstractContextManager[object] | None:
        """Begin to watch a generator as soon as its module has run, before anybody can use it."""
        return self._loading(GENERATORS[module]) if module in GENERATORS else None

    @contextmanager
    def _loading(self, generator: Generator) -> Iterator[None]:
        yield
        self._listen(generator)
        for cell in self.cells:
            cell.loaded(generator.module)

    def _listen(self, generator: Generator) -> None:
        self._replace(generator, functools.partial(self._listening, generator))

    def _replace(
        self, generator: Generator, by: Callable[[str, Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        """Replace the functions of interest in the module, and in the package that offers them, too."""
        package = generator.module.partition(".")[0]
        modules = [sys.modules[name] for name in (generator.home, generator.module, package)]
        for name in (generator.reads, generator.restores, *generator.seeds):
            function: Callable[..., Any] = vars(modules[0])[name]
            replacement = by(name, function)
            for module in modules:
                if vars(module).get(name) is function:
                    setattr(module, name, replacement)

    def _listening(self, generator: Generator, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if function in _originals:
            return function

        @functools.wraps(function)
        def listened(*arguments: Any, **options: Any) -> Any:
            if name == generator.reads:
                self._hear_reading(generator.module)
            else:
                self._hear_seeding(
                    generator.module, any(each is not None for each in (*arguments, *options.values()))
                )
            return function(*arguments, **options)

        # Code that refers to it is described by the original. Pickled by reference, it is the original
        # wherever nobody watches.
        listened.__module__, listened.__qualname__ = generator.home, name
        vars(listened)["__stands_for__"] = function
        _originals[listened] = function
        return listened

    def _hear_reading(self, name: str) -> None:
        for cell in self.cells:
            cell.state_was_read(name)

    def _hear_seeding(self, name: str, seeded: bool) -> None:  # noqa: FBT001 (private, called in one place)
        for cell in self.cells:
            cell.was_seeded(name)
        (self.seeded.add if seeded else self.seeded.discard)(name)


watch = Watch()


class Draws:
    """What one cell does to the generators between its begin and its end."""

    def __init__(self) -> None:
        self._states: dict[str, Any] = {}  # that the cell began with, and who had been seeded then
        self._seeded: set[str] = set()
        self._before: dict[str, str] = {}  # digests of these states
        self._conditions: dict[str, str | None] = {}  # the same where somebody had seeded them
        self._seeded_first: set[str] = set()
        self._drawn: set[str] = set()

    def begin(self) -> None:
        """Note the generators as they are, and hear from now on what is done to them."""
        self._states, self._seeded = states(), set(watch.seeded)
        self._before = {name: content_digest(state) for name, state in self._states.items()}
        self._conditions = {
            name: self._before.get(name) if name in watch.seeded else None for name in GENERATORS
        }
        if self not in watch.cells:
            watch.cells.append(self)

    def end(self) -> None:
        """Hear no more."""
        if self in watch.cells:
            watch.cells.remove(self)

    def fit(self, kept: Mapping[str, Any]) -> bool:
        """Return whether what was kept was drawn from generators as they were when this cell began."""
        drawn: dict[str, str | None] = kept["<drawn>"]
        return all(self._conditions[name] == condition for name, condition in drawn.items())

    def among_inputs_of(self, work: Work, kept: Mapping[str, Any]) -> Work:
        """Return the work with the states that it draws from, as they were at the begin, among its inputs."""
        states = [(name, self._conditions[name]) for name in sorted(kept["<drawn>"])]
        inputs = content_digest([work.inputs, states])
        tags = {**work.tags, "rnb:draws": ", ".join(name for name, _ in states)}
        return replace(work, id=work.id.removesuffix(work.inputs) + inputs, inputs=inputs, tags=tags)

    def to_keep(self) -> dict[str, dict[str, Any]]:
        """Return what a replay needs: the states that were drawn from, and those that are left behind."""
        changed = self._changed
        touched = sorted(changed | self._seeded_first | self._drawn)
        return {
            "<drawn>": self.drawn,
            "<states>": {name: GENERATORS[name].state() for name in sorted(changed)},
            "<seeded>": {name: name in watch.seeded for name in touched},
        }

    @property
    def drawn(self) -> dict[str, str | None]:
        """The generators from which the cell has drawn what it found, and their states as it found them."""
        touched = self._changed | self._drawn
        return {name: self._conditions[name] for name in sorted(touched - self._seeded_first)}

    @property
    def _changed(self) -> set[str]:
        return {name for name, digest in self._before.items() if _digest(name) != digest}

    @property
    def conditions(self) -> list[tuple[str, str]]:
        """The states that the cell began with of the generators that somebody had seeded."""
        return [(name, state) for name, state in sorted(self._conditions.items()) if state is not None]

    def go_on_from(self, earlier: Draws) -> None:
        """Begin where another run of the cell began, which this one continues."""
        self._before, self._conditions = dict(earlier._before), dict(earlier._conditions)
        self._states, self._seeded = earlier._states, earlier._seeded

    def undo(self) -> None:
        """Leave the generators as they were when the cell began, as if nobody had drawn from them since."""
        self._drawn, self._seeded_first = set(), set()
        set_states(self._states)
        for name in self._states:
            (watch.seeded.add if name in self._seeded else watch.seeded.discard)(name)

    def go_on(self, kept: Mapping[str, Any]) -> None:
        """Take for the cell's own what was drawn and seeded before the point at which it goes on."""
        drawn = set(kept["<drawn>"])
        self._drawn |= drawn
        self._seeded_first |= kept["<seeded>"].keys() - drawn

    def loaded(self, name: str) -> None:
        """Take a generator's first state for the one that the cell began with."""
        self._before.setdefault(name, _digest(name))

    def was_seeded(self, name: str) -> None:
        """Note whether the cell seeds a generator before it has drawn from it: then its past is no input."""
        if name not in self._seeded_first | self._drawn:
            untouched = _digest(name) == self._before.get(name)
            (self._seeded_first if untouched else self._drawn).add(name)

    def state_was_read(self, name: str) -> None:
        """Take a state that was read for an input, as if it had been drawn from."""
        if name not in self._seeded_first:
            self._drawn.add(name)


def states() -> dict[str, Any]:
    """Return the states of the generators that are loaded."""
    return {name: each.state() for name, each in GENERATORS.items() if each.loaded}


def digests() -> dict[str, str]:
    """Return digests of the states of the generators that are loaded."""
    return {name: content_digest(state) for name, state in states().items()}


def set_states(states: Mapping[str, Any]) -> None:
    """Set the states of some generators."""
    for name, state in states.items():
        GENERATORS[name].restore(state)


def restore(kept: Mapping[str, Any]) -> None:
    """Leave the generators behind as the cell left them that is replayed."""
    set_states(kept["<states>"])
    for name, seeded in kept["<seeded>"].items():
        (watch.seeded.add if seeded else watch.seeded.discard)(name)


def _digest(name: str) -> str:
    return content_digest(GENERATORS[name].state())
