from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest

from carrel import formats
from carrel.core.errors import BadRequest, CarrelError, InvalidFile, MetadataMismatch, TooLarge
from carrel.core.kinds import Kind
from carrel.formats.cran.dcf import parse_record
from carrel.formats.cran.metadata import identify
from carrel.formats.cran.platforms import contrib_path
from carrel.testing.artifacts import Artifact, build_r_package, build_sdist, pack_tar, pack_zip

LINUX = "R 4.2.2; x86_64-pc-linux-gnu; 2026-01-01 00:00:00 UTC; unix"
PURE = "R 4.2.2; ; 2026-01-01 00:00:00 UTC; unix"
WINDOWS = "R 4.2.2; x86_64-w64-mingw32; 2026-01-01 00:00:00 UTC; windows"


def read(made: Artifact, subdir: str | None = None, kind: str | None = None) -> formats.FileMetadata:
    return formats.read(made.filename, made.open(), kind, formats.Hints(subdir=subdir))


def test_a_source_package() -> None:
    fields = {
        "Depends": "R (>= 3.5.0), methods",
        "Imports": "stats,\n  utils (>= 1.0-2)",
        "URL": "https://a.example, https://b.example",
        "Collate": "a.R",
        "MD5sum": "not ours",
    }
    metadata = read(build_r_package("tiny.pkg", "1.0-2", fields=fields))
    assert (metadata.kind, metadata.package, metadata.version, metadata.subdir) == (Kind.R, "tiny.pkg", "1.0-2", "")
    assert (metadata.summary, metadata.description, metadata.license) == ("The Package tiny.pkg", "What it does.", "MIT")
    assert metadata.home_page == "https://a.example"
    attributes = metadata.attributes
    assert (attributes["type"], attributes["source"], attributes["needs_compilation"]) == ("source", True, False)
    assert attributes["imports"] == ["stats", "utils (>= 1.0-2)"]
    assert attributes["index"]["Imports"] == "stats, utils (>= 1.0-2)"
    assert "MD5sum" not in attributes["index"]
    assert "Collate" not in attributes["description"]


@pytest.mark.parametrize(
    ("built", "fmt", "told", "subdir", "path"),
    [
        (WINDOWS, "zip", None, "windows/4.2", "bin/windows/contrib/4.2"),
        (WINDOWS.replace("x86_64-w64-mingw32", ""), "zip", "windows/4.2", "windows/4.2", "bin/windows/contrib/4.2"),
        (LINUX, "tar.gz", None, "linux/x86_64-linux-gnu/4.2", "bin/linux/x86_64-linux-gnu/contrib/4.2"),
        (LINUX, "tar.gz", "linux/noble/4.2", "linux/noble/4.2", "bin/linux/noble/contrib/4.2"),
        (PURE, "tar.gz", "linux/noble/4.2", "linux/noble/4.2", "bin/linux/noble/contrib/4.2"),
        (PURE, "tgz", "macosx/big-sur-arm64/4.2", "macosx/big-sur-arm64/4.2", "bin/macosx/big-sur-arm64/contrib/4.2"),
        (
            PURE.replace("; ;", "; aarch64-apple-darwin20;"),
            "tgz",
            None,
            "macosx/big-sur-arm64/4.2",
            "bin/macosx/big-sur-arm64/contrib/4.2",
        ),
        (PURE.replace("; ;", "; x86_64-apple-darwin17.0;"), "tgz", None, "macosx/4.2", "bin/macosx/contrib/4.2"),
    ],
)
def test_binaries_and_their_places(built: str, fmt: str, told: str | None, subdir: str, path: str) -> None:
    metadata = read(build_r_package("tiny", built=built, fmt=fmt), told)
    assert (metadata.subdir, contrib_path(metadata.subdir)) == (subdir, path)
    assert (metadata.attributes["type"], metadata.attributes["source"], metadata.attributes["r_version"]) == ("binary", False, "4.2")


def test_the_name_of_a_linux_binary_tells_its_platform() -> None:
    made = build_r_package("tiny", "1.0", built=PURE)
    metadata = read(Artifact("tiny_1.0_R_aarch64-unknown-linux-gnu.tar.gz", made.data))
    assert metadata.subdir == "linux/aarch64-linux-gnu/4.2"


def test_sources_of_two_languages_under_one_name() -> None:
    sdist, package = build_sdist("tool_1.0", "2"), build_r_package("tool", "1.0-2")
    assert formats.detect("tool_1.0-2.tar.gz", package.open()).kind is Kind.R
    assert formats.detect("tool_1.0-2.tar.gz", io.BytesIO(sdist.data)).kind is Kind.PYPI
    assert formats.detect("tool_1.0.tar.gz", io.BytesIO(pack_tar({"tool/x.csv": b"1"}, "gz"))).kind is Kind.FILE
    assert formats.detect("tool_1.0.zip", build_r_package("tool", fmt="zip", built=WINDOWS).open()).kind is Kind.R
    assert formats.detect("tool_1.0.tar.gz").kind is Kind.R


REFUSED: dict[str, tuple[type[CarrelError], str, Callable[[], tuple[Artifact, str | None]]]] = {
    "other folder": (MetadataMismatch, "name", lambda: (build_r_package("tiny", fields={"Package": "other"}), None)),
    "other version": (MetadataMismatch, "version", lambda: (build_r_package("tiny", fields={"Version": "2.0"}), None)),
    "no version": (InvalidFile, "Version", lambda: (build_r_package("tiny", fields={"Version": ""}), None)),
    "one number": (InvalidFile, "Version", lambda: (build_r_package("tiny", fields={"Version": "1"}), None)),
    "bad dependency": (InvalidFile, "Imports", lambda: (build_r_package("tiny", fields={"Imports": "a b"}), None)),
    "field twice": (InvalidFile, "License", lambda: (build_r_package("tiny", fields={"Title": "x\nLicense: GPL"}), None)),
    "source for a platform": (MetadataMismatch, "subdir", lambda: (build_r_package("tiny"), "windows/4.2")),
    "source as binary": (InvalidFile, "Built", lambda: (build_r_package("tiny", fmt="zip"), None)),
    "bad Built": (InvalidFile, "Built", lambda: (build_r_package("tiny", built="R 4"), None)),
    "unix zip": (MetadataMismatch, "Built", lambda: (build_r_package("tiny", built=LINUX, fmt="zip"), None)),
    "linux as macOS": (MetadataMismatch, "Built", lambda: (build_r_package("tiny", built=LINUX, fmt="tgz"), None)),
    "other R": (MetadataMismatch, "subdir", lambda: (build_r_package("tiny", built=WINDOWS, fmt="zip"), "windows/4.3")),
    "no platform": (BadRequest, "subdir", lambda: (build_r_package("tiny", built=PURE, fmt="tgz"), None)),
    "bad platform": (BadRequest, "subdir", lambda: (build_r_package("tiny", built=PURE, fmt="tgz"), "macosx/../4.2")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_contradictions_name_the_field(case: str) -> None:
    error, field, make = REFUSED[case]
    made, subdir = make()
    with pytest.raises(CarrelError) as caught:
        read(made, subdir, "r")
    assert type(caught.value) is error, caught.value
    assert caught.value.fields["field"] == field
    assert caught.value.detail.endswith(".")


def archive(*members: tuple[str, bytes, str]) -> bytes:
    """A package whose archive holds further members: name, type of tar, target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        description = b"Package: tiny\nVersion: 1.0\n"
        info = tarfile.TarInfo("tiny/DESCRIPTION")
        info.size = len(description)
        tar.addfile(info, io.BytesIO(description))
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "member",
    [
        ("../x", tarfile.REGTYPE, ""),
        ("/x", tarfile.REGTYPE, ""),
        ("tiny/x", tarfile.SYMTYPE, "/etc/passwd"),
        ("tiny/x", tarfile.SYMTYPE, "../../x"),
        ("tiny/x", tarfile.LNKTYPE, "../x"),
        ("tiny/x", tarfile.CHRTYPE, ""),
        ("tiny/x", tarfile.BLKTYPE, ""),
        ("tiny/x", tarfile.FIFOTYPE, ""),
        ("x/DESCRIPTION", tarfile.REGTYPE, ""),
    ],
)
def test_members_that_lead_out(member: tuple[str, bytes, str]) -> None:
    with pytest.raises(InvalidFile):
        formats.read("tiny_1.0.tar.gz", io.BytesIO(archive(member)), "r")


def test_links_within_are_fine() -> None:
    data = archive(("tiny/a/b", tarfile.SYMTYPE, "../R"), ("tiny/c", tarfile.LNKTYPE, "tiny/DESCRIPTION"))
    assert formats.read("tiny_1.0.tar.gz", io.BytesIO(data), "r").package == "tiny"


def test_damaged_and_too_large() -> None:
    made = build_r_package("tiny")
    for length in range(0, len(made.data), 20):
        with pytest.raises(InvalidFile):
            formats.read(made.filename, io.BytesIO(made.data[:length]), "r")
    with pytest.raises(TooLarge):
        read(build_r_package("tiny", files={"big": b"\0" * (70 << 20)}))
    with pytest.raises(TooLarge):
        read(build_r_package("tiny", fields={"Description": "x" * (1 << 20)}))
    with pytest.raises(InvalidFile):
        formats.read("tiny_1.0.zip", io.BytesIO(pack_zip({"../x": b""})), "r")


def test_description_text() -> None:
    assert parse_record(b"A: b\r\n  c\n#x\nB:\n d\n", "x") == {"A": "b c", "B": "d"}
    assert parse_record("Encoding: latin1\nAuthor: J\xf6rg\n".encode("latin-1"), "x")["Author"] == "Jörg"
    for wrong in (b"", b" a", b"a", b"A: b\n\nC: d", b"A: \xff", b"A: \0", b"A: 1\nA: 2", b"".join(b"F%d: x\n" % i for i in range(501))):
        with pytest.raises(InvalidFile):
            parse_record(wrong, "x")


def test_uploads_without_a_name_get_one() -> None:
    assert identify(build_r_package("tiny").open()).filename == "tiny_1.0.tar.gz"
    assert identify(build_r_package("tiny", built=PURE).open(), "macosx/big-sur-arm64").filename == "tiny_1.0.tgz"
    assert identify(build_r_package("tiny", built=WINDOWS, fmt="zip").open()).filename == "tiny_1.0.zip"
    with pytest.raises(InvalidFile):
        identify(io.BytesIO(b"x" * 100))
