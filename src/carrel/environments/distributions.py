"""Reading installed Python distributions from disk (``*.dist-info``), without running the environment's Python."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from carrel.environments import editables
from carrel.environments.credentials import strip_url
from carrel.environments.naming import modules_in_text, normalize, top_level_modules

_FOLDER = re.compile(r"(.+?)-([^-]+)\.(?:dist-info|egg-info)\Z")


_PATH = re.compile(r'^"?([^",\n]+)', re.MULTILINE)
_NAME_AND_DIGEST = re.compile(r"^(?=[^\r\n])[^,\r\n]*(?:,[^,\r\n]*)?", re.MULTILINE)
_SIZE = re.compile(r",(\d+)\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed distribution.

    Attributes
    ----------
    path : Path
        Its ``.dist-info`` (or ``.egg-info``).
    installer : str
        ``pip``, ``uv``, ``conda`` …; empty when unknown.
    requested : bool
    direct_url : mapping
        PEP 610, empty when it came from an index.
    tags : tuple of str
        Of the wheel it was installed from.
    requires : tuple of str
        ``Requires-Dist``.
    size : int
        Bytes of its files.
    """

    path: Path
    name: str
    version: str
    summary: str
    installer: str
    requested: bool
    direct_url: dict[str, Any]
    tags: tuple[str, ...]
    requires: tuple[str, ...]
    import_names: tuple[str, ...]
    size: int

    @property
    def key(self) -> str:
        """The name as PyPI compares it."""
        return normalize(self.name)

    @property
    def site_packages(self) -> Path:
        """The folder it is installed in."""
        return self.path.parent

    @property
    def editable_location(self) -> str | None:
        """Folder of the sources, when it is an editable installation."""
        if (self.direct_url.get("dir_info") or {}).get("editable"):
            return url_to_path(str(self.direct_url.get("url") or ""))
        return None

    @property
    def origin(self) -> str:
        """What it was installed from, when not from an index: ``git+https://…@<commit>``, an archive, a folder; without credentials."""
        url = str(self.direct_url.get("url") or "")
        if not url:
            return ""
        vcs = self.direct_url.get("vcs_info")
        address = strip_url(url)
        if isinstance(vcs, dict):
            # the commit that was installed, not the branch that was asked for
            commit = vcs.get("commit_id") or vcs.get("requested_revision")
            address = f"{vcs.get('vcs') or 'git'}+{address}" + (f"@{commit}" if commit else "")
        folder = self.direct_url.get("subdirectory")
        return f"{address}#subdirectory={folder}" if folder else address


def url_to_path(url: str) -> str:
    """Return the local path of a ``file:`` URL, or *url* itself."""
    parts = urlsplit(url)
    return url2pathname(unquote(parts.path)) if parts.scheme == "file" else url


def site_packages(prefix: Path) -> list[Path]:
    """Return the folders of *prefix* in which packages are installed, the main one first."""
    if os.name == "nt":
        return [folder for folder in (prefix / "Lib" / "site-packages",) if folder.is_dir()]
    patterns = ("lib/python3.*/site-packages", "lib/python3/dist-packages", "local/lib/python3.*/dist-packages")
    found: list[Path] = []
    for pattern in patterns:
        for folder in sorted(prefix.glob(pattern)):
            # lib64 of a venv and freethreaded builds' links lead to the same folder
            if folder.is_dir() and not any(folder.samefile(other) for other in found):
                found.append(folder)
    return found


def read_distributions(prefix: Path, *, without: Container[str] = ()) -> list[Distribution]:
    """Return the distributions of *prefix*, by name, but those whose folders are named in *without*.

    Folders without readable metadata are left out.
    """
    found = [
        distribution
        for path in _folders(prefix)
        if path.name not in without and not path.name.startswith("~") and (distribution := read_distribution(path))
    ]
    return sorted(found, key=lambda distribution: distribution.key)


def read_summaries(prefix: Path, folders: Container[str]) -> dict[str, str]:
    """Return the summaries of the distributions in *folders* (``numpy-2.3.dist-info``): all that is needed of what conda owns."""
    return {path.name: _first(_headers(_text(_metadata(path))), "summary") for path in _folders(prefix) if path.name in folders}


def _folders(prefix: Path) -> Iterator[Path]:
    for folder in site_packages(prefix):
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith((".dist-info", ".egg-info")))
        yield from (folder / name for name in names)


def _metadata(path: Path) -> Path:
    return path if path.is_file() else path / ("PKG-INFO" if path.suffix == ".egg-info" else "METADATA")


def damaged_folders(prefix: Path) -> list[Path]:
    """Return the folders of metadata that say nothing readable, and what a killed pip left under another name (``~umpy``)."""
    broken = [path for path in _folders(prefix) if not path.name.startswith("~") and read_distribution(path) is None]
    leftover = [path for folder in site_packages(prefix) for path in sorted(folder.glob("~*"))]
    return broken + leftover


def read_distribution(path: Path) -> Distribution | None:
    """Return the distribution at *path*, or None when there is none (a half-removed folder, for instance)."""
    record = path / "RECORD"
    try:
        status = (record if record.exists() else path).stat()
    except OSError:
        return None
    return _read(path, status.st_mtime_ns, status.st_ino, (path / "REQUESTED").exists())


@lru_cache(maxsize=8192)
def _read(path: Path, _mtime_ns: int, _inode: int, requested: bool) -> Distribution | None:
    text = _text(_metadata(path))
    if not text:
        return None
    headers = _headers(text)
    match = _FOLDER.match(path.name)
    name = _first(headers, "name") or (match[1] if match else "")
    version = _first(headers, "version") or (match[2] if match else "")
    if not name or not version:
        return None
    record = _text(path / "RECORD")
    paths = _PATH.findall(record)
    direct_url = _direct_url(path / "direct_url.json")
    import_names = top_level_modules(paths) or modules_in_text(_text(path / "top_level.txt"))
    if not direct_url or not import_names:
        # an editable installation brings pointers to modules, and older ones do not say so in direct_url.json
        location, found = editables.read(path.parent, paths)
        import_names = import_names or found
        if location and not direct_url and Path(location).is_absolute():
            direct_url = {"url": Path(location).as_uri(), "dir_info": {"editable": True}}
    return Distribution(
        path=path,
        name=name,
        version=version,
        summary=_first(headers, "summary"),
        installer=_text(path / "INSTALLER").strip(),
        requested=requested,
        direct_url=direct_url,
        tags=tuple(_headers(_text(path / "WHEEL")).get("tag", ())),
        requires=tuple(headers.get("requires-dist", ())),
        import_names=import_names,
        size=sum(map(int, _SIZE.findall(record))),
    )


def legacy_distributions(prefix: Path) -> list[Distribution]:
    """Return distributions as setuptools installed them long ago: ``setup.py develop`` (``*.egg-link``) and ``*.egg`` folders.

    Their files are not known, so they are looked at and never changed by us.
    """
    found = []
    for folder in site_packages(prefix):
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith((".egg-link", ".egg")))
        for name in names:
            if name.endswith(".egg"):
                metadata, sources = [folder / name / "EGG-INFO"], ""
            else:
                sources = next((line.strip() for line in _text(folder / name).splitlines() if line.strip()), "")
                metadata = sorted(Path(sources).glob("*.egg-info")) if sources and Path(sources).is_absolute() else []
            found += [one for path in metadata if (one := _legacy(path, sources)) is not None]
    return found


def _legacy(path: Path, sources: str) -> Distribution | None:
    headers = _headers(_text(path / "PKG-INFO"))
    name, version = _first(headers, "name"), _first(headers, "version")
    if not name or not version:
        return None
    modules = set(modules_in_text(_text(path / "top_level.txt"))) or set(editables.modules_in(Path(sources)) if sources else ())
    return Distribution(
        path=path,
        name=name,
        version=version,
        summary=_first(headers, "summary"),
        installer="setuptools",
        requested=True,
        direct_url={"url": Path(sources).as_uri(), "dir_info": {"editable": True}} if sources else {},
        tags=(),
        requires=(),
        import_names=tuple(sorted(modules)),
        size=0,
    )


def _headers(text: str) -> dict[str, list[str]]:
    """Return the header fields before the first empty line. Core metadata needs none of what makes e-mail hard to parse."""
    fields: dict[str, list[str]] = {}
    for line in text.partition("\n\n")[0].splitlines():
        if line[:1] in (" ", "\t"):
            continue
        key, separator, value = line.partition(":")
        if separator:
            fields.setdefault(key.lower(), []).append(value.strip())
    return fields


def _first(fields: dict[str, list[str]], key: str) -> str:
    return fields.get(key, [""])[0]


def record_rows(path: Path) -> list[list[str]]:
    """Return the rows of the ``RECORD`` of a ``.dist-info``; empty when it has none."""
    text = _text(path / "RECORD")
    if '"' in text:
        return [row for row in csv.reader(text.splitlines()) if row]
    return [line.split(",") for line in text.splitlines() if line]


def files_of(distribution: Distribution) -> list[Path]:
    """Return the files that *distribution* owns (absolute); those outside of the environment's prefix are left out."""
    base = distribution.site_packages
    prefix = prefix_of(base)
    files = []
    for row in record_rows(distribution.path):
        if PurePosixPath(row[0]).is_absolute():
            continue
        path = Path(os.path.normpath(base / row[0]))
        if path.is_relative_to(prefix):
            files.append(path)
    return files


def prefix_of(site_packages_folder: Path) -> Path:
    """Return the prefix that *site_packages_folder* belongs to."""
    return site_packages_folder.parents[1] if os.name == "nt" else site_packages_folder.parents[2]


def record_identity(distribution: Distribution) -> str:
    """Return a text that is the same for the same installed files: name, version and digest of RECORD without its own bookkeeping."""
    try:
        status = (distribution.path / "RECORD").stat()
    except OSError:
        return _record_identity(distribution.path, 0, 0, 0)
    return _record_identity(distribution.path, status.st_mtime_ns, status.st_ino, status.st_size)


@lru_cache(maxsize=8192)
def _record_identity(path: Path, _mtime_ns: int, _inode: int, _size: int) -> str:
    return hashlib.sha256("\n".join(sorted(_names_and_digests(path))).encode()).hexdigest()[:16]


def _names_and_digests(path: Path) -> Iterator[str]:
    text = _text(path / "RECORD")
    # large packages have tens of thousands of lines, nearly all of them plain
    if '"' in text or "/REQUESTED" in text:
        yield from (",".join(row[:2]) for row in record_rows(path) if not row[0].endswith("/REQUESTED"))
    else:
        yield from _NAME_AND_DIGEST.findall(text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _direct_url(path: Path) -> dict[str, Any]:
    """Return where a distribution came from (PEP 610); empty when that makes no sense."""
    found = _json(path)
    try:
        urlsplit(found.get("url") or "").port  # noqa: B018 - looked at for the error
    except (ValueError, TypeError, AttributeError):
        return {}
    parts = ("dir_info", "vcs_info", "archive_info")
    return {key: value for key, value in found.items() if key not in parts or isinstance(value, dict)}


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
