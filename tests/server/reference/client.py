"""A client of Resonate's Python SDK; each line on standard output says what it saw, as JSON."""

import asyncio
import json
import sys
import time
from datetime import timedelta

from resonate.resonate import Resonate
from resonate.types import Value


def tell(what, content=None):
    print(json.dumps([what, content]), flush=True)


async def double(_, x):
    return 2 * x


async def add_one(_, x):
    return x + 1


async def work(context, x):
    added = await context.run(add_one, x)
    await context.sleep(timedelta(seconds=1.5))
    return await context.rpc("double", added)


async def main():
    url, token = sys.argv[1:]
    resonate = Resonate(url=url, token=token)
    later = int(time.time() * 1_000) + 60_000
    await resonate.promises.create("client/made", later, Value(data={"a": 1}), {"k": "v"})
    settled = await resonate.promises.resolve("client/made", Value(data=[1, 2]))
    (found,) = (await resonate.promises.search("resolved", {"k": "v"}, 10, None)).promises
    tell("settled", [settled.state, found.value.data])

    for function in (double, add_one, work):
        resonate.register(function)
    tell("function", await resonate.rpc("client/work", "work", 20).result())

    tell("ready")
    tell("awaited", await (await resonate.get("from/notebook")).result())

    await resonate.promises.create("for/notebook", later, Value(), {})
    await resonate.promises.resolve("for/notebook", Value(data={"answer": 42}))
    await resonate.stop()
    tell("done")


asyncio.run(main())
