"""The PyPI half of the engine: uv as a child process."""
