from __future__ import annotations

import io
import json
import tarfile
import warnings
import zipfile

import pytest

from carrel import formats
from carrel.core.errors import BadRequest, InvalidFile, MetadataMismatch, TooLarge
from carrel.formats.base import Limits
from carrel.testing.artifacts import Artifact, build_sdist, build_wheel, pack_tar, pack_zip

METADATA = b"Metadata-Version: 2.1\nName: a\nVersion: 1.0\n"


def read(artifact: Artifact, limits: Limits | None = None) -> formats.FileMetadata:
    return formats.read(artifact.filename, artifact.open(), kind="pypi", limits=limits or Limits())


def wheel_of(members: dict[str, bytes], filename: str = "a-1.0-py3-none-any.whl") -> Artifact:
    usual = {"a-1.0.dist-info/METADATA": METADATA, "a-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\n", "a-1.0.dist-info/RECORD": b""}
    return Artifact(filename, pack_zip({**usual, **members}))


def test_everything_that_is_read_of_a_wheel() -> None:
    artifact = build_wheel(
        "My.Package",
        "1.0rc1",
        requires=["numpy>=1; python_version < '4'", "six"],
        requires_python=">=3.10",
        summary="Short",
        description="# Long\n",
        files={"my_package/__init__.py": "", "_my_fast.cpython-311-x86_64-linux-gnu.so": ""},
        metadata={"Project-URL": ["Homepage, https://home.example"], "License-Expression": "MIT", "Keywords": "one,two"},
    )
    metadata = read(artifact)
    assert (metadata.package, metadata.version, metadata.subdir) == ("My.Package", "1.0rc1", "")
    assert (metadata.summary, metadata.license, metadata.home_page) == ("Short", "MIT", "https://home.example")
    assert "# Long" in metadata.description
    assert metadata.attributes["filetype"] == "bdist_wheel"
    assert metadata.attributes["tags"] == ["py3-none-any"]
    assert metadata.attributes["requires_dist"] == ["numpy>=1; python_version < '4'", "six"]
    assert metadata.properties == {"project": "my-package", "filetype": "bdist_wheel", "requires_python": ">=3.10"}
    assert metadata.import_names == ("_my_fast", "my_package")
    assert metadata.companions[".metadata"].startswith(b"Metadata-Version: 2.1")
    json.dumps(metadata.attributes)


@pytest.mark.parametrize("fmt", ["tar.gz", "zip"])
def test_everything_that_is_read_of_a_source_distribution(fmt: str) -> None:
    artifact = build_sdist(
        "My-Package", "1.0", fmt=fmt, requires=["six"], files={"src/my_package/__init__.py": "", "setup.py": "", "tests/x.py": ""}
    )
    metadata = read(artifact)
    assert (metadata.package, metadata.version) == ("My-Package", "1.0")
    assert metadata.attributes["filetype"] == "sdist"
    assert metadata.import_names == ("my_package",)
    assert not metadata.companions


def test_modules_in_the_data_folder_count() -> None:
    assert read(wheel_of({"a-1.0.data/purelib/deep.py": b"", "a-1.0.data/scripts/tool.py": b""})).import_names == ("deep",)


def test_what_the_metadata_says_of_modules_wins() -> None:
    told = METADATA.replace(b"2.1", b"2.5") + b"Import-Name: told\nImport-Name: _hidden ; private\n"
    assert read(wheel_of({"a-1.0.dist-info/METADATA": told, "seen.py": b""})).import_names == ("told",)


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        (b"Metadata-Version: 2.1\nName: b\nVersion: 1.0\n", "name"),
        (b"Metadata-Version: 2.1\nName: a\nVersion: 2.0\n", "version"),
    ],
)
def test_a_file_name_that_contradicts_the_metadata(metadata: bytes, field: str) -> None:
    with pytest.raises(MetadataMismatch) as caught:
        read(wheel_of({"a-1.0.dist-info/METADATA": metadata}))
    assert caught.value.fields["field"] == field
    assert set(caught.value.fields) == {"field", "expected", "found"}


def test_equal_versions_may_be_written_differently() -> None:
    assert read(wheel_of({"a-1.0.dist-info/METADATA": METADATA.replace(b"1.0", b"1.0.0")})).version == "1.0.0"


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"Name: a\n",
        b"Name: a\nVersion: not a version\n",
        b"Name: -a-\nVersion: 1.0\n",
        b"Name: a\nVersion: 1.0\nRequires-Python: whatever\n",
        b"Name: a\nVersion: 1.0\nRequires-Dist: ???\n",
        b"Name: a\nVersion: 1.0\nName: b\n",
        b"\xff\xfe\x00",
        b"Name: " + b"a" * 1_000_000 + b"\nVersion: 1.0\n",
        b"Name: a\nVersion: " + b"1" * 1_000_000,
        b"Name: a\nVersion: 1.0\nRequires-Dist: " + b"(" * 100_000,
    ],
)
def test_absurd_metadata_is_refused(metadata: bytes) -> None:
    with pytest.raises(BadRequest):
        read(wheel_of({"a-1.0.dist-info/METADATA": metadata}))


@pytest.mark.parametrize(
    "filename", ["a.whl", "a-1.0.whl", "a-1.0-py3-none-any-x-y-z.whl", "a-x y-py3-none-any.whl", "a.tar.gz", "-1.0.tar.gz"]
)
def test_names_that_no_installer_reads(filename: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        read(Artifact(filename, build_wheel("a").data))
    assert caught.value.fields["field"] == "filename"


@pytest.mark.parametrize("name", ["../evil.py", "/etc/passwd", "a\\b.py", "C:/x.py"])
def test_wheels_that_lead_out_are_refused(name: str) -> None:
    with pytest.raises(InvalidFile):
        read(wheel_of({name: b""}))


def test_wheels_without_their_parts_are_refused() -> None:
    for missing in ("METADATA", "WHEEL", "RECORD"):
        members = {f"a-1.0.dist-info/{name}": METADATA for name in ("METADATA", "WHEEL", "RECORD") if name != missing}
        with pytest.raises(InvalidFile, match=missing):
            read(Artifact("a-1.0-py3-none-any.whl", pack_zip(members)))
    with pytest.raises(InvalidFile, match="exactly one"):
        read(wheel_of({"b-1.0.dist-info/METADATA": METADATA}))


def test_repeated_members_are_refused() -> None:

    buffer = io.BytesIO(wheel_of({}).data)
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("a-1.0.dist-info/METADATA", METADATA)
    with pytest.raises(InvalidFile, match="twice"):
        read(Artifact("a-1.0-py3-none-any.whl", buffer.getvalue()))


def test_bombs_stop_at_the_limit() -> None:
    with pytest.raises(TooLarge):
        read(wheel_of({"a-1.0.dist-info/METADATA": METADATA + bytes(50_000_000)}))
    with pytest.raises(TooLarge):
        read(Artifact("a-1.0.tar.gz", pack_tar({"a-1.0/zeros": bytes(100_000_000), "a-1.0/PKG-INFO": METADATA}, "gz")))
    with pytest.raises(TooLarge):
        read(wheel_of({f"f{i}.py": b"" for i in range(30)}), Limits(archive_members=20))


def test_metadata_behind_a_link_is_not_followed() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("a-1.0/PKG-INFO")
        member.type = tarfile.SYMTYPE
        member.linkname = "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(InvalidFile):
        read(Artifact("a-1.0.tar.gz", buffer.getvalue()))


def test_a_source_distribution_with_its_metadata_deeper_is_none() -> None:
    with pytest.raises(InvalidFile, match="PKG-INFO"):
        read(Artifact("a-1.0.tar.gz", pack_tar({"a-1.0/a.egg-info/PKG-INFO": METADATA}, "gz")))
