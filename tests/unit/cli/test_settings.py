"""Settings of other programs: what is kept, what is changed, that changing twice is changing once, and the way back."""

from __future__ import annotations

import json
import stat
import tomllib
from collections.abc import Callable
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml

from carrel.cli.settings import PROGRAMS, conda, files, pip, pixi, r, uv
from carrel.cli.settings.source import Source, mask
from carrel.core.errors import BadRequest

TOKEN = "ca-" + "a2" * 16
PLAIN = Source("https://hub.example", "acme")
DEV = Source("https://hub.example", "acme", "dev", TOKEN)
ONLY = Source("https://hub.example", "acme", only=True)

CONDARC = """\
# my own settings
channels:
  - conda-forge  # the usual one
  - https://hub.example/conda/other
  - https://hub.example/conda/t/ca-old/acme
ssl_verify: true   # keep me

aliases: {b: 1, a: 2}
"""
PIP_CONF = """\
# mine
[install]
no-warn-script-location = true

[global]
timeout = 10   ; long
extra-index-url =
    https://other.example/simple
    # an old one
    https://__token__:ca-old@hub.example/pypi/acme/simple/
[list]
format = columns
"""
UV_TOML = """\
# mine
offline = false  # for now

[[index]]
name = "other"
url = "https://other.example/simple"  # first

[pip]
strict = true
"""
PIXI_TOML = """\
# mine
pinning-strategy = "semver"

[pypi-config]
# why
extra-index-urls = ["https://other.example/simple"]
"""
RPROFILE = "options(digits = 3)  # mine\n"


def indexes(text: str) -> tuple[str | None, list[str]]:
    parser = RawConfigParser()
    parser.read_string(text)
    return parser.get("global", "index-url", fallback=None), parser.get("global", "extra-index-url", fallback="").split()


def test_conda_keeps_everything_else() -> None:
    text = conda.change(CONDARC, PLAIN)
    assert yaml.safe_load(text) == {
        "channels": ["https://hub.example/conda/acme", "conda-forge", "https://hub.example/conda/other"],
        "ssl_verify": True,
        "aliases": {"b": 1, "a": 2},
    }
    for comment in ("# my own settings\n", "# the usual one\n", "# keep me\n"):
        assert comment in text
    assert yaml.safe_load(conda.change(text, ONLY))["channels"] == ["https://hub.example/conda/acme"]
    assert yaml.safe_load(conda.change(text, DEV))["channels"][0] == f"https://hub.example/conda/t/{TOKEN}/acme/label/dev"
    assert conda.change("# nothing yet\n", PLAIN) == "# nothing yet\nchannels:\n- https://hub.example/conda/acme\n"
    assert yaml.safe_load(conda.change("channels: conda-forge\n", PLAIN))["channels"][1] == "conda-forge"


def test_pip_keeps_everything_else() -> None:
    text = pip.change(PIP_CONF, PLAIN)
    assert indexes(text) == (None, ["https://hub.example/pypi/acme/simple/", "https://other.example/simple"])
    for line in (
        "# mine\n",
        "timeout = 10   ; long\n",
        "    # an old one\n",
        "[list]\nformat = columns\n",
        "no-warn-script-location = true\n",
    ):
        assert line in text
    assert indexes(pip.change(PIP_CONF, DEV))[1][0] == f"https://__token__:{TOKEN}@hub.example/pypi/acme/label/dev/simple/"
    only = pip.change(PIP_CONF, ONLY)
    assert indexes(only) == ("https://hub.example/pypi/acme/simple/", [])
    assert pip.change("", PLAIN) == "[global]\nextra-index-url = https://hub.example/pypi/acme/simple/\n"
    assert indexes(pip.change("[global]\nextra-index-url: https://a.example/simple", PLAIN))[1][1] == "https://a.example/simple"
    over_http = pip.change("", Source("http://hub.example:8000", "acme"))
    assert "trusted-host = hub.example:8000\n" in over_http
    assert "trusted-host" not in pip.change("", Source("http://127.0.0.1:8000", "acme"))


def test_uv_keeps_everything_else() -> None:
    text = uv.change(UV_TOML, PLAIN)
    document = tomllib.loads(text)
    assert document["index"] == [
        {"name": "acme", "url": "https://hub.example/pypi/acme/simple/"},
        {"name": "other", "url": "https://other.example/simple"},
    ]
    assert (document["offline"], document["pip"]) == (False, {"strict": True})
    for comment in ("# mine\n", "# for now\n", "# first\n"):
        assert comment in text
    assert tomllib.loads(uv.change(text, ONLY))["index"] == [
        {"name": "acme", "url": "https://hub.example/pypi/acme/simple/", "default": True}
    ]
    taken = uv.change('index = [{name = "acme", url = "https://other.example/simple"}]\n', PLAIN)
    assert [entry["name"] for entry in tomllib.loads(taken)["index"]] == ["hub-acme", "acme"]


def test_pixi_keeps_everything_else_and_shows_no_token() -> None:
    text = pixi.change(PIXI_TOML, PLAIN)
    document = tomllib.loads(text)
    assert document == {
        "pinning-strategy": "semver",
        "default-channels": ["https://hub.example/conda/acme", "conda-forge"],
        "pypi-config": {"extra-index-urls": ["https://hub.example/pypi/acme/simple/", "https://other.example/simple"]},
    }
    assert "# mine\n" in text
    assert "# why\n" in text
    private = tomllib.loads(pixi.change(PIXI_TOML, DEV))
    assert private["default-channels"][0] == "https://hub.example/conda/acme/label/dev"
    kept = pixi.keep_token('{"other.example": {"CondaToken": "x"}}', DEV)
    assert json.loads(kept) == {"other.example": {"CondaToken": "x"}, "hub.example": {"BearerToken": TOKEN}}
    only = tomllib.loads(pixi.change(text, ONLY))
    assert only["pypi-config"] == {"index-url": "https://hub.example/pypi/acme/simple/"}


def test_r_has_a_marked_block() -> None:
    text = r.change(RPROFILE, PLAIN)
    assert text.startswith(RPROFILE)
    assert 'c("acme" = "https://hub.example/cran/acme", getOption("repos")' in text
    again = r.change(text + "x <- 1\n", Source("https://hub.example", "acme", token=TOKEN))
    assert again.count("# >>> carrel acme >>>") == 1
    assert f"/cran/t/{TOKEN}/acme" in again
    assert again.endswith("x <- 1\n")
    assert "getOption" not in r.change("", ONLY)


CHANGES: list[tuple[Callable[[str, Source], str], str]] = [
    (conda.change, CONDARC),
    (pip.change, PIP_CONF),
    (uv.change, UV_TOML),
    (pixi.change, PIXI_TOML),
    (pixi.keep_token, "{}"),
    (r.change, RPROFILE),
]


@pytest.mark.parametrize("source", [PLAIN, DEV, ONLY], ids=["plain", "dev", "only"])
@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_twice_is_once(number: int, source: Source) -> None:
    change, text = CHANGES[number]
    for start in (text, ""):
        once = change(start, source)
        assert once != start
        assert change(once, source) == once


@pytest.mark.parametrize(
    ("change", "text"),
    [(conda.change, "channels: [a\n"), (conda.change, "- a\n"), (pip.change, "a = 1\n"), (uv.change, "[index"), (pixi.keep_token, "{")],
)
def test_what_cannot_be_understood_is_left_alone(change: Callable[[str, Source], str], text: str) -> None:
    with pytest.raises(BadRequest, match="left alone"):
        change(text, DEV)


def test_places(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    found = {str(path.relative_to(tmp_path)) for program in PROGRAMS.values() for path, _ in program.files(environ, DEV)}
    assert found >= {".condarc", "xdg/uv/uv.toml", ".pixi/config.toml", ".rattler/credentials.json", ".Rprofile"}
    named = {
        "CONDARC": str(tmp_path / "c"),
        "PIP_CONFIG_FILE": str(tmp_path / "p"),
        "UV_CONFIG_FILE": str(tmp_path / "u"),
        "R_PROFILE_USER": str(tmp_path / "r"),
    }
    for name, expected in (("conda", "c"), ("pip", "p"), ("uv", "u"), ("r", "r")):
        assert PROGRAMS[name].files({**environ, **named}, PLAIN)[0][0] == tmp_path / expected


def test_secrets_are_masked() -> None:
    shown = mask(f'https://hub.example/conda/t/{TOKEN}/acme https://u:pass@h/ "BearerToken": "abc"')
    assert shown == 'https://hub.example/conda/t/<TOKEN>/acme https://***@h/ "BearerToken": "***"'
    edit = files.Edit(
        "conda", Path("x"), conda.change("", DEV), conda.change("", Source(DEV.hub_url, "acme", "dev", "ca-" + "b3" * 16)), True
    )
    assert edit.changed
    assert TOKEN not in "\n".join(edit.diff())


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CARREL_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path


def edit(path: Path, text: str, *, secret: bool = False) -> files.Edit:
    return files.Edit("pip", path, files.read(path), text, secret)


def test_files_are_private_with_a_token_and_come_back_as_they_were(config: Path) -> None:
    old, new, linked = config / "old.conf", config / "deep" / "new.conf", config / "link.conf"
    old.write_bytes(b"a = 1\r\n")
    old.chmod(0o644)
    linked.symlink_to(old.with_name("real.conf"))
    (config / "real.conf").write_text("real\n")
    files.apply([edit(old, "token\n", secret=True), edit(new, "new\n"), edit(linked, "changed\n")], "acme")
    assert (old.read_text(), stat.S_IMODE(old.stat().st_mode)) == ("token\n", 0o600)
    assert linked.is_symlink()
    assert (config / "real.conf").read_text() == "changed\n"
    assert stat.S_IMODE((config / "config" / "configured.json").stat().st_mode) == 0o600
    assert {result.status for result in files.undo(dry_run=True, force=False)} == {"restored", "removed"}
    assert old.read_text() == "token\n"
    files.undo(dry_run=False, force=False)
    assert (old.read_bytes(), stat.S_IMODE(old.stat().st_mode)) == (b"a = 1\r\n", 0o644)
    assert not new.exists()
    assert (config / "real.conf").read_text() == "real\n"
    assert files.last_run() is None


def test_a_file_that_was_changed_since_is_left_alone(config: Path) -> None:
    path = config / "a.conf"
    path.write_text("old\n")
    files.apply([edit(path, "ours\n")], "acme")
    path.write_text("ours\nand mine\n")
    assert [result.status for result in files.undo(dry_run=False, force=False)] == ["changed"]
    assert path.read_text() == "ours\nand mine\n"
    assert [result.status for result in files.undo(dry_run=False, force=True)] == ["restored"]
    assert path.read_text() == "old\n"


def test_two_runs_are_taken_back_one_after_the_other(config: Path) -> None:
    path = config / "a.conf"
    files.apply([edit(path, "one\n")], "acme")
    files.apply([edit(path, "two\n")], "other")
    files.undo(dry_run=False, force=False)
    assert path.read_text() == "one\n"
    files.undo(dry_run=False, force=False)
    assert not path.exists()
