"""The resource behind a real JupyterHub, whose proxy and logins decide who comes to whose server."""

import json
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from resonate_nb.promise import State
from tests.asking import Asker
from tests.jupyter_servers import ENABLED, environment, free_port, wait_for
from tests.server.conftest import npm_installed
from tests.server.visiting import Visitor

PASSWORD, HUB_TOKEN = secrets.token_hex(8), secrets.token_hex(16)
CONFIGURATION = """
c.JupyterHub.bind_url = "{address}"
c.JupyterHub.hub_port = {hub}
c.JupyterHub.db_url = "sqlite:///:memory:"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.command = ["{proxy}"]
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "{password}"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{home}/{{username}}"
c.SimpleLocalProcessSpawner.interrupt_timeout = 1
c.Spawner.cmd = ["{python}", "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {environment}
c.JupyterHub.services = [dict(name="test", api_token="{token}")]
c.JupyterHub.load_roles = [dict(name="test", services=["test"], scopes=["servers", "admin:users", "tokens"])]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def hub(home):
    """The address of a hub at which ada has a server."""
    address = f"http://127.0.0.1:{free_port()}/"
    config = home / ".config"
    config.mkdir()
    (config / "jupyter_server_config.json").write_text(json.dumps(ENABLED))
    repository = str(Path(__file__).parents[2])
    (home / "hub_config.py").write_text(
        CONFIGURATION.format(
            address=address,
            hub=free_port(),
            api=free_port(),
            proxy=npm_installed("proxy") / "node_modules" / ".bin" / "configurable-http-proxy",
            password=PASSWORD,
            home=home,
            python=sys.executable,
            environment={"JUPYTER_CONFIG_DIR": str(config), "PYTHONPATH": repository},
            token=HUB_TOKEN,
        )
    )
    log = home / "hub.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "--config", str(home / "hub_config.py")],
            cwd=home,
            stdout=said,
            stderr=said,
            env=environment(home, CONFIGPROXY_AUTH_TOKEN=secrets.token_hex(16)),
        )
    try:
        wait_for(f"{address}hub/api/", process, log)
        _server_of("ada", address, log)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)


def _server_of(user, address, log):
    """Have a server started, and wait until it is reached through the proxy."""
    deadline = time.monotonic() + 90
    ask(f"{address}hub/api/users/{user}", "POST")
    ask(f"{address}hub/api/users/{user}/server", "POST")
    while not ask(f"{address}hub/api/users/{user}")[1]["servers"].get("", {}).get("ready"):
        assert time.monotonic() < deadline, log.read_text()[-5000:]
        time.sleep(0.1)


def ask(address, method="GET", content=None, token=HUB_TOKEN):
    """Send a request; return the status and the JSON of the answer."""
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(address, data=data, method=method)
    request.add_header("Authorization", f"token {token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, None


def logged_in(hub, name):
    """Return somebody who has logged in at the hub with a browser."""
    visitor = Visitor(hub)
    [form] = visitor.visit("hub/login").forms
    visitor.send(form, username=name, password=PASSWORD)
    return visitor


@pytest.fixture
def question(home):
    """A question that ada's notebook asks."""
    asker = Asker(home / "ada" / ".resonate")
    id = f"staging/{secrets.token_hex(4)}"
    asker.ask(id, "Drop the rows?", {"type": "boolean"}, kind="approve", notebook="work.ipynb")
    return asker, id


def test_an_answer_is_given_through_the_inbox_of_the_users_server(hub, question):
    asker, id = question
    visitor = logged_in(hub, "ada")
    page = visitor.visit("user/ada/resonate-nb/inbox")
    form = next(each for each in page.forms if each.fields.get("id") == id)
    answered = visitor.send(form, decision="approve")
    assert "Answer: approved" in answered.statuses[0]
    promise = asker.promise(id)
    assert json.loads(promise.value.data) is True
    assert promise.tags["rnb:by"] == "ada"


def test_an_answer_is_given_by_the_resource_with_a_token_of_the_users(hub, question):
    asker, id = question
    token = ask(f"{hub}hub/api/users/ada/tokens", "POST", {})[1]["token"]
    address = f"{hub}user/ada/resonate-nb/promises/{id}"
    assert ask(address, "PATCH", {"state": "resolved", "value": "perhaps"}, token=token)[0] == 422
    assert ask(address, "PATCH", {"state": "resolved", "value": False}, token=token)[0] == 200
    assert asker.promise(id).tags["rnb:by"] == "ada"


def test_a_stranger_and_another_user_are_refused(hub, question):
    asker, id = question
    stranger = Visitor(hub)
    page = stranger.visit("user/ada/resonate-nb/inbox")
    assert "/hub/login" in page.address
    assert "Drop the rows?" not in page.text
    other = logged_in(hub, "bob").visit("user/ada/resonate-nb/inbox")
    assert "Drop the rows?" not in other.text
    assert other.status == 403
    ask(f"{hub}hub/api/users/bob", "POST")
    token = ask(f"{hub}hub/api/users/bob/tokens", "POST", {})[1]["token"]
    address = f"{hub}user/ada/resonate-nb/promises/{id}"
    for key in ("nonsense", token):
        assert ask(address, token=key)[0] == 403
        assert ask(address, "PATCH", {"state": "resolved", "value": True}, token=key)[0] == 403
    assert asker.promise(id).state is State.PENDING
