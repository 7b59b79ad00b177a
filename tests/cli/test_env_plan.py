"""carrel env plan, and what the changing commands share with it: rules, ways out, copies."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_process import QuickCarrel
from environment_fixtures import package_index

from carrel.cli.commands.env.changing import _command
from carrel.testing.artifacts import build_conda, build_wheel
from carrel.testing.conda_channel import index
from carrel.testing.hub import HubProcess


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel of packages that need no Python."""
    folder = tmp_path_factory.mktemp("shelves") / "noarch"
    folder.mkdir()
    for artifact in [
        build_conda("alpha", "1.0", noarch="generic", files={"share/alpha": "1"}),
        build_conda("alpha", "2.0", noarch="generic", depends=["beta >=2"], files={"share/alpha": "2"}),
        build_conda("beta", "1.0", noarch="generic", files={"share/beta": "1"}),
        build_conda("beta", "2.0", noarch="generic", files={"share/beta": "2"}),
        build_conda("gamma", "1.0", noarch="generic", depends=["alpha <2"], files={"share/gamma": "1"}),
        build_conda("six", "1.0", noarch="generic", files={"share/six": "1"}),
    ]:
        (folder / artifact.filename).write_bytes(artifact.data)
    index(folder.parent)
    return folder.parent


@pytest.fixture
def desk(quick: QuickCarrel, shelves: Path) -> Path:
    """An environment with alpha 1.0, beta 1.0 and six."""
    quick.variables |= {"CARREL_CHANNELS": shelves.as_uri()}
    prefix = quick.home / "desk"
    (prefix / "conda-meta").mkdir(parents=True)
    quick.ok("env", "install", "-p", prefix, "alpha=1.0", "beta ==1.0", "six", "--yes")
    return prefix


def names(lines: list[dict[str, Any]]) -> dict[str, str]:
    return {line["name"]: line["to_version"] for line in lines}


def test_a_plan_of_everything_at_once(quick: QuickCarrel, desk: Path) -> None:
    document = quick.json("env", "plan", "gamma", "--remove", "six", "--update", "beta", "-p", desk)
    assert names(document["added"]) == {"gamma": "1.0"}
    assert names(document["changed"]) == {"beta": "2.0"}
    assert names(document["removed"]) == {"six": None}
    (changed,) = document["changed"]
    assert (changed["from_version"], changed["from_build"], changed["risks"]) == ("1.0", "0", [])
    assert document["added"][0]["disk_bytes"] > 0
    told = quick.ok("env", "plan", "-p", desk, "--remove", "alpha").out
    assert "-  alpha  1.0  requested" in told
    assert "less on disk" in told


def test_a_plan_changes_nothing(quick: QuickCarrel, desk: Path) -> None:
    before = sorted(path.name for path in (desk / "conda-meta").iterdir())
    quick.ok("env", "plan", "gamma", "-p", desk)
    assert sorted(path.name for path in (desk / "conda-meta").iterdir()) == before
    assert quick("env", "plan", "-p", desk).code == 2
    assert "is not a package specification" in quick("env", "plan", "gamma >>1", "-p", desk).err


def test_risks_are_shown(quick: QuickCarrel, desk: Path) -> None:
    told = quick.ok("env", "plan", "alpha>=2", "--pin", "beta>=1", "-p", desk).out
    assert "1.0 → 2.0  alpha 2.0 needs beta >=2 (you asked for it once, pinned)" in told
    assert "beta, which you once asked for, changes from 1.0 to 2.0: alpha 2.0 needs beta >=2." in told


def test_rules(quick: QuickCarrel, desk: Path, shelves: Path) -> None:
    document = quick.json("env", "update", "beta", "alpha", "--pin", "beta<2", "--dry-run", "-p", desk)
    assert document["changed"] == []
    failed = quick("env", "plan", "gamma", "--exclude-newer", "2020-01-31", "-p", desk)
    assert "gamma 1.0 was published after 2020-01-31" in failed.err
    failed = quick("env", "plan", "gamma", "--only-from", "https://conda.example/acme", "-p", desk)
    assert failed.code == 4 or "no channel that is set up is allowed" in failed.err
    assert names(quick.json("env", "plan", "gamma", "--only-from", shelves.as_uri(), "-p", desk)["added"]) == {"gamma": "1.0"}
    assert quick("env", "plan", "gamma", "--exclude-newer", "soon", "-p", desk).code == 2
    assert quick("env", "plan", "gamma", "--pin", "beta", "-p", desk).code == 2


def test_ways_out_are_commands(quick: QuickCarrel, desk: Path) -> None:
    failed = quick("env", "install", "gamma", "alpha>=2", "-p", desk, "--json")
    ways = json.loads(failed.out)["error"]["ways_out"]
    assert ways[0]["text"] == "take alpha in another version than >=2: gamma 1.0"
    assert ways[0]["command"] in failed.err
    assert "needs alpha <2, and you ask for alpha >=2" in failed.err
    words = shlex.split(ways[0]["command"])
    assert words[:3] == ["carrel", "env", "install"]
    assert names(quick.json(*words[1:], "--yes")["added"]) == {"gamma": "1.0"}


def test_a_read_only_environment_is_copied(quick: QuickCarrel, desk: Path) -> None:
    (desk / "conda-meta" / "frozen").touch()
    refused = quick("env", "install", "gamma", "-p", desk, "--yes", "--json")
    assert json.loads(refused.out)["error"]["remedy"] == "clone"
    copy = quick.home / "mine"
    document = quick.json("env", "install", "gamma", "-p", desk, "--copy", copy, "--yes")
    assert document["prefix"] == str(copy)
    assert (copy / "share" / "gamma").is_file()
    assert not (desk / "share" / "gamma").exists()


def test_a_label_of_a_namespace_comes_before_the_channels(quick: QuickCarrel, desk: Path, eve: str) -> None:
    for artifact in [build_conda("six", "2.0", noarch="generic"), build_conda("only-dev", "1.0", noarch="generic", depends=["six >=2"])]:
        path = quick.home / artifact.filename
        path.write_bytes(artifact.data)
        quick.ok("upload", path, "--label", "dev")
    place = f"{eve}/label/dev"
    document = quick.json("env", "plan", "six", "only-dev", "--from", place, "-p", desk)
    assert names(document["changed"]) == {"six": "2.0"}
    assert document["changed"][0]["channel"].endswith(f"/conda/{place}")
    assert names(quick.json("env", "plan", f"{place}/only-dev", f"{place}/six>=2", "-p", desk)["added"]) == {"only-dev": "1.0"}
    assert quick("env", "plan", f"{eve}/only-dev", "-p", desk).code != 0
    assert names(quick.json("env", "plan", "gamma", "--from", place, "-p", desk)["added"]) == {"gamma": "1.0"}


def test_ways_out_look_in_the_same_places(quick: QuickCarrel, desk: Path, eve: str, hub: HubProcess) -> None:
    # the hub is chosen on the command line alone
    quick.variables.pop("CARREL_HUB_URL")
    path = quick.home / "charts-1.0-0.conda"
    path.write_bytes(build_conda("charts", "1.0", noarch="generic", files={"share/charts": "1"}).data)
    quick.ok("upload", path, "--hub", hub.url)
    failed = quick("env", "install", f"{eve}/charts>=2", "six", "-p", desk, "--hub", hub.url, "--json")
    way = next(way for way in json.loads(failed.out)["error"]["ways_out"] if way["text"].startswith("take charts in another version"))
    assert names(quick.json(*shlex.split(way["command"])[1:], "--yes")["added"]) == {"charts": "1.0"}


def test_python_packages_of_the_hub_that_may_be_meant(quick: QuickCarrel, eve: str, shelves: Path) -> None:
    quick.variables |= {"CARREL_CHANNELS": shelves.as_uri()}
    prefix = quick.home / "plain"
    subprocess.run([getattr(sys, "_base_executable", sys.executable), "-m", "venv", "--without-pip", prefix], check=True)
    for wheel in (
        build_wheel(f"{eve}-tidal-charts", "1.0", files={"soundings_of_eve/__init__.py": ""}),
        build_wheel("unmet", requires=["gone-for-ever"]),
    ):
        (quick.home / wheel.filename).write_bytes(wheel.data)
        quick.ok("upload", quick.home / wheel.filename)
    with package_index([build_wheel("six", "1.0")]) as packages:
        quick.variables |= {"CARREL_INDEXES": packages.url}

        def ways(*words: str) -> list[dict[str, Any]]:
            failed = quick("env", "install", *words, "-p", prefix, "--json")
            assert failed.code != 0
            return [way for way in json.loads(failed.out)["error"]["ways_out"] if "from the hub" in way["text"]]

        (spelled,) = ways("six", f"{eve}-tidal-chart>=1")
        assert spelled["text"] == f"take {eve}/{eve}-tidal-charts from the hub: {eve}-tidal-charts 1.0"
        (imported,) = ways("soundings-of-eve")
        assert imported["text"] == spelled["text"]
        assert ways("unmet") == []  # what needs something that there is not is no way out
        done = quick.json(*shlex.split(spelled["command"])[1:], "--yes")
        assert names(done["added"]) == {"six": "1.0", f"{eve}-tidal-charts": "1.0"}


def test_ways_out_of_a_plan_without_packages_to_install(quick: QuickCarrel, desk: Path) -> None:
    quick.ok("env", "install", "gamma", "-p", desk, "--yes")
    change = {"add": [], "remove": ["six"], "update": ["alpha", "gamma"]}
    words = _command({"change": change, "new_environment": False}, desk)
    assert names(quick.json(*words[1:])["removed"]) == {"six": None}


def test_the_way_back_names_the_environment(quick: QuickCarrel, desk: Path) -> None:
    told = quick.ok("env", "install", "gamma", "-p", desk, "--yes").out
    assert f"'carrel env undo --prefix {desk}' goes back" in told
    told = quick.ok("env", "remove", "gamma", "--yes", env={"CONDA_PREFIX": str(desk)}).out
    assert "'carrel env undo' goes back" in told


def test_an_environment_is_named_as_it_was_created(quick: QuickCarrel, desk: Path) -> None:
    quick.ok("env", "create", "shelf", "alpha=1.0")
    (quick.home / "shelf").mkdir()  # a folder that is no environment is not meant
    made = quick.home / "data" / "envs" / "shelf"
    assert quick.json("env", "show", "shelf")["prefix"] == str(made)
    assert quick.json("env", "history", "-p", "shelf")["prefix"] == str(made)
    assert quick.json("env", "lock", "shelf")["prefix"] == str(made)
    assert quick.json("env", "diff", "shelf", desk)["before"] == str(made)
    assert quick.json("env", "create", "second", "--clone", "shelf")["prefix"] == str(made.with_name("second"))
    for words in (["show", "nothing"], ["show", "-p", "nothing"], ["lock", "nothing"], ["export", "nothing"], ["doctor", "nothing"]):
        assert quick("env", *words).code == 3, words


def test_moments_are_written_alike_everywhere(quick: QuickCarrel, desk: Path) -> None:
    for moment in ("2026-01-31", "2026-01-31T12:00:00Z", "7 days"):
        quick.ok("env", "plan", "--update", "six", "--exclude-newer", moment, "-p", desk)
        quick.ok("env", "lock", desk, "--exclude-newer", moment)
    for words in (["plan", "gamma", "-p", desk], ["lock", desk]):
        assert "is not a date: write 2026-01-31" in quick("env", *words, "--exclude-newer", "soon").err


def test_what_is_removed_and_updated_is_given_by_name(quick: QuickCarrel, desk: Path) -> None:
    for words in (["remove", "six==1"], ["update", "six>=1"], ["plan", "--remove", "six>1"], ["install", "gamma", "--update", "six=1"]):
        refused = quick("env", *words, "-p", desk)
        assert (refused.code, "is not the name of a package" in refused.err) == (2, True), words
    assert names(quick.json("env", "remove", "conda::six", "-p", desk, "--dry-run")["removed"]) == {"six": None}


def test_a_place_that_is_taken(quick: QuickCarrel, desk: Path) -> None:
    quick.ok("env", "create", "shelf", "alpha=1.0")
    assert quick.json("env", "create", "shelf", "alpha=1.0")["built"] is False
    refused = quick("env", "create", "shelf", "six")
    assert (refused.code, "change it with 'carrel env install'" in refused.err) == (5, True)
    quick.ok("env", "lock", desk, "-o", "conda-lock.yml")
    refused = quick("env", "reproduce", "conda-lock.yml", "-p", quick.home / "data" / "envs" / "shelf")
    assert (refused.code, "holds another environment" in refused.err, "Add --replace to replace it." in refused.err) == (5, True, True)
    quick.ok("env", "reproduce", "conda-lock.yml", "-p", quick.home / "again")
    quick.ok("env", "remove", "-p", quick.home / "again", "six", "--yes")
    changed = quick("env", "reproduce", "conda-lock.yml", "-p", quick.home / "again")
    assert (changed.code, "was changed after it was rebuilt" in changed.err, "Add --replace to" in changed.err) == (5, True, True)
    (quick.home / "thesis").mkdir()
    (quick.home / "thesis" / "text").touch()
    mine = quick("env", "reproduce", "conda-lock.yml", "-p", quick.home / "thesis")
    assert (mine.code, "was not made here" in mine.err, "--replace" in mine.err) == (5, True, False)
