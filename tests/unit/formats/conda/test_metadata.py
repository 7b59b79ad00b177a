from __future__ import annotations

import bz2
import contextlib
import io
import json
import tarfile
import zipfile
from typing import Any

import pytest
import zstandard

from carrel import formats
from carrel.core.errors import BadRequest, InvalidFile, MetadataMismatch, TooLarge
from carrel.formats.base import Limits
from carrel.testing.artifacts import Artifact, build_conda, pack_conda, pack_tar, pack_zip

FORMATS = ["conda", "tar.bz2"]
INDEX = {"name": "a", "version": "1", "build": "0", "build_number": 0, "subdir": "linux-64", "depends": []}


def read(artifact: Artifact, limits: Limits | None = None) -> formats.FileMetadata:
    return formats.read(artifact.filename, artifact.open(), kind="conda", limits=limits or Limits())


def with_info(members: dict[str, bytes]) -> Artifact:
    return Artifact("a-1-0.conda", pack_conda("a-1-0", pack_tar(members), pack_tar({})))


@pytest.mark.parametrize("fmt", FORMATS)
def test_everything_that_is_read(fmt: str) -> None:
    artifact = build_conda(
        "demo",
        "1.2",
        build="py_3",
        build_number=3,
        depends=["python >=3.9"],
        noarch="python",
        fmt=fmt,
        files={"site-packages/demo/__init__.py": "", "site-packages/extra.py": "", "bin/demo": ""},
        about={"summary": "A demo", "description": "Long", "home": "https://demo.example", "license": "MIT", "env_vars": {"SECRET": "x"}},
        run_exports=["demo >=1.2"],
        entry_points=["demo = demo:main"],
    )
    metadata = read(artifact)
    assert (metadata.package, metadata.version, metadata.subdir, metadata.filename) == ("demo", "1.2", "noarch", artifact.filename)
    assert (metadata.summary, metadata.description, metadata.license, metadata.home_page) == (
        "A demo",
        "Long",
        "MIT",
        "https://demo.example",
    )
    assert metadata.attributes["index"]["depends"] == ["python >=3.9"]
    assert metadata.attributes["run_exports"] == {"weak": ["demo >=1.2"]}
    assert metadata.attributes["entry_points"] == ["demo = demo:main"]
    assert set(metadata.attributes["about"]) == {"summary", "home", "license"}
    assert metadata.import_names == ("demo", "extra")
    assert metadata.properties == {"build": "py_3", "subdir": "noarch", "noarch": "python"}
    json.dumps(metadata.attributes)


@pytest.mark.parametrize(
    "path", ["lib/python3.12/site-packages/cv2/__init__.py", "Lib/site-packages/cv2/__init__.py", "lib/python3.13t/site-packages/cv2.py"]
)
def test_modules_of_native_packages(path: str) -> None:
    assert read(build_conda("opencv", files={path: ""})).import_names == ("cv2",)


@pytest.mark.parametrize("fmt", FORMATS)
def test_null_dependencies_become_a_list(fmt: str) -> None:
    for nothing in ({}, {"depends": None, "constrains": None}):
        document = json.dumps({**{key: value for key, value in INDEX.items() if key != "depends"}, **nothing})
        index = read(build_conda("a", "1", fmt=fmt, info={"index.json": document})).attributes["index"]
        assert index["depends"] == []
        assert index["constrains"] == []


def test_newer_schemas_are_flagged() -> None:
    assert read(build_conda("a", "1", index={"schema_version": 3})).properties["schema_version"] == "3"


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../evil"),
        ("name", "UPPER"),
        ("name", "__virtual"),
        ("name", "a\n"),
        ("name", "a" * 65),
        ("name", 1),
        ("name", None),
        ("version", "1/2"),
        ("version", "1-2"),
        ("version", 1.0),
        ("version", ""),
        ("build", "a b"),
        ("build", None),
        ("build_number", "0"),
        ("build_number", -1),
        ("build_number", True),
        ("build_number", 2**60),
        ("build_number", None),
        ("depends", "python"),
        ("depends", [1]),
        ("depends", [""]),
        ("depends", {"python": ""}),
        ("constrains", [None]),
        ("subdir", None),
        ("subdir", "../noarch"),
        ("subdir", "linux"),
        ("noarch", "perl"),
        ("timestamp", -5),
        ("timestamp", "today"),
        ("license", ["MIT"]),
        ("track_features", 3),
        ("python_site_packages_path", "../../etc"),
        ("depends", ["x"] * 5001),
        ("depends", ["x" * 5000]),
    ],
)
def test_absurd_fields_are_refused_by_name(fmt: str, field: str, value: Any) -> None:
    index = {**INDEX, field: value}
    if value is None:
        del index[field]
    artifact = build_conda("a", "1", fmt=fmt, info={"index.json": json.dumps(index)})
    with pytest.raises((InvalidFile, MetadataMismatch)) as caught:
        read(artifact)
    assert caught.value.fields.get("field", "").startswith(field) or field == "python_site_packages_path"


@pytest.mark.parametrize(
    "document", [b"[]", b"null", b'"x"', b"{", b"", b'{"name": "\\u0000"}', b'{"name": "\\ud800"}', b"\xff\xfe", b"[" * 50_000]
)
def test_an_index_that_is_no_object_is_refused(document: bytes) -> None:
    with pytest.raises(InvalidFile):
        read(build_conda("a", "1", info={"index.json": document}))


@pytest.mark.parametrize("part", ["about.json", "run_exports.json", "paths.json", "link.json"])
@pytest.mark.parametrize(
    "document",
    [b"{", b"1", b"\xff", b'{"paths": 1}', b'{"paths": [{"_path": "../../x"}]}', b'{"weak": [1]}', b'{"noarch": {"entry_points": [1]}}'],
)
def test_odd_companions_fail_cleanly_or_are_left_out(part: str, document: bytes) -> None:
    with contextlib.suppress(InvalidFile):
        json.dumps(read(build_conda("a", "1", info={part: document})).attributes)


def test_the_file_name_must_be_what_the_package_says() -> None:
    artifact = build_conda("a", "1", fmt="tar.bz2")
    with pytest.raises(MetadataMismatch) as caught:
        read(Artifact("b-1-0.tar.bz2", artifact.data))
    assert caught.value.fields == {"field": "filename", "expected": "a-1-0.tar.bz2", "found": "b-1-0.tar.bz2"}


def test_a_renamed_conda_file_says_its_own_name() -> None:
    with pytest.raises(MetadataMismatch) as caught:
        read(Artifact("b-1-0.conda", build_conda("a", "1").data))
    assert caught.value.fields["expected"] == "a-1-0.conda"


@pytest.mark.parametrize("name", ["../index.json", "/etc/passwd", "info/../../x", "C:/x", "info\\x", "x" * 5000])
def test_names_that_lead_out_are_refused(name: str) -> None:
    with pytest.raises(InvalidFile):
        read(with_info({"info/index.json": json.dumps(INDEX).encode(), name: b""}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "about.json"])
def test_links_and_devices_are_no_metadata(kind: bytes, target: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("info/index.json")
        member.type = kind
        member.linkname = target
        archive.addfile(member)
    with pytest.raises(InvalidFile):
        read(Artifact("a-1-0.conda", pack_conda("a-1-0", buffer.getvalue(), pack_tar({}))))


def test_a_repeated_index_is_refused() -> None:
    first = pack_tar({"info/index.json": json.dumps(INDEX).encode()})
    doubled = first[: first.rindex(b"}") // 512 * 512 + 512] + first
    with pytest.raises(InvalidFile, match="twice"):
        read(Artifact("a-1-0.conda", pack_conda("a-1-0", doubled, pack_tar({}))))


def test_bombs_stop_at_the_limit() -> None:
    bomb = pack_tar({"info/index.json": json.dumps(INDEX).encode(), "info/zeros": bytes(100_000_000)})
    artifact = Artifact("a-1-0.conda", pack_conda("a-1-0", bomb, pack_tar({})))
    assert len(artifact.data) < 50_000
    with pytest.raises(TooLarge):
        read(artifact)


@pytest.mark.parametrize("header", [b"1" * 100_000, b"30 path=x\n" * 10_000])
def test_long_extended_headers_are_refused_before_they_are_searched(header: bytes) -> None:
    member = tarfile.TarInfo("x")
    member.type = tarfile.XHDTYPE
    member.size = len(header)
    tar = (
        member.tobuf(tarfile.USTAR_FORMAT) + header + bytes(-len(header) % 512) + pack_tar({"info/index.json": json.dumps(INDEX).encode()})
    )
    with pytest.raises(InvalidFile, match="extended header"):
        read(Artifact("a-1-0.conda", pack_conda("a-1-0", tar, pack_tar({}))))


def test_long_and_unusual_names_are_read() -> None:
    name = "info/" + "d/" * 400 + "ü" * 50
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in ((name, b""), ("info/index.json", json.dumps(INDEX).encode())):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            member.mtime = 1.5
            archive.addfile(member, io.BytesIO(data))
    assert read(Artifact("a-1-0.conda", pack_conda("a-1-0", buffer.getvalue(), pack_tar({})))).package == "a"


def test_a_bomb_of_bzip2_stops_in_proportion_to_its_size() -> None:
    artifact = Artifact("a-1-0.tar.bz2", pack_tar({"zeros": bytes(100_000_000), "info/index.json": b"{}"}, "bz2"))
    with pytest.raises(TooLarge):
        read(artifact)


def test_metadata_has_a_size_limit() -> None:
    with pytest.raises(TooLarge):
        read(build_conda("a", "1", info={"about.json": json.dumps({"summary": "x" * 5_000_000})}))
    with pytest.raises(TooLarge):
        read(build_conda("a", "1", info={f"f{i}": "" for i in range(30)}), Limits(archive_members=20))


def test_info_at_the_end_of_an_old_archive_is_found() -> None:
    members = {"lib/a.txt": b"x", "info/index.json": json.dumps(INDEX).encode(), "info/about.json": b'{"summary": "late"}'}
    assert read(Artifact("a-1-0.tar.bz2", pack_tar(members, "bz2"))).summary == "late"


def test_what_follows_the_info_part_is_not_read() -> None:
    tar = pack_tar({"info/index.json": json.dumps(INDEX).encode(), "lib/x": b"x" * 10_000})
    assert read(Artifact("a-1-0.tar.bz2", bz2.compress(tar[:4096]))).package == "a"  # cut in the middle of lib/x


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"metadata.json": b"{}"},
        {"metadata.json": b'{"conda_pkg_format_version": 2}', "info-a-1-0.tar.zst": b""},
        {"metadata.json": b'{"conda_pkg_format_version": 2}', "info-a-1-0.tar.zst": b"no zstd", "pkg-a-1-0.tar.zst": b""},
        {"metadata.json": b'{"conda_pkg_format_version": 3}', "info-a-1-0.tar.zst": b"", "pkg-a-1-0.tar.zst": b""},
        {"info-a-1-0.tar.zst": b"", "pkg-a-1-0.tar.zst": b""},
        {"metadata.json": b"{", "info-a-1-0.tar.zst": b"", "pkg-a-1-0.tar.zst": b""},
        {"../metadata.json": b""},
    ],
)
def test_zip_files_that_are_no_packages(members: dict[str, bytes]) -> None:
    with pytest.raises(BadRequest):
        read(Artifact("a-1-0.conda", pack_zip(members, zipfile.ZIP_STORED)))


def test_members_must_not_be_compressed_again() -> None:
    good = zipfile.ZipFile(build_conda("a", "1").open())
    packed = pack_zip({name: good.read(name) for name in good.namelist()}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InvalidFile, match="second time"):
        read(Artifact("a-1-0.conda", packed))


def test_a_window_that_takes_gigabytes_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=30)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()  # unknown size: the window is kept
    frame = compressor.compress(pack_tar({"info/index.json": json.dumps(INDEX).encode()})) + compressor.flush()
    data = pack_zip(
        {"metadata.json": b'{"conda_pkg_format_version": 2}', "info-a-1-0.tar.zst": frame, "pkg-a-1-0.tar.zst": b""}, zipfile.ZIP_STORED
    )
    with pytest.raises(InvalidFile):
        read(Artifact("a-1-0.conda", data))
