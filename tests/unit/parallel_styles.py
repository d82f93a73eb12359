"""Durable calls inside other people's parallelism: run as a script with the names of styles, prints JSON."""

import asyncio
import json
import multiprocessing
import os
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from resonate_nb import configure, durable, find
from resonate_nb.errors import UsageError

OFFSET = 1000  # data that the code reads by name


@durable
def square(x):
    with Path(f"computed {x}").open("a") as file:
        file.write("x")
    return shifted(x) ** 2


def shifted(x):
    return x + OFFSET


@durable(identity="call")
def send(x):
    return shifted(x) ** 2


def in_pool(method):
    def run(function, items):
        with multiprocessing.get_context(method).Pool(2) as pool:
            return pool.map(function, items)

    return run


def in_executor(method):
    def run(function, items):
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
            return list(pool.map(function, items))

    return run


def in_joblib(**options):
    def run(function, items):
        import joblib

        return joblib.Parallel(2, **options)(joblib.delayed(function)(item) for item in items)

    return run


def in_thread_pool(function, items):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, items))


def in_threads(function, items):
    found = {}

    def run(item):
        try:
            found[item] = function(item)
        except UsageError as error:
            found[item] = error

    threads = [threading.Thread(target=run, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for value in found.values():
        if isinstance(value, UsageError):
            raise value
    return [found[item] for item in items]


def in_tasks(function, items):
    async def all_of_them():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.to_thread(function, item)) for item in items]
        return [task.result() for task in tasks]

    try:
        return asyncio.run(all_of_them())
    except* UsageError as group:
        failed = group.exceptions[0]
    raise failed


def in_forks(function, items):
    values, refusals = [], []
    for item in items:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                told = [function(item), None]
            except UsageError as error:
                told = [None, str(error)]
            os.write(writer, json.dumps(told).encode())
            os._exit(0)
        os.close(writer)
        value, refusal = json.loads(os.read(reader, 10_000))
        values.append(value)
        refusals.append(refusal)
        os.close(reader)
        os.waitpid(child, 0)
    if any(refusals):
        raise UsageError(refusals[0])
    return values


STYLES = {
    "threads": in_threads,
    "ThreadPoolExecutor": in_thread_pool,
    "joblib threading": in_joblib(backend="threading"),
    "asyncio tasks": in_tasks,
    "os.fork": in_forks,
    "Pool fork": in_pool("fork"),
    "Pool spawn": in_pool("spawn"),
    "Pool forkserver": in_pool("forkserver"),
    "ProcessPoolExecutor fork": in_executor("fork"),
    "ProcessPoolExecutor spawn": in_executor("spawn"),
    "joblib loky": in_joblib(),
    "joblib multiprocessing": in_joblib(backend="multiprocessing"),
}


@durable
def inside(style, numbers):
    return STYLES[style](square, numbers)


@durable
def inside_by_place(style, numbers):
    return STYLES[style](send, numbers)


def said(call, *arguments):
    try:
        return call(*arguments)
    except UsageError as error:
        return f"{type(error).__name__}: {error}"


def main(styles):
    configure("store")
    square(0)  # so that connections and threads are there to be copied
    told = {}
    for number, style in enumerate(styles, start=1):
        first = 10 * number
        told[style] = {
            "inside": said(inside, style, [first, first + 1]),
            "here": [square(first), square(first + 1)],
            "by place inside": said(inside_by_place, style, [1, 1]),
            "computed": [Path(f"computed {first + more}").read_text() for more in range(2)],
        }
    sent = len(find(tags={"rnb:name": "send"}))
    print(json.dumps({"told": told, "sent": sent, "folder": sorted(os.listdir())}))  # noqa: PTH208


if __name__ == "__main__":
    main(sys.argv[1:])
