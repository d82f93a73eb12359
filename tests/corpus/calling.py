"""Calls of the shapes through all doors that lead into this process, with their marks."""

import asyncio
import hashlib
import itertools
import json
import os
import sys
import threading
import warnings
from contextlib import contextmanager, nullcontext
from pathlib import Path

from resonate_nb import MutatedArgument, configure
from resonate_nb.clock import SystemClock
from resonate_nb.enquiry import answers
from resonate_nb.promise import State
from resonate_nb.resonate import default
from resonate_nb.store.base import Query

EXPLICIT = "an id of my own"
INPUT = {"input.txt": "input"}


class World:
    """A folder with a store, files that bodies read, and the marks that they leave."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        for name, text in INPUT.items():
            if not (self.folder / name).exists():
                (self.folder / name).write_text(text)

    def __enter__(self):
        self._before = Path.cwd()
        os.chdir(self.folder)
        sys.marks = os.open("marks", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._root = configure("store")
        return self

    def __exit__(self, *_):
        self._root.close()
        os.close(sys.marks)
        os.chdir(self._before)

    @property
    def marks(self):
        """The ids of promises in the order in which their bodies began."""
        return (self.folder / "marks").read_text().split("\n")[:-1]

    @property
    def store(self):
        return self._root.execution.store

    def settled(self):
        """Return by id the records that are settled, each whole."""
        found = self.store.list(Query(limit=1_000), SystemClock().now()).promises
        entries = self.store.get_many(promise.id for promise in found if promise.settled)
        return {id: record_of(entry.promise) for id, entry in entries.items()}

    def note(self):
        """Note what is settled and which bodies have run until now: `findings` compares the notes."""
        with (self.folder / "notes").open("a") as notes:
            notes.write(json.dumps([self.settled(), len(self.marks)]) + "\n")

    def findings(self):
        """Return ids of what was settled and changed, those that ran again, and those that ran last."""
        with (self.folder / "notes").open() as lines:
            notes = [json.loads(line) for line in lines]
        changed, again, ran = [], [], []
        for (before, since), (after, until) in itertools.pairwise(notes):
            ran = self.marks[since:until]
            changed += [id for id, record in before.items() if after.get(id) != record]
            again += [id for id in ran if id in before]
        return changed, again, ran

    def call(self, shape, door="call"):
        """Return what a call comes to, its exception in words; questions on the way are answered with yes."""
        with self._person() if shape.asks else nullcontext(), warnings.catch_warnings():
            warnings.simplefilter("ignore", MutatedArgument)
            try:
                return shape.take(self._through(door, shape.function, shape.make()))
            except LookupError as error:
                return f"{type(error).__name__}: {error}"

    @contextmanager
    def _person(self):
        gone = threading.Event()

        def stay():
            while not gone.wait(0.05):
                answer_all()

        thread = threading.Thread(target=stay)
        thread.start()
        try:
            yield
        finally:
            gone.set()
            thread.join()

    @staticmethod
    def _through(door, function, arguments):
        if door == "submit":
            return function.submit(*arguments).result()
        value = function.run(EXPLICIT, *arguments) if door == "run" else function(*arguments)
        return asyncio.run(_awaited(value)) if asyncio.iscoroutine(value) else value


def answer_all():
    """Answer all open questions with yes."""
    store, now = default().execution.store, SystemClock().now()
    for question in store.list(Query(prefix="ask/", state=State.PENDING), now).promises:
        answers.settle(store, question.id, True, now=now)


def record_of(promise):
    """Return the digest of all that a settled record holds."""
    buffers = [(buffer.digest, buffer.size) for buffer in promise.value.buffers]
    value = (dict(promise.value.headers), promise.value.data.hex(), buffers)
    tags = sorted(promise.tags.items())
    times = promise.timeout_at, promise.created_at, promise.settled_at
    return hashlib.sha256(repr((promise.state, tags, value, times)).encode()).hexdigest()


async def _awaited(coroutine):
    return await coroutine
