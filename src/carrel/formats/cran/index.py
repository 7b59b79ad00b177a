"""What R reads of a repository: ``PACKAGES`` in its three forms, and ``Meta/archive.rds``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from carrel.formats.cran.dcf import format_records
from carrel.formats.cran.rds import RdsWriter, character_matrix, compress

# The fields of an index, in the order of tools::write_PACKAGES, with what binaries add.
FIELDS = (
    "Package",
    "Version",
    "Priority",
    "Depends",
    "Imports",
    "LinkingTo",
    "Suggests",
    "Enhances",
    "License",
    "License_is_FOSS",
    "License_restricts_use",
    "OS_type",
    "Archs",
    "MD5sum",
    "NeedsCompilation",
    "Built",
    "File",
)
_FILE_COLUMNS = ("size", "isdir", "mode", "mtime", "ctime", "atime", "uid", "gid", "uname", "grname")
_MODE = 0o644


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A source package in ``Archive``; *size* in bytes."""

    package: str
    filename: str
    size: int
    uploaded_at: datetime


def version_key(version: str) -> tuple[int, ...]:
    """Return the key by which R orders versions: the numbers between ``.`` and ``-``."""
    return tuple(int(part) for part in re.split(r"[.-]", version) if part.isascii() and part.isdigit())


def stanza(record: Mapping[str, str], *, md5: str, filename: str) -> dict[str, str]:
    """Return the entry of one file.

    Parameters
    ----------
    record : mapping of str to str
        Fields of its ``DESCRIPTION``, single lines.
    md5 : str
        Hexadecimal.
    filename : str
        Told to clients where it is not the one they would ask for.
    """
    entry = {**record, "MD5sum": md5}
    stem = f"{record['Package']}_{record['Version']}"
    if filename not in {f"{stem}.tar.gz", f"{stem}.tgz", f"{stem}.zip"}:
        entry["File"] = filename
    return {field: entry[field] for field in FIELDS if entry.get(field)}


def packages(stanzas: Iterable[Mapping[str, str]]) -> bytes:
    """Return ``PACKAGES``."""
    return format_records(stanzas)


def packages_gz(text: bytes) -> bytes:
    """Return ``PACKAGES.gz`` of the text of ``PACKAGES``."""
    return compress(text)


def packages_rds(stanzas: Sequence[Mapping[str, str]]) -> bytes:
    """Return ``PACKAGES.rds``: a character matrix with a row for each package, as ``readRDS`` and ``read.dcf`` give it."""
    held = {field for entry in stanzas for field in entry}
    columns = [field for field in FIELDS if field in held] or list(FIELDS[:2])
    rows = [[entry.get(field) for field in columns] for entry in stanzas]
    return compress(character_matrix(rows, [entry["Package"] for entry in stanzas], columns))


def archive_rds(files: Sequence[ArchivedFile]) -> bytes:
    """Return ``Meta/archive.rds``: for each package a data frame as ``file.info()`` gives it, by path below ``Archive``.

    Parameters
    ----------
    files : sequence of ArchivedFile
        By package, each package's in the order of their versions.
    """
    grouped = {package: list(members) for package, members in groupby(files, key=lambda item: item.package)}
    writer = RdsWriter()
    writer.begin_list(len(grouped), attributes=bool(grouped))
    for members in grouped.values():
        _file_info(writer, members)
    if grouped:
        writer.attribute("names")
        writer.strings(list(grouped))
        writer.end_attributes()
    return compress(writer.getvalue())


def _file_info(writer: RdsWriter, files: Sequence[ArchivedFile]) -> None:
    count = len(files)
    writer.begin_list(len(_FILE_COLUMNS), classed=True)
    writer.reals([float(item.size) for item in files])
    writer.logicals([False] * count)
    writer.integers([_MODE] * count, classed=True)
    _classes(writer, "octmode")
    for _ in range(3):
        writer.reals([float(int(item.uploaded_at.timestamp())) for item in files], classed=True)
        _classes(writer, "POSIXct", "POSIXt")
    for _ in range(2):
        writer.integers([0] * count)
    for _ in range(2):
        writer.strings([""] * count)
    writer.attribute("names")
    writer.strings(_FILE_COLUMNS)
    writer.attribute("row.names")
    writer.strings([f"{item.package}/{item.filename}" for item in files])
    writer.attribute("class")
    writer.strings(["data.frame"])
    writer.end_attributes()


def _classes(writer: RdsWriter, *names: str) -> None:
    writer.attribute("class")
    writer.strings(names)
    writer.end_attributes()
