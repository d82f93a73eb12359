"""The trap table: what durable cells must get right, or refuse by name."""

from traps import code, definitions, display, life, mutation, names, unkept

ROWS = {
    f"{category.__name__.partition('.')[2]}: {row.id}": row
    for category in (mutation, definitions, names, code, display, life, unkept)
    for row in category.ROWS
}
# Those that are run with a real restart, too.
RESTARTED = [
    "mutation: a frame gets a column",
    "mutation: two outputs are one object",
    "definitions: a class here, its instance in the next cell",
]
