"""No stale value and no needless run, for every edit of the matrix, through every door, restarted or not."""

import pytest

from tests.edits import finish, restarted, start, verdict
from tests.edits.cases import CASES

DOORS = ("function", "map", "cell")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each case gave after its edit, in the same process as before and in another one."""
    live = start(tmp_path_factory.mktemp("live"), "01", ["plain", *DOORS], seed=0)
    return {
        "in another process": restarted(tmp_path_factory.mktemp("restarted"), DOORS),
        "live": finish(live),
    }


@pytest.mark.parametrize("when", ["in another process", "live"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_an_edit_is_never_missed_and_nothing_runs_without_one(found, case, when):
    if case.id not in found[when]:
        assert case.restart_only
        return
    doors = found[when][case.id]
    verdicts = {door: verdict(case, doors["plain"], doors[door]) for door in DOORS if doors[door]}
    assert verdicts == dict.fromkeys(verdicts, "right")


def test_the_matrix_is_what_it_says(found):
    assert len(CASES) == len({case.id for case in CASES})
    before = {id: doors["plain"] for id, doors in found["live"].items()}
    assert all(each["runs"] == 1 for each in before.values())
