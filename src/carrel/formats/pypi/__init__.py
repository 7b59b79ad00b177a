"""Python distributions: reading wheels and sdists, writing the simple index."""
