"""``pixi.toml`` and ``[tool.pixi]`` as they occur."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from carrel.core.errors import BadRequest, InvalidFile
from carrel.formats.environment import pixi_toml
from carrel.formats.environment.spec import EnvironmentSpec

MANIFEST = """\
[workspace]
name = "demo"
channels = ["conda-forge", { channel = "https://conda.example/gpu", priority = 1 }]
platforms = ["linux-64", "osx-arm64", "win-64"]
exclude-newer = "2026-01-31"
preview = ["pixi-build"]

[workspace.dependencies]
shared = "2.*"

[tasks]
start = "python app.py"

[dependencies]
python = "3.12.*"
anything = "*"
numpy = ">=1.26,<3"
exact = { version = "==1.2", build = "py312_0", channel = "bioconda", subdir = "noarch" }
hashed = { version = "1.0", md5 = "MD5", build-number = ">=3" }
direct = { url = "https://conda.example/x/noarch/direct-1-0.conda" }
shared = { workspace = true }
own = { path = "./own" }

[host-dependencies]
numpy = "1.*"
cmake = "~=3.26"

[pypi-dependencies]
six = "*"
pandas = { version = ">=2", extras = ["sql", "excel"] }
mine = { path = "mine", editable = true, extras = ["dev"] }
flask = { git = "https://code.example/flask.git", tag = "3.0", subdirectory = "src" }
ssh = { git = "ssh://git@code.example/ssh" }
click = { url = "https://files.example/click-8.1.7-py3-none-any.whl" }
torch = { version = "==2.4.0", index = "https://wheels.example/cu124" }

[pypi-options]
extra-index-urls = ["https://wheels.example/simple"]
index-url = "https://main.example/simple"
find-links = [{ path = "./links" }, { url = "https://wheels.example/list" }]

[activation]
scripts = ["setup.sh"]
env = { MODE = "dev", COUNT = 3 }

[system-requirements]
linux = "4.18"
libc = { family = "glibc", version = "2.28" }
macos = 13.0

[constraints]
openssl = ">=3"

[target.unix.dependencies]
readline = "8.*"
[target.win.dependencies]
numpy = "<2"
pywin32 = "*"
[target.win-64.activation.env]
MODE = "windows"
[target.osx.pypi-dependencies]
six = "==1.16"

[feature.test.dependencies]
pytest = ">=8"
numpy = "!=1.99"
[feature.test.pypi-options]
no-build = true
[feature.gpu]
channels = ["nvidia"]
platforms = ["linux-64"]
system-requirements = { cuda = "12" }
[feature.gpu.dependencies]
cuda = "12.*"

[environments]
test = ["test"]
gpu = { features = ["gpu", "test"], solve-group = "g" }
lint = { features = ["test"], no-default-feature = true }
""".replace("MD5", "a" * 32)


def test_the_default_environment() -> None:
    assert pixi_toml.environments(MANIFEST.encode()) == ("default", "test", "gpu", "lint")
    spec = pixi_toml.read(MANIFEST.encode(), platform="linux-64")
    assert spec.name == "demo"
    assert spec.channels == ("https://conda.example/gpu", "conda-forge")
    assert set(spec.dependencies) == {
        "python 3.12.*",
        "anything",
        "numpy >=1.26,<3",
        "bioconda::exact ==1.2 py312_0[subdir='noarch']",
        f"hashed 1.0[build_number='>=3',md5='{'a' * 32}']",
        "https://conda.example/x/noarch/direct-1-0.conda",
        "shared 2.*",
        "cmake ~=3.26",
        "readline 8.*",
    }
    assert spec.pip == (
        "--find-links ./links",
        "--find-links https://wheels.example/list",
        "six",
        "pandas[excel,sql]>=2",
        "-e ./mine[dev]",
        "flask @ git+https://code.example/flask.git@3.0#subdirectory=src",
        "ssh @ git+ssh://git@code.example/ssh",
        "click @ https://files.example/click-8.1.7-py3-none-any.whl",
        "torch==2.4.0",
    )
    assert spec.indexes == ("https://wheels.example/simple", "https://main.example/simple")
    assert dict(spec.variables) == {"MODE": "dev", "COUNT": "3"}
    assert dict(spec.system_requirements) == {"linux": "4.18", "glibc": "2.28", "osx": "13.0"}
    assert spec.constraints == ("openssl >=3",)
    assert spec.exclude_newer == datetime(2026, 2, 1, tzinfo=UTC)
    assert len(spec.notes) == 3


def test_targets_replace_and_features_add() -> None:
    windows = pixi_toml.read(MANIFEST.encode(), "test", "win-64")
    assert {"numpy <2", "pywin32", "numpy !=1.99", "pytest >=8"} <= set(windows.dependencies)
    assert "numpy >=1.26,<3" not in windows.dependencies
    assert "readline 8.*" not in windows.dependencies
    assert "six==1.16" in pixi_toml.read(MANIFEST.encode(), platform="osx-arm64").pip
    assert set(pixi_toml.read(MANIFEST.encode(), "lint", "linux-64").dependencies) == {"numpy !=1.99", "pytest >=8"}
    gpu = pixi_toml.read(MANIFEST.encode(), "gpu")
    assert (gpu.name, gpu.platforms) == ("demo-gpu", ("linux-64",))
    assert gpu.channels == ("https://conda.example/gpu", "nvidia", "conda-forge")
    assert dict(gpu.system_requirements)["cuda"] == "12"
    for environment, platform, code in [("docs", "", "unknown_environment"), ("gpu", "win-64", "wrong_platform")]:
        with pytest.raises(BadRequest) as caught:
            pixi_toml.read(MANIFEST.encode(), environment, platform)
        assert caught.value.code == code


@pytest.mark.parametrize("environment", ["default", "test", "lint"])
@pytest.mark.parametrize("platform", ["linux-64", "osx-arm64", "win-64"])
def test_one_specification_for_all_platforms_says_the_same(environment: str, platform: str) -> None:
    general = pixi_toml.read(MANIFEST.encode(), environment)
    own = pixi_toml.read(MANIFEST.encode(), environment, platform)
    assert set(general.for_platform(platform).dependencies) == set(own.dependencies)
    written = pixi_toml.read(pixi_toml.write(own), platform=platform)
    assert written.channels == own.channels
    assert written.pip == own.pip
    assert (written.indexes, written.exclude_newer, written.constraints) == (own.indexes, own.exclude_newer, own.constraints)
    assert (written.variables, written.system_requirements) == (own.variables, own.system_requirements)
    if environment != "test":  # there, two specifications for numpy become one
        assert set(written.dependencies) == set(own.dependencies)
    again = pixi_toml.read(pixi_toml.write(general), platform=platform)
    assert {text.split()[0] for text in again.dependencies} == {text.split()[0] for text in own.dependencies}


PYPROJECT = """\
[project]
name = "lib"
requires-python = ">=3.10"
dependencies = ["attrs>=22", "tomli ; python_version < '3.11'"]
optional-dependencies = { plot = ["matplotlib"] }
[dependency-groups]
test = ["pytest", { include-group = "Style_Checks" }]
style-checks = ["ruff"]
[build-system]
requires = ["hatchling"]
[tool.pixi.project]
channels = ["conda-forge"]
platforms = [{ name = "box", platform = "linux-64", cuda = { driver = "12" }, __archspec = "x86_64_v3" }]
[tool.pixi.pypi-dependencies]
lib = { path = ".", editable = true }
[tool.pixi.environments]
test = { features = ["test", "plot"] }
"""


def test_pyproject_brings_its_own_tables() -> None:
    spec = pixi_toml.read(PYPROJECT.encode(), "test")
    assert spec.dependencies == ("python >=3.10",)
    assert spec.pip == ("pytest", "ruff", "matplotlib", "attrs>=22", 'tomli; python_version < "3.11"', "-e .")
    assert dict(spec.system_requirements) == {"cuda": "12", "archspec": "x86_64_v3"}
    assert spec.platforms == ("linux-64",)


def test_a_group_that_is_not_there_is_told_with_its_line() -> None:
    with pytest.raises(InvalidFile, match=r"^Line 7: dependency-groups\.test\[1\] includes the group 'gone'"):
        pixi_toml.read(PYPROJECT.replace("Style_Checks", "gone").encode(), "test")


def test_toml_1_1_is_read_as_pixi_does() -> None:
    text = MANIFEST.replace('pandas = { version = ">=2", ', 'pandas = {\n  version = ">=2",\n  ')
    assert "pandas[excel,sql]>=2" in pixi_toml.read(text.encode()).pip
    with pytest.raises(InvalidFile, match=r"^Line 3: "):
        pixi_toml.read(b"[workspace]\nname = {\n a = = 1 }\n")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ('"7d"', datetime(2026, 1, 25, tzinfo=UTC)),
        ('"1w 2days 12h"', datetime(2026, 1, 22, 12, tzinfo=UTC)),
        ('"2025-12-24T01:02:03Z"', datetime(2025, 12, 24, 1, 2, 3, tzinfo=UTC)),
        ("2025-12-24T01:02:03+01:00", datetime(2025, 12, 24, 0, 2, 3, tzinfo=UTC)),
        ("2025-12-24", datetime(2025, 12, 25, tzinfo=UTC)),
    ],
)
def test_moments_and_durations(text: str, moment: datetime) -> None:
    data = MANIFEST.replace('"2026-01-31"', text).encode()
    assert pixi_toml.read(data, now=datetime(2026, 2, 1, tzinfo=UTC)).exclude_newer == moment


def test_what_pixi_cannot_say_stands_in_a_comment() -> None:
    spec = EnvironmentSpec(
        "a b",
        ("conda-forge", "nodefaults"),
        ("python=3.12", "Numpy=1.26=py312_0", "numpy>=1|<0.5", "scipy 1.1.* py_0", "gdal[version='>=3',build=h1_0]", "x!=2"),
        ("-r more.txt", "-e .", 'colorama ; sys_platform == "win32"', "-e ./src/lib", "--pre"),
        (("not win", "readline"), ("win", "python <3.13")),
        platforms=("linux-64", "win-64"),
        requires_python=">=3.10",
    )
    text = pixi_toml.write(spec).decode()
    assert text.startswith("# Not expressed here: -r more.txt\n# Not expressed here: -e .\n")
    windows = pixi_toml.read(text.encode(), platform="win-64")
    assert set(windows.dependencies) == {
        "python 3.12.*,<3.13",
        "numpy ==1.26,(>=1|<0.5) py312_0",
        "scipy 1.1.* py_0",
        "gdal >=3 h1_0",
        "x !=2",
    }
    assert set(windows.pip) == {"colorama", "-e ./src/lib", "--pre"}
    assert "readline" in pixi_toml.read(text.encode(), platform="linux-64").dependencies
    with pytest.raises(InvalidFile, match="two ways"):
        pixi_toml.write(EnvironmentSpec(dependencies=("a * b1", "a * b2")))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"linux-64", "osx-arm64"', '"linux_64", "osx-arm64"'),
        ('numpy = ">=1.26,<3"', 'numpy = "@1"'),
        ('numpy = ">=1.26,<3"', "numpy = 3"),
        ('version = "1.0", md5', "version = 1.0, md5"),
        ('extras = ["sql", "excel"]', 'extras = "sql"'),
        ('version = "==2.4.0"', 'version = "2.4.0"'),
        ("priority = 1", 'priority = "1"'),
        ('exclude-newer = "2026-01-31"', 'exclude-newer = "soon"'),
        ('index-url = "https://main', 'index-url = "https://u:p@main'),
        ('test = ["test"]', 'test = ["tset"]'),
        ("shared = { workspace = true }", "shaerd = { workspace = true }"),
        ("COUNT = 3", "COUNT = [3]"),
    ],
)
def test_rejections_name_the_line(old: str, new: str) -> None:
    assert old in MANIFEST
    text = MANIFEST.replace(old, new, 1)
    line = text[: text.index(new)].count("\n") + 1
    with pytest.raises(InvalidFile) as caught:
        pixi_toml.read(text.encode(), "test")
    assert caught.value.fields.get("line") == line, caught.value.detail
    assert caught.value.detail.startswith(f"Line {line}: ")


@pytest.mark.parametrize(
    "text", ["", "[dependencies]\n", "[package]\nname = 'x'\n", "[project]\nname='x'\n[build-system]\n", "workspace = 1\n"]
)
def test_other_documents_are_refused(text: str) -> None:
    with pytest.raises(InvalidFile):
        pixi_toml.read(text.encode())
