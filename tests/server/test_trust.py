"""What comes by the network is data: no stranger's pickle is loaded, and questions refuse wrong answers."""

import base64
import json
import pickle

import pytest

from resonate_nb import NotKept, Resonate, UntrustedValue
from resonate_nb.codec import HEADERS, Codec
from resonate_nb.server.requests import VERSION
from resonate_nb.values.keys import SigningKey


class Planted:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return open, (str(self.place), "w")


def settle(server, id, value):
    head = {"corrId": "1", "version": VERSION}
    data = {"id": id, "state": "resolved", "value": value}
    return server.ask("POST", "/", {"kind": "promise.settle", "head": head, "data": data})


def wire(value):
    return {"data": base64.b64encode(json.dumps(value).encode()).decode()}


def as_pickle(place):
    return pickle.dumps(Planted(place))


def signed_by_a_stranger(place):
    stranger = Codec(SigningKey(b"the key of a stranger, 32 bytes long"))
    return stranger.encode(Planted(place), id="gift").data


@pytest.mark.parametrize(("make", "told"), [(as_pickle, NotKept), (signed_by_a_stranger, UntrustedValue)])
def test_a_pickle_that_a_client_sent_is_not_loaded(serve, tmp_path, make, told):
    server = serve()
    server.promise("PUT", "gift")
    sent = {"headers": dict(HEADERS), "data": base64.b64encode(make(tmp_path / "executed")).decode()}
    assert settle(server, "gift", sent)[0] == 200
    root = Resonate(tmp_path / "store")

    @root.durable()
    def unwrap():
        return "computed"

    with pytest.raises(told):  # a warning is an error here
        unwrap.run("gift")
    root.close()
    assert not (tmp_path / "executed").exists()


def test_a_question_refuses_a_wrong_answer_by_the_protocol_too_and_stays_open(serve):
    server = serve()
    question = {"kind": "ask", "text": "How many?", "schema": {"type": "integer", "minimum": 1}}
    server.promise("PUT", "q", {"param": question, "tags": {"rnb:kind": "question"}})
    status, refused = settle(server, "q", wire("many"))
    assert (status, server.promise("GET", "q")[1]["state"]) == (400, "pending")
    assert "not a whole number" in refused["data"]
    assert server.promise("PATCH", "q", {"state": "resolved", "value": 0})[0] == 422
    assert settle(server, "q", wire(3))[0] == 200
    assert server.promise("GET", "q")[1]["value"] == 3
