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
