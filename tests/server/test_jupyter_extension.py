"""The resource mounted in a real Jupyter Server, under a base URL."""

import json
import secrets
import urllib.error
import urllib.request
from urllib.parse import quote

import pytest

from resonate_nb import Resonate
from tests.jupyter_servers import jupyter_server

TOKEN = secrets.token_hex(8)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def jupyter(home):
    """The address of the resource in a server whose root is `home`."""
    with jupyter_server(home, token=TOKEN, base_url="/user/ada/") as address:
        yield address + "resonate-nb"


def test_promises_of_the_store_in_the_root_are_there(jupyter, home):
    root = Resonate(home / ".resonate")

    @root.durable(name="square")
    def square(x):
        return x * x

    square(3)
    root.close()
    status, page = ask("GET", f"{jupyter}/promises?prefix=square")
    assert (status, len(page["promises"])) == (200, 1)
    assert ask("GET", f"{jupyter}/promises/{quote(page['promises'][0]['id'], safe='')}")[1]["value"] == 9


def test_the_settlement_says_who_and_from_where(jupyter, home):
    Resonate(home / "deep" / ".resonate").execution.close()
    store = "?store=deep/.resonate"
    assert ask("PUT", f"{jupyter}/promises/a%2Fb{store}", {"param": 1})[0] == 201
    status, settled = ask("PATCH", f"{jupyter}/promises/a%2Fb{store}", {"state": "resolved", "value": True})
    assert status == 200
    assert settled["tags"]["rnb:from"] == "Jupyter"
    assert settled["tags"]["rnb:by"]


def test_forms_name_the_store_by_a_header_with_its_path(jupyter, home):
    place = home / "käse" / ".resonate"
    Resonate(place).execution.close()
    address = f"{jupyter}/promises/from-a-form"
    assert ask("PUT", address, {}, store=place)[0] == 201
    assert ask("GET", f"{address}?store=k%C3%A4se/.resonate")[0] == 200


def test_a_stranger_is_refused_in_every_way(jupyter):
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert ask(method, f"{jupyter}/promises/x", {}, token=None)[0] in {401, 403}
    for path in ("promises", "events", "openapi.json"):
        assert ask("GET", f"{jupyter}/{path}", token="guess")[0] in {401, 403}


@pytest.mark.parametrize(
    "store",
    ["../outside/.resonate", "/tmp/.resonate", "deep/../../outside/.resonate", "notes", "link/.resonate"],
)
def test_tricks_with_paths_open_no_store_elsewhere(jupyter, home, store):
    outside = home.parent / "outside" / ".resonate"
    if not outside.exists():
        Resonate(outside).execution.close()
        (home / "link").symlink_to(outside.parent)
        (home / "notes").mkdir()
    assert ask("GET", f"{jupyter}/promises?store={quote(store)}")[0] == 403


def test_a_store_that_is_not_there_is_not_made(jupyter, home):
    assert ask("GET", f"{jupyter}/promises?store=nowhere/.resonate")[0] == 404
    assert not (home / "nowhere").exists()


def test_kernels_are_told_where_the_resource_is(jupyter):
    made = ask("POST", jupyter.replace("resonate-nb", "api/kernels"), {})[1]
    environment = _environment_of_children_of_server(made["id"])
    ask("DELETE", jupyter.replace("resonate-nb", f"api/kernels/{made['id']}"))
    assert environment.get("RESONATE_NB_SERVER") == "/user/ada/"


def _environment_of_children_of_server(kernel):
    import psutil

    for process in psutil.process_iter():
        try:
            if any(kernel in argument for argument in process.cmdline()):
                return process.environ()
        except psutil.Error:
            continue
    raise AssertionError("the kernel has no process")


def ask(method, address, content=None, *, token=TOKEN, store=None):
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(address, data=data, method=method)
    if token is not None:
        request.add_header("Authorization", f"token {token}")
    if store is not None:
        request.add_header("resonate-nb-store", quote(str(store)))
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()
