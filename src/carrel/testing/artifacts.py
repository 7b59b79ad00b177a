"""Small real artifacts made in memory: conda packages, wheels, source distributions, notebooks.

The same arguments give the same bytes, so a test may upload one twice and expect nothing to change.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import zstandard

_EPOCH = (2026, 1, 1, 0, 0, 0)
_TIMESTAMP = 1_767_225_600  # the same moment in seconds


class Artifact(NamedTuple):
    """A file that could be uploaded: its name and its bytes."""

    filename: str
    data: bytes

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes, hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    def open(self) -> io.BytesIO:
        """Return the bytes as a binary file at position 0."""
        return io.BytesIO(self.data)


def build_conda(
    name: str,
    version: str = "1.0",
    *,
    build: str = "0",
    build_number: int = 0,
    depends: Sequence[str] = (),
    constrains: Sequence[str] = (),
    subdir: str | None = None,
    files: Mapping[str, bytes | str] | None = None,
    fmt: str = "conda",
    noarch: str | None = None,
    about: Mapping[str, Any] | None = None,
    run_exports: Mapping[str, Sequence[str]] | Sequence[str] | None = None,
    entry_points: Sequence[str] = (),
    index: Mapping[str, Any] | None = None,
    info: Mapping[str, bytes | str] | None = None,
) -> Artifact:
    """Return a conda package that conda and rattler install.

    Parameters
    ----------
    name, version, build : str
    build_number : int
    depends, constrains : sequence of str
        Match specifications.
    subdir : str, optional
        By default ``linux-64``, or ``noarch`` for a package with *noarch*.
    files : mapping of str to bytes or str, optional
        Contents by path in the prefix.
    fmt : {"conda", "tar.bz2"}
    noarch : {"python", "generic"}, optional
    about : mapping, optional
        Members of ``about.json``.
    run_exports : mapping or sequence, optional
    entry_points : sequence of str
        ``command = module:function``, for ``noarch: python``.
    index : mapping, optional
        Members of ``index.json`` that replace or add to the usual ones; a value of None removes one.
    info : mapping, optional
        Further files of the ``info`` folder, which replace the usual ones.
    """
    payload = {path: _bytes(content) for path, content in (files or {}).items()}
    record: dict[str, Any] = {
        "build": build,
        "build_number": build_number,
        "constrains": list(constrains),
        "depends": list(depends),
        "license": "BSD-3-Clause",
        "name": name,
        "subdir": subdir or ("noarch" if noarch else "linux-64"),
        "timestamp": _TIMESTAMP * 1000,
        "version": version,
    }
    if noarch:
        record["noarch"] = noarch
    record = {key: value for key, value in {**record, **(index or {})}.items() if value is not None}
    described: dict[str, Any] = {"summary": f"The package {name}", "license": "BSD-3-Clause", **(about or {})}
    paths = [
        {"_path": path, "path_type": "hardlink", "sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)}
        for path, data in sorted(payload.items())
    ]
    members: dict[str, bytes] = {
        "info/index.json": _json(record),
        "info/about.json": _json(described),
        "info/paths.json": _json({"paths": paths, "paths_version": 1}),
        "info/files": "".join(f"{path}\n" for path in sorted(payload)).encode(),
    }
    if run_exports is not None:
        members["info/run_exports.json"] = _json(run_exports)
    if noarch == "python":
        link = {"package_metadata_version": 1, "noarch": {"type": "python", "entry_points": list(entry_points)}}
        members["info/link.json"] = _json(link)
    members.update({f"info/{path}": _bytes(content) for path, content in (info or {}).items()})
    stem = f"{name}-{version}-{build}"
    if fmt == "tar.bz2":
        return Artifact(f"{stem}.tar.bz2", pack_tar({**members, **payload}, "bz2"))
    return Artifact(f"{stem}.conda", pack_conda(stem, pack_tar(members), pack_tar(payload)))


def pack_conda(stem: str, info_tar: bytes, pkg_tar: bytes) -> bytes:
    """Return the ``.conda`` file made of two tar files."""
    compressor = zstandard.ZstdCompressor(level=3)
    return pack_zip(
        {
            "metadata.json": b'{"conda_pkg_format_version": 2}',
            f"pkg-{stem}.tar.zst": compressor.compress(pkg_tar),
            f"info-{stem}.tar.zst": compressor.compress(info_tar),
        },
        zipfile.ZIP_STORED,
    )


def pack_tar(members: Mapping[str, bytes], compression: str = "") -> bytes:
    """Return a tar file of *members*, uncompressed or with *compression* ``gz`` or ``bz2``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, data in members.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            member.mtime = _TIMESTAMP
            member.mode = 0o755 if "/bin/" in f"/{path}" else 0o644
            archive.addfile(member, io.BytesIO(data))
    data = buffer.getvalue()
    if compression == "gz":
        return gzip.compress(data, mtime=_TIMESTAMP)
    if compression == "bz2":
        return bz2.compress(data)
    return data


def pack_zip(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file of *members*."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for path, data in members.items():
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), data, method)
    return buffer.getvalue()


def build_wheel(
    name: str,
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    requires: Sequence[str] = (),
    requires_python: str = ">=3.9",
    files: Mapping[str, bytes | str] | None = None,
    summary: str = "",
    description: str = "",
    entry_points: Mapping[str, str] | None = None,
    metadata: Mapping[str, str | Sequence[str]] | None = None,
) -> Artifact:
    """Return a wheel that pip and uv install.

    Parameters
    ----------
    name, version : str
    tag : str
        Compatibility tag.
    requires : sequence of str
        Requirements.
    requires_python : str
    files : mapping of str to bytes or str, optional
        Contents by path in ``site-packages``; by default one module of the package's name.
    summary, description : str
    entry_points : mapping of str to str, optional
        Command to ``module:function``.
    metadata : mapping, optional
        Further fields of the core metadata; a sequence repeats the field.
    """
    stem = f"{_wheel_name(name)}-{version}"
    payload = _python_files(name, version, files)
    folder = f"{stem}.dist-info"
    payload[f"{folder}/METADATA"] = _core_metadata(name, version, requires, requires_python, summary, description, metadata)
    payload[f"{folder}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: carrel\nRoot-Is-Purelib: {str(tag.endswith('none-any')).lower()}\nTag: {tag}\n".encode()
    )
    if entry_points:
        lines = "".join(f"{command} = {target}\n" for command, target in sorted(entry_points.items()))
        payload[f"{folder}/entry_points.txt"] = f"[console_scripts]\n{lines}".encode()
    record = "".join(f"{path},sha256={_urlsafe_sha256(data)},{len(data)}\n" for path, data in payload.items())
    payload[f"{folder}/RECORD"] = f"{record}{folder}/RECORD,,\n".encode()
    return Artifact(f"{stem}-{tag}.whl", pack_zip(payload))


def build_sdist(
    name: str,
    version: str = "1.0",
    *,
    requires: Sequence[str] = (),
    requires_python: str = ">=3.9",
    files: Mapping[str, bytes | str] | None = None,
    summary: str = "",
    fmt: str = "tar.gz",
) -> Artifact:
    """Return a source distribution (*fmt*: ``tar.gz`` or ``zip``); *files* are relative to its top folder."""
    stem = f"{_wheel_name(name)}-{version}"
    payload = _python_files(name, version, files)
    payload["PKG-INFO"] = _core_metadata(name, version, requires, requires_python, summary, "", None)
    payload["pyproject.toml"] = f'[project]\nname = "{name}"\nversion = "{version}"\n'.encode()
    members = {f"{stem}/{path}": data for path, data in payload.items()}
    return Artifact(f"{stem}.{fmt}", pack_zip(members) if fmt == "zip" else pack_tar(members, "gz"))


def build_r_package(
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, bytes | str] | None = None,
    fields: Mapping[str, str] | None = None,
    built: str = "",
    fmt: str = "tar.gz",
) -> Artifact:
    """Return an R package; without *built* a source package that R installs, without compilation.

    Parameters
    ----------
    name, version : str
    files : mapping of str to bytes or str, optional
        Contents by path in the package; by default a function ``hello()``.
    fields : mapping of str to str, optional
        Further fields of ``DESCRIPTION``, which replace the usual ones.
    built : str
        The field ``Built`` of a binary.
    fmt : {"tar.gz", "tgz", "zip"}
    """
    described = {
        "Package": name,
        "Version": version,
        "Title": f"The Package {name}",
        "Description": "What it does.",
        "License": "MIT",
        "Author": "A. Writer",
        "Maintainer": "A. Writer <writer@example.org>",
        "NeedsCompilation": "no",
        **({"Built": built} if built else {}),
        **(fields or {}),
    }
    payload = {
        "DESCRIPTION": "".join(f"{field}: {text}\n" for field, text in described.items()),
        "NAMESPACE": "export(hello)\n",
        "R/hello.R": f'hello <- function() "{name} {version}"\n',
        **(files or {}),
    }
    members = {f"{name}/{path}": _bytes(content) for path, content in payload.items()}
    return Artifact(f"{name}_{version}.{fmt}", pack_zip(members) if fmt == "zip" else pack_tar(members, "gz"))


def build_notebook(
    cells: Sequence[str | Mapping[str, Any]] = ("# A title\n\nWhat it is about.", "import math\nmath.pi"),
    *,
    filename: str = "notebook.ipynb",
    metadata: Mapping[str, Any] | None = None,
) -> Artifact:
    """Return a notebook of format 4.5.

    Parameters
    ----------
    cells : sequence
        Sources, or whole cells. A source that begins with ``"# "`` makes a Markdown cell, every other a code cell.
    filename : str
    metadata : mapping, optional
        Members of the notebook's metadata beside the kernel's.
    """
    made: list[dict[str, Any]] = []
    for position, cell in enumerate(cells):
        if not isinstance(cell, str):
            made.append({"id": f"cell-{position}", "metadata": {}, **cell})
        elif cell.startswith("# "):
            made.append({"id": f"cell-{position}", "cell_type": "markdown", "metadata": {}, "source": cell})
        else:
            made.append(
                {
                    "id": f"cell-{position}",
                    "cell_type": "code",
                    "metadata": {},
                    "source": cell,
                    "outputs": [],
                    "execution_count": None,
                }
            )
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python", "version": "3.11"},
            **(metadata or {}),
        },
        "cells": made,
    }
    return Artifact(filename, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")


def _python_files(name: str, version: str, files: Mapping[str, bytes | str] | None) -> dict[str, bytes]:
    if files is None:
        files = {f"{_wheel_name(name)}.py": f'__version__ = "{version}"\n'}
    return {path: _bytes(content) for path, content in files.items()}


def _core_metadata(
    name: str,
    version: str,
    requires: Sequence[str],
    requires_python: str,
    summary: str,
    description: str,
    further: Mapping[str, str | Sequence[str]] | None,
) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if summary:
        lines.append(f"Summary: {summary}")
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    for key, value in (further or {}).items():
        lines += [f"{key}: {item}" for item in ([value] if isinstance(value, str) else value)]
    if description:
        lines.append("Description-Content-Type: text/markdown")
    return "\n".join([*lines, "", description]).encode()


def _wheel_name(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _urlsafe_sha256(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def _bytes(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode()
