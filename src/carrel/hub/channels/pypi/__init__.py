"""The PyPI simple index and the upload endpoint that twine and uv speak to."""
