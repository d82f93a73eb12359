"""The watch over the global generators leaves their functions what they are to everybody else."""

import pickle
import random

import numpy as np
import pytest

from resonate_nb import fingerprint
from resonate_nb.notebook.randomness import Watch


@pytest.fixture
def watch():
    watch = Watch()
    watch.begin("")
    yield watch
    watch.end()


def seeds_by_module():
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - the global generator is the subject


def digest_with(**names):
    """Return the digest of a function that refers to functions by names of their own."""
    namespace = {"__name__": "__main__", **names}
    exec(f"def draws():\n    return {', '.join(f'{name}(1)' for name in names)}", namespace)
    return fingerprint.content_digest(namespace["draws"])


def functions():
    return {
        "seed": random.seed,
        "shuffle": random.shuffle,
        "getrandbits": random.getrandbits,
        "numpy_seed": np.random.seed,
        "rand": np.random.rand,
    }


def test_code_means_the_same_whether_the_generators_are_watched_or_not():
    plain = fingerprint.content_digest(seeds_by_module), digest_with(**functions())
    watch = Watch()
    watch.begin("")
    watched = fingerprint.content_digest(seeds_by_module), digest_with(**functions())
    watch.end()
    assert watched == plain


def test_code_that_draws_by_a_name_means_the_same_after_a_draw():
    before = digest_with(**functions())
    random.getrandbits(8), np.random.rand()  # noqa: NPY002 - the global generator is the subject
    assert digest_with(**functions()) == before


def test_when_the_watch_ends_the_functions_are_the_original_ones():
    before = functions()
    watch = Watch()
    watch.begin("")
    assert random.seed is not before["seed"]
    assert pickle.loads(pickle.dumps(random.seed)) is random.seed
    watch.end()
    assert functions() == before


@pytest.mark.parametrize(
    ("code", "seeded"),
    [("random.seed(0)", True), ("rng = seed_everything (1)", True), ("x = fit(seed=0)  # reseed", False)],
)
def test_code_from_before_the_watch_counts_as_seeding_if_it_calls_what_seeds(code, seeded):
    watch = Watch()
    watch.begin(code)
    watch.end()
    assert ("random" in watch.seeded) is seeded


def test_seeding_from_the_systems_entropy_is_no_seed(watch):
    random.seed(0)
    assert "random" in watch.seeded
    random.seed()
    assert "random" not in watch.seeded
