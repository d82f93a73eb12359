"""The parts of the one corridor, behind `execution.py`."""
