"""Round trips of locks and indexes, and readers that never fail otherwise than they promise."""

from __future__ import annotations

import io
import json
import string
from datetime import UTC, datetime
from typing import Any

import msgpack
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from carrel import formats
from carrel.core.errors import CarrelError
from carrel.formats import environment
from carrel.formats.conda import index
from carrel.formats.environment import environment_yml, explicit
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockKind, LockProblem
from carrel.formats.parsing import dump_yaml, load_yaml, storable_json
from carrel.testing.artifacts import build_conda, build_notebook, build_r_package, build_sdist, build_wheel

names = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,5})?", fullmatch=True)
# Without zeros in front: readers of pylock.toml normalise versions (PEP 440).
versions = st.from_regex(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){0,2}", fullmatch=True)
builds = st.from_regex(r"[a-z0-9]{1,6}(_[0-9])?", fullmatch=True)
hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
lines = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)
subdirs = st.sampled_from(["linux-64", "noarch"])
CHANNEL = "https://hub.example/conda/alice"


@st.composite
def conda_packages(draw: st.DrawFn) -> LockedConda:
    name, version, build, subdir = draw(names), draw(versions), draw(builds), draw(subdirs)
    depends = draw(st.lists(st.builds("{} >={}".format, names, versions) | names, max_size=4))
    url = f"{CHANNEL}/{subdir}/{name}-{version}-{build}.conda"
    size = draw(st.integers(0, 2**40))
    return LockedConda(name, version, build, url, draw(hexes), draw(hexes)[:32], size, subdir, CHANNEL, tuple(depends))


@st.composite
def python_packages(draw: st.DrawFn) -> LockedPypi:
    name, version = draw(names), draw(versions)
    filename = draw(st.sampled_from([f"{name.replace('-', '_')}-{version}-py3-none-any.whl", f"{name}-{version}.tar.gz"]))
    requires = draw(st.lists(names, max_size=3))
    url = f"https://files.example/{filename}"
    return LockedPypi(
        name, version, url, draw(hexes), draw(st.integers(1, 2**40)), "https://index.example/simple/", ">=3.9", tuple(requires)
    )


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    kind = draw(st.sampled_from(LockKind))
    conda = draw(st.lists(conda_packages(), max_size=5, unique_by=lambda item: item.name)) if kind is LockKind.CONDA else []
    pypi = draw(st.lists(python_packages(), max_size=4, unique_by=lambda item: item.name))
    return Lock(
        platform="linux-64",
        python_version=draw(st.sampled_from(["3.11.9", "3.10"])),
        requested=tuple(draw(st.lists(names, max_size=4))),
        channels=(CHANNEL,) if kind is LockKind.CONDA else (),
        conda=tuple(sorted(conda, key=lambda item: item.name)),
        pypi=tuple(sorted(pypi, key=lambda item: item.name)),
        captured_at=draw(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))).replace(microsecond=0, tzinfo=UTC),
        kind=kind,
        problems=tuple(LockProblem("editable", text, "x") for text in draw(st.lists(lines, max_size=2))),
    )


@given(locks())
def test_locks_survive_their_files(lock: Lock) -> None:
    filename, data = environment.dump_lock(lock)
    read = environment.load_lock(filename, data)
    assert read == lock
    assert read.digest == lock.digest
    metadata = formats.read(filename, io.BytesIO(data), hints=formats.Hints("env", "1"))
    assert metadata.attributes["digest"] == lock.digest


@given(st.lists(conda_packages(), min_size=1, max_size=8, unique_by=lambda item: item.name))
def test_explicit_files_keep_every_package(packages: list[LockedConda]) -> None:
    lock = Lock("linux-64", conda=tuple(packages))
    read = explicit.read(explicit.write(lock))
    assert {(item.name, item.version, item.build, item.sha256, item.url) for item in read.conda} == {
        (item.name, item.version, item.build, item.sha256, item.url) for item in packages
    }


@given(locks())
def test_what_is_asked_for_survives_its_file(lock: Lock) -> None:
    spec = environment_yml.from_lock(lock, "env")
    assert environment_yml.read(environment_yml.write(spec)) == spec


yaml_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | lines,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(lines, inner, max_size=4),
    max_leaves=20,
)


@given(yaml_values)
def test_yaml_survives(value: Any) -> None:
    assert load_yaml(dump_yaml(value), "It") == value


records = st.fixed_dictionaries(
    {
        "name": names,
        "version": versions,
        "build": builds,
        "build_number": st.integers(0, 1000),
        "depends": st.lists(lines, max_size=3),
        "sha256": hexes,
        "md5": hexes.map(lambda text: text[:32]),
        "size": st.integers(0, 2**40),
    }
)
filenames = st.builds("{}-{}-{}{}".format, names, versions, builds, st.sampled_from([".conda", ".tar.bz2"]))


@given(st.lists(st.dictionaries(filenames, records, max_size=4), max_size=5))
def test_fragments_and_shards_say_the_same(channel: list[dict[str, dict[str, Any]]]) -> None:
    merged: dict[str, dict[str, Any]] = {}
    for package in channel:
        merged |= package
    unique = [{filename: record} for filename, record in merged.items()]
    document = json.loads(index.assemble_repodata("noarch", [index.fragments(package) for package in unique]))
    assert document["packages"] | document["packages.conda"] == merged
    for package in unique:
        shard = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(index.shard(package).data))
        for filename, record in (shard["packages"] | shard["packages.conda"]).items():
            told = {**record, "sha256": record["sha256"].hex(), "md5": record["md5"].hex()}
            assert told == merged[filename]


ARTIFACTS = [
    build_conda("a", files={"lib/a.txt": "x" * 200}),
    build_conda("a", fmt="tar.bz2"),
    build_wheel("a"),
    build_sdist("a"),
    build_r_package("aa"),
    build_notebook(),
]


@given(st.sampled_from(ARTIFACTS), st.data())
def test_flipped_bytes_are_read_or_refused(artifact: Any, data: st.DataObject) -> None:
    damaged = bytearray(artifact.data)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    kind = formats.detect(artifact.filename).kind
    try:
        metadata = formats.read(artifact.filename, io.BytesIO(bytes(damaged)), kind=kind, hints=formats.Hints("a", "1"))
    except CarrelError:
        return
    json.dumps(metadata.attributes, ensure_ascii=False).encode()


@given(st.binary(max_size=300) | st.text(string.printable, max_size=300).map(str.encode), st.sampled_from(list(formats.FORMATS)))
def test_any_bytes_are_read_or_refused(data: bytes, kind: str) -> None:
    names_of_kind = {
        "conda": "a-1-0.conda",
        "pypi": "a-1.tar.gz",
        "r": "aa_1.0.tar.gz",
        "notebook": "a.ipynb",
        "environment": "requirements.txt",
        "file": "a.csv",
    }
    try:
        metadata = formats.read(names_of_kind[kind], io.BytesIO(data), kind=kind, hints=formats.Hints("a", "1"))
    except CarrelError:
        return
    json.dumps(storable_json(dict(metadata.attributes)), ensure_ascii=False).encode()
