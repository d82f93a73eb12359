"""Benchmarks by subject: `python -m tests.bench [SUBJECT ...]`; all of them without a name."""

import sys

from tests.bench import calls, cells, dask, edits, inside, many, protocol, steps

SUBJECTS = {
    "calls": calls,
    "edits": edits,
    "cells": cells,
    "inside": inside,
    "many": many,
    "dask": dask,
    "protocol": protocol,
    "steps": steps,
}

if __name__ == "__main__":  # the workers of a cluster import this module, too
    for name in sys.argv[1:] or SUBJECTS:
        print(f"\n{name}: {SUBJECTS[name].__doc__}\n")
        SUBJECTS[name].main()
