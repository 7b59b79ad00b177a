"""The kinds of file a package can hold, in one table.

To add a kind, write a folder with a class of the protocol :class:`carrel.formats.base.Format` and list it here;
nothing else in the project asks which kinds there are.
"""

from __future__ import annotations

from io import SEEK_END
from types import MappingProxyType
from typing import BinaryIO

from carrel.core.errors import BadRequest
from carrel.core.kinds import Kind
from carrel.formats.base import FileMetadata, Format, Hints, Limits
from carrel.formats.conda.metadata import CondaFormat
from carrel.formats.cran.metadata import CranFormat
from carrel.formats.datafile.metadata import DataFileFormat
from carrel.formats.environment.metadata import EnvironmentFormat
from carrel.formats.notebook.metadata import NotebookFormat
from carrel.formats.pypi.metadata import PypiFormat

__all__ = ["FORMATS", "FileMetadata", "Format", "Hints", "Limits", "detect", "get", "read"]

# In the order in which they are asked; the last one takes everything.
_ALL: tuple[Format, ...] = (CondaFormat(), PypiFormat(), CranFormat(), NotebookFormat(), EnvironmentFormat(), DataFileFormat())

FORMATS: MappingProxyType[Kind, Format] = MappingProxyType({format_.kind: format_ for format_ in _ALL})


def get(kind: Kind | str) -> Format:
    """Return the format of *kind*.

    Raises
    ------
    BadRequest
        There is no such kind (code ``unknown_kind``).
    """
    try:
        return FORMATS[Kind(kind)]
    except (KeyError, ValueError) as error:
        known = ", ".join(FORMATS)
        raise BadRequest(f"{str(kind)[:40]!r} is not a kind of file that can be kept. Use one of: {known}.", code="unknown_kind") from error


def detect(filename: str, source: BinaryIO | None = None) -> Format:
    """Return the format that *filename*, and the bytes where the name leaves it open, are of.

    Parameters
    ----------
    filename : str
        Base name.
    source : file, optional
        Seekable; left at position 0. Without it the answer is a guess: ``a-1.tar.gz`` may be a source distribution
        or a folder of data.
    """
    for format_ in _ALL:
        if format_.matches(filename) and format_.recognises(source, filename):
            return format_
    raise AssertionError("the last format takes everything")


def read(
    filename: str,
    source: BinaryIO,
    kind: Kind | str | None = None,
    hints: Hints = Hints(),  # noqa: B008 - frozen
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> FileMetadata:
    """Read and validate the metadata of *source*.

    Parameters
    ----------
    filename : str
        Base name.
    source : file
        Seekable, at position 0.
    kind : Kind, optional
        What the uploader says it is; detected when absent.
    hints : Hints
        What the uploader says of a file that cannot say it itself.
    limits : Limits

    Raises
    ------
    BadRequest
        The name is not a base name, the kind is unknown, or a needed hint is missing.
    InvalidFile, MetadataMismatch, TooLarge
        See :meth:`carrel.formats.base.Format.read`.
    """
    if not filename or len(filename) > 255 or filename in {".", ".."} or any(c in "/\\" or ord(c) < 32 or c == "\x7f" for c in filename):
        raise BadRequest("A file name has 1 to 255 characters, without slashes and control characters.", code="invalid_filename")
    format_ = detect(filename, source) if kind is None else get(kind)
    size = source.seek(0, SEEK_END)
    source.seek(0)
    return format_.read(source, filename, hints, limits.for_size(size))
