"""Other people's parallelism: durable calls in it work, or are refused by name."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("parallel_styles.py")
FAMILIES = {
    "threads": ["threads", "ThreadPoolExecutor", "joblib threading", "asyncio tasks"],
    "forked": ["os.fork", "Pool fork", "ProcessPoolExecutor fork", "joblib multiprocessing"],
    "begun anew": ["Pool spawn", "Pool forkserver", "ProcessPoolExecutor spawn", "joblib loky"],
}


@pytest.mark.parametrize("family", FAMILIES)
def test_calls_in_other_peoples_parallelism_are_computed_once_or_refused_by_name(tmp_path, family):
    styles = FAMILIES[family]
    command = [sys.executable, "-W", "error::ResourceWarning", str(SCRIPT), *styles]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)

    for number, style in enumerate(styles, start=1):
        told, values = seen["told"][style], [(10 * number + more + 1000) ** 2 for more in range(2)]
        assert told["inside"] == told["here"] == values, style
        assert told["computed"] == ["x", "x"], style
        if style == "asyncio tasks":  # they inherit the promise that they work for
            assert told["by place inside"] == [1001**2, 1001**2]
        elif style != "threads" or sys.version_info < (3, 12):
            assert "send is identified by its place" in told["by place inside"], style
    known = [told for told in seen["told"].values() if isinstance(told["by place inside"], list)]
    assert seen["sent"] == 2 * len(known)
    assert [name for name in seen["folder"] if not name.startswith("computed")] == ["store"]
