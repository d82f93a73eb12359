"""Durations, as people write them."""

from datetime import timedelta

import pytest

from resonate_nb.durations import milliseconds
from resonate_nb.errors import UsageError


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1d2h30m5s", 95_405_000),
        ("250ms", 250),
        ("1m", 60_000),
        ("1.5h", 5_400_000),
        (" 2 ", 2_000),
        (3, 3_000),
        (0, 0),
        (0.0005, 0),
        (timedelta(days=2), 172_800_000),
    ],
)
def test_a_duration_is_what_it_says(written, expected):
    assert milliseconds(written) == expected


@pytest.mark.parametrize(
    "written", ["", "1x", "h", "1h x", "-1s", -1, "1h1", float("nan"), float("inf"), True, None, []]
)
def test_what_is_no_duration_is_refused_by_its_name(written):
    with pytest.raises(UsageError, match="is no duration"):
        milliseconds(written)
