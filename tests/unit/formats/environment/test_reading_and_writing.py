"""One door for environment files: every format in, every format out."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from carrel import formats
from carrel.core.errors import BadRequest, InvalidFile
from carrel.core.kinds import Kind
from carrel.formats.environment import load_lock, reading, writing
from carrel.formats.environment.identifying import FileFormat, identify
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockKind, LockProblem, LockSet
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.environment.writing import Options

CHANNEL = "https://hub.example/conda/alice"
INDEX = "https://index.example/simple/"
A, B = "a" * 64, "b" * 64


def conda(name: str, version: str, *depends: str, subdir: str = "linux-64") -> LockedConda:
    url = f"{CHANNEL}/{subdir}/{name}-{version}-h1_0.conda"
    return LockedConda(name, version, "h1_0", url, A, "b" * 32, 9, subdir, CHANNEL, depends)


SIX = LockedPypi("six", "1.17.0", "https://files.example/six-1.17.0-py3-none-any.whl", B, 5, INDEX)
MIXED = Lock(
    "linux-64",
    "3.12.1",
    ("python 3.12.*", "numpy >=2", "six==1.17.0"),
    (CHANNEL,),
    (conda("numpy", "2.1", "python"), conda("pip", "25.0"), conda("python", "3.12.1")),
    (SIX,),
    datetime(2026, 1, 2, tzinfo=UTC),
    problems=(LockProblem("editable", "mine is here.", "mine", "build_wheel"),),
)
MAC = replace(MIXED, platform="osx-arm64", conda=(conda("python", "3.12.1", subdir="osx-arm64"),))
VENV = Lock("linux-64", "3.12.1", ("six==1.17.0",), pypi=(SIX,), kind=LockKind.VENV, exclude_newer=datetime(2026, 1, 1, tzinfo=UTC))
SPEC = EnvironmentSpec("demo", ("conda-forge",), ("numpy >=2", "python 3.12.*"), ("six",), platforms=("linux-64",))
WISHES = EnvironmentSpec(pip=("six>=1", "attrs"), requires_python=">=3.11", indexes=(INDEX,))

LOCK_FORMATS = [
    (MIXED, "conda-lock"),
    (MIXED, "pixi.lock"),
    (MIXED, "explicit"),
    (LockSet((MIXED, MAC)), "conda-lock"),
    (LockSet((MIXED, MAC)), "pixi.lock"),
    (VENV, "pylock.toml"),
    (VENV, "conda-lock"),
]


@pytest.mark.parametrize(("value", "form"), LOCK_FORMATS)
def test_a_lock_written_is_the_lock_read(value: Lock | LockSet, form: str) -> None:
    locks = value if isinstance(value, LockSet) else LockSet((value,))
    filename, data = writing.write(value, form)
    found = reading.read(filename, data)
    assert isinstance(found, LockSet)
    assert {lock.platform: lock.digest for lock in found.locks} == {lock.platform: lock.digest for lock in locks.locks}
    if form != "explicit":  # it does not say what needs what, and so not which comes first
        assert writing.write(found, form) == (filename, data)
    assert load_lock(filename, data, "linux-64").digest == locks.locks[0].digest
    assert formats.read(filename, io.BytesIO(data), hints=formats.Hints("e", "1")).attributes["locked"] is True


@pytest.mark.parametrize(
    ("spec", "form"),
    [
        (SPEC, "environment.yml"),
        (SPEC, "pixi.toml"),
        (SPEC, "notebook"),
        (WISHES, "requirements.txt"),
        (WISHES, "script"),
        (WISHES, "notebook"),
    ],
)
def test_what_is_asked_for_written_is_what_is_read(spec: EnvironmentSpec, form: str) -> None:
    filename, data = writing.write(spec, form)
    found = reading.read(filename, data)
    assert isinstance(found, EnvironmentSpec)
    assert (set(found.dependencies), found.pip, found.indexes) == (set(spec.dependencies), spec.pip, spec.indexes)
    assert writing.write(found, form) == (filename, data)
    described = formats.read(filename, io.BytesIO(data), kind=Kind.ENVIRONMENT, hints=formats.Hints("e", "1")).attributes
    assert described["locked"] is False
    assert {item["name"] for item in described["packages"]} >= {"six"}
    json.dumps(described)


@pytest.mark.parametrize("form", ["environment.yml", "requirements.txt", "script", "notebook"])
def test_a_lock_becomes_wishes_with_its_versions(form: str) -> None:
    filename, data = writing.write(VENV, form)
    found = reading.read(filename, data)
    assert isinstance(found, EnvironmentSpec)
    assert found.pip[0].startswith("six==1.17.0")
    if form != "environment.yml":
        assert (found.requires_python, found.indexes) == ("==3.12.*", (INDEX,))
    assert (found.exclude_newer == VENV.exclude_newer) == (form in ("script", "notebook"))


def test_builds_and_history() -> None:
    def dependencies(**options: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
        spec = writing.specification(MIXED, Options(**options))  # type: ignore[arg-type]
        return spec.dependencies, spec.pip

    assert dependencies() == (("numpy=2.1=h1_0", "pip=25.0=h1_0", "python=3.12.1=h1_0"), ("six==1.17.0",))
    assert dependencies(builds=False) == (("numpy=2.1", "pip=25.0", "python=3.12.1"), ("six==1.17.0",))
    assert dependencies(from_history=True) == (("python 3.12.*", "numpy >=2"), ("six==1.17.0",))
    asked = replace(MIXED, requested=("python 3.12.*", "numpy[build=h1*]", "Six<2"))
    assert writing.specification(asked, Options(from_history=True)).pip == ("Six<2",)
    direct = replace(asked, pypi=(replace(MIXED.pypi[0], index=""),))
    assert writing.specification(direct, Options(from_history=True)).pip == (f"six @ {MIXED.pypi[0].url}",)
    plain = replace(VENV, requested=("six[fast]>=1,<2; python_version > '3'",))
    assert writing.specification(plain, Options(from_history=True)).pip == plain.requested
    text = writing.write(MIXED, "environment.yml", Options(name="mine"))[1].decode()
    assert text.startswith(f"name: mine\nchannels:\n- {CHANNEL}\n- nodefaults\n")


@pytest.mark.parametrize(
    ("value", "form", "code"),
    [
        (MIXED, "pylock.toml", "conda_packages"),
        (MIXED, "requirements.txt", "conda_packages"),
        (MIXED, "script", "conda_packages"),
        (SPEC, "requirements.txt", "conda_packages"),
        (VENV, "explicit", "python_packages"),
        (VENV, "pixi.lock", "python_packages"),
        (SPEC, "conda-lock", "not_a_lock"),
        (SPEC, "pylock.toml", "not_a_lock"),
        (LockSet((MIXED, MAC)), "explicit", "platform_required"),
        (MIXED, "Dockerfile", "unknown_environment_format"),
    ],
)
def test_what_a_format_cannot_say(value: Lock, form: str, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        writing.write(value, form)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("filename", "data", "expected"),
    [
        ("gpu.conda-lock.yml", b"", FileFormat.CONDA_LOCK),
        ("pylock.gpu.toml", b"", FileFormat.PYLOCK),
        ("pixi.lock", b"", FileFormat.PIXI_LOCK),
        ("pixi.toml", b"", FileFormat.PIXI_TOML),
        ("pyproject.toml", b"[tool.pixi.workspace]\nchannels = []\n", FileFormat.PIXI_TOML),
        ("anything.toml", b'lock-version = "1.0"\n', FileFormat.PYLOCK),
        ("uv.lock", b"", FileFormat.UV_LOCK),
        ("analysis.py.lock", b"", FileFormat.UV_LOCK),
        ("conda-linux-64.lock", b"# platform: linux-64\n@EXPLICIT\n", FileFormat.EXPLICIT),
        ("requirements.txt", b"# platform: linux-64\n@EXPLICIT\n", FileFormat.EXPLICIT),
        (
            "requirements.txt",
            b"# This file may be used to create an environment using:\n# $ conda create --file <this file>\nnumpy=2.1=py312_0\n",
            FileFormat.CONDA_LIST,
        ),
        ("requirements-dev.in", b"six", FileFormat.REQUIREMENTS),
        ("deps.txt", b"six>=1\n", FileFormat.REQUIREMENTS),
        ("env.yaml", b"", FileFormat.ENVIRONMENT_YML),
        ("mine.yaml", b"dependencies: [a]\n", FileFormat.ENVIRONMENT_YML),
        ("analysis.py", b"", FileFormat.SCRIPT),
        ("analysis.ipynb", b"{}", FileFormat.NOTEBOOK),
    ],
)
def test_formats_are_told_by_name_and_content(filename: str, data: bytes, expected: FileFormat) -> None:
    assert identify(filename, data) is expected


@pytest.mark.parametrize("filename", ["notes.txt", "setup.cfg", "Pipfile", "data.json", "x"])
def test_other_files_are_refused(filename: str) -> None:
    with pytest.raises(BadRequest) as caught:
        reading.read(filename, b"a = 1\n")
    assert caught.value.code == "unknown_environment_format"
    assert "environment.yml" in caught.value.detail


@pytest.mark.parametrize(
    ("filename", "kind"), [("a.py", Kind.FILE), ("pyproject.toml", Kind.FILE), ("a.ipynb", Kind.NOTEBOOK), ("pixi.toml", Kind.ENVIRONMENT)]
)
def test_scripts_and_notebooks_are_environments_only_when_somebody_says_so(filename: str, kind: Kind) -> None:
    assert formats.detect(filename, io.BytesIO(b"# /// script\n# dependencies = []\n# ///\n")).kind is kind


def test_a_script_is_an_environment_when_somebody_says_so() -> None:
    data = b"# /// script\n# dependencies = ['six==1.17.0']\n# ///\nimport six\n"
    found = formats.read("analysis.py", io.BytesIO(data), kind=Kind.ENVIRONMENT, hints=formats.Hints(version="1"))
    assert found.package == "analysis"
    assert found.attributes["packages"] == [{"name": "six", "version": "1.17.0", "source": "pypi"}]
    with pytest.raises(InvalidFile) as caught:
        formats.read("analysis.py", io.BytesIO(b"x = 1\n"), kind=Kind.ENVIRONMENT, hints=formats.Hints(version="1"))
    assert caught.value.code == "no_block"
    text = data.replace(b"'six==1.17.0'", b"'six @ https://me:secret@x.example/six.zip'")
    with pytest.raises(InvalidFile) as caught:
        formats.read("analysis.py", io.BytesIO(text), kind=Kind.ENVIRONMENT, hints=formats.Hints(version="1"))
    assert caught.value.code == "credentials_in_file"


def test_requirements_in_other_encodings_are_described() -> None:
    data = "# Größe\nsix==1.17.0\n".encode("utf-16")
    found = formats.read("requirements.txt", io.BytesIO(data), hints=formats.Hints("e", "1"))
    assert found.attributes["packages"][0]["name"] == "six"
    with pytest.raises(InvalidFile):
        formats.read("requirements.txt", io.BytesIO("-i https://a:b@x.example/simple\n".encode("utf-16")), hints=formats.Hints("e", "1"))


@pytest.mark.parametrize(
    ("filename", "form"),
    [
        ("environment.yml", "environment.yml"),
        ("mine.yaml", "environment.yml"),
        ("conda-lock.yml", "conda-lock"),
        ("x.conda-lock.yml", "conda-lock"),
        ("pixi.toml", "pixi.toml"),
        ("pixi.lock", "pixi.lock"),
        ("pylock.dev.toml", "pylock.toml"),
        ("requirements-prod.txt", "requirements.txt"),
        ("linux-64.txt", "explicit"),
        ("run.py", "script"),
        ("n.ipynb", "notebook"),
        ("uv.lock", None),
        ("README.md", None),
    ],
)
def test_names_tell_what_is_written(filename: str, form: str | None) -> None:
    assert writing.format_of(filename) == form


def test_every_format_has_an_example_of_every_value() -> None:
    for name, known in writing.FORMATS.items():
        assert known.summary.endswith(".")
        assert known.values <= {Lock, LockSet, EnvironmentSpec}
        assert writing.format_of(known.filename) == name
