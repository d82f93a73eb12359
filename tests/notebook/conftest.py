"""Real kernels for tests: pooled, isolated from the user's files, and really killed.

Ask for the fixture `kernel`. Each test has its own folder, in which the kernel runs; processes are used
again for the next test unless one was killed or has the extension in it.
"""

import os
import queue
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

from resonate_nb.notebook.folding import fold

sys.path.insert(0, str(Path(__file__).parent))  # the tests here share `traps`

START = 60  # seconds that a kernel may take to answer for the first time
STARTS = 3  # of processes, until one answers

# Fails where more than the namespace would have to be made as new for the next test.
CLEAN = """
import sys
assert not any(name.startswith("resonate_nb") for name in sys.modules)
get_ipython().reset(new_session=True)
"""


@dataclass
class Reply:
    """What came of running one cell."""

    status: str = "running"  # then "ok", "error" or "aborted", or "dead": the kernel died before it answered
    error: tuple | None = None  # (ename, evalue)
    messages: list = field(default_factory=list)  # as they came
    execution_count: int | None = None

    @property
    def outputs(self):
        """What a notebook file would keep, without errors and execution counts."""
        return [
            {key: value for key, value in output.items() if key != "transient"}
            for output in fold(self.messages)
        ]

    @property
    def text(self):
        """All that was printed, both streams."""
        return "".join(output["text"] for output in self.outputs if output["output_type"] == "stream")


class Process:
    """One kernel process with its client."""

    def __init__(self, folder, env):
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(
            cwd=str(folder), env=env, extra_arguments=["--HistoryManager.hist_file=:memory:"]
        )
        self.client = self.manager.blocking_client()
        self.client.start_channels()

    def kill(self):
        """End the process with SIGKILL and wait until it is gone."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


class Pool:
    """Keeps a process that is as good as new, so that most tests need not wait for one."""

    def __init__(self, folder, over=None, *, queues=True):
        self.folder = folder
        self.queues = queues  # whether a request may be sent while another one is carried out
        self.spares = []
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        self.env.pop("RESONATE_NB_STORE", None)
        self.env |= {
            "RESONATE_NB_KEY_FILE": str(folder / "key"),
            # Whether a checkpoint is worth its cost depends on the machine: tests count whole runs.
            "RESONATE_NB_CHECKPOINT_SHARE": "0",
            "IPYTHONDIR": str(folder / "ipython"),
            "MPLCONFIGDIR": str(folder / "matplotlib"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        if over is not None:
            paths = filter(None, [str(over), self.env.get("PYTHONPATH")])
            self.env["PYTHONPATH"] = os.pathsep.join(paths)

    def kernel(self, folder):
        """Return a kernel that runs in a folder."""
        return Kernel(self, folder)

    def take(self):
        """Return a process that is ready."""
        for _ in range(STARTS - 1):
            process = self._next()
            try:
                process.client.wait_for_ready(timeout=START)
            except RuntimeError:  # one of its ports, chosen before it began, was taken by another meanwhile
                process.kill()
            else:
                return process
        process = self._next()
        process.client.wait_for_ready(timeout=START)
        return process

    def _next(self):
        return self.spares.pop() if self.spares else Process(self.folder, self.env)

    def give_back(self, process):
        """Keep a process that is as good as new."""
        if self.spares:
            process.kill()
        else:
            self.spares.append(process)

    def close(self):
        """Kill the spare processes."""
        for process in self.spares:
            process.kill()


class Kernel:
    """A kernel as a person with a notebook has it: run cells, stop them, restart it, kill it."""

    def __init__(self, pool, cwd):
        self.cwd = cwd
        self._pool = pool
        self._process = None
        self._replies = {}
        self._answers = {}
        self._was_killed = False

    def run(self, code, timeout=60):
        """Run a cell and return what came of it."""
        return self.finish(self.begin(code), timeout)

    def begin(self, code, *, allow_stdin=False, subshell=None):
        """Start running a cell and return its id for `shows` and `finish`."""
        if not self._pool.queues:
            for before in [cell for cell, reply in self._replies.items() if reply.status == "running"]:
                self.finish(before)
        content = {"code": code, "allow_stdin": allow_stdin, "stop_on_error": False, "silent": False}
        message = self.client.session.msg("execute_request", {**content, "store_history": True})
        message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        cell = message["header"]["msg_id"]
        self._replies[cell] = Reply()
        return cell

    def shows(self, cell, text, timeout=60):
        """Wait until a cell that is still running has printed the text."""
        return self._listen(cell, lambda reply: text in reply.text, timeout)

    def finish(self, cell, timeout=60):
        """Wait for a cell's end, or the kernel's."""
        return self._listen(cell, lambda _: False, timeout)

    def new_subshell(self):
        """Return the id of a new subshell for `begin`, or None where the kernel has none."""
        if "kernel subshells" not in self.client.kernel_info(reply=True)["content"].get(
            "supported_features", []
        ):
            return None
        self.client.control_channel.send(self.client.session.msg("create_subshell_request", {}))
        return self.client.get_control_msg(timeout=10)["content"]["subshell_id"]

    def interrupt(self):
        """Press the stop button."""
        self._process.manager.interrupt_kernel()

    def restart(self):
        """Kill the process and go on in a new one, in the same folder."""
        self.kill()
        return self.client

    def kill(self):
        """End the process with SIGKILL; cells that were running end as "dead"."""
        self._was_killed = True
        if self._process is not None:
            self._process.kill()
            self._process = None
            for reply in self._replies.values():
                reply.status = "dead" if reply.status == "running" else reply.status

    @property
    def client(self):
        """The blocking client of jupyter_client."""
        if self._process is None:
            self._process = self._pool.take()
            assert self.run(f"import os; os.chdir({str(self.cwd)!r}); del os").status == "ok"
        return self._process.client

    @property
    def pid(self):
        """The process's id."""
        assert self.client is not None
        return self._process.manager.provisioner.pid

    def close(self):
        """Let the next test have the process if it is as good as new."""
        if self._process is None:
            return
        if self._was_killed or self.run(CLEAN).status != "ok":
            self._process.kill()
        else:
            self._pool.give_back(self._process)

    def _listen(self, cell, enough, timeout):
        reply, deadline = self._replies[cell], time.monotonic() + timeout
        while reply.status == "running" and not enough(reply):
            assert time.monotonic() < deadline, (
                f"the cell did not come to its end in {timeout} s: {reply.text[-2000:]}"
            )
            try:
                message = self.client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                if not self._process.manager.is_alive():
                    self.kill()
                continue
            self._take_in(message)
        return reply

    def _take_in(self, message):
        cell, kind, content = message["parent_header"].get("msg_id"), message["msg_type"], message["content"]
        reply = self._replies.get(cell)
        if reply is None:
            return
        reply.messages.append(message)
        if kind == "error":
            reply.error = (content["ename"], content["evalue"])
        elif kind == "execute_input":
            reply.execution_count = content["execution_count"]
        elif kind == "status" and content["execution_state"] == "idle":
            reply.status = self._answer(cell)["content"]["status"]

    def _answer(self, cell):
        while cell not in self._answers:  # those of subshells come in any order
            message = self.client.get_shell_msg(timeout=10)
            self._answers[message["parent_header"].get("msg_id")] = message
        return self._answers.pop(cell)


@pytest.fixture(scope="session")
def kernel_pool(tmp_path_factory):
    pool = Pool(tmp_path_factory.mktemp("kernels"))
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def older_pool(tmp_path_factory):
    """Return a function that gives kernels with other versions of packages, made at the first asking."""
    from overlays import overlay

    pools = {}

    def pool(packages):
        if packages not in pools:
            # Plain kernels of 7.3, without any extension, now and then never answer what had to queue.
            queues = "ipykernel==7.3.0" not in packages
            pools[packages] = Pool(tmp_path_factory.mktemp("older"), overlay(*packages), queues=queues)
        return pools[packages]

    yield pool
    for each in pools.values():
        each.close()


@pytest.fixture
def kernel(kernel_pool, tmp_path):
    """A kernel of this test's own; a second one is a call of `another_kernel`."""
    made = kernel_pool.kernel(tmp_path)
    yield made
    made.close()


@pytest.fixture
def another_kernel(kernel_pool, tmp_path):
    """Return a function that gives further kernels in the same folder, as several notebooks have them."""
    made = []

    def make():
        made.append(kernel_pool.kernel(tmp_path))
        return made[-1]

    yield make
    for each in made:
        each.close()
