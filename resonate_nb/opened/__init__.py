"""Which files a body opens, and whether they are as they were, behind `files.py`."""
