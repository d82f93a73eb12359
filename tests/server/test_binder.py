"""What Binder would do with the folder `binder`: install, build, start JupyterLab, send people there."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.jupyter_servers import jupyter_server

REPOSITORY = Path(__file__).parents[2]
SHIPPED = ("README.md", "binder", "notebooks", "pyproject.toml", "resonate_nb")  # what the build reads
TOKEN = secrets.token_hex(8)
FIRST = "notebooks/01-first-resume.ipynb"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the repository, as Binder clones it; no other test and no import sees what is built in it."""
    folder = tmp_path_factory.mktemp("binder") / "checkout"
    folder.mkdir()
    for name in SHIPPED:
        source = REPOSITORY / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def python(checkout):
    """The interpreter of a fresh environment in which Binder's two steps succeeded."""
    environment = checkout.parent / "environment"
    _run(checkout, environment, sys.executable, "-m", "venv", environment)
    # To compile what nobody imports would take half of the time.
    pip = ("pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
    _run(checkout, environment, *pip, "-r", "binder/requirements.txt")
    _run(checkout, environment, "binder/postBuild")
    return environment / "bin" / "python"


@pytest.fixture(scope="module")
def lab(checkout, python):
    """The address of the JupyterLab that Binder starts, which nobody told of the extension."""
    env = {**_env(python.parents[1]), "PYTHONPATH": ""}
    more = {"token": TOKEN, "base_url": "/user/visitor/", "command": "lab", "enabled": {}}
    with jupyter_server(checkout, python=python, env=env, **more) as address:
        yield address


@pytest.mark.timeout(600)
def test_people_come_to_the_first_notebook_in_jupyterlab(lab):
    with urllib.request.urlopen(f"{lab}?token={TOKEN}", timeout=60) as page:
        assert page.url.partition("?")[0] == f"{lab}lab/tree/{FIRST}"
        assert "JupyterLab" in page.read().decode()
    assert asked(f"{lab}api/contents/{FIRST}?content=0")["type"] == "notebook"


@pytest.mark.timeout(600)
def test_the_extension_is_enabled_by_its_installation_and_its_resource_is_there(lab, checkout, python):
    code = "from resonate_nb import Resonate; Resonate('.resonate').execution.close()"
    _run(checkout, python.parents[1], python, "-c", code)
    assert asked(f"{lab}resonate-nb/promises")["promises"] == []
    with urllib.request.urlopen(f"{lab}resonate-nb/inbox?token={TOKEN}", timeout=60) as page:
        assert "No questions wait." in page.read().decode()


def asked(address):
    request = urllib.request.Request(address, headers={"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _env(environment):
    """Return the variables of a user who has activated an environment and brings nothing else along."""
    path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    kept = {name: each for name, each in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    return {**kept, "PATH": path, "VIRTUAL_ENV": str(environment)}


def _run(folder, environment, *command):
    done = subprocess.run(
        command,
        cwd=folder,
        env=_env(environment),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
