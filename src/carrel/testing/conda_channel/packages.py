"""A conda package in memory, and its two archive formats (CEP 26 names, ``.conda`` of format version 2)."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import zstandard

# Installers replace this text in place; 255 characters so that binary files have room for any prefix.
PLACEHOLDER = "/opt/placehold_" + "_placehold" * 24
ArchiveFormat = Literal["conda", "tar.bz2"]
_EPOCH = 1_577_836_800  # one moment for all members, so that the same input gives the same bytes


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a package: its path below the prefix and its bytes, or the target of a symbolic link."""

    path: str
    data: bytes = b""
    executable: bool = False
    link_target: str | None = None

    def paths_entry(self) -> dict[str, Any]:
        """Return the entry of ``info/paths.json``."""
        entry: dict[str, Any] = {
            "_path": self.path,
            "path_type": "softlink" if self.link_target else "hardlink",
            "sha256": hashlib.sha256(self.data).hexdigest(),
            "size_in_bytes": len(self.data),
        }
        if PLACEHOLDER.encode() in self.data:
            mode = "binary" if b"\0" in self.data else "text"
            entry |= {"prefix_placeholder": PLACEHOLDER, "file_mode": mode}
        return entry


@dataclass(frozen=True, slots=True)
class Package:
    """A conda package: the record of ``index.json``, the files, and what else ``info/`` holds.

    ``build`` is a prefix and a suffix around a digest of the content, so that a file name never stands for two contents.
    """

    name: str
    version: str
    members: tuple[Member, ...]
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    subdir: str = "noarch"
    noarch: Literal["python", "generic"] | None = None
    build: tuple[str, str] = ("h", "_0")
    entry_points: tuple[str, ...] = ()
    run_exports: dict[str, list[str]] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    licenses: dict[str, bytes] = field(default_factory=dict)
    extra_index: dict[str, Any] = field(default_factory=dict)

    @property
    def build_string(self) -> str:
        """Build string with the digest of everything that the package says and holds."""
        paths = [(m.path, hashlib.sha256(m.data).hexdigest(), m.executable, m.link_target) for m in self.members]
        said = [self.depends, self.constrains, self.entry_points, self.run_exports, self.about, self.extra_index, sorted(self.licenses)]
        content = hashlib.sha256(json.dumps([paths, said], sort_keys=True).encode()).hexdigest()
        return f"{self.build[0]}{content[:7]}{self.build[1]}"

    @property
    def stem(self) -> str:
        """File name without its extension."""
        return f"{self.name}-{self.version}-{self.build_string}"

    def index_json(self) -> dict[str, Any]:
        """Return ``info/index.json``."""
        platform, _, arch = self.subdir.partition("-")
        return {
            "name": self.name,
            "version": self.version,
            "build": self.build_string,
            "build_number": 0,
            "depends": list(self.depends),
            "constrains": list(self.constrains),
            "subdir": self.subdir,
            "platform": platform if arch else None,
            "arch": {"64": "x86_64"}.get(arch, arch) or None,
            "license": self.about.get("license"),
            "timestamp": _EPOCH * 1000,
            **({"noarch": self.noarch} if self.noarch else {}),
            **self.extra_index,
        }

    def info_members(self) -> list[Member]:
        """Return the files of ``info/``."""
        info: dict[str, Any] = {
            "index.json": self.index_json(),
            "paths.json": {"paths": [m.paths_entry() for m in self.members], "paths_version": 1},
            "about.json": self.about,
        }
        if self.noarch == "python":
            info["link.json"] = {"noarch": {"type": "python", "entry_points": list(self.entry_points)}, "package_metadata_version": 1}
        if self.run_exports:
            info["run_exports.json"] = self.run_exports
        members = [Member(f"info/{name}", json.dumps(value, indent=1).encode()) for name, value in info.items()]
        members.append(Member("info/files", "".join(f"{m.path}\n" for m in self.members).encode()))
        replaced = [entry for m in self.members if "file_mode" in (entry := m.paths_entry())]
        if replaced:
            lines = "".join(f"{PLACEHOLDER} {entry['file_mode']} {entry['_path']}\n" for entry in replaced)
            members.append(Member("info/has_prefix", lines.encode()))
        return members + [Member(f"info/licenses/{name}", data) for name, data in self.licenses.items()]


def write_package(package: Package, channel: Path, archive: ArchiveFormat = "conda", level: int = 3) -> Path:
    """Write *package* into its subdir of the folder *channel* and return the path.

    Parameters
    ----------
    level : int
        Compression level of zstandard (``conda``); ``tar.bz2`` has one.
    """
    target = channel / package.subdir / f"{package.stem}.{archive}"
    target.parent.mkdir(parents=True, exist_ok=True)
    info, content = package.info_members(), package.members
    if archive == "tar.bz2":
        with tarfile.open(target, "w:bz2") as tar:
            _add(tar, [*info, *content])
        return target
    compressor = zstandard.ZstdCompressor(level=level)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as outer:  # members are compressed already
        _store(outer, "metadata.json", json.dumps({"conda_pkg_format_version": 2}).encode())
        _store(outer, f"pkg-{package.stem}.tar.zst", compressor.compress(_tar(content)))
        _store(outer, f"info-{package.stem}.tar.zst", compressor.compress(_tar(info)))
    return target


def _store(outer: zipfile.ZipFile, name: str, data: bytes) -> None:
    outer.writestr(zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0)), data)


def _tar(members: Iterable[Member]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add(tar, members)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, members: Iterable[Member]) -> None:
    for member in members:
        entry = tarfile.TarInfo(member.path)
        entry.mtime, entry.mode = _EPOCH, 0o755 if member.executable else 0o644
        if member.link_target:
            entry.type, entry.linkname = tarfile.SYMTYPE, member.link_target
            tar.addfile(entry)
        else:
            entry.size = len(member.data)
            tar.addfile(entry, io.BytesIO(member.data))
