"""A server of deaths: forks a process for every point at which a call can be killed, and one that goes on.

Run as `python -m tests.corpus.victims`. It reads lines `HOW|SHAPE|FOLDER`, and answers each with a
line: what the calls that went on came to. It opens no store itself, so that forks find nothing under way.
"""

import itertools
import json
import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import jsonschema  # noqa: F401 - for questions: else each fork that asks would take a second to import it

from resonate_nb.fingerprint import fingerprint
from resonate_nb.store.disk import DiskStore
from resonate_nb.store.writer import Writer
from tests.corpus.calling import World
from tests.corpus.shapes import CORPUS

KILLED = 9


class Death:
    """Ends the process at the n-th chance, as SIGKILL would: nothing is flushed, closed or undone."""

    def __init__(self, at):
        self.left = itertools.count(at - 1, -1)  # one step of C code, so that threads share it

    def chance(self):
        if next(self.left) == 0:
            self.strike()

    def strike(self):
        os._exit(KILLED)

    def lurk(self):
        """Wait before and after each operation of a store is posted, and each transaction of its writer."""
        DiskStore.post = self._around(DiskStore.post)
        Writer._commit = self._around(Writer._commit)

    def _around(self, function):
        def wrapped(*arguments, **options):
            self.chance()
            result = function(*arguments, **options)
            self.chance()
            return result

        return wrapped


class Interrupt(Death):
    """Interrupts the process at the n-th chance, as a person in a notebook does."""

    struck = False

    def strike(self):
        self.struck = True
        os.kill(os.getpid(), signal.SIGINT)

    def rest(self):
        self.left = itertools.count(-1, -1)


def die(shape, folder, at):
    """Call a shape in a process that is killed at a chance; return whether it came so far."""
    child = os.fork()
    if not child:
        with World(folder) as world:
            world.note()
            Death(at).lurk()
            world.call(shape)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


def go_on(shape, folder, interrupt=None):
    """Call the shape again, in another process, and return what came of it and of the calls before."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        report = {"error": "it came to no end"}
        try:
            report = _gone_on(shape, folder, interrupt)
        except BaseException as error:  # noqa: BLE001 - the test that asked shows it
            report = {"error": f"{type(error).__name__}: {error}"}
        finally:
            os.write(writing, json.dumps(report).encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        report = json.loads(pipe.read())
    os.waitpid(child, 0)
    shutil.rmtree(folder)
    return report


def _gone_on(shape, folder, interrupt=None):
    with World(folder) as world:
        if interrupt is not None:
            interrupt.lurk()
            with suppress(KeyboardInterrupt):
                world.call(shape)
                interrupt.rest()
                time.sleep(0.002)  # a signal that is on its way is heard here
        world.note()
        value = world.call(shape)
        world.note()
        again = world.call(shape)
        world.note()
        changed, ran_again, ran_last = world.findings()
        return {
            "value": repr(value),
            "replay": repr(again),
            "changed": changed,
            "ran again": ran_again,
            "ran at replay": ran_last,
            "interrupted": interrupt is not None and interrupt.struck,
        }


def everywhere(shape, folder):
    """Return for every chance to be killed what a call came to after that."""
    reports = []
    for at in itertools.count(1):
        place = folder / str(at)
        killed = die(shape, place, at)
        reports.append({"at": at, **go_on(shape, place)})
        if not killed:
            return reports
    return reports


def interrupted(shape, folder):
    """Return for every chance to be interrupted what the next call in the same process came to."""
    reports = []
    for at in itertools.count(1):
        reports.append({"at": at, **go_on(shape, folder / str(at), Interrupt(at))})
        if not reports[-1].get("interrupted"):
            return reports
    return reports


def again_and_again(shape, folder):
    """Return what a call came to that was killed at its first chance, then at its second, and so on."""
    deaths = next(at for at in itertools.count(1) if not die(shape, folder / "one", at)) - 1
    return [{"deaths": deaths, **go_on(shape, folder / "one")}]


WAYS = {"everywhere": everywhere, "again and again": again_and_again, "interrupted": interrupted}

if __name__ == "__main__":
    for line in sys.stdin:
        how, name, folder = line.rstrip("\n").split("|")
        shape = CORPUS[name]
        fingerprint(shape.function.__wrapped__)  # its source is parsed once, for all forks
        print(json.dumps(WAYS[how](shape, Path(folder))), flush=True)
