"""Several things that go on side by side: gathered, raced, slept through."""
