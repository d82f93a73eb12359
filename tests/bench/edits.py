"""The edit matrix through other tools: after a restart, how many values are stale, how many runs needless."""

import tempfile
from collections import Counter
from pathlib import Path

from tests.edits import restarted, verdict
from tests.edits.cases import CASES

TOOLS = {
    "function": "resonate_nb, a durable function",
    "map": "resonate_nb, an item of a map",
    "cell": "resonate_nb, a durable cell",
    "joblib": "joblib.Memory",
    "diskcache": "diskcache.memoize",
}


def main():
    with tempfile.TemporaryDirectory() as folder:
        found = restarted(Path(folder), list(TOOLS))
    edits = sum(case.means for case in CASES)
    print(f"{'':34} {'stale':>14} {'needless':>14}   of {edits} edits, {len(CASES) - edits} non-edits")
    for tool, name in TOOLS.items():
        results = [(case, found[case.id]) for case in CASES if found[case.id][tool]]
        counts = Counter(verdict(case, each["plain"], each[tool]) for case, each in results)
        edits = sum(case.means for case, _ in results)
        stale, needless = f"{counts['wrong']} of {edits}", f"{counts['needless']} of {len(results) - edits}"
        print(f"{name:34} {stale:>14} {needless:>14}")
