"""Cells that draw: what they leave behind, what they depend on, plain, durable and after a restart."""

import pytest

LOAD = "%load_ext resonate_nb"
COUNT = "import pathlib; pathlib.Path('runs').open('a').write('x')"

GENERATORS = {
    "random": ("import random", "random.seed({})", "[random.random() for _ in range(3)]"),
    "numpy": ("import numpy as np", "np.random.seed({})", "np.random.rand(3).tolist()"),
    "torch": ("import torch", "torch.manual_seed({})", "torch.rand(3).tolist()"),
}


def runs(kernel):
    marks = kernel.cwd / "runs"
    return len(marks.read_text()) if marks.exists() else 0


def run(kernel, *cells):
    replies = [kernel.run(cell) for cell in (LOAD, *cells)]
    assert [reply.error for reply in replies] == [None] * len(replies)
    return replies[-1].text


@pytest.fixture(params=GENERATORS)
def generator(request):
    """A generator's import, how it is seeded, and how three numbers are drawn from it."""
    if request.param != "random":
        pytest.importorskip(request.param)
    return GENERATORS[request.param]


def cell(draw, name="x"):
    return f"%%durable\n{COUNT}\n{name} = {draw}"


def test_what_is_drawn_after_a_delivered_cell_is_what_it_was_after_the_computed_one(kernel, generator):
    load, seed, draw = generator
    cells = [load, seed.format(0), cell(draw), f"print(x, {draw})"]
    computed = run(kernel, *cells)
    kernel.restart()
    assert run(kernel, *cells) == computed
    assert runs(kernel) == 1
    kernel.restart()
    plain = [each.replace("%%durable\n", "") for each in cells]
    assert run(kernel, *plain) == computed


def test_another_seed_computes_again_and_seeds_that_alternate_are_both_kept(kernel, generator):
    load, seed, draw = generator
    run(kernel, load)
    drawn = [run(kernel, seed.format(number), cell(draw), "print(x)") for number in (0, 1, 0, 1)]
    assert drawn[:2] == drawn[2:]
    assert drawn[0] != drawn[1]
    assert runs(kernel) == 2


def test_a_cell_that_is_run_twice_draws_twice(kernel, generator):
    load, seed, draw = generator
    cells = [load, seed.format(0), cell(draw), "first = x", cell(draw), "print(first, x)"]
    drawn = run(kernel, *cells)
    assert drawn == run(kernel, load, seed.format(0), f"print({draw}, {draw})")
    kernel.restart()
    assert run(kernel, *cells) == drawn
    assert runs(kernel) == 2


def test_what_nobody_seeded_is_no_input(kernel, generator):
    load, _, draw = generator
    drawn = run(kernel, load, cell(draw), "print(x)")
    kernel.restart()
    assert run(kernel, load, draw, cell(draw), "print(x)") == drawn
    assert runs(kernel) == 1


def test_a_cell_that_is_seeded_later_than_it_was_computed_computes_again(kernel, generator):
    load, seed, draw = generator
    run(kernel, load, cell(draw), seed.format(0), cell(draw))
    assert run(kernel, "print(x)") == run(kernel, seed.format(0), f"print({draw})")
    assert runs(kernel) == 2


def test_a_cell_that_seeds_before_it_draws_does_not_depend_on_the_past(kernel, generator):
    load, seed, draw = generator
    own = cell(draw).replace(COUNT, f"{COUNT}\n{seed.format(5)}")
    drawn = run(kernel, load, seed.format(0), own, "print(x)")
    assert run(kernel, seed.format(1), own, "print(x)") == drawn
    assert runs(kernel) == 1
    assert run(kernel, own, f"print(x, {draw})") == run(kernel, seed.format(5), f"print({draw}, {draw})")


def test_a_cell_that_draws_before_it_seeds_does_depend_on_the_past(kernel, generator):
    load, seed, draw = generator
    both = f"{cell(draw)}\n{seed.format(5)}"
    first = run(kernel, load, seed.format(0), both, "print(x)")
    assert run(kernel, seed.format(1), both, "print(x)") != first
    assert runs(kernel) == 2


def test_a_delivered_cell_that_had_seeded_counts_as_one_that_seeds(kernel, generator):
    load, seed, draw = generator
    run(kernel, load, f"%%durable seeds\n{seed.format(0)}", cell(draw))
    kernel.restart()
    run(kernel, load, f"%%durable seeds\n{seed.format(0)}", cell(draw))
    assert runs(kernel) == 1
    run(kernel, f"%%durable seeds\n{seed.format(1)}", cell(draw))
    assert runs(kernel) == 2


def test_a_helper_that_seeds_is_noticed(kernel, generator):
    load, seed, draw = generator
    (kernel.cwd / "helpers.py").write_text(f"{load}\ndef reset(n):\n    {seed.format('n')}\nreset(0)\n")
    first = run(kernel, "import helpers", load, cell(draw), "print(x)")
    assert run(kernel, "helpers.reset(1)", cell(draw), "print(x)") != first
    assert run(kernel, "helpers.reset(0)", cell(draw), "print(x)") == first
    assert runs(kernel) == 2


def test_a_seed_from_before_the_extension_came_counts(kernel, generator):
    load, seed, draw = generator
    for number in (0, 1):
        kernel.run(f"{load}\n{seed.format(number)}")
        run(kernel, load, cell(draw))
        kernel.restart()
    assert runs(kernel) == 2


def test_another_seed_under_an_id_of_ones_own_computes_again(kernel):
    cell = f"%%durable --id mine\n{COUNT}\nx = random.random()"
    first = run(kernel, "import random\nrandom.seed(0)", cell, "print(x)")
    assert run(kernel, "random.seed(0)", cell, "print(x)") == first
    assert run(kernel, "random.seed(1)", cell, "print(x)") != first
    assert runs(kernel) == 2


def test_a_state_that_is_read_is_an_input(kernel):
    cell = f"%%durable\n{COUNT}\nstate = random.getstate()[1][:3]"
    run(kernel, "import random\nrandom.seed(0)", cell, "random.seed(1)", cell)
    assert runs(kernel) == 2


def test_reading_or_seeding_itself_is_the_same_function_to_pickle_and_inspect(kernel):
    shown = run(
        kernel,
        "import inspect, pickle, random, numpy as np\n"
        "for f in (random.seed, random.setstate, np.random.seed, np.random.set_state):\n"
        "    assert pickle.loads(pickle.dumps(f)) is f and f.__doc__\n"
        "print(inspect.signature(random.seed), len(pickle.dumps(random.seed)) < 50)",
    )
    assert shown == "(a=None, version=2) True\n"


def test_functions_imported_by_name_draw_from_the_generator_itself(kernel):
    names = "%%durable names\nfrom random import random, seed, shuffle\nfrom numpy.random import rand"
    cells = [
        names,
        "import numpy\nseed(0); numpy.random.seed(0)",
        f"%%durable\n{COUNT}\nx = random(), rand()",
    ]
    last = "import random as r\nprint(x, random(), rand(), r.random(), numpy.random.rand())"
    computed = run(kernel, *cells, last)
    kernel.restart()
    assert run(kernel, *cells, last) == computed
    assert runs(kernel) == 1
    kernel.restart()
    assert run(kernel, *(each.replace("%%durable names\n", "") for each in cells), last) == computed
