"""Real servers in processes of their own, spoken to by HTTP."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.installing import alone

TOKEN = "the token of these tests"


@dataclass
class Server:
    """A server that runs."""

    process: subprocess.Popen
    address: str

    def ask(self, method, path, content=None, *, token=TOKEN, body=None, **headers):
        """Send a request; return the status and the JSON of the answer."""
        data = body if body is not None else None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.address + path, data=data, method=method)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        for name, value in headers.items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    def promise(self, method, id, content=None, **options):
        """Send a request about one promise."""
        return self.ask(method, "/promises/" + quote(id, safe=""), content, **options)

    def list(self, **arguments):
        """Return a page of promises."""
        return self.ask("GET", "/promises?" + urlencode(arguments, doseq=True))

    def stop(self, how=signal.SIGTERM):
        """Send a signal, and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(timeout=20)


@pytest.fixture
def serve(tmp_path):
    """Return a function that starts `resonate-nb serve` over the store of this test."""
    started = []

    def start(*arguments, store=tmp_path / "store"):
        process = subprocess.Popen(
            [sys.executable, "-m", "resonate_nb", "serve", "--port", "0", "--store", str(store), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "RESONATE_NB_TOKEN": TOKEN},
        )
        started.append(process)
        line = process.stdout.readline()
        return Server(process, re.search(r"http://\S+", line)[0])

    yield start
    for process in started:
        process.kill()
        process.wait(timeout=20)
        process.stdout.close()


@pytest.fixture
def server(serve):
    """A server over an empty store."""
    return serve()


@pytest.fixture(scope="session")
def node_packages():
    """The folder with Resonate's TypeScript SDK installed in it."""
    return npm_installed("reference")


def npm_installed(name):
    """Return a folder beside this file with what its `package.json` names installed in it."""
    folder = Path(__file__).parent / name
    with alone():
        if not (folder / "node_modules").exists():
            assert shutil.which("npm"), "Node and npm are needed: the test command installs them"
            arguments = ["--no-package-lock", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(
                ["npm", "install", *arguments], cwd=folder, check=True, timeout=300, capture_output=True
            )
    return folder


@pytest.fixture(scope="session")
def python_with_sdk():
    """An interpreter with Resonate's Python SDK, which needs Python 3.12 or later."""
    environment = Path(sys.prefix) / "with-resonate-sdk"
    if not (environment / "bin" / "resonate-sdk-is-installed").exists():
        interpreter = _python_3_12()
        if interpreter is None:
            pytest.skip("Resonate's Python SDK needs Python 3.12 or later, and this machine has none")
        subprocess.run([interpreter, "-m", "venv", "--clear", environment], check=True, timeout=120)
        install = [environment / "bin" / "python", "-m", "pip", "install", "--quiet", "resonate-sdk==0.8.1"]
        subprocess.run(install, check=True, timeout=300, capture_output=True)
        (environment / "bin" / "resonate-sdk-is-installed").touch()
    return str(environment / "bin" / "python")


def _python_3_12():
    if sys.version_info >= (3, 12):
        return sys.executable
    names = ("python3.14", "python3.13", "python3.12")
    found = [shutil.which(name) for name in names]
    found += sorted((Path.home() / ".pyenv" / "versions").glob("3.1[2-4].*/bin/python3"), reverse=True)
    return next((each for each in found if each and _works(each)), None)


def _works(interpreter):
    probe = [interpreter, "-c", "import venv"]
    return subprocess.run(probe, check=False, timeout=30, capture_output=True).returncode == 0
