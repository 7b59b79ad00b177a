"""Reading wheels and source distributions without trusting them: core metadata, tags, modules."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import (
    InvalidName,
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from carrel.core.errors import InvalidFile, MetadataMismatch, TooLarge
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
from carrel.formats.modules import import_names
from carrel.formats.parsing import expect_text, storable, storable_json

_ROOT_METADATA = re.compile(r"[^/]+/PKG-INFO\Z")
_NOT_MODULES = frozenset(
    ("setup", "conftest", "noxfile", "tasks", "test", "tests", "doc", "docs", "example", "examples", "benchmarks", "scripts", "tools")
)
_MOST_REQUIREMENTS = 5000
# The parts of the core metadata that are kept as JSON; the description is kept by itself.
_KEPT = (
    "metadata_version",
    "name",
    "version",
    "summary",
    "keywords",
    "author",
    "author_email",
    "maintainer",
    "maintainer_email",
    "license",
    "license_expression",
    "license_files",
    "classifiers",
    "platforms",
    "requires_dist",
    "requires_python",
    "requires_external",
    "provides_extra",
    "project_urls",
    "home_page",
    "download_url",
    "description_content_type",
    "dynamic",
    "import_names",
    "import_namespaces",
)


class PypiFormat:
    """Python distributions: wheels, ``.tar.gz`` and ``.zip`` source distributions."""

    kind = Kind.PYPI

    def matches(self, filename: str) -> bool:
        """Whether *filename* is a wheel's, or a source distribution's (``name-version.tar.gz``)."""
        return filename.endswith(".whl") or _sdist_name(filename) is not None

    def recognises(self, source: BinaryIO | None, filename: str) -> bool:
        """Whether a ``.tar.gz`` or ``.zip`` holds ``<folder>/PKG-INFO``; without *source* a ``.tar.gz`` is taken for one."""
        if filename.endswith(".whl"):
            return True
        if source is None:
            return filename.endswith(".tar.gz")
        try:
            if filename.endswith(".zip"):
                return _read_zip_sdist(source, filename, Limits()).metadata is not None
            return tar_gz_holds(source, filename, _ROOT_METADATA)
        except (InvalidFile, TooLarge):
            return False
        finally:
            source.seek(0)

    def read(self, source: BinaryIO, filename: str, hints: Hints, limits: Limits) -> FileMetadata:
        """Read the metadata of the distribution *source*; see :class:`carrel.formats.base.Format`."""
        wheel = filename.endswith(".whl")
        name, version, build, tags = _parse_filename(filename)
        contents = _read_wheel(source, filename, limits) if wheel else _read_sdist(source, filename, limits)
        if contents.metadata is None:
            raise InvalidFile(f"{shown(filename)} has no PKG-INFO in its top folder, so it is not a source distribution.")
        what = "METADATA" if wheel else "PKG-INFO"
        raw, project, own_version = _parse_metadata(contents.metadata, what)
        if canonicalize_name(project) != name:
            raise _mismatch("name", filename, what, name, project)
        if own_version != version:
            raise _mismatch("version", filename, what, str(version), str(own_version))
        attributes: dict[str, Any] = {
            "filetype": "bdist_wheel" if wheel else "sdist",
            "source": not wheel,
            "python_version": ".".join(sorted({tag.interpreter for tag in tags})) if wheel else "source",
            "tags": sorted(map(str, tags)),
            "build": build,
            "requires_python": raw.get("requires_python", ""),
            "requires_dist": raw.get("requires_dist", []),
            "metadata": storable_json({key: raw[key] for key in _KEPT if key in raw}),  # type: ignore[literal-required]
        }
        companions: dict[str, bytes] = {}
        if wheel:
            attributes["metadata_sha256"] = hashlib.sha256(contents.metadata).hexdigest()
            companions[".metadata"] = contents.metadata
        return FileMetadata(
            kind=Kind.PYPI,
            package=project,
            version=str(own_version),
            filename=filename,
            summary=storable(raw.get("summary", ""), 2000),
            description=storable(raw.get("description", ""), limits.text_length),
            license=storable(raw.get("license_expression") or raw.get("license", ""), 2000),
            home_page=storable(_home_page(raw), 2000),
            attributes=attributes,
            properties={"project": name, "filetype": attributes["filetype"], "requires_python": attributes["requires_python"]},
            import_names=_import_names(raw, contents.modules),
            search_text=storable(" ".join(raw.get("keywords", [])), 2000),
            companions=companions,
        )


@dataclass(frozen=True, slots=True)
class _Contents:
    metadata: bytes | None
    modules: tuple[str, ...]


def _sdist_name(filename: str) -> tuple[str, Version] | None:
    try:
        return parse_sdist_filename(filename)
    except (InvalidSdistFilename, InvalidVersion):
        return None


def _parse_filename(filename: str) -> tuple[str, Version, str, frozenset[Tag]]:
    try:
        if filename.endswith(".whl"):
            name, version, build, tags = parse_wheel_filename(filename)
            return name, version, "".join(map(str, build)), tags
        name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion) as error:
        raise InvalidFile(
            f"{shown(filename)} is no valid name of a wheel (name-version-tags.whl) or source distribution (name-version.tar.gz).",
            field="filename",
        ) from error
    return name, version, "", frozenset()


def _read_wheel(source: BinaryIO, filename: str, limits: Limits) -> _Contents:
    with open_zip(source, filename, limits) as archive:
        members = {member.filename: member for member in archive.infolist()}
        folders = {name.partition("/")[0] for name in members if name.partition("/")[0].endswith(".dist-info")}
        if len(folders) != 1:
            raise InvalidFile(f"{shown(filename)} must hold exactly one .dist-info folder; it holds {len(folders)}.")
        folder = folders.pop()
        for required in ("METADATA", "WHEEL", "RECORD"):
            if f"{folder}/{required}" not in members:
                raise InvalidFile(f"{shown(filename)} has no {folder[:200]}/{required}, so it is not a wheel.")
        name, version, _, _ = _parse_filename(filename)
        told_name, _, told_version = folder.removesuffix(".dist-info").rpartition("-")
        if canonicalize_name(told_name) != name or _version(told_version) != version:
            raise _mismatch("name", filename, "its .dist-info folder", f"{name}-{version}", folder.removesuffix(".dist-info"))
        metadata = read_zip_member(archive, members[f"{folder}/METADATA"], filename, limits.metadata_bytes)
        return _Contents(metadata, import_names(_site_packages(members, folder.removesuffix(".dist-info"))))


def _site_packages(names: Iterable[str], stem: str) -> Iterable[str]:
    """Yield the members that go to ``site-packages``: those of the root and of ``.data/purelib`` and ``.data/platlib``."""
    data = f"{stem}.data/"
    for name in names:
        if not name.startswith(data):
            yield name
            continue
        section, _, rest = name[len(data) :].partition("/")
        if section in {"purelib", "platlib"}:
            yield rest


def _read_sdist(source: BinaryIO, filename: str, limits: Limits) -> _Contents:
    if filename.endswith(".zip"):
        return _read_zip_sdist(source, filename, limits)
    metadata: bytes | None = None
    paths: list[str] = []
    try:
        with damaged_is_invalid(filename):
            reader = gzip_reader(source, search_limit(source, limits), shown(filename))
            for archive, member in tar_members(reader, limits.archive_members):
                name = check_tar_member(member)
                if not (member.issym() or member.islnk()):
                    paths.append(name)
                if metadata is None and _ROOT_METADATA.match(name):
                    metadata = read_tar_member(archive, member, filename, limits.metadata_bytes)
    except TooLarge:
        if metadata is None:
            raise
    return _Contents(metadata, _sdist_modules(paths))


def _read_zip_sdist(source: BinaryIO, filename: str, limits: Limits) -> _Contents:
    with open_zip(source, filename, limits) as archive:
        found: list[zipfile.ZipInfo] = [member for member in archive.infolist() if _ROOT_METADATA.match(member.filename)]
        metadata = read_zip_member(archive, found[0], filename, limits.metadata_bytes) if len(found) == 1 else None
        return _Contents(metadata, _sdist_modules(archive.namelist()))


def _sdist_modules(paths: list[str]) -> tuple[str, ...]:
    """Guess the modules a source distribution installs: those in ``src/``, else those at its root."""
    inside = [path.partition("/")[2] for path in paths]
    source = [path[4:] for path in inside if path.startswith("src/")]
    candidates = source or [path for path in inside if path.endswith("/__init__.py") or "/" not in path]
    return tuple(name for name in import_names(candidates) if name not in _NOT_MODULES)


def _parse_metadata(data: bytes, what: str) -> tuple[RawMetadata, str, Version]:
    try:
        raw, _ = parse_email(data)
    except (ValueError, KeyError, LookupError, RecursionError) as error:
        raise InvalidFile(f"{what} cannot be read: {str(error)[:200]}.") from error
    name = expect_text(raw.get("name"), "Name", length=200)
    try:
        canonicalize_name(name, validate=True)
    except InvalidName as error:
        raise InvalidFile(f"{what} says the name {shown(name)}, which is not a valid one.", field="name") from error
    version = _version(expect_text(raw.get("version"), "Version", length=200))
    if version is None:
        raise InvalidFile(f"{what} says the version {shown(raw['version'])}, which PEP 440 does not allow.", field="version")
    requires_python = raw.get("requires_python", "")
    try:
        SpecifierSet(expect_text(requires_python, "Requires-Python", length=500))
    except InvalidSpecifier as error:
        message = f"Requires-Python in {what} is {shown(requires_python)}, no set of version specifiers."
        raise InvalidFile(message, field="requires_python") from error
    requirements = raw.get("requires_dist", [])
    if len(requirements) > _MOST_REQUIREMENTS:
        raise InvalidFile(f"{what} has {len(requirements)} requirements; at most {_MOST_REQUIREMENTS} are allowed.", field="requires_dist")
    for requirement in requirements:
        try:
            Requirement(expect_text(requirement, "Requires-Dist", length=5000))
        except (InvalidRequirement, RecursionError) as error:
            message = f"Requires-Dist in {what} holds {shown(requirement)}, no valid requirement."
            raise InvalidFile(message, field="requires_dist") from error
    return raw, name, version


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _home_page(raw: RawMetadata) -> str:
    urls = {re.sub(r"[\W_]+", "", label).lower(): url for label, url in raw.get("project_urls", {}).items()}
    for label in ("homepage", "home", "repository", "source", "sourcecode", "github", "documentation"):
        if urls.get(label):
            return urls[label]
    return raw.get("home_page", "")


def _import_names(raw: RawMetadata, modules: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the metadata says (PEP 794, ``name; private`` left out), else what the files say."""
    told = {name.partition(".")[0].strip() for name in raw.get("import_names", []) if ";" not in name}
    return tuple(sorted(name for name in told if name.isidentifier()))[:1000] or modules


def _mismatch(field: str, filename: str, what: str, expected: str, found: str) -> MetadataMismatch:
    return MetadataMismatch(
        f"The name of {shown(filename)} says {field} {shown(expected)}, but {what} says {shown(found)}. Build the file again.",
        field=field,
        expected=expected,
        found=found,
    )
