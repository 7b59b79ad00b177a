"""What a project says that it needs: ``[project]`` and ``[dependency-groups]`` of ``pyproject.toml``."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime

import pytest

from carrel import formats
from carrel.core.errors import BadRequest, InvalidFile
from carrel.core.kinds import Kind
from carrel.formats.environment import pyproject, reading
from carrel.formats.environment.identifying import FileFormat, identify
from carrel.formats.environment.spec import EnvironmentSpec

PROJECT = """\
[build-system]
requires = ["hatchling"]

[project]
name = "Harbour.Tides"
version = "1.0"
requires-python = ">=3.11,<4"
dependencies = [
  "numpy>=2",
  "tides[fast] ~= 1.4 ; python_version >= '3.12'",
]

[project.optional-dependencies]
plot = ["matplotlib"]
Web_UI = ["panel", "harbour-tides[plot]"]
all = ["harbour_tides[web-ui,plot]; sys_platform == 'linux'"]

[dependency-groups]
test = ["pytest>=8", {include-group = "Typing"}]
typing = ["mypy", "pytest>=8"]
dev = [{include-group = "test"}, "ruff", "harbour-tides[plot]"]
"""


def read(text: str = PROJECT, **options: object) -> EnvironmentSpec:
    return pyproject.read(text.encode(), **options)  # type: ignore[arg-type]


def test_what_a_project_needs() -> None:
    needs = ("numpy>=2", 'tides[fast]~=1.4; python_version >= "3.12"')
    plain = read(groups=())
    assert (plain.name, plain.pip, plain.dependencies) == ("Harbour.Tides", needs, ())
    assert plain.requires_python in (">=3.11,<4", "<4,>=3.11")
    assert plain.notes == (
        "Harbour.Tides itself is not asked for, only what it needs.",
        "Left out are the extras plot, Web_UI, all.",
        "Left out are the groups test, typing, dev.",
    )
    assert read().pip == (*needs, "pytest>=8", "mypy", "ruff", "matplotlib")
    assert read(groups=["typing"]).pip == (*needs, "mypy", "pytest>=8")
    assert read(extras=["Plot"], groups=()).pip == (*needs, "matplotlib")
    assert read(extras=["web-ui"], groups=()).pip == (*needs, "panel", "matplotlib")
    assert read(extras=["all"], groups=()).pip == (
        *needs,
        'matplotlib; sys_platform == "linux"',
        'panel; sys_platform == "linux"',
    )
    everything = read(extras="*", groups="*")
    assert everything.notes == plain.notes[:1]
    assert set(everything.pip) >= {*needs, "matplotlib", "panel", "mypy", "ruff"}


def test_conditions_of_an_extra_hold_for_what_is_in_it() -> None:
    text = """[project]
name = "a"
[project.optional-dependencies]
x = ["b; python_version > '3'", "c"]
y = ["a[x]; sys_platform == 'linux' or sys_platform == 'darwin'"]
"""
    assert read(text, extras=["y"]).pip == (
        'b; (sys_platform == "linux" or sys_platform == "darwin") and python_version > "3"',
        'c; sys_platform == "linux" or sys_platform == "darwin"',
    )


def test_what_uv_is_told_holds() -> None:
    text = (
        PROJECT
        + """
[tool.uv]
default-groups = ["typing"]
dev-dependencies = ["ipython"]
exclude-newer = "2024-01-01T00:00:00Z"
constraint-dependencies = ["urllib3<2"]
override-dependencies = ["six==1"]
sources.numpy = { git = "https://code.example/numpy.git", rev = "v2" }
[[tool.uv.index]]
url = "https://one.example/simple"
default = true
"""
    )
    spec = read(text)
    assert spec.pip[0] == "numpy @ git+https://code.example/numpy.git@v2"
    assert spec.pip[2:] == ("mypy", "pytest>=8", "ipython")
    assert (spec.indexes, spec.pip_constraints) == (("https://one.example/simple",), ("urllib3<2",))
    assert spec.exclude_newer == datetime(2024, 1, 1, tzinfo=UTC)
    assert any("override-dependencies" in note for note in spec.notes)
    assert set(read(PROJECT + '[tool.uv]\ndefault-groups = "all"\n').pip) >= {"ruff", "mypy"}


def test_groups_without_a_project() -> None:
    assert read('[dependency-groups]\ndev = ["six"]\n') == EnvironmentSpec(pip=("six",))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        pytest.param("[tool.poetry]\nname = 'a'\n", None, "none of the tables", id="other tables"),
        pytest.param("[project]\nname = 'a'\ndependencies = [\n", 4, "is not TOML", id="no TOML"),
        pytest.param("# one\n[project]\nversion = '1'\n", 2, "no name", id="no name"),
        pytest.param("[project]\nname = 'a b'\n", 2, "not a package's", id="a bad name"),
        pytest.param("[project]\nname = 'a'\ndependencies = [\n 'six',\n 'six ==',\n]\n", 5, "is no requirement", id="no requirement"),
        pytest.param("[project]\nname = 'a'\ndependencies = 'six'\n", 3, "must be a list", id="no list"),
        pytest.param("[project]\nname = 'a'\nrequires-python = 'new'\n", 3, "no version specifier", id="no specifier"),
        pytest.param("[project]\nname = 'a'\ndynamic = [\n'version',\n'dependencies']\n", 5, "they are dynamic", id="dynamic"),
        pytest.param(
            "[project]\nname='a'\noptional-dependencies.x_y=[]\noptional-dependencies.X-Y=[]\n", 4, "the same name", id="same names"
        ),
        pytest.param("[dependency-groups]\ndev = [\n'six',\n{include-group='test'}]\n", 4, "which there is not", id="no such group"),
        pytest.param("[dependency-groups]\ndev = [\n{include='test'}]\n", 3, "include-group", id="another object"),
        pytest.param("[dependency-groups]\ndev = [5]\n", 2, "must be a requirement", id="a number"),
        pytest.param("[dependency-groups]\ndev = 'six'\n", 2, "must be a list", id="a group that is no list"),
        pytest.param(
            "[dependency-groups]\ndev = [{include-group='a'}]\na = ['six',\n{include-group='B'}]\nb = [{include-group='dev'}]\n",
            5,
            "which includes this one",
            id="a circle",
        ),
        pytest.param("[dependency-groups]\ndev = [{include-group='dev'}]\n", 2, "which includes this one", id="itself"),
        pytest.param("[project]\nname='a'\n[tool.uv]\ndefault-groups = ['x']\n", 4, "not among", id="no such default group"),
        pytest.param("[project]\nname='a'\ndependencies=['a[x]']\n", 3, "names the extra", id="no such extra"),
        pytest.param(
            "[project]\nname='a'\ndependencies=['b @ https://me:secret@h.example/b.whl']\n", 3, "credentials|password", id="credentials"
        ),
    ],
)
def test_rejections_name_the_line(text: str, line: int | None, says: str) -> None:
    with pytest.raises(InvalidFile, match=says) as refused:
        reading.read("pyproject.toml", text.encode())
    assert refused.value.fields.get("line") == line


def test_groups_that_nobody_wants_are_not_judged() -> None:
    """PEP 735: tools do not validate the contents of all groups eagerly."""
    assert read("[dependency-groups]\ndev = ['six']\nother = [{include-group = 'gone'}, 5]\n").pip == ("six",)


@pytest.mark.parametrize(("options", "code"), [({"extras": ["x"]}, "unknown_extra"), ({"groups": ["x"]}, "unknown_group")])
def test_parts_that_there_are_not(options: dict[str, list[str]], code: str) -> None:
    with pytest.raises(BadRequest, match="has no") as refused:
        read(**options)
    assert refused.value.code == code


def test_extras_in_a_circle_end_and_crowds_are_refused() -> None:
    assert read("[project]\nname='a'\n[project.optional-dependencies]\nx=['b','a[y]']\ny=['c','a[x]']\n", extras=["x"]).pip == ("b", "c")
    began = time.monotonic()
    doubling = "\n".join(
        f"x{n} = [\"a[x{n + 1}]; python_version > '3.{n}'\", \"a[x{n + 1}]; python_version > '2.{n}'\"]" for n in range(40)
    )
    with pytest.raises(InvalidFile, match=r"too long|more than|too many"):
        read(f"[project]\nname='a'\n[project.optional-dependencies]\n{doubling}\nx40=['b']\n", extras=["x0"])
    chain = "\n".join(f"x{n} = ['a[x{n + 1}]']" for n in range(3000))
    with pytest.raises(InvalidFile, match="too many"):
        read(f"[project]\nname='a'\n[project.optional-dependencies]\n{chain}\nx3000=['b']\n", extras=["x0"])
    groups = "\n".join(f"g{n} = [{{include-group='g{n + 1}'}}, {{include-group='g{n + 1}'}}]" for n in range(3000))
    assert read(f"[dependency-groups]\n{groups}\ng3000=['b']\n", groups=["g0"]).pip == ("b",)
    chain = "\n".join(f"g{n} = [{{include-group='g{n + 1}'}}]" for n in range(4000))
    text = f"[tool.uv]\ndefault-groups = 'all'\n[dependency-groups]\n{chain}\ng4000=['b']\n"
    assert [package.name for package in pyproject.describe(text.encode()).packages] == ["b"]
    assert time.monotonic() - began < 20


def test_which_files_are_projects() -> None:
    assert identify("pyproject.toml", PROJECT.encode()) is FileFormat.PYPROJECT
    assert identify("other.toml", b"[dependency-groups]\n") is FileFormat.PYPROJECT
    assert identify("pyproject.toml", b"[tool.pixi.workspace]\nchannels = []\n" + PROJECT.encode()) is FileFormat.PIXI_TOML
    assert identify("pyproject.toml", b"[project]\nname = ") is FileFormat.PYPROJECT
    with pytest.raises(BadRequest, match=r"pyproject\.toml"):
        identify("Cargo.toml", b"[package]\n")


def test_a_hub_describes_them() -> None:
    hints = formats.Hints("harbour", "1")
    told = formats.read("pyproject.toml", io.BytesIO(PROJECT.encode()), kind=Kind.ENVIRONMENT, hints=hints).attributes
    assert (told["format"], told["locked"]) == ("pyproject.toml", False)
    assert {item["name"] for item in told["packages"]} == {"numpy", "tides", "pytest", "mypy", "ruff", "matplotlib"}
    assert "numpy>=2" in told["requested"]
