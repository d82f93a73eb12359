"""Requests by HTTP: our server beside the npm reference behind Node, and a plain tornado echo."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from resonate_nb.promise import Promise, State
from resonate_nb.server.requests import VERSION
from resonate_nb.store.disk import DiskStore
from resonate_nb.store.operations import Create, Settle

REFERENCE = Path(__file__).parents[1] / "server" / "reference"
SECONDS = 3.0  # for each server and number of connections
CONNECTIONS = (1, 8, 64)
WAKES = 300


def main():
    with tempfile.TemporaryDirectory() as folder:
        servers = [ours(folder), reference(), echo()]
        try:
            ports = [int(re.search(r"(?::|^)(\d+)\s*$", each.stdout.readline())[1]) for each in servers]
            print(f"{'create + settle + get':24}{'resonate-nb':>24}{'npm reference':>24}{'tornado echo':>24}")
            for connections in CONNECTIONS:
                shown = [asyncio.run(load(port, connections)) for port in ports]
                cells = "".join(f"{rate:12,.0f}/s{median:8.2f} ms" for rate, median in shown)
                print(f"{connections:3} connections         {cells}")
        finally:
            for each in servers:
                each.terminate()
                each.wait(timeout=20)
        wake(Path(folder) / "wakes")


def ours(folder):
    command = [
        sys.executable,
        "-m",
        "resonate_nb",
        "serve",
        "--port",
        "0",
        "--token",
        "t",
        "--store",
        f"{folder}/s",
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def reference():
    return subprocess.Popen(["node", "serve.mjs"], cwd=REFERENCE, stdout=subprocess.PIPE, text=True)


def echo():
    return subprocess.Popen([sys.executable, __file__, "echo"], stdout=subprocess.PIPE, text=True)


async def load(port, connections):
    """Return requests per second, and the median of one request in milliseconds."""
    times, end = [], time.perf_counter() + SECONDS
    start = time.perf_counter()
    await asyncio.gather(*(one_client(port, number, times, end) for number in range(connections)))
    return len(times) / (time.perf_counter() - start), statistics.median(times) * 1_000


async def one_client(port, number, times, end):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < end:
        id = f"{number}/{count}"
        create = {"id": id, "timeoutAt": 2**53 - 1, "param": {"data": "MQ=="}, "tags": {"k": "v"}}
        settle = {"id": id, "state": "resolved", "value": {"data": "Mg=="}}
        for kind, data in {"create": create, "settle": settle, "get": {"id": id}}.items():
            began = time.perf_counter()
            head = {"corrId": id, "version": VERSION}
            await ask(reader, writer, {"kind": f"promise.{kind}", "head": head, "data": data})
            times.append(time.perf_counter() - began)
        count += 1
    writer.close()


async def ask(reader, writer, request):
    body = json.dumps(request).encode()
    head = "POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200"), answer
    if b"chunked" in answer:
        while (size := int((await reader.readuntil(b"\r\n")).strip(), 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
        return
    await reader.readexactly(int(re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)[1]))


def wake(folder):
    """From a settle in one process to the waiter's wake-up in another."""
    store = DiskStore(folder)
    settler = multiprocessing.get_context("spawn").Process(target=settle_many, args=(folder,))
    for number in range(WAKES):
        store.do(Create(promise=Promise(id=f"w/{number}"), now=1))
    settler.start()
    times = []
    for number in range(WAKES):
        while True:
            promise = store.get(f"w/{number}").promise
            if promise.settled:
                break
            store.wait_for_change(0.2)
        times.append((time.time() - int(promise.value.data) / 1e9) * 1_000)
    settler.join(timeout=60)
    store.close()
    times.sort()
    print(f"from settle to wake-up in another process: median {statistics.median(times):.2f} ms, "
          f"p99 {times[int(len(times) * 0.99)]:.2f} ms")  # fmt: skip


def settle_many(folder):
    from resonate_nb.promise import Value

    store = DiskStore(folder)
    for number in range(WAKES):
        time.sleep(0.02 + 0.03 * (number % 7) / 7)
        value = Value(data=str(time.time_ns()).encode())
        store.do(Settle(id=f"w/{number}", state=State.RESOLVED, value=value, now=2))
    store.close()


def serve_echo():
    from tornado.httpserver import HTTPServer
    from tornado.web import Application, RequestHandler

    class Echo(RequestHandler):
        def post(self):
            self.finish(self.request.body)

    async def forever():
        server = HTTPServer(Application([("/", Echo)]))
        server.listen(0, "127.0.0.1")
        print(next(iter(server._sockets.values())).getsockname()[1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(forever())


if __name__ == "__main__":
    serve_echo() if sys.argv[1:] == ["echo"] else main()
