"""Publishing a notebook with its environment, and rebuilding it somewhere else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pexpect
import pytest
from cli_process import Carrel

from carrel.client import CredentialStore, HubClient
from carrel.testing.artifacts import build_notebook, build_wheel
from carrel.testing.hub import HubProcess

SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def write_notebook(carrel: Carrel, cells: Sequence[str], name: str = "work/tides.ipynb", kernel: str = "plain") -> Path:
    path = carrel.home / name
    path.parent.mkdir(exist_ok=True)
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
    path.write_bytes(build_notebook(["# High tides\n\nWhen they come.", *cells], metadata=metadata).data)
    return path


@pytest.fixture
def venv(carrel: Carrel, ada: str, hub: HubProcess) -> Path:
    """An environment of the kernel ``plain`` that holds a wheel of the hub, installed by the command."""
    wheel = build_wheel("harbour", "2.1", files={"harbour.py": "QUAYS = 4\n"})
    (carrel.home / wheel.filename).write_bytes(wheel.data)
    carrel.ok("upload", wheel.filename, "--visibility", "public")
    carrel.variables["CARREL_INDEXES"] = f"{hub.url}/pypi/{ada}/simple/"
    prefix = carrel.home / "plain"
    subprocess.run([getattr(sys, "_base_executable", sys.executable), "-m", "venv", "--without-pip", prefix], check=True)
    spec = carrel.home / "jupyter" / "kernels" / "plain" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": [str(prefix / "bin" / "python"), "-m", "ipykernel_launcher"], "display_name": "plain"}))
    return prefix


def _token(carrel: Carrel, hub: HubProcess) -> str:
    credential = CredentialStore(carrel.home / "config").get(hub.url)
    assert credential is not None
    return credential.token


def quays(prefix: Path) -> str:
    code = "import harbour; print(harbour.QUAYS)"
    return subprocess.run([prefix / "bin" / "python", "-c", code], capture_output=True, text=True, check=False).stdout.strip()


def test_from_installing_to_the_copy_on_another_machine(carrel: Carrel, ada: str, venv: Path, tmp_path: Path, hub: HubProcess) -> None:
    # installing is shown first, and can be undone
    planned = carrel.json("env", "install", f"{ada}/harbour", "--prefix", venv, "--dry-run")
    assert [step["name"] for step in planned["added"]] == ["harbour"]
    assert (planned["applied"], quays(venv)) == (False, "")
    refused = carrel("env", "install", f"{ada}/harbour", "--prefix", venv)
    assert (refused.code, quays(venv)) == (2, "")
    assert "--yes" in refused.err
    assert carrel.json("env", "install", f"{ada}/harbour==2.1", "--prefix", venv, "--yes")["applied"] is True
    assert quays(venv) == "4"
    carrel.ok("env", "undo", "--prefix", venv, "--yes")
    assert quays(venv) == ""
    carrel.ok("env", "undo", "--prefix", venv, "--yes")
    assert quays(venv) == "4"
    assert [p["name"] for p in carrel.json("env", "show", venv)["packages"]] == ["harbour"]

    # publishing captures the environment of the notebook's kernel
    path = write_notebook(carrel, ["import harbour\nharbour.QUAYS", "open('data/levels.csv')"])
    (path.parent / "data").mkdir()
    (path.parent / "data" / "levels.csv").write_text("1,2\n")
    before = path.read_bytes()
    words = ("publish", "work/tides.ipynb", "--data", "work/data/levels.csv", "-m", "First", "--visibility", "public")
    published = carrel.json(*words)
    assert published["reference"] == f"{ada}/high-tides@1"
    assert (published["environment"], published["unchanged"], published["findings"]) == (str(venv), False, [])
    assert path.read_bytes() == before
    assert carrel.json(*words)["unchanged"] is True

    # somebody else, elsewhere
    other = Carrel(tmp_path / "other")
    other.home.mkdir()
    address = f"{published['url']}"
    review = other.json("reproduce", address, "--review")["review"]
    environment = review["environment"]
    assert [(p["name"], p["version"]) for p in environment["packages"]] == [("harbour", "2.1")]
    assert any(source.startswith(hub.url) for source in environment["new_sources"])
    refused = other("reproduce", address, "--into", "copy")
    assert refused.code == 2
    assert "not used before" in refused.err
    assert not (other.home / "copy").exists()
    made = other.json("reproduce", address, "--into", "copy", "--yes")
    assert (made["built"], Path(made["path"]).name) == (True, "tides.ipynb")
    assert quays(Path(made["prefix"])) == "4"
    assert (other.home / "copy" / "data" / "levels.csv").read_text() == "1,2\n"
    copy = json.loads((other.home / made["path"]).read_bytes())
    assert copy["metadata"]["kernelspec"]["name"] == made["kernel"]
    assert (other.home / "jupyter" / "kernels" / made["kernel"] / "kernel.json").is_file()
    assert made["command"].startswith("jupyter lab ")
    again = other.json("reproduce", f"{ada}/high-tides", "--hub", hub.url, "--yes")
    assert (again["built"], again["prefix"]) == (False, made["prefix"])

    # what the environment needs may be seen by fewer people than the publication
    assert published["warnings"] == []
    with HubClient(hub.url, _token(carrel, hub)) as client:
        client.update_package(ada, "harbour", visibility="private")
    path = write_notebook(carrel, ["import harbour\nharbour.QUAYS + 1"])
    told = carrel("publish", "work/tides.ipynb", "--json")
    assert [f"{ada}/harbour" in text for text in json.loads(told.out)["warnings"]] == [True]
    assert "same visibility" in told.err


def test_a_lock_and_what_is_built_of_it(carrel: Carrel, ada: str, venv: Path) -> None:
    carrel.ok("env", "install", f"{ada}/harbour", "--prefix", venv, "--yes")
    captured = carrel.json("env", "lock", venv, "--format", "pylock.toml", "-o", carrel.home / "my-lock.toml")
    assert (captured["kind"], captured["pypi"], captured["problems"]) == ("venv", 1, [])
    assert "harbour-2.1-py3-none-any.whl" in carrel.ok("env", "lock", venv).out
    built = carrel.json("env", "reproduce", carrel.home / "my-lock.toml", "--prefix", carrel.home / "again")
    assert (built["digest"], built["packages"]) == (captured["digest"], 1)
    assert quays(carrel.home / "again") == "4"
    removed = carrel.json("env", "remove", "harbour", "--prefix", venv, "--yes")
    assert ([step["name"] for step in removed["removed"]], quays(venv)) == (["harbour"], "")
    assert carrel.json("env", "undo", "--prefix", venv, "--yes")["restored"] == removed["revision"] - 1
    assert quays(venv) == "4"
    assert carrel.json("env", "update", "harbour", "--prefix", venv, "--yes")["applied"] is False
    (carrel.home / "mine").mkdir()
    (carrel.home / "mine" / "file").touch()
    assert carrel("env", "reproduce", carrel.home / "my-lock.toml", "--prefix", carrel.home / "mine").code == 5


def test_secrets_are_refused_until_somebody_decides(carrel: Carrel, ada: str) -> None:
    write_notebook(carrel, [f"token = '{SECRET}'"])
    words = ("publish", "work/tides.ipynb", "--no-environment")
    refused = carrel(*words, "--json")
    assert refused.code == 1
    assert SECRET not in refused.err + refused.out
    assert "--redact-all" in refused.err
    error = json.loads(refused.out)["error"]
    assert error["code"] == "secrets_undecided"
    assert carrel("show", f"{ada}/high-tides").code == 3
    (finding,) = error["findings"]
    assert carrel("publish", "work/tides.ipynb", "--no-environment", "--allow", finding["id"][:3]).code == 2

    published = carrel.json(*words, "--redact-all")
    assert [f["decision"] for f in published["findings"]] == ["redact"]
    carrel.ok("download", f"{ada}/high-tides", "--into", "redacted")
    assert SECRET not in (carrel.home / "redacted" / "tides.ipynb").read_text()
    assert SECRET in (carrel.home / "work" / "tides.ipynb").read_text()

    assert carrel.json(*words, "--allow", finding["id"][:8])["version"] == "2"
    carrel.ok("download", f"{ada}/high-tides", "--into", "kept")
    assert SECRET in (carrel.home / "kept" / "tides.ipynb").read_text()


@pytest.mark.parametrize(("answer", "code", "told"), [("c", 130, "Cancelled."), ("r", 0, "Published")])
def test_a_person_is_asked(carrel: Carrel, ada: str, answer: str, code: int, told: str) -> None:
    write_notebook(carrel, [f"token = '{SECRET}'"])
    command = carrel.command("publish", "work/tides.ipynb", "--no-environment")
    environ = {**carrel.environ(), "NO_COLOR": "1"}
    terminal = pexpect.spawn(command[0], command[1:], env=environ, cwd=str(carrel.home), encoding="utf-8", timeout=60)
    terminal.expect("ot a secret, or")
    shown = str(terminal.before)
    assert "cell 2, source" in shown
    assert SECRET not in shown
    assert "\x1b[3" not in shown
    terminal.sendline(answer)
    terminal.expect(told)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == code
    assert carrel("show", f"{ada}/high-tides").code == (0 if code == 0 else 3)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("publish", "work/tides.ipynb"), 3, "--environment FOLDER"),
        (("publish", "work/none.ipynb"), 2, "does not exist"),
        (("publish", "work/tides.ipynb", "--no-environment", "--data", "elsewhere.csv"), 2, "notebook's folder"),
        (("publish", "work/broken.ipynb", "--no-environment"), 1, "not a notebook"),
        (("publish", "work/tides.ipynb", "--no-environment", "--name", "a b"), 1, "package name"),
        (("reproduce", "nobody/nothing"), 3, "nothing"),
        (("env", "show", "work"), 3, ""),
        (("env", "install", "a b", "--prefix", "work"), 3, ""),
        (("env", "undo", "--prefix", sys.prefix, "none"), 2, "integer"),
    ],
)
def test_what_cannot_be_done_is_told(carrel: Carrel, ada: str, words: tuple[str, ...], code: int, told: str) -> None:
    write_notebook(carrel, ["1"], kernel="unknown-kernel")
    (carrel.home / "work" / "broken.ipynb").write_text("{")
    (carrel.home / "elsewhere.csv").touch()
    answer = carrel(*words)
    assert (answer.code, answer.out) == (code, ""), answer
    assert told in answer.err
    assert "Traceback" not in answer.err
