"""Reading conda packages (``.conda`` of CEP 35, ``.tar.bz2`` of CEP 34) without trusting them.

Only the ``info`` part is decompressed. What is kept under ``attributes["index"]`` is ``index.json`` as it is, after
its fields were checked against CEP 26 (names) and CEP 36 (records).
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, BinaryIO, cast

from carrel.core.clock import now, to_milliseconds
from carrel.core.errors import InvalidFile, MetadataMismatch, TooLarge
from carrel.core.kinds import Kind
from carrel.core.names import is_subdir
from carrel.formats.archives import (
    SNIFFED_MEMBERS,
    bz2_reader,
    check_member_name,
    damaged_is_invalid,
    open_zip,
    read_tar_member,
    read_zip_member,
    search_limit,
    shown,
    tar_members,
    zstd_reader,
)
from carrel.formats.base import FileMetadata, Hints, Limits
from carrel.formats.modules import import_names
from carrel.formats.parsing import expect_mapping, expect_text, expect_texts, load_json, storable, storable_json

EXTENSIONS = (".conda", ".tar.bz2")

_NAME = re.compile(r"(?:[a-z0-9]|[a-z0-9_](?!_))[._-]?(?:[a-z0-9]+(?:\.|-|_|\Z))*\Z")
_VERSION = re.compile(r"[A-Za-z0-9_.!+]+\Z")
_BUILD = re.compile(r"[A-Za-z0-9_.+]+\Z")
_SITE_PACKAGES = re.compile(r"(?:lib/python\d+\.\d+t?/|Lib/)?site-packages/(.+)\Z")
# What the files of a package do to the environment beside being there (CEP 38).
INSTALL_DETAILS = ("activate.d", "binary_prefix", "deactivate.d", "post_link", "pre_link", "pre_unlink", "text_prefix")
_ACTIVATION = re.compile(r"etc/conda/((?:de)?activate\.d)/")
_LINK_SCRIPT = re.compile(r"(?:.*/)\.[^/]*-(pre-link|post-link|pre-unlink)\.[^/]*\Z")
_FUTURE = timedelta(hours=1)  # clocks differ
_LARGEST_SECONDS = 253_402_300_799  # conda takes what is larger for milliseconds
_WANTED = frozenset(f"info/{name}.json" for name in ("index", "about", "run_exports", "paths", "link"))
_PATHS_BYTES = 16 * 1024 * 1024
_INDEX_BYTES = 1024 * 1024
_SNIFFED_BYTES = 64 * 1024 * 1024  # expanded; bzip2 takes about two seconds for it
_LARGEST_INTEGER = 2**53 - 1  # what every JSON reader keeps exactly
_RUN_EXPORTS = ("weak", "strong", "weak_constrains", "strong_constrains", "noarch")
# What people read about a package. The rest of about.json describes the machine that built it: environment variables, its packages.
_ABOUT_TEXTS = ("summary", "description", "license", "license_family", "dev_url", "doc_url", "doc_source_url", "license_url")
_TEXT_FIELDS = ("arch", "platform", "license", "license_family", "features", "python_site_packages_path")


class CondaFormat:
    """conda packages."""

    kind = Kind.CONDA

    def matches(self, filename: str) -> bool:
        """Whether *filename* ends in ``.conda``, or in ``.tar.bz2`` after ``name-version-build``."""
        return filename.endswith(".conda") or (filename.endswith(".tar.bz2") and filename.count("-") >= 2)

    def recognises(self, source: BinaryIO | None, filename: str) -> bool:
        """Whether a ``.tar.bz2`` holds ``info/index.json``; without *source*, whether the name is enough of a guess."""
        if filename.endswith(".conda") or source is None:
            return True
        try:
            with damaged_is_invalid(filename):
                for _, member in tar_members(bz2_reader(source, _SNIFFED_BYTES, filename), SNIFFED_MEMBERS):
                    if member.name.removeprefix("./") == "info/index.json":
                        return True
        except (InvalidFile, TooLarge):
            return False
        finally:
            source.seek(0)
        return False

    def read(self, source: BinaryIO, filename: str, hints: Hints, limits: Limits) -> FileMetadata:
        """Read the ``info`` part of the package *source*; see :class:`carrel.formats.base.Format`."""
        parts = read_info(source, filename, limits)
        if "info/index.json" not in parts:
            raise InvalidFile(f"{shown(filename)} has no info/index.json, so it is not a conda package.")
        index = validate_index(load_json(parts["info/index.json"], "info/index.json"))
        name, version, build = index["name"], index["version"], index["build"]
        stem = filename.removesuffix(".conda").removesuffix(".tar.bz2")
        if stem != f"{name}-{version}-{build}":
            extension = filename[len(stem) :]
            raise MetadataMismatch(
                f"The file is named {shown(filename)}, but info/index.json says {name}-{version}-{build}. Rename it to match.",
                field="filename",
                expected=f"{name}-{version}-{build}{extension}",
                found=filename,
            )
        about = _about(parts.get("info/about.json"))
        description = about.pop("description", "")  # long; kept once
        run_exports = _run_exports(parts.get("info/run_exports.json"))
        paths, details = _paths(parts.get("info/paths.json"))
        entry_points = _entry_points(parts.get("info/link.json"))
        properties = {"build": build, "subdir": index["subdir"]}
        if isinstance(index.get("noarch"), str):
            properties["noarch"] = index["noarch"]
        if schema_version(index) >= 3:
            properties["schema_version"] = str(schema_version(index))
        return FileMetadata(
            kind=Kind.CONDA,
            package=name,
            version=version,
            filename=filename,
            subdir=index["subdir"],
            summary=about.get("summary", ""),
            description=description,
            license=about.get("license", "") or index.get("license") or "",
            home_page=about.get("home", ""),
            attributes={
                "index": index,
                "about": about,
                "run_exports": run_exports,
                "entry_points": entry_points,
                "install": details,
                "path_count": len(paths),
            },
            properties=properties,
            import_names=import_names(match[1] for match in map(_SITE_PACKAGES.match, paths) if match),
        )


def schema_version(index: Mapping[str, Any]) -> int:
    """Return the version of the record's schema: 3 and above must not appear where older clients read (CEP 48)."""
    value = index.get("schema_version", 1)
    return value if isinstance(value, int) else 1


def read_info(source: BinaryIO, filename: str, limits: Limits) -> dict[str, bytes]:
    """Return the wanted members of the package's ``info`` folder, by name.

    Raises
    ------
    InvalidFile, TooLarge
    """
    if filename.endswith(".conda"):
        return _read_conda(source, filename, limits)
    if filename.endswith(".tar.bz2"):
        return _read_tar_bz2(source, filename, limits)
    raise InvalidFile(f"{shown(filename)} ends neither in .conda nor in .tar.bz2.")


def _read_conda(source: BinaryIO, filename: str, limits: Limits) -> dict[str, bytes]:
    stem = filename.removesuffix(".conda")
    with open_zip(source, filename, limits) as archive:
        members = {member.filename: member for member in archive.infolist()}
        inner = [name for name in members if name.startswith(("info-", "pkg-"))]
        if len(inner) != 2 or not all(name.endswith(".tar.zst") for name in inner):
            raise InvalidFile(f"{shown(filename)} must hold exactly one info-….tar.zst and one pkg-….tar.zst.")
        for part in ("info", "pkg"):
            if f"{part}-{stem}.tar.zst" not in members:
                found = next((name for name in inner if name.startswith(part)), "")
                raise MetadataMismatch(
                    f"The file is named {shown(filename)}, but it holds {shown(found)}. Give the file its original name.",
                    field="filename",
                    expected=found.removeprefix(f"{part}-").removesuffix(".tar.zst") + ".conda",
                    found=filename,
                )
            if members[f"{part}-{stem}.tar.zst"].compress_type != zipfile.ZIP_STORED:
                raise InvalidFile(f"The members of {shown(filename)} are compressed a second time; CEP 35 asks for stored ones.")
        if "metadata.json" not in members:
            raise InvalidFile(f"{shown(filename)} has no metadata.json.")
        form = load_json(read_zip_member(archive, members["metadata.json"], filename, 65_536), "metadata.json")
        if expect_mapping(form, "metadata.json").get("conda_pkg_format_version") != 2:
            raise InvalidFile("metadata.json does not say conda_pkg_format_version 2, the only version of .conda there is.")
        with damaged_is_invalid(filename), archive.open(members[f"info-{stem}.tar.zst"]) as stream:
            tar = tar_members(zstd_reader(stream, limits.expanded_bytes, f"The info part of {shown(filename)}"), limits.archive_members)
            return _collect(tar, filename, limits, whole=True)


def _read_tar_bz2(source: BinaryIO, filename: str, limits: Limits) -> dict[str, bytes]:
    limit = search_limit(source, limits)  # old packages have info/ at the end
    with damaged_is_invalid(filename):
        tar = tar_members(bz2_reader(source, limit, shown(filename)), limits.archive_members)
        return _collect(tar, filename, limits, whole=False)


def _collect(tar: Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]], filename: str, limits: Limits, *, whole: bool) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    leading = True
    for archive, member in tar:
        name = check_member_name(member.name).removeprefix("./")
        in_info = name == "info" or name.startswith("info/")
        if not whole and not in_info:
            if leading and "info/index.json" in found:
                break  # packages of the last ten years put all of info/ first
            leading = False
        elif in_info and not (member.isreg() or member.isdir()):
            _check_link(member, filename)
        if name in _WANTED:
            if name in found:
                raise InvalidFile(f"{shown(filename)} holds {name} twice.")
            limit = {"info/paths.json": _PATHS_BYTES, "info/index.json": _INDEX_BYTES}.get(name, limits.metadata_bytes)
            found[name] = read_tar_member(archive, member, filename, limit)
    return found


def _check_link(member: tarfile.TarInfo, filename: str) -> None:
    if not (member.issym() or member.islnk()):
        raise InvalidFile(f"{shown(filename)} holds a device or a pipe ({shown(member.name)}).")
    target = member.linkname
    if target.startswith("/") or "\\" in target or ".." in target.split("/") or target[1:2] == ":":
        raise InvalidFile(f"{shown(filename)} holds a link that leads out of it ({shown(member.name)}).")


def validate_index(document: Any) -> dict[str, Any]:
    """Return ``index.json`` after checking the fields that clients compute with.

    Raises
    ------
    InvalidFile
        With the field's name under ``field``.
    """
    index = dict(expect_mapping(document, "info/index.json"))
    _match(index, "name", _NAME, 64, "lowercase letters, digits, '-', '_' and '.' (CEP 26)")
    _match(index, "version", _VERSION, 64, "letters, digits and '_.!+'")
    _match(index, "build", _BUILD, 64, "letters, digits and '_.+'")
    _integer(index, "build_number", required=True)
    if not isinstance(index.get("subdir"), str) or not is_subdir(index["subdir"]):
        raise InvalidFile(
            "info/index.json has no valid 'subdir' (such as noarch or linux-64). Build the package again with a current tool.",
            field="subdir",
        )
    for key in ("depends", "constrains"):
        for item in expect_texts(index.get(key), key, count=5000, length=2048):
            if not item.strip():
                raise InvalidFile(f"{key} in info/index.json holds an empty entry.", field=key)
    index["depends"] = index.get("depends") or []
    index["constrains"] = index.get("constrains") or []
    for key in _TEXT_FIELDS:
        if index.get(key) is not None:
            expect_text(index[key], key)
    noarch = index.get("noarch")
    if not (noarch is None or isinstance(noarch, bool) or noarch in {"python", "generic"}):
        raise InvalidFile("'noarch' in info/index.json must be 'python' or 'generic'.", field="noarch")
    features = index.get("track_features")
    if isinstance(features, list):
        expect_texts(features, "track_features", count=1000)
    elif features is not None:
        expect_text(features, "track_features")
    site_packages = index.get("python_site_packages_path")
    if site_packages:
        check_member_name(site_packages)
    for key in ("timestamp", "schema_version"):
        _integer(index, key, required=False)
    _check_timestamp(index.get("timestamp"))
    if (extra := index.get("extra_depends")) is not None:
        for group, specs in expect_mapping(extra, "extra_depends").items():
            expect_texts(specs, f"extra_depends.{group[:80]}", count=5000)
    return index


def _check_timestamp(value: int | None) -> None:
    """Refuse a build that has not happened yet: clients that wait before they install would wait for ever (CEP 47)."""
    if value is None:
        return
    milliseconds = value if value > _LARGEST_SECONDS else value * 1000
    if milliseconds > to_milliseconds(now() + _FUTURE):
        raise InvalidFile(
            f"'timestamp' in info/index.json is {value}, which lies in the future. Set the clock of the building machine and build again.",
            field="timestamp",
        )


def _match(index: Mapping[str, Any], key: str, pattern: re.Pattern[str], length: int, allowed: str) -> None:
    value = expect_text(index.get(key), key, length=length)
    if not pattern.match(value):
        raise InvalidFile(f"{shown(value)} in info/index.json is no valid {key}: use {allowed}.", field=key)


def _integer(index: Mapping[str, Any], key: str, *, required: bool) -> None:
    value = index.get(key)
    if value is None and not required:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_INTEGER:
        raise InvalidFile(f"{key!r} in info/index.json must be a whole number from 0 to 2^53.", field=key)


def _about(data: bytes | None) -> dict[str, str]:
    if data is None:
        return {}
    document = expect_mapping(load_json(data, "info/about.json", any_text=True), "info/about.json")
    about: dict[str, str] = {}
    for key in (*_ABOUT_TEXTS, "home"):
        value = document.get(key)
        if isinstance(value, list):  # several home pages: the first counts
            value = next((item for item in value if isinstance(item, str)), None)
        if isinstance(value, str) and value:
            about[key] = storable(value, 100_000 if key == "description" else 2000)
    return about


def _run_exports(data: bytes | None) -> dict[str, list[str]]:
    if data is None:
        return {}
    document = load_json(data, "info/run_exports.json")
    if isinstance(document, list):
        document = {"weak": document}
    exports = expect_mapping(document, "info/run_exports.json")
    return {key: items for key in _RUN_EXPORTS if (items := expect_texts(exports.get(key), f"run_exports.{key}", count=1000))}


def _paths(data: bytes | None) -> tuple[list[str], list[str]]:
    """Return all paths, and which of :data:`INSTALL_DETAILS` they show."""
    if data is None:
        return [], []
    document = expect_mapping(load_json(data, "info/paths.json"), "info/paths.json")
    entries = document.get("paths")
    if not isinstance(entries, list):
        raise InvalidFile("'paths' in info/paths.json must be a list.", field="paths")
    paths: list[str] = []
    found: set[str] = set()
    for entry in entries:
        path = entry.get("_path") if isinstance(entry, dict) else None
        if not isinstance(path, str):
            raise InvalidFile("Every entry of info/paths.json needs '_path'.", field="paths")
        paths.append(check_member_name(path))
        if entry.get("prefix_placeholder"):
            found.add("binary_prefix" if entry.get("file_mode") == "binary" else "text_prefix")
        if path.startswith("etc/conda/") and (match := _ACTIVATION.match(path)):
            found.add(match[1])
        elif match := _LINK_SCRIPT.match(path):
            found.add(match[1].replace("-", "_"))
    return paths, sorted(found)


def _entry_points(data: bytes | None) -> list[str]:
    if data is None:
        return []
    document = expect_mapping(load_json(data, "info/link.json"), "info/link.json")
    noarch = document.get("noarch")
    if not isinstance(noarch, dict):
        return []
    return cast(list[str], storable_json(expect_texts(noarch.get("entry_points"), "entry_points", count=2000)))
