"""Random cells: assignments, mutations, aliases, definitions, loops, draws, in any order that makes sense."""

import random

SETUP = """import random
import numpy as np
class Box:
    total = 0
    def __init__(self, inside):
        self.inside = inside
    def put(self, more):
        self.inside.append(more)
        return self
def note(what):
    history.append(what)
    return len(history)
"""
VALUES = """random.seed({seed})
np.random.seed({seed})
numbers, history = [3, 1, 2], []
nested = [numbers, [4]]
table = {{'a': numbers, 'b': {{1, 2}}}}
array = np.arange(6.0)
view = array[2:]
box = Box(numbers)
count, label = 5, 'x'
"""
# What a name may hold, for the names that there are before the cell.
BEFORE = dict.fromkeys(["numbers", "history"], "list") | {
    "nested": "lists",
    "table": "dict",
    "array": "array",
    "view": "array",
    "count": "number",
    "label": "text",
    "box": "box",
    "note": "function",
    "Box": "class",
}
# Statements, by what they need: {list} is some name that holds a list. What they bind follows the arrow.
FORMS = [
    "{new} = {literal} -> number",
    "{new} = [{number}, 7] -> list",
    "{new} = {list} -> list",
    "{new} = [{list}, {list}] -> lists",
    "{new} = {{'k': {list}, 'n': {number}}} -> dict",
    "{new} = {array} -> array",
    "{new} = {array}[1:] -> array",
    "{new} = {array}.copy() -> array",
    "{new} = {array}.reshape(-1, 1)[:, 0] -> array",
    "{new} = Box({list}) -> box",
    "{new} = Box([]).put({list}) -> box",
    "{new} = {box} -> box",
    "{new} = {box}.inside -> list",
    "{new} = {lists}[0] -> list",
    "{new} = sorted({list}, key=str) -> list",
    "{new} = [str(each) for each in {list}] -> list",
    "{new} = random.random() -> number",
    "{new} = np.random.rand(2) -> array",
    "{new} = random.choice([1, 2, 3]) + {number} -> number",
    "{new} = note({number}) -> number",
    "{new} = (lambda held: (lambda: held))({list}) -> maker",
    "{new} = {maker}() -> list",
    "{new} = iter([1, 2, 3, 4])\nnext({new}) -> iterator",
    "{new} = next({iterator}, 0) -> number",
    "{new}, {new2} = {list}, {list} -> list",
    "{new} = {list} is {list} -> number",
    "{new} = len({list}) + {number} -> number",
    "{list}.append({number})",
    "{list}.append({array})",
    "{list} += [{number}]",
    "{list}[:1] = []",
    "{list}.sort(key=str)",
    "{lists}[0].append({number})",
    "{lists}.append({list})",
    "{dict}['more'] = {list}",
    "{dict}.pop('a', None)",
    "{dict}.setdefault('b', set()).add({literal})",
    "{array}[0] = {literal}",
    "{array} *= 2",
    "{array}[:] = np.random.rand()",
    "{box}.inside = {list}",
    "{box}.put({number})",
    "{box}.extra = {dict}",
    "Box.total = {literal}",
    "{number} += 1",
    "{old} = {number}",
    "note('again')",
    "random.seed({literal})",
    "np.random.seed({literal})",
    "np.random.shuffle({array})",
    "random.shuffle({list})",
    "del {new_name}",
    "print({list}, {number})",
    "print({array}.sum())",
    "def {function}(given, extra={literal}):\n    return [given, extra, count] -> function",
    "def {function}(given):\n    {list}.append(given)\n    return given -> function",
    "def {function}(given):\n    global count\n    count = {literal}\n    return given -> function",
    "{new} = {function}({number}) -> any",
    "class {klass}(Box):\n    kind = {literal}\n    def size(self):\n        return self.inside -> class",
    "{new} = {klass}({list}) -> box",
    "for step in range(3):\n    {list}.append(step)",
    "for each in {list}[:2]:\n    print(each)\nelse:\n    {new} = {literal} -> number",
    "for step in range(2):\n    {new} = [step, random.random()] -> list",
    "while {number} < 0:\n    {number} += 1",
    "if {number} > 2:\n    {new} = {list}\nelse:\n    {new} = [0] -> list",
    "try:\n    {dict}['missing']\nexcept KeyError:\n    {new} = [{literal}] -> list",
    "try:\n    {list}[99]\nfinally:\n    note('tried')",
    "import contextlib\nwith contextlib.suppress(IndexError):\n    {list}.pop()",
    "import math\n{new} = math.floor({number} + 0.5) -> number",
    "{list}",
    "{number}",
]
NEW = ["p", "q", "r", "s", "t", "u"]


class Cell:
    """One random cell, and what it takes to make another of it."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        self.setup = [SETUP, VALUES.format(seed=seed)]
        self._kinds = dict(BEFORE)
        self.statements = []
        while len(self.statements) < self._random.randint(4, 7):
            self.statements += self._statement()

    def text(self, statements=None):
        """Return the source of the cell, without its first line."""
        return "\n".join(self.statements if statements is None else statements)

    def edited(self):
        """Return the statements with one changed, taken away or put in."""
        statements, place = list(self.statements), self._random.randrange(len(self.statements))
        how = self._random.choice(["change", "change", "remove", "insert"])
        if how != "insert":
            del statements[place]
        if how != "remove":
            statements[place:place] = self._statement()
        return statements or ["pass"]

    def _statement(self):
        """Return a statement or two, and remember what they bind."""
        form, _, kind = self._random.choice(FORMS).partition(" -> ")
        choose = self._random.choice
        names = {kind: [name for name, held in self._kinds.items() if held == kind] for kind in KINDS}
        gone = [name for name in NEW if name in self._kinds]
        fields = {kind: choose(found) for kind, found in names.items() if found}
        fields |= {"literal": choose([1, 2, 30]), "old": choose([*names["list"], *names["number"]])}
        fields |= {"new": choose(NEW), "new2": choose(NEW), "klass": choose(["Case", "Crate"])}
        fields |= {"new_name": choose(gone)} if gone else {}
        if kind == "function":
            fields["function"] = choose(["helper", "worker"])
        try:
            text = form.format(**fields)
        except KeyError:  # nothing that it needs is there
            return []
        bound = {"class": ["klass"], "function": ["function"]}.get(kind, ["new", "new2"])
        for field in bound if kind else []:
            if "{" + field + "}" in form:
                self._kinds[fields[field]] = kind
        if "{new_name}" in form:
            self._kinds.pop(fields["new_name"])
        if "{klass}" in form and kind != "class" and self._kinds.get(fields["klass"]) != "class":
            return []
        return [text]


KINDS = sorted({*BEFORE.values(), "maker", "iterator", "any", "dict"})
