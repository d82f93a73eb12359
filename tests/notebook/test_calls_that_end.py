"""Deadlines, retries and errors of durable functions, in a real kernel."""

LOAD = "%load_ext resonate_nb\nimport asyncio, time\nfrom resonate_nb import *"

SLOW = """
@durable(timeout=0.3)
def slow():
    time.sleep(60)
@durable(timeout=0.3)
async def slow_too():
    await asyncio.sleep(60)
"""


def test_calls_end_at_their_deadlines_and_the_stop_button_works_as_before(kernel):
    kernel.run(LOAD)
    kernel.run(SLOW)
    assert kernel.run("slow()").error[0] == "PromiseTimedOut"
    assert kernel.run("await slow_too()").error[0] == "PromiseTimedOut"
    assert kernel.run("%%durable\nx = slow()").error[0] == "PromiseTimedOut"
    assert kernel.run("asyncio.get_running_loop() and 5").outputs[-1]["data"]["text/plain"] == "5"
    cell = kernel.begin("print('on'); time.sleep(60)")
    kernel.shows(cell, "on")
    kernel.interrupt()
    assert kernel.finish(cell).error[0] == "KeyboardInterrupt"


FLAKY = """
@durable(retry=Constant(1, every=60))
def flaky():
    print("attempt", current().attempt)
    raise ConnectionError("refused")
"""


def test_an_interrupted_pause_gives_the_lease_back_and_keeps_the_due_time(kernel):
    kernel.run(LOAD)
    kernel.run(FLAKY)
    for shown in ("attempt 1", "begins in"):
        cell = kernel.begin("flaky()")
        reply = kernel.shows(cell, "begins in")
        assert shown in reply.text
        kernel.interrupt()
        assert kernel.finish(cell).error[0] == "KeyboardInterrupt"
    assert "attempt" not in reply.text.replace("flaky: attempt 1 failed", "").replace("attempt 2 of 2", "")
    cell = kernel.run(
        "from resonate_nb.resonate import default\nflaky.promise().state, default().execution."
        "store.get(flaky.promise().id).lease.owner"
    )
    assert cell.outputs[-1]["data"]["text/plain"] == "(<State.PENDING: 'pending'>, '')"


OWN_ERROR = """
class Refused(Exception):
    def __init__(self, code, *, host):
        super().__init__(f"{host} says {code}")
        self.code, self.host = code, host
@durable(keep_errors=True)
def refused():
    print("computing")
    try:
        {}["cause"]
    except KeyError as cause:
        error = Refused(403, host="db")
        error.add_note("a note")
        raise error from cause
"""
CAUGHT = """
try:
    refused()
except Refused as error:
    print(error, error.code, error.host, repr(error.__cause__), error.__notes__[0])
    print("Original traceback" in error.__notes__[-1], "raise error from cause" in error.__notes__[-1])
"""


def test_a_kept_error_of_the_notebook_is_raised_as_the_class_that_the_notebook_has_now(kernel):
    def run():
        kernel.run(LOAD)
        kernel.run(OWN_ERROR)
        return kernel.run(CAUGHT).text.splitlines()

    first = run()
    kernel.kill()
    kernel.restart()
    assert first[0] == "computing"
    assert first[1] == "db says 403 403 db KeyError('cause') a note"
    assert run() == [first[1], "True True"]


BUSY = {
    "sleeping": "import time\ntime.sleep(60)",
    "spinning": "while True:\n    pass",
    "awaiting": "import asyncio\nawait asyncio.sleep(60)",
    "calling": "slow(60)",
}


def test_a_cell_ends_at_its_deadline_and_the_next_ones_are_cells_as_before(kernel):
    kernel.run(LOAD)
    kernel.run("@durable\ndef slow(seconds):\n    time.sleep(seconds)\n    return seconds")
    for name, body in BUSY.items():
        reply = kernel.run(f"%%durable {name} --timeout 300ms\nprint('begun')\n{body}")
        assert reply.error[0] == "PromiseTimedOut", (name, reply.error)
        assert f"cell/{name}@" in reply.error[1]
        assert "begun" in reply.text
        assert kernel.run("slow(0), await asyncio.sleep(0)").outputs[-1]["data"]["text/plain"] == "(0, None)"
    cell = kernel.begin("%%durable stopped --timeout 1m\nprint('on'); time.sleep(60)")
    kernel.shows(cell, "on")
    kernel.interrupt()
    assert kernel.finish(cell).error[0] == "KeyboardInterrupt"


def test_a_cell_in_time_is_a_cell_like_any_other(kernel):
    kernel.run(LOAD)
    cell = "%%durable quick --timeout 1m\nx = 5\ndef f(y):\n    return x + y\nprint('shown')\nf(1)"
    first, second = kernel.run(cell), kernel.run(cell)
    assert first.error is second.error is None
    for reply in (first, second):
        assert reply.outputs[-1]["data"]["text/plain"] == "6"
        assert "shown" in reply.text
    assert kernel.run("_, x, [name for name in dir() if 'rnb' in name]").outputs[-1]["data"][
        "text/plain"
    ] == ("(6, 5, [])")
    error = kernel.run("%%durable wrong --timeout 1m\nx = 1\n1 / 0").error
    assert error[0] == "ZeroDivisionError"
    assert "shown" not in kernel.run("%%durable muted --timeout 1m\nx;").text
    assert kernel.run("%%durable --timeout soon\nx = 1").error[0] == "UsageError"
