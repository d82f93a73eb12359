"""Resonate's own SDKs as clients of a notebook's store, through a real server."""

import json
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from resonate_nb import Resonate
from tests.server.conftest import TOKEN

HERE = Path(__file__).parent / "reference"


@pytest.fixture(params=["typescript", "python"])
def command(request):
    """The command that runs a client, to which address and token are added."""
    if request.param == "typescript":
        return ["node", str(request.getfixturevalue("node_packages") / "client.mjs")]
    return [request.getfixturevalue("python_with_sdk"), str(HERE / "client.py")]


def test_a_client_runs_functions_and_trades_promises_with_a_notebook(serve, tmp_path, command):
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
        [*command, server.address, TOKEN], stdout=subprocess.PIPE, text=True, env=without_our_path()
    )
    try:
        assert said(client) == ["settled", ["resolved", [1, 2]]]
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
    assert server.promise("GET", "client/made")[1]["value"] == [1, 2]

    @notebook.durable()
    def answer():
        raise AssertionError("the client settled it")

    assert answer.run("for/notebook") == {"answer": 42}
    notebook.close()


def without_our_path():
    return {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}


def said(client):
    line = client.stdout.readline()
    assert line, "the client ended"
    return json.loads(line)
