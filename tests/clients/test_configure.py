"""What ``carrel configure`` writes is what conda's, Python's and R's own programs read: private packages arrive, and the way back."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cli_process import QuickCarrel
from hub_uploads import upload

from carrel.testing.artifacts import build_conda, build_r_package, build_wheel
from carrel.testing.hub import HubProcess
from carrel.testing.plugin import missing

NAMES = ("CONDARC", "PIP_CONFIG_FILE", "UV_CONFIG_FILE", "PIXI_HOME", "RATTLER_AUTH_FILE", "R_PROFILE_USER")
# Its last line leaves without what the interpreter does at its end, where py-rattler's threads crash now and then.
QUERY = """
import asyncio, os, sys
from rattler import Channel, Client, Gateway
async def main():
    records = await Gateway(client=Client.authenticated_client()).query([Channel(sys.argv[1])], ["noarch"], ["tides"])
    print(*sorted({record.name.normalized + " " + str(record.version) for part in records for record in part}))
try:
    asyncio.run(main())
    status = 0
except Exception as error:
    print(type(error).__name__, error, file=sys.stderr)
    status = 1
sys.stdout.flush()
os._exit(status)
"""


@pytest.fixture(scope="module")
def token(hub: HubProcess) -> str:
    """The token of a user with private packages of three kinds."""
    token = hub.create_user("acme")
    for artifact in (
        build_conda("tides", "1.0", noarch="generic"),
        build_wheel("harbour", "2.1", files={"harbour.py": "QUAYS = 4\n"}),
        build_r_package("coast", "0.3"),
    ):
        upload(hub, token, "acme", artifact, visibility="private")
    upload(hub, token, "acme", build_wheel("harbour", "3.0rc1", files={"harbour.py": "QUAYS = 5\n"}), visibility="private", label="dev")
    return token


@pytest.fixture
def at_home(tmp_path: Path, hub: HubProcess, token: str) -> QuickCarrel:
    """The command of somebody whose programs have all their settings in one folder."""
    carrel = QuickCarrel(tmp_path)
    carrel.variables = {
        "CARREL_HUB_URL": hub.url,
        "CARREL_TOKEN": token,
        "HOME": str(tmp_path),
        "CARREL_CONFIG_DIR": str(tmp_path / "carrel"),
    }
    carrel.variables |= {name: str(tmp_path / name.lower()) for name in NAMES}
    return carrel


def run(carrel: QuickCarrel, *command: object, check: bool = True) -> str:
    """Run another program with the settings of *carrel*, and none of this machine's own."""
    environ = {name: value for name, value in carrel.environ().items() if not name.startswith(("PIP_", "UV_", "CARREL_"))}
    environ |= {name: carrel.variables[name] for name in NAMES}
    environ |= {"UV_CACHE_DIR": str(carrel.home / "uv-cache"), "PIP_CACHE_DIR": str(carrel.home / "pip-cache"), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [str(word) for word in command], env=environ, cwd=carrel.home, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done.stdout + done.stderr


def quays(folder: Path) -> str:
    return (folder / "harbour.py").read_text().strip()


def test_pip(at_home: QuickCarrel, token: str) -> None:
    target = at_home.home / "site"
    answer = at_home.json("configure", "acme", "pip", "--only", "--token", "--yes", stdin=token)
    assert token not in json.dumps(answer)
    (file,) = answer["files"]
    assert (file["program"], file["status"], file["path"]) == ("pip", "changed", at_home.variables["PIP_CONFIG_FILE"])
    assert stat.S_IMODE(Path(file["path"]).stat().st_mode) == 0o600
    pip = (sys.executable, "-m", "pip", "--no-input")
    listed = run(at_home, *pip, "config", "list")
    assert "global.index-url=" in listed
    run(at_home, *pip, "install", "--no-deps", "--target", target, "harbour")
    assert quays(target) == "QUAYS = 4"
    at_home.ok("configure", "--undo", "--yes")
    assert not Path(file["path"]).exists()


def test_uv_with_a_label_and_an_own_token(at_home: QuickCarrel) -> None:
    Path(at_home.variables["UV_CONFIG_FILE"]).write_text("# mine\noffline = false\n")
    answer = at_home.json("configure", "acme", "uv", "--label", "dev", "--make-token", "--yes")
    assert answer["source"] == "acme/label/dev"
    text = Path(at_home.variables["UV_CONFIG_FILE"]).read_text()
    assert text.startswith("# mine\n")
    made = next(entry for entry in at_home.json("token", "list")["tokens"] if entry["name"].startswith("configure"))
    assert (made["namespace"], made["labels"]) == ("acme", ["dev"])
    assert made["scopes"] == ["conda:download", "cran:download", "pypi:download"]
    target = at_home.home / "site"
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    run(at_home, uv, "pip", "install", "--no-deps", "--prerelease=allow", "--target", target, "--python", sys.executable, "harbour")
    assert quays(target) == "QUAYS = 5"
    at_home.ok("configure", "--undo", "--yes")
    assert Path(at_home.variables["UV_CONFIG_FILE"]).read_text() == "# mine\noffline = false\n"


def test_r(at_home: QuickCarrel, token: str) -> None:
    rscript = shutil.which("Rscript") or missing("Rscript was not found; install r-base-core")
    profile = Path(at_home.variables["R_PROFILE_USER"])
    profile.write_text("options(digits = 3)\n")
    at_home.ok("configure", "acme", "r", "--yes")
    repositories = run(at_home, rscript, "-e", 'cat(names(getOption("repos"))[1], getOption("digits"), length(getOption("repos")) > 1)')
    assert repositories.split() == ["acme", "3", "TRUE"]
    at_home.ok("configure", "acme", "r", "--only", "--token", "--yes", stdin=token)
    library = at_home.home / "library"
    library.mkdir()
    options = 'INSTALL_opts = c("--no-docs", "--no-byte-compile", "--no-test-load")'
    run(at_home, rscript, "-e", f'install.packages("coast", lib = "{library}", {options})')
    assert "Version: 0.3" in (library / "coast" / "DESCRIPTION").read_text()
    at_home.ok("configure", "--undo", "--yes")
    at_home.ok("configure", "--undo", "--yes")
    assert profile.read_text() == "options(digits = 3)\n"


def test_conda_and_pixi(at_home: QuickCarrel, token: str, hub: HubProcess) -> None:
    Path(at_home.variables["CONDARC"]).write_text("channels:\n  - conda-forge\n")
    at_home.ok("configure", "acme", "conda", "pixi", "--token", "--yes", stdin=token)
    channels = yaml.safe_load(Path(at_home.variables["CONDARC"]).read_text())["channels"]
    assert channels[1:] == ["conda-forge"]
    assert run(at_home, sys.executable, "-c", QUERY, channels[0]).split() == ["tides", "1.0"]
    # without the token in the address, from the credentials that pixi has
    assert run(at_home, sys.executable, "-c", QUERY, f"{hub.url}/conda/acme").split() == ["tides", "1.0"]
    assert token not in (Path(at_home.variables["PIXI_HOME"]) / "config.toml").read_text().partition("[pypi-config]")[0]
    secrets = Path(at_home.variables["RATTLER_AUTH_FILE"])
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    at_home.ok("configure", "--undo", "--yes")
    assert not secrets.exists()
    assert not run(at_home, sys.executable, "-c", QUERY, f"{hub.url}/conda/acme", check=False).startswith("tides")


def test_nothing_is_written_without_being_asked(at_home: QuickCarrel, token: str) -> None:
    shown = at_home.ok("configure", "acme", "pip", "conda", "--dry-run", "--token", stdin=token)
    assert "+extra-index-url" in shown.out
    assert token not in shown.out + shown.err
    assert at_home("configure", "acme", "pip").code == 2
    assert at_home("configure", "acme", "pip", "--token", "--yes", stdin="not a token").code == 2
    assert at_home("configure", "acme", "emacs").code == 2
    assert at_home("configure", "--undo", "--yes").code == 3
    assert not any(Path(at_home.variables[name]).exists() for name in NAMES)


def test_what_was_changed_since_stays(at_home: QuickCarrel) -> None:
    path = Path(at_home.variables["PIP_CONFIG_FILE"])
    at_home.ok("configure", "acme", "pip", "--yes")
    path.write_text(path.read_text() + "timeout = 9\n")
    refused = at_home("configure", "--undo", "--yes")
    assert refused.code == 5
    assert "--force" in refused.err
    assert "timeout = 9" in path.read_text()
    at_home.ok("configure", "--undo", "--yes", "--force")
    assert not path.exists()
    path.write_text("[global\n")
    damaged = at_home("configure", "acme", "pip", "--yes")
    assert damaged.code == 1
    assert "left alone" in damaged.err
