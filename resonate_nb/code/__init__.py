"""What code means: its source, its syntax tree, and all that it refers to. `fingerprint.py` is the door."""
