"""Data files: everything that is of no other kind."""
