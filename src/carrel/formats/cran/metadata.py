"""Reading R packages without trusting them: ``DESCRIPTION`` out of source and binary archives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from carrel.core.errors import BadRequest, InvalidFile, MetadataMismatch, TooLarge
from carrel.core.kinds import Kind
from carrel.formats.archives import (
    check_tar_member,
    damaged_is_invalid,
    gzip_reader,
    open_zip,
    read_tar_member,
    read_zip_member,
    search_limit,
    shown,
    tar_gz_holds,
    tar_members,
)
from carrel.formats.base import FileMetadata, Hints, Limits
from carrel.formats.cran.dcf import parse_record
from carrel.formats.cran.index import FIELDS
from carrel.formats.cran.platforms import Built, is_subdir, parse_built, subdir_of
from carrel.formats.parsing import expect_text, storable

_PACKAGE = r"[A-Za-z][A-Za-z0-9.]{0,126}[A-Za-z0-9]"
_VERSION = r"[0-9]{1,9}(?:[.-][0-9]{1,9}){1,19}"
_NAME = re.compile(rf"({_PACKAGE})_({_VERSION})(?:_R_([A-Za-z0-9_.-]+?))?\.(tar\.gz|tgz|zip)\Z")
_PACKAGE_NAME = re.compile(rf"{_PACKAGE}\Z")
_VERSION_NAME = re.compile(rf"{_VERSION}\Z")
_DESCRIPTION = re.compile(r"(?:\./)?([^/]+)/DESCRIPTION\Z")
_DESCRIPTION_BYTES = 512 * 1024
_DEPENDENCIES = ("Depends", "Imports", "LinkingTo", "Suggests", "Enhances")
_DEPENDENCY = re.compile(rf"(?:R|{_PACKAGE})(?:\s*\(\s*(?:>=|<=|==|!=|>|<)\s*[A-Za-z0-9.-]{{1,100}}\s*\))?\Z")
_MOST_DEPENDENCIES = 5000
_GZIP, _ZIP = b"\x1f\x8b", b"PK"


class CranFormat:
    """R packages: sources (``.tar.gz``) and binaries for Windows (``.zip``), macOS (``.tgz``) and Linux (``.tar.gz``).

    A binary's ``subdir`` says which system and which R it is for (see :mod:`carrel.formats.cran.platforms`). One with
    compiled code says so itself; of one without, the uploader may have to.
    """

    kind = Kind.R

    def matches(self, filename: str) -> bool:
        """Whether *filename* is ``<package>_<version>`` with a suffix that R knows."""
        return _NAME.match(filename) is not None

    def recognises(self, source: BinaryIO | None, filename: str) -> bool:
        """Whether the archive holds ``<package>/DESCRIPTION``; without *source* a zip file is not taken for one."""
        match = _NAME.match(filename)
        if source is None or match is None:
            return match is not None and match[4] != "zip"
        try:
            if match[4] == "zip":
                with open_zip(source, filename, Limits()) as archive:
                    return f"{match[1]}/DESCRIPTION" in archive.namelist()
            return tar_gz_holds(source, filename, _DESCRIPTION)
        except (InvalidFile, TooLarge):
            return False
        finally:
            source.seek(0)

    def read(self, source: BinaryIO, filename: str, hints: Hints, limits: Limits) -> FileMetadata:
        """Read the ``DESCRIPTION`` of *source*; see :class:`carrel.formats.base.Format`.

        Raises
        ------
        BadRequest
            A binary without compiled code, and nothing says which system it is for (code ``platform_needed``).
        """
        match = _NAME.match(filename)
        if match is None:
            raise InvalidFile(
                f"{shown(filename)} is no name of an R package: package_version.tar.gz (source), .zip (Windows) or .tgz (macOS).",
                field="filename",
            )
        folder, data = _read_description(source, filename, limits)
        fields = parse_record(data, "DESCRIPTION")
        package, version = _identity(fields)
        if folder != package:
            raise _mismatch("name", "the folder in the archive", folder, package)
        if match[1] != package:
            raise _mismatch("name", f"the name of {shown(filename)}", match[1], package)
        if match[2] != version:
            raise _mismatch("version", f"the name of {shown(filename)}", match[2], version)
        dependencies = {field: _dependencies(fields, field) for field in _DEPENDENCIES}
        built = _built(fields, filename, match[4])
        subdir = "" if built is None else _place(built, match[3] or "", filename, match[4], hints.subdir)
        if built is None and hints.subdir:
            raise MetadataMismatch(
                f"{shown(filename)} is a source package (its DESCRIPTION has no field 'Built'), which has no platform.",
                field="subdir",
                expected=hints.subdir,
                found="",
            )
        attributes: dict[str, Any] = {
            "type": "source" if built is None else "binary",
            "source": built is None,
            "platform": subdir.rpartition("/")[0],
            "r_version": "" if built is None else built.r_version,
            "needs_compilation": fields.get("NeedsCompilation", "").lower() == "yes",
            **{field.lower(): dependencies[field] for field in _DEPENDENCIES},
            "index": {field: storable(fields[field], limits.text_length) for field in FIELDS[:-1] if field in fields and field != "MD5sum"},
            "description": {storable(field, 200): storable(text, 10_000) for field, text in fields.items() if field != "Collate"},
        }
        return FileMetadata(
            kind=Kind.R,
            package=package,
            version=version,
            filename=filename,
            subdir=subdir,
            summary=storable(fields.get("Title", ""), 2000),
            description=storable(fields.get("Description", ""), limits.text_length),
            license=storable(fields.get("License", ""), 500),
            home_page=storable(re.split(r"[,\s]", fields.get("URL", ""))[0], 2000),
            attributes=attributes,
            properties={"type": attributes["type"]},
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """What an archive says it is, whatever it is called."""

    package: str
    version: str
    suffix: str
    triple: str

    @property
    def filename(self) -> str:
        """The name under which R looks for it."""
        return f"{self.package}_{self.version}{self.suffix}"


def identify(source: BinaryIO, platform: str = "") -> Identity:
    """Return what the archive *source* is, for uploads that do not name the file.

    Parameters
    ----------
    source : file
        Seekable, left at position 0.
    platform : str
        Of a binary, as :mod:`carrel.formats.cran.platforms` writes it: macOS and Linux give the same bytes other names.

    Raises
    ------
    InvalidFile, TooLarge
    """
    beginning = source.read(2)
    source.seek(0)
    if beginning not in (_GZIP, _ZIP):
        raise InvalidFile("The body is neither a gzip-compressed tar file nor a zip file, so it is no R package.")
    suffix = ".zip" if beginning == _ZIP else ".tgz" if platform.startswith("macosx") else ".tar.gz"
    try:
        _, data = _read_description(source, f"package{suffix}", Limits(), whole=False)
    finally:
        source.seek(0)
    fields = parse_record(data, "DESCRIPTION")
    package, version = _identity(fields)
    built = parse_built(fields.get("Built", ""))
    return Identity(package, version, suffix, "" if built is None else built.triple)


def _read_description(source: BinaryIO, filename: str, limits: Limits, *, whole: bool = True) -> tuple[str, bytes]:
    """Return the top folder and its ``DESCRIPTION``; with *whole*, after every member was looked at."""
    found: tuple[str, bytes] | None = None
    candidates = _zip_candidates(source, filename, limits) if filename.endswith(".zip") else _tar_candidates(source, filename, limits)
    for folder, data in candidates:
        if found is not None:
            message = f"{shown(filename)} holds DESCRIPTION twice: in {shown(found[0])} and in {shown(folder)}."
            raise InvalidFile(message, field="DESCRIPTION")
        found = (folder, data)
        if not whole:
            break
    if found is None:
        raise InvalidFile(f"{shown(filename)} has no DESCRIPTION in its top folder, so it is no R package.", field="DESCRIPTION")
    return found


def _zip_candidates(source: BinaryIO, filename: str, limits: Limits) -> Iterator[tuple[str, bytes]]:
    with open_zip(source, filename, limits) as archive:
        for member in archive.infolist():
            if match := _DESCRIPTION.match(member.filename):
                yield match[1], read_zip_member(archive, member, filename, _DESCRIPTION_BYTES)


def _tar_candidates(source: BinaryIO, filename: str, limits: Limits) -> Iterator[tuple[str, bytes]]:
    reader = gzip_reader(source, search_limit(source, limits), shown(filename))
    with damaged_is_invalid(filename):
        for archive, member in tar_members(reader, limits.archive_members):
            check_tar_member(member)
            if match := _DESCRIPTION.match(member.name):
                yield match[1], read_tar_member(archive, member, filename, _DESCRIPTION_BYTES)
        while reader.read(1 << 20):
            pass  # what follows the last member; its end holds the checksum


def _identity(fields: dict[str, str]) -> tuple[str, str]:
    for field in ("Package", "Version"):
        if not fields.get(field):
            raise InvalidFile(f"DESCRIPTION has no field {field!r}.", field=field)
    package = expect_text(fields["Package"], "Package", length=128)
    if not _PACKAGE_NAME.match(package):
        message = f"Package in DESCRIPTION is {shown(package)}: a name has ASCII letters, digits and dots, first a letter, last no dot."
        raise InvalidFile(message, field="Package")
    version = expect_text(fields["Version"], "Version", length=128)
    if not _VERSION_NAME.match(version):
        message = f"Version in DESCRIPTION is {shown(version)}: a version is at least two numbers with '.' or '-' between them."
        raise InvalidFile(message, field="Version")
    return package, version


def _dependencies(fields: dict[str, str], field: str) -> list[str]:
    found = [text.strip() for text in fields.get(field, "").split(",")]
    found = [text for text in found if text]
    if len(found) > _MOST_DEPENDENCIES:
        raise InvalidFile(f"{field} in DESCRIPTION has {len(found)} entries; at most {_MOST_DEPENDENCIES} are allowed.", field=field)
    for text in found:
        if not _DEPENDENCY.match(text):
            raise InvalidFile(f"{field} in DESCRIPTION holds {shown(text)}, no 'package' or 'package (>= version)'.", field=field)
    return found


def _built(fields: dict[str, str], filename: str, suffix: str) -> Built | None:
    text = fields.get("Built")
    if text is None:
        if suffix != "tar.gz":
            raise InvalidFile(
                f"{shown(filename)} has no field 'Built' in DESCRIPTION, so it is not the binary its name says.", field="Built"
            )
        return None
    built = parse_built(text)
    if built is None:
        raise InvalidFile(
            f"Built in DESCRIPTION is {shown(text)}, not 'R x.y.z; platform; date; unix' or '…; windows'.",
            field="Built",
        )
    if built.windows != (suffix == "zip"):
        raise MetadataMismatch(
            f"{shown(filename)} was built on {'Windows' if built.windows else 'a Unix system'}, whose binaries have another suffix.",
            field="Built",
            expected="unix" if built.windows else "windows",
            found=text[:200],
        )
    return built


def _place(built: Built, triple: str, filename: str, suffix: str, told: str | None) -> str:
    own = subdir_of(built, triple)
    system = {"zip": "windows", "tgz": "macosx", "tar.gz": "linux"}[suffix]
    if told:
        # A platform of Linux may have any name (that of a distribution); the rest is for R to say.
        if not is_subdir(told):
            raise BadRequest(
                f"{told[:60]!r} is no platform of R: write 'windows/4.2', 'macosx/big-sur-arm64/4.2' or 'linux/<name>/4.2'.",
                code="invalid_platform",
                field="subdir",
            )
        named = system == "linux" or own is None
        own = f"{told.rpartition('/')[0]}/{built.r_version}" if named and told.startswith(system) else own
        if own != told:
            raise MetadataMismatch(
                f"{shown(filename)} was built for {own or f'{system}, R {built.r_version}'}, not for {told}.",
                field="subdir",
                expected=told,
                found=own or "",
            )
        return told
    if own is None:
        raise BadRequest(
            f"{shown(filename)} has no compiled code, so it does not say which system it is for. Say it: upload it as "
            f"'{system}/<platform>/{built.r_version}/{filename[:120]}'.",
            code="platform_needed",
            field="subdir",
        )
    if not own.startswith(system):
        raise MetadataMismatch(
            f"{shown(filename)} was built for {own}, whose binaries have another suffix.", field="Built", expected=system, found=own
        )
    return own


def _mismatch(field: str, place: str, expected: str, found: str) -> MetadataMismatch:
    return MetadataMismatch(
        f"The {field} in {place} is {shown(expected)}, but DESCRIPTION says {shown(found)}. Build the package again.",
        field=field,
        expected=expected,
        found=found,
    )
