from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from packaging.tags import Tag

from carrel import formats
from carrel.core.errors import BadRequest, InvalidFile
from carrel.formats import environment
from carrel.formats.environment import conda_lock, environment_yml, explicit, pylock
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockKind, LockProblem, in_install_order
from carrel.formats.parsing import load_yaml

CHANNEL = "https://hub.example/conda/alice"


def conda(name: str, version: str = "1.0", *depends: str, **fields: object) -> LockedConda:
    item = LockedConda(
        name, version, "h1_0", f"{CHANNEL}/linux-64/{name}-{version}-h1_0.conda", "a" * 64, "b" * 32, 9, "linux-64", CHANNEL, depends
    )
    return replace(item, **fields)  # type: ignore[arg-type]


def pypi(name: str, version: str = "1.0", filename: str = "", **fields: object) -> LockedPypi:
    url = f"https://files.example/{filename or f'{name}-{version}-py3-none-any.whl'}"
    item = LockedPypi(name, version, url, "d" * 64, 55, "https://index.example/simple/", ">=3.8", ("six>=1; extra == 'x'", "attrs"))
    return replace(item, **fields)  # type: ignore[arg-type]


LOCK = Lock(
    platform="linux-64",
    python_version="3.10",
    requested=("python 3.10.*", "numpy"),
    channels=(CHANNEL,),
    conda=(conda("numpy", "2.10", "python >=3.10,<3.11.0a0", "python_abi 3.10.* *_cp310", "python"), conda("python", "3.10")),
    pypi=(pypi("Foo.Bar"), pypi("tool", filename="tool-1.0.tar.gz")),
    captured_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    problems=(LockProblem("editable", "mine is installed from a folder.", "mine"),),
)
VENV = replace(LOCK, conda=(), channels=(), kind=LockKind.VENV)


@pytest.mark.parametrize(("lock", "filename"), [(LOCK, "conda-lock.yml"), (VENV, "pylock.toml")])
def test_a_lock_survives_its_file(lock: Lock, filename: str) -> None:
    name, data = environment.dump_lock(lock)
    assert name == filename
    assert environment.load_lock(name, data) == lock
    assert environment.dump_lock(environment.load_lock(name, data))[1] == data


def test_the_digest_tells_of_packages_not_of_places() -> None:
    moved = replace(
        LOCK, conda=tuple(replace(item, url=f"https://mirror.example/{item.filename}", channel="x") for item in reversed(LOCK.conda))
    )
    assert replace(moved, captured_at=datetime.now(UTC), requested=()).digest == LOCK.digest
    assert replace(LOCK, platform="osx-64").digest != LOCK.digest
    assert replace(LOCK, pypi=(replace(LOCK.pypi[0], name="foo_bar"), LOCK.pypi[1])).digest == LOCK.digest
    assert replace(LOCK, pypi=LOCK.pypi[:1]).digest != LOCK.digest
    assert replace(LOCK, conda=(replace(LOCK.conda[0], sha256="e" * 64), LOCK.conda[1])).digest != LOCK.digest


def test_conda_lock_has_the_shape_of_cep_37() -> None:
    document = load_yaml(conda_lock.write(LOCK), "It")
    assert set(document) == {"version", "metadata", "package"}
    metadata = document["metadata"]
    assert set(metadata) <= {"content_hash", "channels", "platforms", "sources", "time_metadata", "custom_metadata"}
    assert metadata["content_hash"] == {"linux-64": LOCK.digest}
    assert metadata["channels"] == [{"url": CHANNEL, "used_env_vars": []}]
    assert all(isinstance(value, str) for value in metadata["custom_metadata"].values())
    numpy = next(item for item in document["package"] if item["name"] == "numpy")
    assert numpy["version"] == "2.10"
    assert numpy["dependencies"] == {"python": ">=3.10,<3.11.0a0", "python_abi": "3.10.* *_cp310"}
    assert [item["manager"] for item in document["package"]] == ["conda", "conda", "pip", "pip"]


FOREIGN = """
version: 1
metadata:
  content_hash: {linux-64: aa, osx-64: bb}
  channels: [{url: conda-forge, used_env_vars: []}]
  platforms: [linux-64, osx-64]
  sources: [environment.yml]
package:
- {name: python, version: 3.11.9, manager: conda, platform: linux-64, dependencies: {openssl: '>=3'}, optional: false, category: main,
   url: 'https://conda.example/conda-forge/linux-64/python-3.11.9-h1_0.conda', hash: {md5: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb}}
- {name: six, version: 1.17.0, manager: pip, platform: linux-64, dependencies: {}, optional: false,
   url: 'https://files.example/six-1.17.0-py3-none-any.whl', hash: {sha256: SHA}}
- {name: extra, version: 2024, manager: conda, platform: linux-64, optional: true, hash: {},
   url: 'https://conda.example/conda-forge/noarch/extra-2024-0.conda'}
- {name: python, version: 3.11.8, manager: conda, platform: osx-64, optional: false, hash: {},
   url: 'https://conda.example/conda-forge/osx-64/python-3.11.8-h1_0.conda'}
""".replace("SHA", "c" * 64)


def test_locks_of_other_tools_are_read_by_platform() -> None:
    lock = conda_lock.read(FOREIGN.encode(), "linux-64")
    assert lock.python_version == "3.11.9"
    assert [(item.name, item.build, item.subdir, item.depends) for item in lock.conda] == [("python", "h1_0", "linux-64", ("openssl >=3",))]
    assert lock.conda[0].channel == "https://conda.example/conda-forge"
    assert lock.pypi[0].filename == "six-1.17.0-py3-none-any.whl"
    with pytest.raises(BadRequest) as caught:
        conda_lock.read(FOREIGN.encode())
    assert caught.value.code == "platform_required"
    with pytest.raises(BadRequest) as caught:
        conda_lock.read(FOREIGN.encode(), "win-64")
    assert caught.value.code == "wrong_platform"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("manager: pip", "manager: npm"),
        ("platforms: [linux-64, osx-64]", "platforms: [noarch]"),
        ("platforms: [linux-64, osx-64]", "platforms: linux-64"),
        ("name: six", "name: '../six'"),
        ("version: 1.17.0", "version: [1]"),
        ("c" * 64, "c" * 63),
        ("platform: osx-64", "platform: win-64"),
        ("python-3.11.9-h1_0.conda", "python.exe"),
        ("https://files.example/six", "https://u:p@files.example/six"),
        ("hash: {sha256", "hash: [sha256"),
        ("version: 1\n", "version: 2\n"),
        ("package:", "packages:"),
    ],
)
def test_broken_locks_are_refused(old: str, new: str) -> None:
    assert old in FOREIGN
    with pytest.raises(BadRequest):
        conda_lock.read(FOREIGN.replace(old, new, 1).encode(), "linux-64")


@pytest.mark.parametrize("write", [conda_lock.write, pylock.write, explicit.write])
def test_no_credentials_are_written(write: object) -> None:
    secret = "https://hub.example/t/ca-verysecret/conda/alice/linux-64/python-3.10-h1_0.conda"
    lock = replace(
        LOCK, conda=(conda("python", "3.10", url=secret),), pypi=(pypi("a", url="https://u:p@files.example/a-1.0-py3-none-any.whl"),)
    )
    with pytest.raises(InvalidFile) as caught:
        write(lock)  # type: ignore[operator]
    assert caught.value.code == "credentials_in_file"
    assert "verysecret" not in caught.value.detail


def test_an_explicit_file_puts_dependencies_first() -> None:
    lock = replace(LOCK, conda=(conda("a", "1", "b >=1", "missing"), conda("b", "1", "c"), conda("c", "1", "a")))
    lines = explicit.write(lock).decode().splitlines()
    assert lines[:2] == ["# platform: linux-64", "@EXPLICIT"]
    assert [line.rpartition("/")[2].partition("-")[0] for line in lines[2:5]] == ["c", "b", "a"]
    assert [line.partition(" @ ")[0] for line in lines[5:]] == ["# pip Foo.Bar", "# pip tool"]
    assert lines[2].endswith("#sha256:" + "a" * 64)
    read = explicit.read(explicit.write(LOCK))
    assert [(item.name, item.version, item.build, item.sha256, item.channel) for item in read.conda] == [
        (item.name, item.version, item.build, item.sha256, item.channel) for item in LOCK.conda
    ]
    assert (read.platform, read.python_version) == ("linux-64", "3.10")


def test_deep_chains_are_ordered_without_recursion() -> None:
    chain = [conda(f"p{i}", "1", f"p{i + 1}") for i in range(5000)]
    assert in_install_order(chain)[0].name == "p4999"


@pytest.mark.parametrize(
    "text",
    [
        "https://a.example/noarch/a-1-0.conda\n",
        "@EXPLICIT\npython\n",
        "@EXPLICIT\nhttps://a.example/noarch/a.conda\n",
        "@EXPLICIT\nhttps://a.example/noarch/a-1-0.conda#zz\n",
        "@EXPLICIT\nhttps://a.example/noarch/a-1-0.conda\nhttps://a.example/noarch/a-2-0.conda\n",
        "@EXPLICIT\nhttps://a.example/linux-64/a-1-0.conda\nhttps://a.example/osx-64/b-2-0.conda\n",
        "@EXPLICIT\nhttps://u:p@a.example/noarch/a-1-0.conda\n",
    ],
)
def test_broken_explicit_files(text: str) -> None:
    with pytest.raises(InvalidFile):
        explicit.read(text.encode())


def test_explicit_digests_in_all_three_forms() -> None:
    text = "@EXPLICIT\nhttps://a.example/c/noarch/a-1-0.conda#{}\nhttps://a.example/c/noarch/b-1-0.tar.bz2#{}\nhttps://a.example/c/noarch/d-1-0.conda#sha256:{}\n"
    a, b, d = explicit.read(text.format("1" * 32, "2" * 64, "3" * 64).encode()).conda
    assert (a.md5, b.sha256, d.sha256) == ("1" * 32, "2" * 64, "3" * 64)


def test_pylock_chooses_the_wheel_for_the_interpreter() -> None:
    wheel = '{{name = "a-1-{tag}.whl", url = "https://f.example/a-1-{tag}.whl", hashes = {{sha256 = "' + "c" * 64 + '"}}}}'
    tags = ["cp311-cp311-win_amd64", "cp311-cp311-linux_x86_64", "cp312-cp312-linux_x86_64"]
    text = 'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "a"\nversion = "1"\nwheels = ['
    data = (text + ", ".join(wheel.format(tag=tag) for tag in tags) + "]\n").encode()
    chosen = pylock.read(data, [Tag("cp311", "cp311", "linux_x86_64"), Tag("py3", "none", "any")]).pypi[0]
    assert chosen.filename == "a-1-cp311-cp311-linux_x86_64.whl"
    with pytest.raises(InvalidFile) as caught:
        pylock.read(data, [Tag("cp313", "cp313", "linux_x86_64")])
    assert caught.value.code == "not_from_index"
    assert pylock.read(data).pypi[0].filename == "a-1-cp311-cp311-win_amd64.whl"


@pytest.mark.parametrize(
    "text",
    [
        "",
        'lock-version = "2.0"\ncreated-by = "x"\npackages = []\n',
        'lock-version = "1.0"\ncreated-by = "x"\npackages = 3\n',
        'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "../x"\n',
        "= broken",
    ],
)
def test_broken_pylocks(text: str) -> None:
    with pytest.raises(InvalidFile):
        pylock.read(text.encode())


def test_a_lock_for_uv_and_pip_says_which_python() -> None:
    assert 'requires-python = "==3.10.*"' in pylock.write(VENV).decode()


SPEC = environment_yml.EnvironmentSpec(
    "demo",
    ("conda-forge", CHANNEL),
    ("python=3.10", "numpy >=2"),
    ("six==1.17", "-e ."),
    (("win", "pywin32"),),
    (("A", "b"),),
    ("linux-64",),
)


def test_environment_yml_survives_its_file() -> None:
    assert environment_yml.read(environment_yml.write(SPEC)) == SPEC


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "name: x\n",
        "dependencies: numpy\n",
        "dependencies: [1]\n",
        "dependencies: ['']\n",
        "dependencies: [{npm: [x]}]\n",
        "dependencies: []\nname: a b\n",
        "dependencies: []\nplatforms: [noarch]\n",
        "dependencies: []\nchannels: ['https://u:p@x.example']\n",
        "dependencies: []\nvariables: {A: [1]}\n",
    ],
)
def test_broken_environment_files(text: str) -> None:
    with pytest.raises(InvalidFile):
        environment_yml.read(text.encode())


def test_what_was_asked_for_is_pinned() -> None:
    spec = environment_yml.from_lock(LOCK, "demo")
    assert spec.dependencies == ("numpy=2.10", "python=3.10", "pip")
    assert spec.pip == ("Foo.Bar==1.0", "tool==1.0")
    assert spec.channels == (CHANNEL, "nodefaults")
    assert environment_yml.from_lock(replace(LOCK, requested=(), pypi=())).dependencies == ("numpy=2.10", "python=3.10")
    assert environment_yml.from_lock(VENV).dependencies == ("python=3.10", "pip")


PIXI = f"""
version: 6
environments:
  default:
    channels: [{{url: '{CHANNEL}/'}}]
    packages:
      linux-64:
      - conda: {CHANNEL}/linux-64/python-3.12.1-h1_0.conda
      - pypi: https://files.example/six-1.17.0-py3-none-any.whl
      - pypi: ./
packages:
- conda: {CHANNEL}/linux-64/python-3.12.1-h1_0.conda
  sha256: {"a" * 64}
- pypi: https://files.example/six-1.17.0-py3-none-any.whl
  name: six
  version: 1.17.0
- pypi: ./
  name: mine
"""
REQUIREMENTS = rf"""
--extra-index-url https://index.example/simple
numpy==2.1  # why
six>=1
-e .
./local
foo==1 --hash=sha256:{"a" * 64} \
  --hash=sha256:{"b" * 64}
"""


@pytest.mark.parametrize(
    ("filename", "data", "expected"),
    [
        (
            "conda-lock.yml",
            conda_lock.write(LOCK),
            {"format": "conda-lock", "locked": True, "python_version": "3.10", "package_count": 4, "pypi_count": 2},
        ),
        ("x.conda-lock.yml", FOREIGN.encode(), {"platforms": ["linux-64", "osx-64"], "digest": "", "package_count": 2}),
        ("pylock.toml", pylock.write(VENV), {"format": "pylock", "platform": "linux-64", "package_count": 2, "digest": VENV.digest}),
        ("spec.txt", explicit.write(LOCK), {"format": "explicit", "locked": True, "package_count": 4, "channels": [CHANNEL]}),
        (
            "environment.yml",
            environment_yml.write(SPEC),
            {"format": "environment.yml", "locked": False, "name": "demo", "python_version": "3.10"},
        ),
        ("pixi.lock", PIXI.encode(), {"format": "pixi-lock", "python_version": "3.12.1", "package_count": 3, "platforms": ["linux-64"]}),
        (
            "requirements.txt",
            REQUIREMENTS.encode(),
            {"format": "requirements", "package_count": 3, "channels": ["https://index.example/simple"]},
        ),
    ],
)
def test_every_format_is_described_the_same_way(filename: str, data: bytes, expected: dict[str, object]) -> None:
    metadata = formats.read(filename, io.BytesIO(data), hints=formats.Hints("env", "1"))
    assert {key: metadata.attributes[key] for key in expected} == expected
    keys = {"format", "platform", "platforms", "python_version", "package_count", "packages", "channels", "digest", "requested"}
    assert keys <= set(metadata.attributes)
    assert all({"name", "version", "source"} <= set(item) for item in metadata.attributes["packages"])
    assert metadata.package == "env"
    json.dumps(metadata.attributes)


@pytest.mark.parametrize(
    ("filename", "text"),
    [
        ("environment.yml", "dependencies: [python]\nchannels: ['https://hub.example/t/abc123/alice']\n"),
        ("environment.yml", "# from https://me:secret@hub.example\ndependencies: [python]\n"),
        ("environment.yml", "dependencies:\n- pip:\n  - --index-url=https://me:secret@hub.example/simple\n"),
        ("requirements.txt", "-i https://me:secret@hub.example/simple\nsix\n"),
        ("requirements.txt", "a @ git+https://secret@code.example/a.git\n"),
        ("spec.txt", "@EXPLICIT\nhttps://hub.example/t/ca-abc/alice/noarch/a-1-0.conda\n"),
        ("environment.yml", "dependencies: []\nvariables: {TOKEN: ca-" + "a" * 32 + "}\n"),
        ("pixi.lock", PIXI.replace("https://files", "https://me:secret@files")),
    ],
)
def test_credentials_in_a_file_are_refused_everywhere(filename: str, text: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        formats.read(filename, io.BytesIO(text.encode()), hints=formats.Hints("env", "1"))
    assert caught.value.code == "credentials_in_file"
    assert "secret" not in caught.value.detail


def test_a_pylock_with_folders_is_listed_but_no_lock() -> None:
    text = 'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "mine"\n[packages.directory]\npath = "."\n'
    attributes = formats.read("pylock.toml", io.BytesIO(text.encode()), hints=formats.Hints("env", "1")).attributes
    assert attributes["locked"] is False
    assert attributes["packages"] == [{"name": "mine", "version": "", "source": "pypi"}]


@pytest.mark.parametrize(
    ("data", "format_"),
    [(conda_lock.write(LOCK), "conda-lock"), (PIXI.encode(), "pixi-lock"), (environment_yml.write(SPEC), "environment.yml")],
)
def test_any_yaml_may_be_said_to_be_an_environment(data: bytes, format_: str) -> None:
    metadata = formats.read("mine.yaml", io.BytesIO(data), kind="environment", hints=formats.Hints("env", "1"))
    assert metadata.attributes["format"] == format_


def test_other_names_are_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        formats.read("mine.json", io.BytesIO(b"{}"), kind="environment", hints=formats.Hints("env", "1"))
    assert caught.value.code == "unknown_environment_format"


def test_only_locks_are_loaded_as_locks() -> None:
    with pytest.raises(BadRequest) as caught:
        environment.load_lock("environment.yml", b"dependencies: []\n")
    assert caught.value.code == "not_a_lock"
    assert environment.load_lock("spec.txt", explicit.write(LOCK)).platform == "linux-64"


def test_the_package_is_named_after_the_environment_or_the_file() -> None:
    hints = formats.Hints(version="1")
    assert formats.read("environment.yml", io.BytesIO(environment_yml.write(SPEC)), hints=hints).package == "demo"
    assert formats.read("gpu.conda-lock.yml", io.BytesIO(conda_lock.write(LOCK)), hints=hints).package == "gpu-conda-lock"
