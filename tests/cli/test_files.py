"""Uploading, finding and downloading files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from cli_process import Carrel, QuickCarrel

from carrel.testing.artifacts import build_conda, build_notebook, build_wheel
from carrel.testing.hub import HubProcess


@pytest.fixture
def carrel(quick: QuickCarrel) -> Carrel:
    """The command in this process; how it starts is the matter of other tests."""
    return quick


@pytest.fixture
def files(carrel: Carrel) -> Path:
    """A folder with one file of every sort."""
    folder = carrel.home / "dist"
    folder.mkdir()
    for artifact in (build_conda("tides", "1.0", subdir="linux-64"), build_wheel("harbour", "2.1", summary="Ships and quays")):
        (folder / artifact.filename).write_bytes(artifact.data)
    return folder


def test_packages_and_their_way_back(carrel: Carrel, ada: str, files: Path) -> None:
    document = carrel.json("upload", "dist/*", "--label", "dev")
    assert document["namespace"] == ada
    told = {entry["package"]: entry for entry in document["files"]}
    assert {name: (entry["kind"], entry["version"], entry["status"], entry["labels"]) for name, entry in told.items()} == {
        "tides": ("conda", "1.0", "uploaded", ["dev"]),
        "harbour": ("pypi", "2.1", "uploaded", ["dev"]),
    }
    answer = carrel.json("download", f"{ada}/harbour", "--into", "back")
    (file,) = answer["files"]
    assert answer["reference"] == f"{ada}/harbour@2.1"
    assert file["status"] == "downloaded"
    original = (files / file["filename"]).read_bytes()
    assert (carrel.home / file["path"]).read_bytes() == original
    assert file["sha256"] == hashlib.sha256(original).hexdigest()
    assert carrel.json("download", f"{ada}/harbour@2.1", "*.whl", "--into", "back")["files"][0]["status"] == "present"
    assert [entry.name for entry in (carrel.home / "back").iterdir()] == [file["filename"]]


def test_files_without_a_version_get_the_next_number_together(carrel: Carrel, ada: str) -> None:
    (carrel.home / "tides.csv").write_text("time,height\n1,2\n")
    (carrel.home / "look.ipynb").write_bytes(build_notebook().data)
    words = ("upload", "tides.csv", "look.ipynb", "--package", "tide-data")
    answer = carrel.ok(*words, "--private", "--summary", "Tides")
    assert f"tides.csv → {ada}/tide-data@1" in answer.out
    shown = carrel.json("show", f"{ada}/tide-data")
    assert (shown["package"]["visibility"], shown["package"]["summary"], shown["versions"]) == ("private", "Tides", ["1"])
    assert {file["filename"]: file["kind"] for file in shown["release"]["files"]} == {"tides.csv": "file", "look.ipynb": "notebook"}
    assert "tides.csv" in carrel.ok("show", f"{ada}/tide-data@1").out
    assert [file["status"] for file in carrel.json(*words)["files"]] == ["present", "present"]
    (carrel.home / "tides.csv").write_text("time,height\n1,3\n")
    assert [(file["status"], file["version"]) for file in carrel.json(*words)["files"]] == [("uploaded", "2")] * 2


def test_a_name_is_never_given_to_other_bytes(carrel: Carrel, ada: str) -> None:
    options = ("--package", "data", "--version", "1")
    (carrel.home / "a.csv").write_text("1\n")
    carrel.ok("upload", "a.csv", *options)
    carrel.ok("upload", "a.csv", *options)  # the same bytes are no conflict
    (carrel.home / "a.csv").write_text("2\n")
    (carrel.home / "b.csv").write_text("3\n")
    refused = carrel("upload", "a.csv", "b.csv", *options, "--json")
    assert refused.code == 5
    assert [entry["status"] for entry in json.loads(refused.out)["files"]] == ["failed", "uploaded"]
    assert json.loads(refused.out)["files"][0]["error"]["code"] == "file_exists"
    skipped = carrel.json("upload", "a.csv", "b.csv", *options, "--skip-existing")
    assert [entry["status"] for entry in skipped["files"]] == ["skipped", "present"]


def test_downloading_keeps_what_is_there(carrel: Carrel, ada: str) -> None:
    (carrel.home / "a.csv").write_text("1\n")
    carrel.ok("upload", "a.csv", "--package", "data", "--version", "1")
    (carrel.home / "a.csv").write_text("mine\n")
    refused = carrel("download", f"{ada}/data")
    assert refused.code == 5
    assert "--force" in refused.err
    assert (carrel.home / "a.csv").read_text() == "mine\n"
    carrel.ok("download", f"{ada}/data", "--force")
    assert (carrel.home / "a.csv").read_text() == "1\n"


def test_damaged_bytes_do_not_get_the_name(carrel: Carrel, ada: str, start_hub: object, hub: HubProcess) -> None:
    (carrel.home / "a.bin").write_bytes(b"right" * 100)
    (told,) = carrel.json("upload", "a.bin", "--package", "bin", "--version", "1")["files"]
    stored = [path for path in hub.data_dir.rglob("*") if path.is_file() and path.read_bytes() == b"right" * 100]
    assert stored, told
    for path in stored:
        path.chmod(0o600)
        path.write_bytes(b"wrong" * 100)
    refused = carrel("download", f"{ada}/bin", "--into", "back")
    assert refused.code == 1
    assert "other bytes" in refused.err
    assert list((carrel.home / "back").iterdir()) == []


def test_search(carrel: Carrel, ada: str, files: Path, hub: HubProcess) -> None:
    carrel.ok("upload", "dist/*", "--visibility", "public")
    found = carrel.json("search", "harbour", "--namespace", ada)
    assert [item["name"] for item in found["items"]] == ["harbour"]
    assert carrel.ok("search", "harbour", "--namespace", ada).out.split()[:3] == [f"{ada}/harbour", "2.1", "pypi"]
    assert carrel.json("search", "harbour", "--namespace", ada, "--kind", "conda")["items"] == []
    nothing = carrel.ok("search", "nowhere-to-be-found")
    assert (nothing.out, nothing.err) == ("", "Nothing was found.\n")
    # Anonymous people find what is public, by the address of the hub alone.
    anonymous = QuickCarrel(carrel.home / "..")
    assert [item["name"] for item in anonymous.json("search", "harbour", "--namespace", ada, "--hub", hub.url)["items"]] == ["harbour"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("show", "nobody/nothing"), 3, "nothing"),
        (("download", "nobody/nothing@7"), 3, "nothing"),
        (("download", "not-a-reference"), 2, "NAMESPACE/NAME"),
        (("upload", "missing.whl"), 2, "There is no file 'missing.whl'"),
        (("upload", "*.none"), 2, "No file matches"),
        (("search", "x", "--kind", "elephant"), 2, "elephant"),
        (("search",), 2, "QUERY"),
        (("search", "x", "--hub", "ftp://hub"), 2, "http"),
    ],
)
def test_what_cannot_be_done_is_told(carrel: Carrel, ada: str, words: tuple[str, ...], code: int, told: str) -> None:
    answer = carrel(*words)
    assert (answer.code, answer.out) == (code, ""), answer
    assert told in answer.err
    assert "Traceback" not in answer.err


def test_uploading_to_others_is_refused(carrel: Carrel, ada: str, hub: HubProcess) -> None:
    hub.create_user(f"{ada}-friend")
    (carrel.home / "a.csv").write_text("1\n")
    answer = carrel("upload", "a.csv", "--package", "data", "--version", "1", "--namespace", f"{ada}-friend")
    assert answer.code in (3, 4), answer


def test_an_unreachable_hub(carrel: Carrel) -> None:
    answer = carrel("search", "x", "--hub", "http://127.0.0.1:9", "--json")
    assert answer.code == 1
    assert json.loads(answer.out)["error"]["code"] == "hub_unreachable"
    assert "cannot be reached" in answer.err
    debugged = carrel("search", "x", "--hub", "http://127.0.0.1:9", "--debug")
    assert "Traceback" in debugged.err
