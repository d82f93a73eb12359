"""Processes that use a store and come to harm: run as a script, `store_victims.py PART ARGUMENTS`.

Each acknowledges on standard output what the store acknowledged, one id a line.
"""

import os
import random
import resource
import signal
import sqlite3
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "store"))

import diskcache.core
from making import buffer_of, create, settle

from resonate_nb.errors import StoreFull
from resonate_nb.promise import Value
from resonate_nb.store import buffers
from resonate_nb.store.disk import DiskStore

LARGE = b"0123456789abcdef" * 3_000


def acknowledge(text):
    os.write(1, f"{text}\n".encode())  # at once: a buffer would die with the process


def large_value(number):
    return Value({}, LARGE + str(number).encode(), (buffer_of(LARGE * 2 + str(number).encode()),))


def write_a_few(folder):
    """The history that dies at every point."""
    store = DiskStore(folder)
    for number in range(2):
        store.do(create(f"n/{number}", power_safe=number == 1))
        acknowledge(f"n/{number} pending")
        store.do(settle(f"n/{number}", large_value(number)))
        acknowledge(f"n/{number} resolved")
    store.close()


class Death:
    """Ends the process at the n-th of the points where it touches the disk."""

    def __init__(self, at):
        self.at, self.seen = at, 0

    def chance(self):
        self.seen += 1
        if self.seen == self.at:
            os._exit(9)

    def around(self, function):
        def wrapped(*arguments, **options):
            self.chance()
            result = function(*arguments, **options)
            self.chance()
            return result

        return wrapped

    def lurk(self):
        """Wait before and after each statement, write, flush and rename."""
        death = self

        class Connection(sqlite3.Connection):
            def execute(self, *arguments):
                death.chance()
                result = super().execute(*arguments)
                death.chance()
                return result

        class Module:
            def __getattr__(self, name):
                return getattr(sqlite3, name)

            @staticmethod
            def connect(*arguments, **options):
                return sqlite3.connect(*arguments, factory=Connection, **options)

        diskcache.core.sqlite3 = Module()
        os.fsync = self.around(os.fsync)
        Path.replace = self.around(Path.replace)
        Path.mkdir = self.around(Path.mkdir)
        buffers._copy = self.around(buffers._copy)


def die_at_every_chance(folder, first, step):
    """Fork a victim for every chance, and report what each had acknowledged: `n: id state, ...`."""
    number = int(first)
    while True:
        place = f"{folder}-{number}"
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.dup2(writing, 1)
            Death(number).lurk()
            write_a_few(place)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as lines:
            acknowledged = lines.read().splitlines()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        acknowledge(f"{place}|{code}|{','.join(acknowledged)}")
        if code != 9:
            return
        number += int(step)


def write_until_killed(folder, name):
    store = DiskStore(folder)
    acknowledge("ready")
    number = 0
    while True:
        id = f"{name}/{number}"
        store.do(create(id, power_safe=number % 7 == 0))
        replies = [store.post(create(f"{id}/{child}")) for child in range(5)]
        [reply.get() for reply in replies]
        store.do(settle(id, large_value(number) if number % 3 == 0 else b"small"))
        acknowledge(id)
        number += 1


def be_interrupted(folder, seconds):
    """Work under a storm of interrupts, then without; nothing acknowledged may be missing."""
    store = DiskStore(folder)
    store.do(create("first"))
    chance = random.Random(1)
    acknowledged, interrupts = [], 0
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    end = time.monotonic() + float(seconds)
    number = 0
    while time.monotonic() < end:
        number += 1
        id = f"n/{number}"
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00002, 0.0006))
            store.do(create(id))
            store.get(id)
            store.do(settle(id))
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interrupts += 1
        else:
            acknowledged.append(id)
    signal.setitimer(signal.ITIMER_REAL, 0)
    store.do(create("last"))
    found = store.get_many(acknowledged)
    store.close()
    acknowledge(f"{interrupts} {len(acknowledged)} {sum(entry.promise.settled for entry in found.values())}")


def fill(folder, limit):
    """Write until there is no room; with a limit on the size of files in bytes if it is not 0."""
    store = DiskStore(folder)
    store.do(create("first"))
    if int(limit):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    number = 0
    try:
        while number < 10_000:
            store.do(create(f"n/{number}", param=Value({}, os.urandom(20_000))))
            acknowledge(f"n/{number}")
            number += 1
    except StoreFull:
        acknowledge("full")
    try:
        store.do(create("large", param=Value({}, os.urandom(8_000_000))))
    except StoreFull:
        acknowledge("full")
    assert store.get("first") is not None
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        store.do(create("room again"))
        acknowledge("room again")
    store.close()


if __name__ == "__main__":
    part = globals()[sys.argv[1]]
    part(*sys.argv[2:])
