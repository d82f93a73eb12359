"""What digests are made of, behind `digest.py`: scalars, forms of objects, arrays, frames."""
