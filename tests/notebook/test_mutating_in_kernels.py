"""A notebook's function changes what it declares after a restart, too, in plain and in durable cells."""

SETUP = """
%load_ext resonate_nb
import pandas as pd
from resonate_nb import durable
class Model:
    def __init__(self):
        self.weights = [0.0]
    @durable(mutates=('self',))
    def fit(self, data):
        mark('fit')
        self.weights[0] += sum(data)
        return self
@durable(mutates=('df',))
def enrich(df, by):
    mark('enrich')
    df['sum'] = df['a'] + by
    return df
def mark(text):
    with open('marks', 'a') as file:
        file.write(text + ' ')
df, model = pd.DataFrame({'a': [1.0, 2.0]}), Model()
view = {'df': df}
"""
CALLS = "same = enrich(df, 1) is df is view['df']\nmodel = model.fit([1, 2]).fit([3])"
SHOWN = "print(same, df['sum'].tolist(), model.weights, isinstance(model, Model))"
EXPECTED = "True [2.0, 3.0] [6.0] True\n"


def run(kernel, cell):
    reply = kernel.run(cell)
    assert reply.error is None, reply.error
    return reply.text


def marks(kernel):
    return (kernel.cwd / "marks").read_text().split()


def test_a_plain_cell_sees_the_changes_after_a_restart_and_the_bodies_ran_once(kernel):
    for _ in range(2):
        run(kernel, SETUP)
        run(kernel, CALLS)
        assert run(kernel, SHOWN) == EXPECTED
        kernel.restart()
    assert marks(kernel) == ["enrich", "fit", "fit"]


def test_a_durable_cell_keeps_what_its_calls_changed_and_an_edited_one_calls_nothing_again(kernel):
    for last in ("y = 1", "y = 2"):
        run(kernel, SETUP)
        run(kernel, f"%%durable\n{CALLS}\n{last}")
        assert run(kernel, SHOWN) == EXPECTED
        kernel.restart()
    assert marks(kernel) == ["enrich", "fit", "fit"]
