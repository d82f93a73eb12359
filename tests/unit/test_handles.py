"""Handles and cancelling: calls that go on elsewhere are found, waited for and ended."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from resonate_nb import Handle, PromiseCanceled, PromiseTimedOut, State, configure, current, durable
from resonate_nb.cli import main
from resonate_nb.errors import NoSuchPromise
from resonate_nb.promise import Promise, Value
from resonate_nb.store.operations import Create, Settle

pytestmark = pytest.mark.usefixtures("root")
LONG = 60  # seconds, longer than any test may take


class Witness:
    """Sees what bodies do, and is no input of what it sees."""

    def __init__(self):
        self.seen = []
        self.go = threading.Event()

    def __durable_digest__(self):
        return "witness"


@pytest.fixture
def witness():
    made = Witness()
    yield made
    made.go.set()


def until(claim):
    end = time.monotonic() + 30
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_submitted_call_goes_on_while_its_caller_does_other_things(witness):
    @durable(name="patient")
    def patient(x):
        witness.go.wait(LONG)
        return x, current() is not None

    handle = patient.submit(3)
    assert not handle.done()
    with pytest.raises(TimeoutError, match="goes on"):
        handle.result(timeout=0.1)
    witness.go.set()
    assert handle.result(timeout=LONG) == (3, True)
    assert handle.done()
    assert handle.id == patient.promise(3).id
    assert not handle.cancel()


def test_a_handle_is_found_again_by_its_id(tmp_path):
    @durable(name="kept")
    def kept(x):
        return [x]

    id = kept.submit(3).id
    assert Handle(id).result(timeout=LONG) == [3]
    configure(tmp_path / "store")
    assert Handle(id).result() == [3]
    assert Handle(id).result() is not Handle(id).result()
    with pytest.raises(NoSuchPromise):
        Handle("nothing").result()


def test_a_submitted_call_raises_its_own_error():
    @durable(name="failing")
    def failing():
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        failing.submit().result(timeout=LONG)


def test_a_coroutine_function_can_be_submitted_and_any_handle_awaited():
    @durable(name="napping")
    async def napping(x):
        await asyncio.sleep(0.01)
        return x

    async def wait():
        return await napping.submit(1), await Handle(napping.submit(2).id)

    napping.submit(2).result(timeout=LONG)
    assert asyncio.run(wait()) == (1, 2)


def test_calls_that_wait_for_further_submitted_ones_do_not_starve_each_other():
    @durable(name="leaf")
    def leaf(x):
        return x

    @durable(name="branch")
    def branch(x):
        return leaf.submit(x).result(timeout=LONG)

    handles = [branch.submit(x) for x in range(80)]
    assert [handle.result(timeout=LONG) for handle in handles] == list(range(80))


def test_a_handle_waits_for_whoever_settles_the_promise(root):
    store, clock = root.execution.store, root.execution.clock
    store.do(Create(promise=Promise(id="elsewhere"), now=clock.now()))

    def settle():
        time.sleep(0.2)
        store.do(Settle(id="elsewhere", state=State.RESOLVED, value=Value(data=b"5"), now=clock.now()))

    threading.Thread(target=settle).start()
    assert Handle("elsewhere").result(timeout=LONG) == 5


@pytest.mark.parametrize("busy", ["sleeping", "spinning"])
def test_cancelling_ends_the_body_and_every_wait_for_it(witness, busy, capsys):
    @durable(name=busy)
    def body():
        witness.seen.append("began")
        try:
            end = time.monotonic() + LONG
            while time.monotonic() < end:
                time.sleep(0.01 if busy == "sleeping" else 0)
        finally:
            witness.seen.append("ended")

    handle = body.submit()
    until(lambda: witness.seen)
    other = body.submit()
    until(lambda: "waiting for another thread" in capsys.readouterr().err)
    assert handle.cancel()
    for each in (handle, other, Handle(handle.id)):
        with pytest.raises(PromiseCanceled) as caught:
            each.result(timeout=LONG)
        assert caught.value.id == handle.id
    until(lambda: witness.seen[-1] == "ended")
    assert body.promise().state is State.CANCELED
    assert witness.seen == ["began", "ended"]


def test_a_cancelled_thread_that_does_not_end_keeps_nobody_waiting(witness):
    @durable(name="deaf")
    def deaf():
        witness.seen.append("began")
        end = time.monotonic() + LONG
        while not witness.go.is_set() and time.monotonic() < end:
            try:
                witness.go.wait(LONG)
            except BaseException:  # noqa: BLE001 - bodies do such things
                witness.seen.append("swallowed")
        return "late"

    handle = deaf.submit()
    until(lambda: witness.seen)
    assert handle.cancel()
    with pytest.raises(PromiseCanceled):
        handle.result(timeout=LONG)
    witness.go.set()
    until(handle._running.future.done)
    assert deaf.promise().state is State.CANCELED


def test_a_cancelled_coroutine_hears_it(witness, root):
    @durable(name="napping")
    async def napping():
        try:
            await asyncio.sleep(LONG)
        finally:
            witness.seen.append("ended")

    async def cancelled():
        call = asyncio.ensure_future(napping())
        while napping.promise() is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.to_thread(root.execution.cancel, napping.promise().id)
        with pytest.raises(PromiseCanceled):
            await call

    asyncio.run(cancelled())
    assert witness.seen == ["ended"]


def test_after_a_cancel_the_next_call_computes_anew(witness):
    @durable(name="again")
    def again():
        witness.seen.append(1)
        if len(witness.seen) == 1:
            time.sleep(LONG)
        return "done"

    handle = again.submit()
    until(lambda: witness.seen)
    handle.cancel()
    with pytest.raises(PromiseCanceled):
        handle.result(timeout=LONG)
    assert again() == "done"


def test_a_call_that_has_not_begun_never_does(witness):
    @durable(name="queued")
    def queued(x):
        witness.seen.append(x)
        witness.go.wait(LONG)

    handles = [queued.submit(x) for x in range(60)]
    until(lambda: len(witness.seen) >= 20)
    assert handles[-1].cancel()
    with pytest.raises(PromiseCanceled):
        handles[-1].result(timeout=LONG)
    assert queued.promise(59).state is State.CANCELED
    witness.go.set()
    for handle in handles[:-1]:
        handle.result(timeout=LONG)
    assert 59 not in witness.seen


SCRIPT = """
import sys, time
from resonate_nb import configure, durable, PromiseCanceled
configure(sys.argv[1])
@durable(name="remote", version=1)
def remote():
    print("began", flush=True)
    time.sleep(60)
try:
    remote()
except PromiseCanceled as error:
    print(error.id, flush=True)
"""


def test_another_process_hears_of_a_cancel_on_the_command_line(tmp_path, capsys):
    store = str(tmp_path / "store")
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, store], env=os.environ, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "began\n"
    capsys.readouterr()
    main(["list", "remote@", "--store", store])
    id = capsys.readouterr().out.split()[0]
    assert main(["cancel", id, "--store", store]) == 0
    assert process.communicate(timeout=30)[0] == f"{id}\n"
    assert process.returncode == 0


def test_waiting_for_another_process_ends_at_the_callers_own_deadline(tmp_path):
    store = str(tmp_path / "store")
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, store], env=os.environ, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "began\n"

    namespace = {"durable": durable}
    source = (
        '@durable(name="remote", version=1, timeout=0.3, on_change="accept")\ndef remote():\n    return 1\n'
    )
    exec(source, namespace)
    with pytest.raises(PromiseTimedOut):
        namespace["remote"]()
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
