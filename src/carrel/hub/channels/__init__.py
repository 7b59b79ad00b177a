"""What clients of other tools read: conda channels and the PyPI simple index."""
