"""The parts of the pages that need no server."""

from __future__ import annotations

import re

import pytest

from carrel.core.kinds import Kind
from carrel.formats.environment.metadata import describe
from carrel.hub.pages import commands
from carrel.hub.pages.base import safe_next, sign_in_address
from carrel.hub.pages.formatting import PRECEDENCE, by_weight, scope_summary
from carrel.hub.pages.templating import static_file, static_url
from carrel.hub.pages.views import data_view, environment_view, source_name

BASE = "https://hub.example.org"


@pytest.mark.parametrize("path", ["/", "/acme/x?view=environment", "/activate?code=BCDF-GHJK", "/-/settings/tokens"])
def test_paths_of_this_site_are_followed(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "target",
    [
        "",
        "//evil.example",
        "///evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\/evil",
        "/\t/evil",
        "/\n/x",
        " /x",
        "x",
        "javascript:x",
    ],
)
def test_everything_else_leads_home(target: str) -> None:
    assert safe_next(target) == "/"
    assert sign_in_address(target) == "/-/sign-in?next=/"


def test_install_commands_name_what_the_release_holds() -> None:
    source = commands.Source.of_label(BASE, "acme")
    shown = commands.install(source, "acme", "snow", "2.1", ["conda", "pypi"], is_latest=True)
    assert [command.label for command in shown.usual] == ["conda", "pixi", "pip", "uv"]
    assert shown.usual[0].text == f"conda install -c {BASE}/conda/acme snow"
    older = commands.install(source, "acme", "snow", "2.0", ["pypi"], is_latest=False)
    assert older.usual[0].text == f"pip install --index-url {BASE}/pypi/acme/simple/ snow==2.0"
    data = commands.install(source, "acme", "data", "1", ["file"], is_latest=True)
    assert [command.text for command in data.usual] == ["carrel download acme/data@1"]


def test_install_commands_name_the_label_and_where_a_token_goes() -> None:
    source = commands.Source.of_label(BASE, "acme", "dev", with_token=True)
    shown = commands.install(source, "acme", "snow", "2.1", ["conda", "r"], is_latest=True)
    assert shown.usual[0].text == f"conda install -c {BASE}/conda/t/TOKEN/acme/label/dev snow"
    assert shown.usual[-1].text == f'install.packages("snow", repos = "{BASE}/cran/t/TOKEN/acme/label/dev")'


@pytest.mark.parametrize(
    ("form", "tool"), [("pylock", "uv pip sync"), ("conda-lock", "conda-lock install"), ("environment.yml", "conda env create")]
)
def test_environments_are_rebuilt_by_the_tools_that_read_their_file(form: str, tool: str) -> None:
    shown = commands.rebuild("acme", "base", "3", f"{BASE}/x", form, locked=form != "environment.yml")
    assert tool in shown[-1].text
    assert (shown[0].text == "carrel reproduce acme/base@3") is (form != "environment.yml")


def test_environments_say_where_each_package_is_from() -> None:
    view = environment_view(
        "conda-lock.yml",
        {
            "format": "conda-lock",
            "locked": True,
            "packages": [
                {"name": "zlib", "version": "1", "source": "conda", "channel": "https://c.example/some-channel"},
                {"name": "Python", "version": "3.12", "source": "conda", "channel": f"{BASE}/conda/acme"},
                {"name": "snow", "version": "2", "source": "pypi"},
            ],
            "package_count": 3,
            "pypi_count": 1,
            "requested": ["python 3.12.*"],
            "problems": [{"code": "editable", "message": "mine"}],
        },
    )
    assert [(row.name, row.source, row.requested) for row in view.packages] == [
        ("Python", "acme", True),
        ("snow", "Python index", False),
        ("zlib", "some-channel", False),
    ]
    assert (view.kind, view.problems) == ("conda", ["mine"])
    assert environment_view("pylock.toml", {"packages": [], "package_count": 2, "pypi_count": 2}).kind == "venv"


_ASKING_YML = """
dependencies:
  - python=3.12
  - sel(linux): [numpy, "scipy=1.0"]
  - sel(win): numpy
  - pywin32  # [win]
  - https://conda.example/some-channel::polars >=1
  - https://conda.example/other/noarch/snow-2.1-0.conda
  - pip:
    - Typing_Extensions>=4
    - uvloop  # [unix]
    - git+https://code.example/tool.git
"""
_ASKING_PIXI = """
[workspace]
channels = ["conda-forge"]
platforms = ["linux-64", "win-64"]
[dependencies]
python = "3.12.*"
[target.linux-64.dependencies]
gcc = "*"
[target.win.dependencies]
m2 = { version = ">=1", channel = "https://conda.example/some-channel" }
[target.unix.pypi-dependencies]
uvloop = "*"
"""


@pytest.mark.parametrize(
    ("filename", "text", "expected"),
    [
        (
            "environment.yml",
            _ASKING_YML,
            {
                ("numpy", "", ""),
                ("polars", "", "some-channel"),
                ("python", "3.12", ""),
                ("pywin32", "", ""),
                ("scipy", "1.0", ""),
                ("snow", "2.1", "other"),
                ("Typing_Extensions", "", "Python index"),
                ("uvloop", "", "Python index"),
            },
        ),
        (
            "pixi.toml",
            _ASKING_PIXI,
            {("gcc", "", ""), ("m2", "", "some-channel"), ("python", "", ""), ("uvloop", "", "Python index")},
        ),
    ],
)
def test_what_a_file_asks_for_on_some_platforms_is_requested_too(filename: str, text: str, expected: set[tuple[str, str, str]]) -> None:
    view = environment_view(filename, describe(text.encode(), filename).to_json())
    assert [(row.name, row.version, row.source) for row in view.packages if not row.requested] == []
    assert {(row.name, row.version, row.source) for row in view.packages} == expected
    assert len(view.packages) == view.package_count == len(expected)


def test_requests_are_found_in_a_lock_however_python_names_are_written() -> None:
    attributes = {
        "packages": [
            {"name": "typing-extensions", "version": "4", "source": "pypi"},
            {"name": "ruamel-yaml", "version": "1", "source": "conda"},
            {"name": "ruamel_yaml", "version": "1", "source": "conda"},
            {"name": "git", "version": "2", "source": "conda"},
        ],
        "requested": ["Typing_Extensions>=4", "ruamel_yaml", "git+https://code.example/tool.git"],
    }
    requested = [row.name for row in environment_view("conda-lock.yml", attributes).packages if row.requested]
    assert requested == ["ruamel_yaml", "typing-extensions"]


def test_sources_have_short_names() -> None:
    assert source_name(f"{BASE}/pypi/acme/simple/") == "acme"
    assert source_name("https://index.example/simple/") == "index.example"
    assert source_name("local") == "local"


def test_tables() -> None:
    assert data_view("a.csv", {"media_type": "text/csv"}) is None
    assert data_view("a.csv", {"columns": [{"name": "a", "type": "text"}], "rows": [["1"]]}) is not None


def test_every_kind_has_its_weight() -> None:
    assert set(PRECEDENCE) == set(Kind)
    assert by_weight(["environment", "notebook"]) == ["notebook", "environment"]


def test_scopes_in_short() -> None:
    assert scope_summary(["package:read", "account:read"]) == "account:read, package:read"


def test_static_addresses_change_with_the_content() -> None:
    assert re.fullmatch(r"/-/static/style\.css\?v=[0-9a-f]{16}", static_url("style.css"))
    assert static_file("../templating.py") is None
    assert static_file("style.css.map") is None
