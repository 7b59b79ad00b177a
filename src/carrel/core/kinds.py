"""The kinds of file a package can hold."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Kind of an uploaded file; one folder of :mod:`carrel.formats` reads each."""

    CONDA = "conda"
    PYPI = "pypi"
    R = "r"
    NOTEBOOK = "notebook"
    ENVIRONMENT = "environment"
    FILE = "file"
