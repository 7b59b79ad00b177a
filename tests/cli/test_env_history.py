"""What was changed in an environment: listed, compared, and gone back to, at the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_process import QuickCarrel

from carrel.testing.artifacts import build_conda
from carrel.testing.conda_channel import index, serve


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("channel")
    (folder / "noarch").mkdir()
    for name, version in (("lamp", "1.0"), ("lamp", "2.0"), ("chair", "1.0")):
        artifact = build_conda(name, version, noarch="generic", files={f"share/{name}": version})
        (folder / "noarch" / artifact.filename).write_bytes(artifact.data)
    index(folder)
    with serve(folder) as running:
        yield running.url


@pytest.fixture
def room(quick: QuickCarrel, channel: str) -> Path:
    """An environment without Python, changed twice."""
    prefix = quick.home / "room"
    (prefix / "conda-meta").mkdir(parents=True)
    quick.variables |= {"CARREL_CHANNELS": channel}
    quick.ok("env", "install", "lamp==1.0", "--prefix", prefix, "--yes")
    changed = quick.json("env", "install", "lamp==2.0", "chair", "--prefix", prefix, "--yes")
    assert changed["revision"] == 2
    return prefix


def test_history(quick: QuickCarrel, room: Path) -> None:
    found = quick.json("env", "history", "--prefix", room)
    assert [(one["number"], one["kind"]) for one in found["revisions"]] == [(2, "change"), (1, "change"), (0, "found")]
    assert found["revisions"][0]["program"] == "carrel env"
    assert set(found["revisions"][0]["request"]) == {"install lamp 2.0", "install chair"}
    lines = quick.ok("env", "history", "--prefix", room).out.splitlines()
    assert lines[0].split()[0] == "2"
    assert "installed" in lines[0]
    assert lines[2].endswith("as it was found")
    assert len(quick.ok("env", "history", "--prefix", room, "-n", "1").out.splitlines()) == 1
    untouched = quick.home / "untouched"
    (untouched / "conda-meta").mkdir(parents=True)
    assert "was never changed by Carrel" in quick.ok("env", "history", "--prefix", untouched).err
    assert list(untouched.iterdir()) == [untouched / "conda-meta"]


def test_undo_and_undoing_the_undo(quick: QuickCarrel, room: Path) -> None:
    shown = quick.json("env", "undo", "--prefix", room, "--dry-run")
    assert (shown["restored"], [line["name"] for line in shown["removed"]]) == (None, ["chair"])
    assert "lamp   2.0 → 1.0" in quick.ok("env", "undo", "--prefix", room, "--dry-run").out
    done = quick.json("env", "undo", "--prefix", room, "--yes")
    assert (done["restored"], done["revision"]) == (1, 3)
    assert (room / "share" / "lamp").read_text() == "1.0"
    assert not (room / "share" / "chair").exists()
    assert quick.json("env", "undo", "--prefix", room, "--yes")["restored"] == 2
    assert (room / "share" / "lamp").read_text() == "2.0"
    assert "as it was after revision 0" in quick.ok("env", "undo", "0", "--prefix", room, "--yes").out
    assert not (room / "share").exists()
    refused = quick("env", "undo", "17", "--prefix", room, "--yes")
    assert refused.code != 0
    assert "it has 0 to 5" in refused.err


def test_diff_of_revisions_environments_and_locks(quick: QuickCarrel, room: Path) -> None:
    found = quick.json("env", "diff", "1", "2", "--prefix", room)
    assert [(line["name"], line["from_version"], line["to_version"]) for line in found["changed"]] == [("lamp", "1.0", "2.0")]
    assert [line["name"] for line in found["added"]] == ["chair"]
    assert quick.json("env", "diff", "2", "--prefix", room)["same"] is True
    assert "The packages are the same." in quick.ok("env", "diff", room, room).out
    lock = quick.home / "explicit.txt"
    record = json.loads(next((room / "conda-meta").glob("lamp-*.json")).read_bytes())
    lock.write_text(f"# platform: linux-64\n@EXPLICIT\n{record['url']}#{record['md5']}\n")
    against = quick.json("env", "diff", lock, "--prefix", room)
    assert ([line["name"] for line in against["added"]], against["changed"]) == (["chair"], [])
    (quick.home / "environment.yml").write_text("dependencies: [lamp]\n")
    assert "lock it first" in quick("env", "diff", quick.home / "environment.yml", "--prefix", room).err
    assert "no revision" in quick("env", "diff", "nowhere", "--prefix", room).err


def test_what_another_program_did_is_undone_first(quick: QuickCarrel, room: Path) -> None:
    (room / "share" / "chair").unlink()
    next((room / "conda-meta").glob("chair-*.json")).unlink()
    done = quick.json("env", "undo", "--prefix", room, "--yes")
    assert done["restored"] == 2
    assert (room / "share" / "chair").exists()
    assert "changed outside of Carrel: removed chair" in quick.ok("env", "history", "--prefix", room).out
