"""Environment files of the conda side: what is written is read with the same meaning, and any text is read or refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from carrel.core.errors import CarrelError, InvalidFile
from carrel.formats import parsing
from carrel.formats.environment import conda_lock, environment_yml, explicit, pixi_lock, pixi_toml, selectors
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockProblem, LockSet
from carrel.formats.environment.spec import EnvironmentSpec

few = settings(max_examples=60)
CHANNEL = "https://hub.example/conda/alice"
PLATFORMS = ("linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64")

names = st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,4})?", fullmatch=True)
versions = st.from_regex(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){0,2}", fullmatch=True)
builds = st.from_regex(r"[a-z0-9]{1,6}(_[0-9])?", fullmatch=True)
hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
lines = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=30)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda moment: moment.replace(microsecond=0, tzinfo=UTC))


def conda_packages(platform: str) -> st.SearchStrategy[LockedConda]:
    def make(name: str, version: str, build: str, subdir: str, digest: str, depends: list[str], size: int) -> LockedConda:
        url = f"{CHANNEL}/{subdir}/{name}-{version}-{build}.conda"
        return LockedConda(name, version, build, url, digest, digest[:32], size, subdir, CHANNEL, tuple(depends))

    depends = st.lists(st.builds("{} >={}".format, names, versions) | names, max_size=3)
    return st.builds(make, names, versions, builds, st.sampled_from([platform, "noarch"]), hexes, depends, st.integers(0, 2**40))


def python_package(name: str, version: str, digest: str, size: int) -> LockedPypi:
    url = f"https://files.example/{name.replace('-', '_')}-{version}-py3-none-any.whl"
    return LockedPypi(name, version, url, digest, size, "https://index.example/simple", ">=3.9", (f"{name}-x>=1",))


python_packages = st.builds(python_package, names, versions, hexes, st.integers(0, 2**40))


@st.composite
def locks(draw: st.DrawFn, platform: str) -> Lock:
    conda = draw(st.lists(conda_packages(platform), max_size=4, unique_by=lambda item: item.name))
    pypi = draw(st.lists(python_packages, max_size=3, unique_by=lambda item: item.name))
    return Lock(
        platform=platform,
        python_version=next((item.version for item in conda if item.name == "python"), ""),
        requested=tuple(draw(st.lists(names, max_size=3))),
        channels=tuple(draw(st.lists(st.sampled_from([CHANNEL, f"{CHANNEL}/label/dev", "https://b.example/c"]), max_size=3, unique=True))),
        conda=tuple(sorted(conda, key=lambda item: item.name)),
        pypi=tuple(sorted(pypi, key=lambda item: item.name)),
        captured_at=draw(moments),
        problems=tuple(LockProblem("editable", text, "x", "build_wheel") for text in draw(st.lists(lines, max_size=2))),
        virtual_packages=tuple(draw(st.lists(st.builds("__{}={}=0".format, names, versions), max_size=2))),
        exclude_newer=draw(st.none() | moments),
    )


lock_sets = st.lists(st.sampled_from(PLATFORMS), min_size=1, max_size=3, unique=True).flatmap(
    lambda chosen: st.tuples(*(locks(platform) for platform in chosen)).map(LockSet)
)


@settings(max_examples=30)
@given(lock_sets)
def test_conda_lock_keeps_everything(found: LockSet) -> None:
    data = conda_lock.write_all(found)
    assert conda_lock.read_all(data) == found
    assert conda_lock.write_all(conda_lock.read_all(data)) == data


@few
@given(lock_sets, st.sampled_from([6, 7]))
def test_pixi_lock_keeps_the_packages(found: LockSet, version: Any) -> None:
    read = pixi_lock.read(pixi_lock.write(found, version=version))
    assert [lock.digest for lock in read.locks] == [lock.digest for lock in found.locks]
    for before, after in zip(found.locks, read.locks, strict=True):
        assert after.conda == before.conda
        assert after.pypi == tuple(replace(item, size=0) for item in before.pypi)
        assert version == 6 or after.virtual_packages == before.virtual_packages


@few
@given(locks("linux-64"), st.sampled_from(["sha256", "md5"]))
def test_explicit_files_keep_the_packages(lock: Lock, digest: str) -> None:
    read = explicit.read(explicit.write(lock, digest=digest))
    assert [(item.name, item.version, item.build, item.url) for item in read.conda] == [
        (item.name, item.version, item.build, item.url) for item in lock.conda
    ]
    assert {item.sha256 or item.md5 for item in read.conda} == {getattr(item, digest) for item in lock.conda}
    assert [(item.name, item.version, item.url, item.sha256) for item in read.pypi] == [
        (item.name, item.version, item.url, item.sha256) for item in lock.pypi
    ]


bounds = st.builds("{}{}".format, st.sampled_from([">=", "==", "!=", "<", "~=", ""]), st.builds("{}.{}".format, versions, versions))
constraints = (
    st.just("")
    | st.builds(" {}".format, bounds)
    | st.builds(" {},{}".format, bounds, bounds)
    | st.builds(" {}.* {}".format, versions, builds)
)
conda_specs = st.builds("{}{}{}".format, st.sampled_from(["", "", "conda-forge::", f"{CHANNEL}::"]), names, constraints)
expressions = st.recursive(
    st.sampled_from(["linux", "osx", "win", "unix", "x86_64", "arm64", "linux64"]),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner) | st.builds("not {}".format, inner),
    max_leaves=4,
)
pip_lines = (
    st.builds("{}>={}".format, names, versions)
    | st.builds("{}[extra]=={}".format, names, versions)
    | st.builds("{} @ git+https://code.example/{}.git@main".format, names, names)
    | st.builds("-e ./{}".format, names)
    | st.sampled_from(["--pre", "--find-links ./wheels"])
)


def bare(text: str) -> str:
    return text.rpartition("::")[2].split()[0]


specs = st.builds(
    EnvironmentSpec,
    name=names,
    channels=st.lists(st.sampled_from(["conda-forge", "nvidia/label/cuda-12.1.0", CHANNEL]), max_size=3, unique=True).map(tuple),
    dependencies=st.lists(conda_specs, max_size=5, unique_by=bare).map(tuple),
    pip=st.lists(pip_lines, max_size=4, unique_by=lambda line: line.split()[-1].partition(">")[0].partition("=")[0].partition("[")[0]).map(
        tuple
    ),
    selected=st.lists(st.tuples(expressions, conda_specs), max_size=3, unique_by=lambda entry: bare(entry[1])).map(tuple),
    variables=st.dictionaries(st.from_regex(r"[A-Z_]{1,6}", fullmatch=True), lines, max_size=2).map(lambda found: tuple(found.items())),
    platforms=st.lists(st.sampled_from(PLATFORMS), min_size=1, max_size=4, unique=True).map(tuple),
)


@few
@given(specs)
def test_environment_yml_keeps_everything(spec: EnvironmentSpec) -> None:
    data = environment_yml.write(spec)
    assert environment_yml.read(data) == spec
    assert environment_yml.read(data.decode().replace("\n", "\r\n").encode("utf-8-sig")) == spec


@few
@given(specs, moments, st.sampled_from(PLATFORMS))
def test_pixi_toml_means_the_same_on_each_platform(spec: EnvironmentSpec, moment: datetime, platform: str) -> None:
    spec = replace(
        spec, exclude_newer=moment, system_requirements=(("glibc", "2.28"),), platforms=tuple(dict.fromkeys([*spec.platforms, platform]))
    )
    own = spec.for_platform(platform)
    asked = {bare(text) for text in own.dependencies}
    try:
        data = pixi_toml.write(spec)
    except InvalidFile as error:
        assert "two ways" in error.detail  # noqa: PT017 - of two builds or channels
        return
    read = pixi_toml.read(data, platform=platform)
    assert {bare(text) for text in read.dependencies} == asked
    if len(asked) == len(own.dependencies):
        assert {text.replace(" ", "") for text in read.dependencies} == {text.replace(" ", "") for text in own.dependencies}
    assert read.exclude_newer == moment
    assert (read.channels, read.variables, read.system_requirements) == (spec.channels, spec.variables, spec.system_requirements)
    assert {line.partition("#")[0] for line in read.pip} == set(spec.pip)
    assert pixi_toml.read(data).for_platform(platform).dependencies == read.dependencies


@few
@given(expressions, st.sampled_from(PLATFORMS))
def test_selectors_and_markers_say_the_same(expression: str, platform: str) -> None:
    marker = selectors.marker(expression)
    assert marker is not None
    systems = {"linux": "linux", "osx": "darwin", "win": "win32"}
    machines = {"linux-aarch64": "aarch64", "osx-arm64": "arm64", "win-64": "AMD64"}
    environment = {"sys_platform": systems[platform.partition("-")[0]], "platform_machine": machines.get(platform, "x86_64")}
    parsed = Requirement(f"x ; {marker}").marker
    assert parsed is not None
    assert parsed.evaluate(environment) == selectors.holds(expression, platform)


documents = st.recursive(
    lines | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=15,
)


@few
@given(st.dictionaries(names, documents, min_size=1, max_size=4), st.booleans())
def test_members_of_yaml_are_found_where_they_are(document: dict[str, Any], flow: bool) -> None:
    text = yaml.safe_dump(document, allow_unicode=True, default_flow_style=flow, width=30, sort_keys=False)

    def walk(node: yaml.Node, path: str) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inside = f"{path}.{key.value}".lstrip(".")
                assert parsing.locate_yaml(text.encode(), inside) == key.start_mark.line + 1
                walk(value, inside)
        elif isinstance(node, yaml.SequenceNode):
            for position, value in enumerate(node.value):
                assert parsing.locate_yaml(text.encode(), f"{path}[{position}]") == value.start_mark.line + 1
                walk(value, f"{path}[{position}]")

    walk(yaml.compose(text, Loader=yaml.SafeLoader), "")


SEEDS = {
    "environment": (
        environment_yml.read,
        b"name: x\nchannels: [a]\ndependencies:\n- python=3.1 # [win]\n- sel(osx): b\n- pip:\n  - six # [linux]\n",
    ),
    "explicit": (explicit.read, b"# platform: linux-64\n@EXPLICIT\nhttps://a.example/noarch/a-1-0.conda#" + b"1" * 32 + b"\n"),
    "specs": (explicit.read_specs, b"# platform: linux-64\npython=3.1=0\nnumpy >=1 # x\n"),
    "conda-lock": (
        conda_lock.read_all,
        b"version: 1\nmetadata: {content_hash: {}, channels: [], platforms: [linux-64], sources: []}\npackage:\n"
        b"- {name: a, version: '1', manager: conda, platform: linux-64, url: 'https://a.example/c/noarch/a-1-0.conda',\n"
        b"   hash: {}, optional: false}\n",
    ),
    "pixi.lock": (
        pixi_lock.read,
        b"version: 6\nenvironments:\n  default:\n    channels: [{url: c}]\n    packages:\n      linux-64:\n"
        b"      - conda: https://a.example/c/noarch/a-1-0.conda\n      - pypi: ./x\npackages:\n"
        b"- conda: https://a.example/c/noarch/a-1-0.conda\n  size: 1\n- pypi: ./x\n  name: x\n",
    ),
    "pixi.toml": (
        pixi_toml.read,
        b'[workspace]\nchannels = ["a"]\nplatforms = ["linux-64"]\n[dependencies]\nb = { version = "1" }\n'
        b'[target.win.dependencies]\nb = "2"\n'
        b'[pypi-dependencies]\nc = { git = "https://a.example", rev = "x" }\n'
        b'[feature.f.dependencies]\nd = "*"\n[environments]\ne = ["f"]\n',
    ),
}


@pytest.mark.parametrize("format_", SEEDS)
@few
@given(data=st.data())
def test_damaged_files_are_read_or_refused_with_a_line_that_exists(format_: str, data: st.DataObject) -> None:
    read, seed = SEEDS[format_]
    damaged = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 6))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"[", b"]", b": ", b"\n", b"- ", b"{", b'"', b"1"])
        )
        damaged = damaged or bytearray(b"x")
    try:
        read(bytes(damaged))
    except CarrelError as error:
        line = error.fields.get("line")
        assert line is None or 1 <= line <= damaged.count(b"\n") + damaged.count(b"\r") + 2 or damaged[:2] in (b"\xff\xfe", b"\xfe\xff")
