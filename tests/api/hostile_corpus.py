"""Files that nobody should be able to upload, and what the hub says to each."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import zstandard

from carrel.testing.artifacts import (
    Artifact,
    build_conda,
    build_notebook,
    build_r_package,
    build_sdist,
    build_wheel,
    pack_conda,
    pack_tar,
    pack_zip,
)

MEGABYTE = 1 << 20
LONG = "a" * MEGABYTE
DEEP = 100_000
WINDOWS = "R 4.2.2; x86_64-w64-mingw32; 2026-01-01 00:00:00 UTC; windows"


@dataclass(frozen=True)
class Case:
    """A file that must be refused.

    Attributes
    ----------
    make : callable
        Returns the file; made when the test runs.
    kind : str
        What the uploader says it is.
    words : tuple of str
        What the message must hold.
    status, code : int, str
    names : str
        What the answer must name, when something can be named.
    query : mapping
        Said beside the file where the interface has a place for it.
    """

    make: Callable[[], Artifact]
    kind: str
    words: tuple[str, ...]
    status: int = 400
    code: str = "invalid_file"
    names: str = ""
    query: Mapping[str, str] = field(default_factory=dict)


def truncated(made: Artifact, part: float = 0.5) -> Artifact:
    return Artifact(made.filename, made.data[: int(len(made.data) * part)])


def tar_of(*members: tuple[str, bytes, bytes, str]) -> bytes:
    """An uncompressed tar file of members: name, type, contents, target of the link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, kind, data, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), target
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zeros(compress: Callable[[bytes], bytes], count: int, name: str) -> bytes:
    """A compressed tar file of one member with *count* megabytes of zeros, made without holding them."""
    head = tarfile.TarInfo(name)
    head.size = count * MEGABYTE
    return compress(head.tobuf(tarfile.GNU_FORMAT)) + compress(bytes(MEGABYTE)) * count + compress(bytes(10_240))


def many_members(compress: Callable[[bytes], bytes], count: int) -> bytes:
    """A compressed tar file of *count* empty members."""
    block = b"".join(tarfile.TarInfo(f"x/{number}").tobuf(tarfile.GNU_FORMAT) for number in range(1000))
    return compress(block) * (count // 1000) + compress(bytes(10_240))


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def conda(index: Mapping[str, Any] | None = None, raw: bytes | None = None, fmt: str = "conda") -> Artifact:
    """A conda package named ``bad`` whose ``index.json`` has other members, or is *raw*."""
    return build_conda("bad", index=index, info={"index.json": raw} if raw is not None else None, fmt=fmt)


def conda_info(info_tar: bytes) -> Artifact:
    """A conda package whose info part is the uncompressed or compressed *info_tar*."""
    stem = "bad-1.0-0"
    if info_tar[:4] == b"\x28\xb5\x2f\xfd":
        members = {"metadata.json": b'{"conda_pkg_format_version": 2}', f"pkg-{stem}.tar.zst": zstd(b""), f"info-{stem}.tar.zst": info_tar}
        return Artifact(f"{stem}.conda", pack_zip(members, zipfile.ZIP_STORED))
    return Artifact(f"{stem}.conda", pack_conda(stem, info_tar, pack_tar({})))


INDEX = json.dumps({"name": "bad", "version": "1.0", "build": "0", "build_number": 0, "subdir": "noarch", "depends": []}).encode()


def conda_with(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", fmt: str = "conda") -> Artifact:
    """A conda package with one more member in its info part."""
    members = tar_of(("info/index.json", tarfile.REGTYPE, INDEX, ""), (name, kind, b"", target))
    return conda_info(members) if fmt == "conda" else Artifact("bad-1.0-0.tar.bz2", bz2.compress(members))


def wheel(metadata: bytes | None = None, **members: bytes) -> Artifact:
    """A wheel named ``bad`` with other metadata, or with more members."""
    made = build_wheel("bad", "1.0")
    with zipfile.ZipFile(made.open()) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    if metadata is not None:
        contents["bad-1.0.dist-info/METADATA"] = metadata
    return Artifact(made.filename, pack_zip({**contents, **members}))


def wheel_metadata(**fields: str) -> Artifact:
    given = {"Metadata-Version": "2.1", "Name": "bad", "Version": "1.0", **{name.replace("_", "-"): text for name, text in fields.items()}}
    return wheel("".join(f"{name}: {text}\n" for name, text in given.items()).encode())


def sdist_with(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> Artifact:
    info = b"Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n"
    return Artifact("bad-1.0.tar.gz", gzip.compress(tar_of(("bad-1.0/PKG-INFO", tarfile.REGTYPE, info, ""), (name, kind, b"", target))))


def r_with(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> Artifact:
    description = b"Package: bad\nVersion: 1.0\n"
    members = tar_of(("bad/DESCRIPTION", tarfile.REGTYPE, description, ""), (name, kind, b"", target))
    return Artifact("bad_1.0.tar.gz", gzip.compress(members))


def text(filename: str, data: str | bytes) -> Artifact:
    return Artifact(filename, data.encode() if isinstance(data, str) else data)


def zip_bomb(name: str) -> Artifact:
    """A wheel whose metadata expand to 400 MB, and whose headers say that they are small."""
    made = wheel(bytes(400 * MEGABYTE)) if name == "honest" else wheel(bytes(40 * MEGABYTE))
    if name == "honest":
        return made
    lying = bytearray(made.data)
    with zipfile.ZipFile(io.BytesIO(made.data)) as archive:
        size = archive.getinfo("bad-1.0.dist-info/METADATA").file_size.to_bytes(4, "little")
    position = lying.rfind(size)
    while position >= 0:
        lying[position : position + 4] = (100).to_bytes(4, "little")
        position = lying.rfind(size, 0, position)
    return Artifact(made.filename, bytes(lying))


def billion_laughs() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join([*lines, "dependencies: *i"])


TRAVERSALS = {"climbs": "../../etc/x", "absolute": "/etc/x", "backslash": "..\\x"}
LINKS = {
    "absolute link": (tarfile.SYMTYPE, "/etc/passwd"),
    "climbing link": (tarfile.SYMTYPE, "../../../x"),
    "hard link": (tarfile.LNKTYPE, "../x"),
}
DEVICES = {"device": tarfile.CHRTYPE, "disk": tarfile.BLKTYPE, "pipe": tarfile.FIFOTYPE}

CONDA: dict[str, Case] = {
    "renamed": Case(
        lambda: Artifact("good-1.0-0.conda", conda().data), "conda", ("good-1.0-0.conda",), code="metadata_mismatch", names="filename"
    ),
    "renamed old format": Case(
        lambda: Artifact("good-1.0-0.tar.bz2", conda(fmt="tar.bz2").data),
        "conda",
        ("good-1.0-0.tar.bz2", "bad-1.0-0"),
        code="metadata_mismatch",
        names="filename",
    ),
    "truncated": Case(lambda: truncated(conda()), "conda", ("bad-1.0-0.conda",)),
    "truncated old format": Case(lambda: truncated(conda(fmt="tar.bz2")), "conda", ("bad-1.0-0.tar.bz2",)),
    "not an archive": Case(lambda: text("bad-1.0-0.conda", "x" * 1000), "conda", ("bad-1.0-0.conda",)),
    "bomb": Case(lambda: conda_info(zeros(zstd, 2000, "info/x")), "conda", ("expands to more than",), 413, "too_large"),
    "bomb before info": Case(
        lambda: Artifact("bad-1.0-0.tar.bz2", zeros(bz2.compress, 300, "lib/x")), "conda", ("expands to more than",), 413, "too_large"
    ),
    "many members": Case(lambda: conda_info(many_members(zstd, 400_000)), "conda", ("more than",), 413, "too_large"),
    "huge index": Case(lambda: conda(raw=INDEX + b" " * 3 * MEGABYTE), "conda", ("info/index.json", "larger than"), 413, "too_large"),
    "long header": Case(lambda: conda_info(tar_of((LONG, tarfile.REGTYPE, b"", ""))), "conda", ("extended header",)),
    **{f"{name} member": Case(lambda path=path: conda_with(path), "conda", ("leads out",)) for name, path in TRAVERSALS.items()},  # type: ignore[misc]
    **{
        f"{name} member of the old format": Case(lambda path=path: conda_with(path, fmt="tar.bz2"), "conda", ("leads out",))
        for name, path in TRAVERSALS.items()
    },  # type: ignore[misc]
    **{
        name: Case(lambda kind=kind, target=target: conda_with("info/x", kind, target), "conda", ("link that leads out",))
        for name, (kind, target) in LINKS.items()
    },  # type: ignore[misc]
    **{name: Case(lambda kind=kind: conda_with("info/x", kind), "conda", ("a device or a pipe",)) for name, kind in DEVICES.items()},  # type: ignore[misc]
    "index is a link": Case(
        lambda: conda_info(tar_of(("info/index.json", tarfile.SYMTYPE, b"", "x"))), "conda", ("info/index.json", "not a regular file")
    ),
    "NUL in a name": Case(lambda: conda({"name": "b\0d"}), "conda", ("NUL",)),
    "long name": Case(lambda: conda({"name": "a" * 100_000}), "conda", ("name has 100000 characters",), names="name"),
    "longer name": Case(lambda: conda({"name": LONG}), "conda", ("info/index.json", "larger than"), 413, "too_large"),
    "bad name": Case(lambda: conda({"name": "../bad"}), "conda", ("'../bad'",), names="name"),
    "long version": Case(lambda: conda({"version": "1" * 1000}), "conda", ("version has 1000 characters",), names="version"),
    "name is a number": Case(lambda: conda({"name": 5}), "conda", ("name must be text, not a number",), names="name"),
    "depends is text": Case(lambda: conda({"depends": "python"}), "conda", ("depends must be a list",), names="depends"),
    "depends holds lists": Case(lambda: conda({"depends": [["python"]]}), "conda", ("depends[0]",), names="depends[0]"),
    "build number is text": Case(lambda: conda({"build_number": "0"}), "conda", ("'build_number'",), names="build_number"),
    "build number is huge": Case(lambda: conda({"build_number": 10**30}), "conda", ("'build_number'",), names="build_number"),
    "no subdir": Case(lambda: conda({"subdir": None}), "conda", ("'subdir'",), names="subdir"),
    "subdir climbs": Case(lambda: conda({"subdir": "../x"}), "conda", ("'subdir'",), names="subdir"),
    "index is a list": Case(lambda: conda(raw=b"[]"), "conda", ("info/index.json must be a mapping",), names="info/index.json"),
    "deep lists": Case(lambda: conda(raw=b"[" * DEEP + b"]" * DEEP), "conda", ("nested too deeply",)),
    "deep mappings": Case(lambda: conda(raw=b'{"a":' * DEEP + b"1" + b"}" * DEEP), "conda", ("nested too deeply",)),
    "not UTF-8": Case(lambda: conda(raw=b'{"name": "\xff"}'), "conda", ("UTF-8",)),
    "number without end": Case(lambda: conda(raw=b'{"name": ' + b"1" * 20_000 + b"}"), "conda", ("not JSON",)),
    "built in the future": Case(lambda: conda({"timestamp": 9_999_999_999_999}), "conda", ("'timestamp'",), names="timestamp"),
}

PYPI: dict[str, Case] = {
    "wheel of another name": Case(lambda: wheel_metadata(Name="good"), "pypi", ("'bad'", "'good'"), code="metadata_mismatch", names="name"),
    "wheel of another version": Case(
        lambda: wheel_metadata(Version="2.0"), "pypi", ("'1.0'", "'2.0'"), code="metadata_mismatch", names="version"
    ),
    "truncated wheel": Case(lambda: truncated(build_wheel("bad")), "pypi", ("bad-1.0-py3-none-any.whl",)),
    "truncated sdist": Case(lambda: truncated(build_sdist("bad")), "pypi", ("bad-1.0.tar.gz",)),
    "truncated zip sdist": Case(lambda: truncated(build_sdist("bad", fmt="zip")), "pypi", ("bad-1.0.zip",)),
    "zip bomb": Case(lambda: zip_bomb("honest"), "pypi", ("METADATA", "larger than"), 413, "too_large"),
    "lying zip bomb": Case(lambda: zip_bomb("lying"), "pypi", ("bad-1.0-py3-none-any.whl",)),
    "gzip bomb": Case(
        lambda: Artifact("bad-1.0.tar.gz", zeros(gzip.compress, 2000, "bad-1.0/x")), "pypi", ("expands to more than",), 413, "too_large"
    ),
    "many members": Case(lambda: Artifact("bad-1.0.tar.gz", many_members(gzip.compress, 400_000)), "pypi", ("members",), 413, "too_large"),
    "gzip bomb within": Case(
        lambda: Artifact("bad-1.0.tar.gz", gzip.compress(zeros(gzip.compress, 2000, "bad-1.0/x"))), "pypi", ("bad-1.0.tar.gz",)
    ),
    **{
        f"{name} member of a wheel": Case(lambda path=path: wheel(**{path: b""}), "pypi", ("leads out",))
        for name, path in TRAVERSALS.items()
    },  # type: ignore[misc]
    **{f"{name} member of an sdist": Case(lambda path=path: sdist_with(path), "pypi", ("leads out",)) for name, path in TRAVERSALS.items()},  # type: ignore[misc]
    **{
        name: Case(lambda kind=kind, target=target: sdist_with("bad-1.0/x", kind, target), "pypi", ("a link to",))
        for name, (kind, target) in LINKS.items()
    },  # type: ignore[misc]
    **{name: Case(lambda kind=kind: sdist_with("bad-1.0/x", kind), "pypi", ("a device or a pipe",)) for name, kind in DEVICES.items()},  # type: ignore[misc]
    "NUL in a name": Case(lambda: wheel_metadata(Name="b\0d"), "pypi", ("METADATA",)),
    "long name": Case(lambda: wheel_metadata(Name=LONG), "pypi", ("Name has 1048576 characters",), names="Name"),
    "no version": Case(lambda: wheel(b"Metadata-Version: 2.1\nName: bad\n"), "pypi", ("Version",), names="Version"),
    "bad version": Case(lambda: wheel_metadata(Version="one"), "pypi", ("'one'", "PEP 440"), names="version"),
    "bad requirement": Case(lambda: wheel_metadata(Requires_Dist="((((" * 1000), "pypi", ("Requires-Dist",), names="requires_dist"),
    "bad requires-python": Case(lambda: wheel_metadata(Requires_Python="three"), "pypi", ("Requires-Python",), names="requires_python"),
    "no metadata": Case(lambda: Artifact("bad-1.0-py3-none-any.whl", pack_zip({"bad.py": b""})), "pypi", (".dist-info",)),
    "a name that is none": Case(lambda: Artifact("bad.whl", build_wheel("bad").data), "pypi", ("'bad.whl'",), names="filename"),
}

R: dict[str, Case] = {
    "another name": Case(
        lambda: build_r_package("bad", fields={"Package": "good"}), "r", ("'bad'", "'good'"), code="metadata_mismatch", names="name"
    ),
    "truncated": Case(lambda: truncated(build_r_package("bad")), "r", ("is damaged",)),
    "truncated binary": Case(lambda: truncated(build_r_package("bad", built=WINDOWS, fmt="zip")), "r", ("is damaged",)),
    "bomb": Case(lambda: Artifact("bad_1.0.tar.gz", zeros(gzip.compress, 2000, "bad/x")), "r", ("expands to more than",), 413, "too_large"),
    "many members": Case(lambda: Artifact("bad_1.0.tar.gz", many_members(gzip.compress, 400_000)), "r", ("more than",), 413, "too_large"),
    "huge description": Case(
        lambda: build_r_package("bad", fields={"Description": LONG}), "r", ("DESCRIPTION", "larger than"), 413, "too_large"
    ),
    **{f"{name} member": Case(lambda path=path: r_with(path), "r", ("leads out",)) for name, path in TRAVERSALS.items()},  # type: ignore[misc]
    **{
        name: Case(lambda kind=kind, target=target: r_with("bad/x", kind, target), "r", ("a link to",))
        for name, (kind, target) in LINKS.items()
    },  # type: ignore[misc]
    **{name: Case(lambda kind=kind: r_with("bad/x", kind), "r", ("a device or a pipe",)) for name, kind in DEVICES.items()},  # type: ignore[misc]
    "description is a link": Case(
        lambda: Artifact("bad_1.0.tar.gz", gzip.compress(tar_of(("bad/DESCRIPTION", tarfile.SYMTYPE, b"", "x")))),
        "r",
        ("not a regular file",),
    ),
    "NUL": Case(lambda: build_r_package("bad", fields={"Title": "a\0b"}), "r", ("DESCRIPTION", "NUL")),
    "long name": Case(
        lambda: build_r_package("bad", fields={"Package": "a" * 100_000}), "r", ("Package has 100000 characters",), names="Package"
    ),
    "bad version": Case(lambda: build_r_package("bad", fields={"Version": "1"}), "r", ("'1'",), names="Version"),
    "bad dependency": Case(lambda: build_r_package("bad", fields={"Depends": "a (b"}), "r", ("Depends",), names="Depends"),
    "no description": Case(
        lambda: Artifact("bad_1.0.tar.gz", pack_tar({"bad/x": b""}, "gz")), "r", ("no DESCRIPTION",), names="DESCRIPTION"
    ),
}

_NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
_HINTS = {"package": "bad", "version": "1"}


def notebook(**members: Any) -> Artifact:
    return text("bad.ipynb", json.dumps({**_NOTEBOOK, **members}))


DOCUMENTS: dict[str, Case] = {
    "notebook cut off": Case(lambda: truncated(build_notebook(filename="bad.ipynb")), "notebook", ("not JSON",), query=_HINTS),
    "notebook of depth": Case(lambda: text("bad.ipynb", "[" * DEEP), "notebook", ("nested too deeply",), query=_HINTS),
    "notebook of mappings": Case(
        lambda: text("bad.ipynb", '{"a":' * DEEP + "1" + "}" * DEEP), "notebook", ("nested too deeply",), query=_HINTS
    ),
    "notebook of lists": Case(
        lambda: text("bad.ipynb", "[" + "[]," * 6_000_000 + "1]"), "notebook", ("too many values",), 413, "too_large", query=_HINTS
    ),
    "cells are text": Case(lambda: notebook(cells="x"), "notebook", ("cells",), query=_HINTS),
    "cell is a number": Case(lambda: notebook(cells=[5]), "notebook", ("cell",), query=_HINTS),
    "nbformat is text": Case(lambda: notebook(nbformat="4"), "notebook", ("nbformat",), query=_HINTS),
    "environment of aliases": Case(lambda: text("environment.yml", billion_laughs()), "environment", ("YAML alias",), query=_HINTS),
    "environment of depth": Case(
        lambda: text("environment.yml", "dependencies: " + "[" * DEEP), "environment", ("nested too deeply",), query=_HINTS
    ),
    "environment of NULs": Case(lambda: text("environment.yml", "name: a\0b"), "environment", ("NUL",), query=_HINTS),
    "dependencies are a number": Case(
        lambda: text("environment.yml", "name: x\ndependencies: 5\n"), "environment", ("dependencies",), query=_HINTS
    ),
    "environment runs code": Case(
        lambda: text("environment.yml", "name: !!python/object/apply:os.system [x]\ndependencies: []\n"),
        "environment",
        ("YAML",),
        query=_HINTS,
    ),
    "lock of depth": Case(lambda: text("pylock.toml", "a = " + "[" * DEEP), "environment", ("nested too deeply",), query=_HINTS),
    "lock of dots": Case(lambda: text("pylock.toml", "a." * 20_000 + "a = 1"), "environment", ("nested too deeply",), query=_HINTS),
    "lock of wrong types": Case(
        lambda: text("pylock.toml", 'lock-version = "1.0"\ncreated-by = "x"\npackages = 5\n'), "environment", ("packages",), query=_HINTS
    ),
    "conda lock of wrong types": Case(
        lambda: text("conda-lock.yml", "version: 1\npackage: x\n"), "environment", ("must be",), query=_HINTS
    ),
}
