"""Resonate's TypeScript SDK as a client of a notebook's store, through a real server."""

import json
import subprocess
import threading
import time

from resonate_nb import Resonate
from tests.server.conftest import TOKEN


def test_a_typescript_client_runs_functions_and_trades_promises_with_a_notebook(
    serve, tmp_path, node_packages
):
    """It creates, settles and reads, runs a function with calls and a sleep inside, waits, is waited for."""
    server = serve()
    notebook = Resonate(tmp_path / "store")

    @notebook.durable()
    def square(x):
        while not go.exists():
            time.sleep(0.01)
        return x * x

    go = tmp_path / "go"
    computing = threading.Thread(target=square.run, args=("from/notebook", 7))
    computing.start()
    client = subprocess.Popen(
        ["node", "client.mjs", server.address, TOKEN], cwd=node_packages, stdout=subprocess.PIPE, text=True
    )
    try:
        assert said(client) == ["settled", ["resolved", "WzEsMl0="]]
        assert said(client) == ["function", 42]
        assert said(client) == ["ready", None]
        go.touch()
        assert said(client) == ["awaited", 49]
        assert said(client) == ["done", None]
    finally:
        client.kill()
        client.wait(timeout=20)
        client.stdout.close()
        go.touch()
        computing.join(timeout=20)
    assert server.promise("GET", "js/made")[1]["value"] == [1, 2]

    @notebook.durable()
    def answer():
        raise AssertionError("the client settled it")

    assert answer.run("for/notebook") == {"answer": 42}
    notebook.close()


def said(client):
    line = client.stdout.readline()
    assert line, "the client ended"
    return json.loads(line)
