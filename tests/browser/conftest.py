"""A real browser before a real JupyterLab: one server for all tests here, a page and a notebook for each."""

import json
import os
import secrets
import shutil
import signal
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from playwright.sync_api import expect, sync_playwright

from tests.asking import Asker
from tests.jupyter_servers import jupyter_server
from tests.notebook.overlays import overlay

PATIENCE = 30_000  # milliseconds; a busy machine draws JupyterLab slowly
SETUP = "%load_ext resonate_nb\nfrom resonate_nb import *\n"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
OLDER = "ipykernel6"
REPOSITORY = Path(__file__).parents[2]


@dataclass
class Lab:
    """The server, its folder, and what can be done to it without a browser."""

    address: str
    token: str
    home: Path

    def ask(self, path, method="GET", content=None):
        """Return what the server answers a program."""
        headers = {"Authorization": f"token {self.token}"}
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.address}api/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def kill_session_of(self, notebook):
        """End a notebook's session with its kernel, if there is one."""
        for each in self.ask("sessions"):
            if each["path"] == notebook:
                self.ask(f"sessions/{each['id']}", "DELETE")

    def kernel_of(self, notebook):
        """Return the process of a notebook's kernel."""
        [id] = [each["kernel"]["id"] for each in self.ask("sessions") if each["path"] == notebook]
        for process in psutil.Process().children(recursive=True):
            if any(id in argument for argument in process.cmdline()):
                return process
        raise AssertionError(f"the kernel of {notebook} has no process")

    def kill_kernel_of(self, notebook):
        """End a kernel with SIGKILL."""
        process = self.kernel_of(notebook)
        process.send_signal(signal.SIGKILL)
        process.wait(20)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    home = tmp_path_factory.mktemp("lab")
    settings = home / ".lab-settings" / "@jupyterlab"
    # No questions but ours, and no network. A page that opens before it knows of the session would ask for a
    # kernel; without the question it asks the server, which gives it the session that is there.
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    _write(settings / "apputils-extension" / "notification.jupyterlab-settings", quiet)
    _write(settings / "notebook-extension" / "tracker.jupyterlab-settings", {"autoStartDefaultKernel": True})
    paths = [str(overlay("ipykernel==6.31.0", "nest-asyncio==1.6.0")), str(REPOSITORY)]
    _write(
        home / ".data" / "kernels" / OLDER / "kernel.json",
        {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "ipykernel 6",
            "language": "python",
            "env": {"PYTHONPATH": os.pathsep.join(paths)},
        },
    )
    token = secrets.token_hex(8)
    env = {"JUPYTER_PATH": str(home / ".data"), "PYTHONPATH": str(REPOSITORY)}
    with jupyter_server(home, token=token, command="lab", base_url="/user/ada/", env=env) as address:
        yield Lab(address, token, home)


# Only for a module: while Playwright runs, no other test could start an event loop.
@pytest.fixture(scope="module")
def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "Chromium is needed: the test command installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def person(chromium, lab):
    """Return a function that gives somebody with a browser of their own, logged in."""
    contexts = []

    def come(**options):
        context = chromium.new_context(viewport={"width": 1100, "height": 800}, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{lab.address}resonate-nb/inbox?token={lab.token}")
        come.pages.append(page)
        return page

    come.pages = []
    expect.set_options(timeout=PATIENCE)
    yield come
    for context in contexts:
        context.close()


@pytest.fixture
def notebook(lab, person, request):
    """Return a function that opens a new notebook with one cell in JupyterLab, in a folder of its own."""
    made = []

    def open_notebook(code, *, kernel="python3", app="doc/tree", page=None):
        folder = lab.home / f"{request.node.originalname.removeprefix('test_')[:30]}-{secrets.token_hex(3)}"
        folder.mkdir()
        content = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(SETUP + code)],
            metadata={"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
        )
        nbformat.write(content, folder / "it.ipynb")
        made.append(Notebook(lab, page or person(), folder, app))
        # The kernel starts while the browser loads the page, and nobody is asked which one to take.
        session = {"path": made[-1].path, "name": "it.ipynb", "type": "notebook", "kernel": {"name": kernel}}
        lab.ask("sessions", "POST", session)
        made[-1].open()
        return made[-1]

    yield open_notebook
    for each in made:
        each.close()


class Notebook:
    """A notebook with one cell in somebody's browser."""

    def __init__(self, lab, page, folder, app):
        self.lab, self.page, self.folder, self.app = lab, page, folder, app
        self.path = (folder / "it.ipynb").relative_to(lab.home).as_posix()
        self.asker = Asker(folder / ".resonate")

    def open(self):
        """Open the page and wait for the kernel."""
        self.page.goto(f"{self.lab.address}{self.app}/{self.path}")
        self.ready()

    def ready(self):
        """Wait until the kernel has nothing to do."""
        expect(self.page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")).to_be_attached()

    def run(self):
        """Run the cell, whose number is then another."""
        number = self.page.locator(".jp-CodeCell .jp-InputPrompt").first
        before = number.inner_text()
        self.page.locator(".jp-CodeCell .cm-content").first.click()
        expect(self.page.locator(".jp-Notebook.jp-mod-editMode")).to_be_attached()
        self.page.keyboard.press("Control+Enter")
        expect(number).not_to_have_text(before)

    def field(self, name, role="spinbutton"):
        """Return the field of a form."""
        return self.page.get_by_role(role, name=name)

    def send(self):
        """Press the button."""
        self.page.get_by_role("button", name="Send").click()

    def shows(self, text):
        """Wait until the cell's output has the text."""
        expect(self.page.locator(".jp-OutputArea").first).to_contain_text(text)

    @property
    def alert(self):
        """What the form complains of."""
        return self.page.locator(".rnb-form").get_by_role("alert")

    def waiting(self):
        """Wait until the store has one open question; return its id."""
        deadline = time.monotonic() + PATIENCE / 1_000
        while True:
            if (self.folder / ".resonate" / "format").exists() and (ids := self.asker.waiting()):
                [id] = ids
                return id
            assert time.monotonic() < deadline, "nothing was asked"
            time.sleep(0.05)

    def answered(self):
        """Return the id of the one question that has an answer."""
        [id] = self.asker.answered()
        return id

    def inbox(self, id, page=None):
        """Open a question's own page."""
        (page or self.page).goto(f"{self.lab.address}resonate-nb/inbox/{id}")

    def saved(self):
        """Save, and return the notebook as the file has it."""
        file = self.folder / "it.ipynb"
        before = file.stat().st_mtime_ns
        self.page.keyboard.press("Control+s")
        deadline = time.monotonic() + PATIENCE / 1_000
        # It is empty for a moment while it is written.
        while file.stat().st_mtime_ns == before or not file.read_text().endswith("}\n"):
            assert time.monotonic() < deadline, "the notebook was not saved"
            self.page.wait_for_timeout(50)
        return nbformat.read(file, as_version=4)

    def close(self):
        """End the kernel, so that the next test has the machine for itself."""
        self.lab.kill_session_of(self.path)


def _write(path, content):
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep a picture of each page of a test that failed, where RESONATE_NB_PICTURES says."""
    report = yield
    folder = os.environ.get("RESONATE_NB_PICTURES")
    if folder and call.when == "call" and report.failed and "person" in item.funcargs:
        for number, page in enumerate(item.funcargs["person"].pages):
            page.screenshot(path=Path(folder) / f"{item.name}-{number}.png", full_page=True)
    return report
