"""Questions and their answers, behind `people.py`."""
