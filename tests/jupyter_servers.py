"""Real Jupyter servers in processes of their own, with folders and settings of their own."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

START = 90  # seconds that a server may take to answer

# Tests run from a checkout, where no installer has enabled the extension; what it needs stands in its file.
ENABLED = {"ServerApp": {"jpserver_extensions": {"resonate_nb.server.jupyter": True}}}


@contextmanager
def jupyter_server(
    home, *, token, base_url="/", command="server", python=sys.executable, env=None, enabled=ENABLED, **more
):
    """Run a server whose root is `home`; give its address."""
    port = free_port()
    configuration = home / ".config"
    configuration.mkdir(exist_ok=True)
    (configuration / "jupyter_server_config.json").write_text(json.dumps(enabled))
    arguments = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": home,
        "ServerApp.base_url": base_url,
        "ServerApp.open_browser": False,
        "IdentityProvider.token": token,
        **more,
    }
    log = home / ".server.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [python, "-m", "jupyter", command, "--allow-root"]
            + [f"--{name}={value}" for name, value in arguments.items()],
            stdout=said,
            stderr=said,
            env=environment(home, **(env or {})),
        )
    address = f"http://127.0.0.1:{port}{base_url}"
    try:
        wait_for(f"{address}api/status?token={token}", process, log)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def environment(home, **more):
    """Return an environment in which nothing of the user's settings is read."""
    env = {name: each for name, each in os.environ.items() if not name.startswith(("PYTEST_", "JUPYTER"))}
    env.pop("RESONATE_NB_STORE", None)
    return {
        **env,
        "JUPYTER_CONFIG_DIR": str(home / ".config"),
        "JUPYTER_RUNTIME_DIR": str(home / ".run"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / ".lab-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / ".lab-workspaces"),
        "IPYTHONDIR": str(home / ".ipython"),
        "RESONATE_NB_KEY_FILE": str(home / ".key"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        **more,
    }


def wait_for(address, process, log):
    """Wait until a server answers at an address."""
    deadline = time.monotonic() + START
    while True:
        try:
            with urllib.request.urlopen(address, timeout=20):
                return
        except OSError:
            pass
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)


def free_port():
    """Return a port of the loopback interface that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
