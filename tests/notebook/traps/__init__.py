"""The trap table: what durable cells must get right, or refuse by name."""

from traps import display, life, mutation, unkept

ROWS = {
    f"{category.__name__.partition('.')[2]}: {row.id}": row
    for category in (display, life, mutation, unkept)
    for row in category.ROWS
}
RESTARTED = ["mutation: a frame gets a column", "mutation: two outputs are one object"]
