"""How values become bytes and come back, behind `codec.py`."""
