"""Rules that plans keep: which sources in which order, published until when, within which versions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from environment_fixtures import change
from planning_lab import Lab, line, told

from carrel.core.errors import BadRequest, Forbidden, Unsolvable
from carrel.environments import Change, Policy, Sources, Spec, plan
from carrel.environments.conda import engine
from carrel.environments.pypi import uv


def wheel(name: str, version: str | None = None) -> Spec:
    return Spec(name, version, "pypi")


def versions(answer: dict[str, list[dict[str, dict[str, str]]]]) -> dict[str, str]:
    return {entry["record"]["name"]: entry["record"]["version"] for entry in answer["added"]}


def test_a_package_comes_from_the_first_channel_that_has_it(lab: Lab) -> None:
    made = plan(lab.prefix, Change(add=(Spec("shared"),)), lab.sources)
    assert (line(made, "shared").to_version, line(made, "shared").channel) == ("1.0", lab.first)
    with pytest.raises(Unsolvable, match="a channel before it has a package of that name too"):
        plan(lab.prefix, Change(add=(Spec("shared", ">=2"),)), lab.sources, find_ways_out=False)
    with pytest.raises(Unsolvable, match=r"needs-shared 1\.0 needs shared >=2"):
        plan(lab.prefix, Change(add=(Spec("needs-shared"),)), lab.sources, find_ways_out=False)
    made = plan(lab.prefix, Change(add=(Spec("shared", channel=lab.second),)), lab.sources)
    assert (line(made, "shared").to_version, line(made, "shared").channel) == ("2.0", lab.second)
    made = plan(lab.prefix, Change(add=(Spec("needs-shared"), Spec("shared", channel=lab.second))), lab.sources)
    assert line(made, "shared").to_version == "2.0"


def test_conda_packages_as_of_a_date(lab: Lab) -> None:
    wish = Change(add=(Spec("dated"),))
    assert line(plan(lab.prefix, wish, lab.sources), "dated").to_version == "2.0"
    then = Policy(exclude_newer=datetime(2024, 1, 1, tzinfo=UTC))
    made = plan(lab.prefix, wish, lab.sources, policy=then)
    assert [(one.name, one.to_version) for one in made.steps] == [("dated", "1.0")]  # what is installed and newer stays
    assert (made.policy, made.change) == (then, wish)
    with pytest.raises(Unsolvable, match=r"dated 1\.0 \| 2\.0 was published after 2020-01-01"):
        plan(lab.prefix, wish, lab.sources, policy=Policy(exclude_newer=datetime(2020, 1, 1, tzinfo=UTC)), find_ways_out=False)


def test_a_date_of_another_zone_is_the_same_moment(lab: Lab) -> None:
    # dated 1.0 is of 10:40 UTC
    for moment, found in [("2023-03-28T12:00:00+05:00", None), ("2023-03-28T12:00:00Z", "1.0"), ("2023-03-28T09:00:00-05:00", "1.0")]:
        if found is None:
            with pytest.raises(Unsolvable):
                engine.solve(sources=lab.sources, add=["dated"], exclude_newer=moment)
        else:
            assert versions(engine.solve(sources=lab.sources, add=["dated"], exclude_newer=moment)) == {"dated": found}


def test_python_packages_as_of_a_date(lab: Lab, venv: Path) -> None:
    lab.index.uploaded |= {"solo-1.0-py3-none-any.whl": "2023-05-01T00:00:00Z", "solo-2.0-py3-none-any.whl": "2025-05-01T00:00:00Z"}
    policy = Policy(exclude_newer=datetime(2024, 1, 1, tzinfo=UTC))
    made = plan(venv, Change(add=(wheel("solo"),)), lab.sources, policy=policy)
    assert line(made, "solo").to_version == "1.0"
    with pytest.raises(Unsolvable, match="published before 2024-01-01"):
        plan(venv, Change(add=(wheel("solo", "2.0"),)), lab.sources, policy=policy)


def test_pins_hold_and_cause_nothing(lab: Lab, venv: Path) -> None:
    policy = Policy(pins={"corelib": "<2", "dated": "1.0", "solo": "<2", "alpha": ">=2"})
    made = plan(lab.prefix, Change(update=("corelib",)), lab.sources, policy=policy)
    assert [(one.name, one.to_version) for one in made.steps] == [("corelib", "1.5")]
    assert told(made)["pin_not_met"] == "What is installed does not fulfil the pin alpha >=2. It stays as it is."
    assert line(plan(venv, Change(add=(wheel("solo"),)), lab.sources, policy=policy), "solo").to_version == "1.0"
    with pytest.raises(Unsolvable, match=r"corelib"):
        plan(lab.prefix, Change(add=(Spec("corelib", "2.0"),)), lab.sources, policy=policy, find_ways_out=False)
    with pytest.raises(BadRequest, match="not a package specification"):
        plan(lab.prefix, Change(update=("corelib",)), lab.sources, policy=Policy(pins={"alpha": ">>1"}))


def test_only_allowed_sources(lab: Lab, venv: Path) -> None:
    policy = Policy(allowed=(lab.second, lab.main))
    made = plan(lab.prefix, Change(add=(Spec("shared"),)), lab.sources, policy=policy)
    assert line(made, "shared").channel == lab.second
    for spec in (Spec("shared", channel=lab.first), Spec("shared", url=f"{lab.first}/noarch/shared-1.0-0.conda"), wheel("solo")):
        with pytest.raises(Forbidden) as caught:
            plan(lab.prefix, Change(add=(spec,)), lab.sources, policy=policy)
        assert caught.value.code == "source_not_allowed"
    with pytest.raises(Forbidden, match="no index that is set up is allowed"):
        plan(venv, Change(add=(wheel("solo"),)), lab.sources, policy=Policy(allowed=()))
    assert plan(venv, Change(add=(wheel("solo"),)), lab.sources, policy=Policy(allowed=(lab.index.root,))).added


def test_an_archive_elsewhere_than_its_channel_is_refused(lab: Lab, tmp_path: Path) -> None:
    channel = tmp_path / "sly"
    for subdir in ("noarch", "linux-64"):
        (channel / subdir).mkdir(parents=True)
        record = {"name": "sly", "version": "1.0", "build": "0", "build_number": 0, "depends": [], "sha256": "ab" * 32, "size": 9}
        packages = {"sly-1.0-0.conda": {**record, "subdir": subdir}} if subdir == "noarch" else {}
        info = f'{{"subdir": "{subdir}", "base_url": "{lab.first}/noarch/"}}'
        text = f'{{"info": {info}, "packages": {{}}, "packages.conda": {str(packages).replace(chr(39), chr(34))}}}'
        (channel / subdir / "repodata.json").write_text(text)
    sources = Sources((channel.as_uri(), lab.main))
    with pytest.raises(Forbidden, match=r"sly 1\.0 from"):
        plan(lab.prefix, Change(add=(Spec("sly"),)), sources, policy=Policy(allowed=(channel.as_uri(), lab.main)))


def test_one_archive_by_its_address(lab: Lab, venv: Path) -> None:
    made = plan(lab.prefix, Change(add=(Spec("shared", url=f"{lab.second}/noarch/shared-2.0-0.conda"),)), lab.sources)
    assert line(made, "shared").to_version == "2.0"
    url = f"{lab.index.root}files/onlypip-1.0-py3-none-any.whl"
    change(venv, Sources(indexes=lab.sources.indexes), Spec("onlypip", source="pypi", url=url))
    assert list(venv.rglob("onlypip-1.0.dist-info"))


def test_solving_without_an_environment_for_another_platform(lab: Lab) -> None:
    answer = engine.solve(sources=lab.sources, add=["dated"], platform="osx-arm64", virtual_packages=["__osx=11.0=0"])
    assert versions(answer) == {"dated": "2.0"}
    with pytest.raises(Unsolvable, match="No channel has a package"):
        engine.solve(sources=lab.sources, add=["corelib"], platform="osx-arm64", virtual_packages=["__osx=11.0=0"])
    packages = uv.lock_requirements(["delta"], python_version="3.11", platform="win-64", sources=lab.sources)
    assert {package["name"]: package["version"] for package in packages} == {"delta": "1.0", "solo": "2.0"}
    with pytest.raises(BadRequest, match="linux-s390x"):
        uv.lock_requirements(["delta"], python_version="3.11", platform="linux-s390x", sources=lab.sources)
