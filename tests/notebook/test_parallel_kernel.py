"""Other people's parallelism in a notebook, whose functions no other process could import."""

CALLS = """
from resonate_nb import configure, durable, find
import joblib, multiprocessing
from concurrent.futures import ProcessPoolExecutor
offset = 1000
def shifted(x):
    return x + offset
@durable
def square(x):
    with open(f"computed {x}", "a") as file:
        file.write("x")
    return shifted(x) ** 2
def around(x):
    return square(x) + 1
"""
CELLS = {
    "loky": "%%durable\nvalues = joblib.Parallel(2)(joblib.delayed(square)(x) for x in {})\nprint(values)",
    "around": (
        "%%durable\nvalues = joblib.Parallel(2)(joblib.delayed(around)(x) for x in {})\n"
        "print([value - 1 for value in values])"
    ),
    "fork": (
        "%%durable\nwith multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    values = pool.map(square, {})\nprint(values)"
    ),
    "spawn": (
        "%%durable\nwith ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('spawn')) as pool:\n"
        "    values = list(pool.map(square, {}))\nprint(values)"
    ),
}


def test_functions_of_a_notebook_go_along_to_other_processes_and_settle_in_its_store(kernel):
    assert kernel.run("%load_ext resonate_nb").status == "ok"
    assert kernel.run(CALLS).status == "ok"
    for number, (name, cell) in enumerate(CELLS.items(), start=1):
        items = [10 * number, 10 * number + 1]
        values = [(x + 1000) ** 2 for x in items]
        reply = kernel.run(cell.format(items))
        assert reply.text.endswith(f"{values}\n"), (
            name,
            reply.error,
            reply.text,
        )  # newer Pythons warn of forks
        assert kernel.run(f"print([square(x) for x in {items}])").text == f"{values}\n"
        assert [(kernel.cwd / f"computed {x}").read_text() for x in items] == ["x", "x"], name
    assert kernel.run("print(len(find('square')))").text == f"{2 * len(CELLS)}\n"
