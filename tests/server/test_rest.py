"""The resource `/promises` of `resonate-nb serve`, over real HTTP."""

import http.client
import json
import signal
import threading
import urllib.request
from urllib.parse import urlsplit

import pytest

from resonate_nb import Resonate

NEVER = 2**53 - 1


def test_a_promise_is_created_once_and_a_second_creation_shows_the_first(server):
    status, made = server.promise("PUT", "reports/2026", {"param": {"a": [1, 2.5]}, "tags": {"team": "x"}})
    assert (status, made["state"], made["param"], made["tags"]) == (
        201,
        "pending",
        {"a": [1, 2.5]},
        {"team": "x"},
    )
    assert (made["timeoutAt"], made["settledAt"], made["value"]) == (NEVER, None, None)
    assert server.promise("PUT", "reports/2026", {"param": "other"}) == (200, made)
    assert server.promise("GET", "reports/2026") == (200, made)


def test_a_promise_is_settled_once_the_same_again_is_fine_and_another_outcome_is_a_conflict(server):
    server.promise("PUT", "a")
    status, settled = server.promise("PATCH", "a", {"state": "resolved", "value": {"x": 1, "y": 2}})
    assert (status, settled["state"], settled["value"]) == (200, "resolved", {"x": 1, "y": 2})
    assert server.promise("PATCH", "a", {"state": "resolved", "value": {"y": 2, "x": 1}}) == (200, settled)
    assert server.promise("PATCH", "a", {"state": "resolved", "value": {"x": 1}}) == (409, settled)
    assert server.promise("PATCH", "a", {"state": "rejected", "value": {"x": 1, "y": 2}}) == (409, settled)
    assert server.promise("PATCH", "a", {"state": "resolved", "value": {"x": True, "y": 2}})[0] == 409


@pytest.mark.parametrize("state", ["resolved", "rejected", "rejected_canceled"])
def test_a_client_may_choose_these_states(server, state):
    server.promise("PUT", "a")
    assert server.promise("PATCH", "a", {"state": state})[1]["state"] == state


def test_after_its_deadline_a_promise_shows_as_timed_out_and_takes_no_answer(server):
    status, made = server.promise("PUT", "late", {"timeoutAt": 1_000})
    assert (status, made["state"], made["createdAt"], made["settledAt"]) == (
        201,
        "rejected_timedout",
        1_000,
        1_000,
    )
    assert server.promise("PATCH", "late", {"state": "resolved", "value": 1}) == (409, made)
    timer = server.promise("PUT", "timer", {"timeoutAt": 1_000, "tags": {"resonate:timer": "true"}})[1]
    assert timer["state"] == "resolved"


@pytest.mark.parametrize(
    ("method", "id", "content", "refused"),
    [
        ("GET", "absent", None, (404, "no promise 'absent'")),
        ("PATCH", "absent", {"state": "resolved"}, (404, "no promise 'absent'")),
        ("PATCH", "here", {"state": "pending"}, (400, "state must be one of")),
        ("PATCH", "here", {"state": "rejected_timedout"}, (400, "state must be one of")),
        ("PATCH", "here", {}, (400, "state must be one of")),
        ("PATCH", "here", {"state": "resolved", "vlaue": 1}, (400, "unknown field 'vlaue'")),
        ("PUT", "new", {"timeoutAt": "soon"}, (400, "milliseconds")),
        ("PUT", "new", {"timeoutAt": 2**53}, (400, "milliseconds")),
        ("PUT", "new", {"timeoutAt": True}, (400, "milliseconds")),
        ("PUT", "new", {"tags": {"a": 1}}, (400, "tags must be")),
        ("PUT", "new", [], (400, "not an object")),
        ("PUT", "new~2", {}, (400, "generation")),
        ("PUT", "x" * 1_025, {}, (400, "1,024")),
        ("PUT", "nul\0", {}, (400, "NUL")),
        ("PUT", "new", {"param": "\ud800"}, (400, "can't be kept")),
        ("DELETE", "here", None, (405, "settle it instead")),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_words_and_changes_nothing(server, method, id, content, refused):
    before = server.promise("PUT", "here")[1]
    status, answer = server.promise(method, id, content)
    assert (status, refused[1] in answer["error"]) == (refused[0], True), answer
    listed = {name: content for name, content in before.items() if name not in {"param", "value"}}
    assert server.list() == (200, {"promises": [listed], "cursor": None})


@pytest.mark.parametrize("body", [b"{", b"\xff", b"NaN", b'{"param": Infinity}', b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused(server, body):
    status, refusal = server.promise("PUT", "new", body=body)
    assert status == 400
    assert "no JSON" in refusal["error"]


def test_lists_come_in_pages_and_can_be_narrowed(server):
    for name in ("a/1", "a/2", "a/3", "b/1"):
        server.promise("PUT", name, {"tags": {"rnb:kind": "question", "place": "x:y"}})
    server.promise("PATCH", "a/2", {"state": "resolved"})

    def ids(**arguments):
        return [each["id"] for each in server.list(**arguments)[1]["promises"]]

    assert ids(prefix="a/") == ["a/1", "a/2", "a/3"]
    assert ids(prefix="a/", state="pending") == ["a/1", "a/3"]
    assert ids(tag=["rnb:kind:question", "place:x:y"], state="resolved") == ["a/2"]
    assert ids(tag="rnb:kind:other") == []
    first = server.list(limit=3)[1]
    assert [each["id"] for each in first["promises"]] == ["a/1", "a/2", "a/3"]
    assert ids(limit=3, cursor=first["cursor"]) == ["b/1"]


@pytest.mark.parametrize(
    "query", ["state=done", "limit=0", "limit=9999", "limit=x", "tag=x", "colour=red", "prefix=%FF"]
)
def test_a_query_that_makes_no_sense_is_refused(server, query):
    assert server.ask("GET", f"/promises?{query}")[0] == 400


def test_only_who_has_the_token_comes_in_and_only_from_here(server):
    assert server.ask("GET", "/promises", token=None)[0] == 401
    assert server.ask("GET", "/promises", token="guess")[0] == 401
    assert server.ask("GET", "/promises", Origin="https://evil.example")[0] == 403
    assert server.ask("GET", "/promises", Host="evil.example")[0] == 403
    assert server.ask("GET", "/promises", Origin=server.address)[0] == 200
    assert server.ask("GET", "/health", token=None) == (200, {"status": "ok"})
    assert server.ask("GET", "/elsewhere")[0] == 404
    assert server.ask("GET", "/elsewhere", token=None)[0] == 401


def test_what_a_notebook_keeps_is_json_where_json_holds_it_and_opaque_otherwise(serve, tmp_path):
    root = Resonate(tmp_path / "store")

    @root.durable()
    def exact():
        return {"a": [1, None]}

    @root.durable()
    def opaque():
        return {1, 2}

    exact(), opaque()
    ids = [exact.promise().id, opaque.promise().id]
    root.close()
    server = serve()
    assert server.promise("GET", ids[0])[1]["value"] == {"a": [1, None]}
    shown = server.promise("GET", ids[1])[1]
    assert shown["value"] is None
    assert shown["valueOpaque"]["headers"].keys() >= {"resonate-nb-codec"}


def test_a_call_waits_for_what_another_process_settles(serve, tmp_path):
    """A promise that a client made and answered is delivered to whoever runs under its id."""
    server = serve()
    server.promise("PUT", "made/elsewhere")
    server.promise("PATCH", "made/elsewhere", {"state": "resolved", "value": [1, 2]})
    root = Resonate(tmp_path / "store")

    @root.durable()
    def compute():
        raise AssertionError("it was settled already")

    assert compute.run("made/elsewhere") == [1, 2]
    root.close()


def test_a_listener_hears_what_is_created_and_settled(server):
    request = urllib.request.Request(f"{server.address}/events?prefix=q/")
    request.add_header("Authorization", "Bearer the token of these tests")
    with urllib.request.urlopen(request, timeout=20) as stream:
        server.promise("PUT", "other")
        server.promise("PUT", "q/1", {"param": 7})
        assert _event(stream) == ("created", "q/1", "pending")
        server.promise("PATCH", "q/1", {"state": "resolved", "value": 1})
        assert _event(stream) == ("settled", "q/1", "resolved")


def _event(stream):
    kind, data = None, None
    for line in map(bytes.decode, stream):
        if line.startswith("event: "):
            kind = line.removeprefix("event: ").strip()
        elif line.startswith("data: "):
            data = json.loads(line.removeprefix("data: "))
        elif not line.strip() and data is not None:
            return kind, data["id"], data["state"]
    raise AssertionError("the stream ended")


def test_the_signal_to_end_ends_it_even_while_somebody_listens(server):
    place = urlsplit(server.address)
    listening = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    listening.request("GET", "/events", headers={"Authorization": "Bearer the token of these tests"})
    listening.getresponse()
    assert server.stop(signal.SIGTERM) == 0
    listening.close()


def test_a_client_that_reads_nothing_blocks_nobody(server):
    place = urlsplit(server.address)
    slow = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    slow.putrequest("PUT", "/promises/slow")
    slow.putheader("Content-Length", "100")
    slow.endheaders(b"{")  # and no more
    assert server.promise("PUT", "quick")[0] == 201
    slow.close()


def test_a_body_that_is_too_large_is_refused(server):
    place = urlsplit(server.address)
    client = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    client.putrequest("PUT", "/promises/large")
    client.putheader("Authorization", "Bearer the token of these tests")
    client.putheader("Content-Length", str(2**30))
    client.endheaders()
    assert client.getresponse().status in {400, 413}
    assert server.promise("GET", "large")[0] == 404
    client.close()


def test_what_was_acknowledged_survives_the_death_of_the_server(serve):
    """Clients create and settle while the server is killed; all that they were told is there afterwards."""
    first = serve()
    told, stopped = {}, threading.Event()

    def client(number):
        for n in range(200):
            try:
                id = f"{number}/{n}"
                if first.promise("PUT", id)[0] == 201:
                    told[id] = "pending"
                if first.promise("PATCH", id, {"state": "resolved", "value": n})[0] == 200:
                    told[id] = n
            except OSError:
                stopped.set()
                return

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while len(told) < 250:
        stopped.wait(0.01)
    first.stop(signal.SIGKILL)
    for thread in threads:
        thread.join(timeout=30)
    second = serve()
    for id, known in told.items():
        record = second.promise("GET", id)[1]
        if known != "pending":
            assert (record["state"], record["value"]) == ("resolved", known)
        else:
            assert record["state"] in {"pending", "resolved"}
