"""Whatever a cell consists of, and wherever it is killed or edited, it ends as the plain cell does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "killing.py"
AT_ONCE = 3  # cells; about two seconds each


@pytest.mark.parametrize("first", range(0, 12, AT_ONCE))
def test_random_cells_end_as_plain_ones_wherever_they_are_killed_or_edited(first, tmp_path):
    told = subprocess.run(
        [sys.executable, SCRIPT, str(first), str(first + AT_ONCE)],
        env={**os.environ, "RESONATE_NB_KEY_FILE": str(tmp_path / "key")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert told.stdout.endswith(" resumed, 0 wrong\n"), told.stdout + told.stderr
    assert f"{AT_ONCE} cells, 0 resumed" not in told.stdout  # else nothing is tested
