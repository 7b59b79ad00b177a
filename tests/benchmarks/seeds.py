"""Records and rows that benchmarks start from.

Real channel indexes when the folder that ``CARREL_BENCH_SEEDS`` names holds them, records of the same shape otherwise.
Rows are written by SQL, without uploads: what is measured afterwards goes through the hub.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import zstandard
from sqlalchemy import Connection, insert

from carrel.core.clock import now, to_milliseconds
from carrel.formats.conda import index
from carrel.hub.channels.conda.repository import shard_columns
from carrel.hub.channels.models import channel_version, shard, shard_content, shard_owner
from carrel.hub.labels.models import file_label
from carrel.hub.packages.models import blob, file, package, release
from carrel.testing.rows import Rows

SEEDS = Path(os.environ.get("CARREL_BENCH_SEEDS", Path(__file__).parents[2].parent / "shared/data/repodata"))
_BATCH = 5_000
_DROPPED = ("md5", "sha256", "size", "indexed_timestamp")


def source() -> str:
    """Return what the records come from, for the printed line."""
    return "real index" if any(SEEDS.glob("conda-forge-2018*.zst")) else "synthetic"


def records(count: int, subdir: str = "linux-64") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield file names and ``index.json`` of *count* packages, replicated with higher build numbers when there are more."""
    base = list(_seed())
    for copy in range(count // len(base) + 1):
        for filename, record in islice(base, min(len(base), count - copy * len(base))):
            if not copy:
                yield filename, {**record, "subdir": subdir}
                continue
            number = record["build_number"] + 1000 * copy
            build = f"{record['build'].removesuffix('_' + str(record['build_number']))}_{number}"
            extension = ".conda" if filename.endswith(".conda") else ".tar.bz2"
            name = f"{record['name']}-{record['version']}-{build}{extension}"
            yield name, {**record, "subdir": subdir, "build": build, "build_number": number}


def _seed() -> Iterator[tuple[str, dict[str, Any]]]:
    paths = sorted(SEEDS.glob("conda-forge-2018*.zst"))
    if not paths:
        yield from _synthetic(16_000)
        return
    for path in paths:
        document = json.loads(zstandard.ZstdDecompressor().stream_reader(path.open("rb")).read())
        # Spread over the alphabet, so that a part of the seed is a small channel and not the letter a.
        items = sorted(document["packages"].items(), key=lambda item: hashlib.sha256(item[1]["name"].encode()).digest())
        yield from items


def _synthetic(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    generator = random.Random(1)
    names = [f"{generator.choice(_WORDS)}-{generator.choice(_WORDS)}-{number}" for number in range(count // 4)]
    for number in range(count):
        name, version = names[number // 4], f"{number % 4}.{generator.randrange(30)}.{generator.randrange(9)}"
        depends = [f"{generator.choice(names)} >={generator.randrange(9)}.{generator.randrange(30)}" for _ in range(8)]
        yield (
            f"{name}-{version}-py311_{number % 4}.tar.bz2",
            {
                "name": name,
                "version": version,
                "build": f"py311_{number % 4}",
                "build_number": number % 4,
                "depends": depends,
                "license": "BSD-3-Clause",
                "timestamp": 1_530_000_000_000 + number,
            },
        )


_WORDS = "data array plot graph cloud stream image signal table model text search parse render solve fit cache queue index".split()


def load_conda(connection: Connection, namespace_id: int, count: int, *, label: str = "main", subdir: str = "linux-64") -> int:
    """Write the rows of *count* packages, as uploads would have left them; return the number of names."""
    at = now()
    rows = Rows(connection)
    label_id = rows.label(namespace_id, label)
    by_name: dict[str, dict[str, dict[str, Any]]] = {}
    for filename, record in records(count, subdir):
        by_name.setdefault(record["name"], {})[filename] = record
    next_id = 1 + max(connection.exec_driver_sql(f"SELECT coalesce(max(id), 0) FROM {t}").scalar_one() for t in ("package", "file"))
    tables: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in (package, release, blob, file, file_label, shard_content, shard_owner, shard)
    }

    def flush() -> None:
        for table, values in tables.items():
            if values:
                connection.execute(insert(table), values)
                values.clear()

    release_id = 1 + connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM release").scalar_one()
    for name, files in sorted(by_name.items()):
        package_id, next_id = next_id, next_id + 1
        versions: dict[str, int] = {}
        listed: dict[str, dict[str, Any]] = {}
        for filename, record in files.items():
            attributes = {"index": {key: value for key, value in record.items() if key not in _DROPPED}}
            unique = f"conda/{subdir}/{filename}"
            sha256 = hashlib.sha256(f"{namespace_id}/{unique}".encode()).hexdigest()
            size = record.get("size", 100_000)
            if record["version"] not in versions:
                versions[record["version"]] = release_id
                tables[release].append(
                    {
                        "id": release_id,
                        "package_id": package_id,
                        "version": record["version"],
                        "state": "published",
                        "created_at": at,
                        "published_at": at,
                    }
                )
                release_id += 1
            tables[blob].append({"sha256": sha256, "md5": sha256[:32], "size": size, "created_at": at})
            tables[file].append(
                {
                    "id": next_id,
                    "release_id": versions[record["version"]],
                    "package_id": package_id,
                    "namespace_id": namespace_id,
                    "kind": "conda",
                    "filename": filename,
                    "subdir": subdir,
                    "unique_key": unique,
                    "sha256": sha256,
                    "attributes": attributes,
                    "import_names": [],
                    "uploaded_at": at,
                }
            )
            tables[file_label].append({"file_id": next_id, "label_id": label_id})
            next_id += 1
            listed[filename] = index.repodata_record(
                attributes, sha256=sha256, md5=sha256[:32], size=size, indexed_timestamp=to_milliseconds(at)
            )
        tables[package].append(
            {
                "id": package_id,
                "namespace_id": namespace_id,
                "name": name,
                "name_key": name.lower(),
                "canonical_name": name.lower().replace("_", "-").replace(".", "-"),
                "kinds": ["conda"],
                "visibility": "public",
                "latest_version": record["version"],
                "created_at": at,
                "updated_at": at,
            }
        )
        packed = index.shard(listed)
        tables[shard_content].append({"sha256": packed.sha256, "data": packed.data, "created_at": at})
        tables[shard_owner].append({"sha256": packed.sha256, "package_id": package_id})
        tables[shard].append(
            {
                "label_id": label_id,
                "subdir": subdir,
                "package_id": package_id,
                "name": name,
                "sha256": packed.sha256,
                "updated_at": at,
                **shard_columns(index.fragments(listed)),
            }
        )
        if len(tables[file]) > _BATCH:
            flush()
    flush()
    connection.execute(insert(channel_version).values(namespace_id=namespace_id, protocol="conda", version=1))
    if connection.dialect.name == "postgresql":
        for table in ("package", "file", "release"):
            connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
    return len(by_name)
