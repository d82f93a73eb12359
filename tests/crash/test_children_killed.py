"""A child that its parent alone can make begins before its record is committed, and nothing is lost."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from resonate_nb import State, configure, current, durable, find
from resonate_nb.promise import Promise, Value
from resonate_nb.store.operations import Create, Settle

PROGRAM = """
import os, sys
from pathlib import Path
from resonate_nb import durable, idempotency_key

def note(text):
    with open("notes", "a") as file:
        file.write(text + "\\n")

@durable(name="child", identity="call")
def child(number):
    if sys.argv[1] == "at once":
        os._exit(9)
    note(f"{number} {idempotency_key()}")
    if sys.argv[1] == f"in {number}":
        os._exit(9)
    return os.urandom(4).hex()

@durable(name="parent")
def parent():
    values = [child(number) for number in range(4)]
    note(f"values {values}")
    if sys.argv[1] == "at the end":
        os._exit(9)
    return values

print(parent())
"""


def run(folder, how):
    """Run the program in a process of its own; return what it printed, or None if it was killed."""
    (folder / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "RESONATE_NB_STORE": str(folder / "store")}
    done = subprocess.run(
        [sys.executable, "program.py", how],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in {0, 9}, done.stderr
    return done.stdout if done.returncode == 0 else None


def notes(folder):
    return (folder / "notes").read_text().splitlines() if (folder / "notes").exists() else []


@pytest.mark.parametrize("how", ["at once", "in 0", "in 2", "at the end"])
def test_a_killed_child_is_made_again_under_its_key_and_a_finished_one_never(tmp_path, how):
    assert run(tmp_path, how) is None
    value = run(tmp_path, "go on")
    assert run(tmp_path, "replay") == value
    made = Counter(line for line in notes(tmp_path) if not line.startswith("values"))
    assert len(made) == 4  # one key for each child, whichever attempt
    assert sum(made.values()) == 4 + how.startswith("in ")
    assert len({line for line in notes(tmp_path) if line.startswith("values")}) == 1
    configure(tmp_path / "store")
    children = [each for each in find("parent@") if each.tags["rnb:name"] == "child"]
    assert [each.state for each in children] == [State.RESOLVED] * 4


def test_a_child_that_another_process_made_in_the_same_moment_gives_its_value(tmp_path, monkeypatch):
    """Only after the parent's lease was lost; here the store shows too late that the child is there."""
    store = configure(tmp_path / "store").execution.store
    plain, hidden = store.get, []
    monkeypatch.setattr(sys, "in_the_same_moment", lambda: make_child(store, hidden), raising=False)

    def get(id):
        if id in hidden:
            hidden.remove(id)
            return None
        return plain(id)

    monkeypatch.setattr(store, "get", get)

    @durable(name="child", identity="call")
    def child():
        return "mine"

    @durable(name="parent")
    def parent():
        sys.in_the_same_moment()
        return child()

    assert parent() == "theirs"


def make_child(store, hidden):
    id, now = f"{current().id}.1", 1
    store.do(Create(promise=Promise(id=id, tags={"rnb:parent": current().id}), now=now))
    store.do(Settle(id=id, state=State.RESOLVED, value=Value(data=b'"theirs"'), now=now))
    hidden.extend([id, id])  # from the question whether it is settled, and from that whether it is there
