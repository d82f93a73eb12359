"""The progress of many calls in a kernel: a widget where somebody looks on, nothing where nobody does."""

SETUP = """
import time
from resonate_nb import configure, durable
configure("store")

@durable
def inner(x):
    return x

@durable
def outer(x):
    return sum(inner.map(range(x)))
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


def test_one_bar_is_shown_for_a_map_with_many_quick_maps_inside(kernel):
    assert kernel.run(SETUP).error is None
    watched = kernel.finish(kernel.begin("x = outer.map(range(20), workers=3)", allow_stdin=True))
    assert watched.error is None
    bars = [each for each in watched.messages if WIDGET in each["content"].get("data", {})]
    assert len(bars) == 1
    watched = kernel.finish(kernel.begin("x = outer.map(range(25))", allow_stdin=True))
    assert any("20 before, 5 now" in text for text in texts(watched))


def texts(reply):
    """Return what widgets were told to show, with plain spaces."""
    comms = [each["content"]["data"] for each in reply.messages if each["msg_type"].startswith("comm_")]
    values = [each.get("state", {}).get("value") for each in comms]
    return [" ".join(value.split()) for value in values if isinstance(value, str)]


def test_a_run_without_a_person_keeps_the_values_alone(kernel):
    assert kernel.run(SETUP).error is None
    values = kernel.run("outer.map(range(5))")
    assert [each["output_type"] for each in values.outputs] == ["execute_result"]
