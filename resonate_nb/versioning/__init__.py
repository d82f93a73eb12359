"""Code that is kept, behind `versions.py`: pins, records, and code from the store."""
