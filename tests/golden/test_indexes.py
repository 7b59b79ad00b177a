"""The bytes of indexes that clients cache: a change here makes every client fetch everything again."""

from __future__ import annotations

import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import msgpack
import pytest
import zstandard

from carrel.formats.conda import index as conda_index
from carrel.formats.cran import index as cran_index
from carrel.formats.pypi import index as pypi_index
from carrel.formats.pypi import project_api

GOLDEN = Path(__file__).parent / "indexes"

RECORD = {
    "build": "py_0",
    "build_number": 0,
    "constrains": [],
    "depends": ["python >=3.9"],
    "indexed_timestamp": 1_767_225_600_000,
    "license": "BSD-3-Clause",
    "md5": "0123456789abcdef" * 2,
    "name": "demo",
    "noarch": "python",
    "sha256": "0123456789abcdef" * 4,
    "size": 1234,
    "subdir": "noarch",
    "timestamp": 1_767_225_600_000,
    "version": "1.0",
}
RECORDS = {
    "demo-1.0-py_0.tar.bz2": RECORD,
    "demo-1.0-py_0.conda": {**RECORD, "run_exports": {"weak": ["demo >=1.0"]}},
    "demo-2.0-py_0.conda": {**RECORD, "version": "2.0", "license": "Ünïcode"},
}
FILES = [
    pypi_index.ProjectFile(
        filename=f"demo-{version}-py3-none-any.whl",
        version=version,
        url=f"../../files/{'0123456789abcdef' * 4}/demo-{version}-py3-none-any.whl",
        sha256="0123456789abcdef" * 4,
        size=1234,
        upload_time=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        requires_python=">=3.9,<4",
        metadata_sha256="fedcba9876543210" * 4 if version == "1.0" else "",
        yanked="a <reason>" if version == "2.0" else False,
        provenance="https://hub.example/pypi/alice/integrity/demo/1.0/demo-1.0-py3-none-any.whl/provenance" if version == "1.0" else "",
    )
    for version in ("1.0", "2.0")
]

PROJECT = pypi_index.Project("demo")
TOLD = pypi_index.Project("demo", "archived", "moved to <there>", ("https://other.example/simple/demo/",), ("https://third.example/demo/",))
DESCRIBED = [
    project_api.DescribedFile(
        filename=f"demo-{version}{ending}",
        version=version,
        url=f"https://hub.example/pypi/alice/files/{'0123456789abcdef' * 4}/demo-{version}{ending}",
        sha256="0123456789abcdef" * 4,
        md5="0123456789abcdef" * 2,
        size=1234,
        downloads=7,
        upload_time=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        packagetype="bdist_wheel" if ending.endswith("whl") else "sdist",
        python_version="py3" if ending.endswith("whl") else "source",
        requires_python=">=3.9",
        yanked="a <reason>" if version == "2.0" else False,
        metadata={"name": "Demo", "summary": "Ünïcode", "requires_dist": ["other>=1"], "project_urls": {"Source": "https://a.example"}},
    )
    for version in ("1.0", "2.0")
    for ending in (".tar.gz", "-py3-none-any.whl")
]


STANZAS = [
    cran_index.stanza(record, md5="0123456789abcdef" * 2, filename=filename)
    for record, filename in (
        (
            {"Package": "demo", "Version": "1.0-2", "Depends": "R (>= 3.5.0)", "Imports": "stats, utils", "License": "Ünïcode"},
            "demo_1.0-2.tar.gz",
        ),
        (
            {"Package": "other", "Version": "0.1", "NeedsCompilation": "no", "Built": "R 4.2.2; ; ; unix"},
            "other_0.1_R_x86_64-pc-linux-gnu.tar.gz",
        ),
    )
]
ARCHIVED = [
    cran_index.ArchivedFile(package, f"{package}_{version}.tar.gz", 1234, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    for package, version in (("demo", "0.9"), ("demo", "1.0-1"), ("other", "0.0.1"))
]


def decompressed(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data)


# What zstd makes of the same bytes may change with its version; what it holds may not.
PRODUCTS = {
    "repodata.json": lambda: conda_index.assemble_repodata("noarch", [conda_index.fragments(RECORDS, removed=["demo-0.9-py_0.conda"])]),
    "shard.msgpack": lambda: decompressed(conda_index.shard(RECORDS, removed=["demo-0.9-py_0.conda"]).data),
    "repodata_shards.msgpack": lambda: decompressed(
        conda_index.shard_index("noarch", {"demo": bytes(range(32))}, base_url="./", created_at=datetime(2026, 1, 2, tzinfo=UTC))
    ),
    "project.json": lambda: pypi_index.project_json(PROJECT, FILES),
    "project.html": lambda: pypi_index.project_html(PROJECT, FILES),
    "project-told.json": lambda: pypi_index.project_json(TOLD, FILES[:1]),
    "project-told.html": lambda: pypi_index.project_html(TOLD, FILES[:1]),
    "project-api.json": lambda: project_api.project_description(
        pypi_index.Project("demo"), DESCRIBED, "1.0", "# Demo", "https://hub.example/alice/demo", releases=True, serial=3
    ),
    "root.json": lambda: pypi_index.root_json(["demo", "other"]),
    "root.html": lambda: pypi_index.root_html(["demo", "other"]),
    "PACKAGES": lambda: cran_index.packages(STANZAS),
    "PACKAGES.rds": lambda: gzip.decompress(cran_index.packages_rds(STANZAS)),
    "archive.rds": lambda: gzip.decompress(cran_index.archive_rds(ARCHIVED)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_promised_bytes(name: str) -> None:
    assert PRODUCTS[name]() == (GOLDEN / name).read_bytes()


def test_a_shard_is_named_after_its_compressed_bytes() -> None:
    shard = conda_index.shard(RECORDS)
    assert shard.sha256 == hashlib.sha256(shard.data).hexdigest()
    assert msgpack.unpackb(decompressed(shard.data))["packages"]["demo-1.0-py_0.tar.bz2"]["size"] == 1234


def test_compressed_r_indexes_depend_on_their_contents_alone() -> None:
    text = cran_index.packages(STANZAS)
    compressed = cran_index.packages_gz(text)
    assert gzip.decompress(compressed) == text
    assert compressed[:10] == b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"  # no name, no time, no system
    assert cran_index.packages_gz(text) == compressed
