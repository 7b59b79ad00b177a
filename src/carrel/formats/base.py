"""What a kind of file must provide, whatever it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Protocol

from carrel.core.kinds import Kind


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds while untrusted bytes are read (bytes, counts)."""

    metadata_bytes: int = 4 * 1024 * 1024
    archive_members: int = 200_000
    expanded_bytes: int = 64 * 1024 * 1024
    text_length: int = 100_000
    notebook_bytes: int = 200 * 1024 * 1024

    def for_size(self, size: int) -> Limits:
        """Return the limits for a file of *size* bytes: a small one has no business with very many members.

        A member takes some hundred bytes in an archive of real files, and a few when it is made to keep readers busy.
        """
        return replace(self, archive_members=min(self.archive_members, 20_000 + size // 512))


@dataclass(frozen=True, slots=True)
class Hints:
    """What the uploader says of a file that cannot say it itself.

    Attributes
    ----------
    package, version : str, optional
        Of notebooks, environments and data files.
    subdir : str, optional
        The platform of an R binary without compiled code.
    """

    package: str | None = None
    version: str | None = None
    subdir: str | None = None


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """What the bytes of one file say.

    Attributes
    ----------
    kind : Kind
    package : str
        Name as the file's own ecosystem writes it (conda: as in index.json; PyPI: as in METADATA).
    version : str
    filename : str
        Base name under which clients expect the file.
    subdir : str
        conda subdir; platform of an R binary (``windows/4.2``); empty for everything else. ``(subdir, filename)`` is unique
        in a namespace's channel.
    summary, description, license, home_page : str
        Plain text or Markdown; empty when unknown.
    attributes : mapping
        Kind-specific JSON (conda: the whole ``index.json`` record under ``"index"``; PyPI: core metadata …). Kinds that have
        both say with ``"source"`` (a boolean) whether the file is a source package.
    properties : mapping of str to str
        The few values that queries need.
    import_names : tuple of str
        Top-level Python modules the file provides.
    search_text : str
        Further text to be found by (notebook sources), bounded.
    companions : mapping of str to bytes
        Small extra files that clients ask for beside this one, by suffix (PyPI: ``".metadata"``).
    """

    kind: Kind
    package: str
    version: str
    filename: str
    subdir: str = ""
    summary: str = ""
    description: str = ""
    license: str = ""
    home_page: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    import_names: tuple[str, ...] = ()
    search_text: str = ""
    companions: Mapping[str, bytes] = field(default_factory=dict)


class Format(Protocol):
    """One kind of file. Implementations are pure: bytes in, frozen values out, :mod:`carrel.core.errors` raised."""

    kind: Kind

    def matches(self, filename: str) -> bool:
        """Whether *filename* (a base name) looks like this kind."""
        ...

    def recognises(self, source: BinaryIO | None, filename: str) -> bool:
        """Whether the bytes of *source* are of this kind; asked only about names that match. Leaves *source* at position 0.

        Without *source* the name alone decides, as well as it can.

        Names that no other kind shares (``.conda``, ``.whl``, ``.ipynb``) are enough: damaged bytes under such a name
        are a damaged file of the kind, which :meth:`read` reports, not a data file.
        """
        ...

    def read(self, source: BinaryIO, filename: str, hints: Hints, limits: Limits) -> FileMetadata:
        """Read and validate the metadata of *source*, a seekable binary file at position 0.

        Raises
        ------
        carrel.core.errors.InvalidFile
            The bytes are not this kind, are damaged, or say something absurd.
        carrel.core.errors.MetadataMismatch
            The file name contradicts the bytes.
        carrel.core.errors.TooLarge
            A limit is exceeded.
        """
        ...
