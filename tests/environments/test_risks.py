"""What a plan says is at risk, what it costs, and what it never does to a kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from environment_fixtures import change, contents, differences, package_index
from planning_lab import Lab, line, told

from carrel.core.errors import Conflict, Forbidden
from carrel.environments import Change, Policy, Sources, Spec, apply, plan
from carrel.testing.artifacts import build_wheel


@pytest.fixture
def pinned(lab: Lab) -> Iterator[Path]:
    path = lab.prefix / "conda-meta" / "pinned"
    yield path
    path.unlink(missing_ok=True)


def test_a_change_of_the_binary_interface_names_who_was_compiled_for_it(lab: Lab) -> None:
    made = plan(lab.prefix, Change(update=("corelib",)), lab.sources)
    assert (line(made, "corelib").to_version, line(made, "corelib").risks) == ("2.0", ("abi",))
    assert told(made)["abi"].startswith("compiled, coreuser was compiled for corelib 1.0, which becomes 2.0")
    made = plan(lab.prefix, Change(add=(Spec("corelib", "1.5"),)), lab.sources)
    assert line(made, "corelib").risks == ()
    assert "abi" not in told(made)


def test_going_back_is_told(lab: Lab, venv: Path) -> None:
    sources = Sources(indexes=lab.sources.indexes)
    change(venv, sources, Spec("solo", "2.0", "pypi"))
    made = plan(venv, Change(add=(Spec("gamma", source="pypi"),)), sources)
    assert line(made, "solo").risks == ("downgrade", "changes_requested")
    assert told(made)["downgrade"].startswith("solo goes back from 2.0 to 1.0")
    assert "once asked for" in told(made)["changes_requested"]


def test_what_was_asked_for_once(lab: Lab) -> None:
    made = plan(lab.prefix, Change(remove=("beta",)), lab.sources)
    assert line(made, "beta").risks == ()  # it is asked for now
    assert told(made)["may_break_pip_package"] == ("needsbeta was installed by pip and needs beta: with beta removed it may stop working.")
    made = plan(lab.prefix, Change(remove=("corelib",)), lab.sources)
    assert line(made, "coreuser").risks == ("removes_requested",)
    assert told(made)["removes_requested"] == "coreuser, which you once asked for, would be removed: needs corelib."


def test_pins_of_the_file_and_of_the_policy(lab: Lab, pinned: Path) -> None:
    pinned.write_text("corelib 1.*\n")
    made = plan(lab.prefix, Change(update=("corelib",)), lab.sources, policy=Policy(pins={"ipykernel": ">=1"}))
    assert (line(made, "corelib").to_version, line(made, "corelib").risks) == ("1.5", ("pinned",))
    assert told(made)["pinned"] == "corelib is pinned to 1.* and changes from 1.0 to 1.5."


def test_loaded_modules(lab: Lab) -> None:
    change_beta = Change(add=(Spec("alpha", "2.0"), Spec("beta", "2.0")))
    made = plan(lab.prefix, change_beta, lab.sources, loaded=("alpha.core", "json"))
    assert line(made, "alpha").risks == ("loaded",)
    assert "A running kernel has loaded alpha" in told(made)["loaded"]
    assert line(made, "beta").risks == ()


def test_sizes_are_measured_where_the_package_is_in_the_cache(lab: Lab) -> None:
    made = plan(lab.prefix, Change(remove=("coreuser",)), lab.sources)
    assert made.disk_bytes == -1  # one byte is in its only file
    change_core = plan(lab.prefix, Change(update=("corelib",)), lab.sources)
    fetched = line(change_core, "corelib")
    assert fetched.disk_bytes == fetched.size * 4  # not in the cache: an estimate
    record = json.loads(next((lab.prefix / "conda-meta").glob("corelib-*.json")).read_bytes())
    assert change_core.disk_bytes == fetched.disk_bytes - sum(path["size_in_bytes"] for path in record["paths_data"]["paths"])
    assert (fetched.from_version, fetched.from_build, fetched.build) == ("1.0", "0", "0")


def test_what_pip_installed_holds_conda_back(lab: Lab) -> None:
    made = plan(lab.prefix, Change(update=("beta",)), lab.sources)
    assert made.is_empty
    assert told(made)["held_by_pip_package"] == "beta 2.0 is not taken: needsbeta, which pip installed, needs another version."
    made = plan(lab.prefix, Change(add=(Spec("beta", "2.0"),)), lab.sources)
    assert line(made, "beta").to_version == "2.0"
    message = "needsbeta was installed by pip and needs beta<2: with beta 2.0 it may stop working."
    assert told(made)["may_break_pip_package"] == message


def test_a_kernel_keeps_what_it_needs(lab: Lab, venv: Path) -> None:
    for name in ("python", "ipykernel", "traitlets"):
        with pytest.raises(Conflict) as caught:
            plan(lab.prefix, Change(remove=(name,)), lab.sources)
        assert caught.value.code == "protected_package"
    sources = Sources(indexes=lab.sources.indexes)
    change(venv, sources, Spec("ipykernel", source="pypi"))
    for name in ("ipykernel", "traitlets"):
        with pytest.raises(Conflict, match="cannot be removed") as caught:
            plan(venv, Change(remove=(name,)), sources)
        assert caught.value.code == "protected_package"


def test_conda_takes_nothing_from_a_kernel_that_pip_installed(conda_env: Path, sources: Sources) -> None:
    kernel = build_wheel("ipykernel", "1.0", requires=["beta"], files={"ipykernel/__init__.py": ""})
    with package_index([kernel]) as index:
        both = Sources(sources.channels, (index.url,))
        change(conda_env, both, Spec("beta", "1.0"))
        change(conda_env, both, Spec("ipykernel", source="pypi"))
        with pytest.raises(Conflict, match=r"beta cannot be removed: ipykernel needs it\."):
            plan(conda_env, Change(remove=("beta",)), both)
        assert line(plan(conda_env, Change(update=("beta",)), both), "beta").to_version == "2.0"


def test_a_wheel_under_another_name_overwrites_nothing_of_conda(conda_env: Path, sources: Sources) -> None:
    module = {"beta/__init__.py": "stolen = True\n"}
    wanted = [build_wheel("beta-python", "1.0", files=module), build_wheel("honest", "1.0"), build_wheel("honest", "2.0")]
    with package_index(wanted) as index:
        both = Sources(sources.channels, (index.url,))
        change(conda_env, both, Spec("beta", "1.0"))
        change(conda_env, both, Spec("honest", "1.0", "pypi"))
        before = contents(conda_env)
        made = plan(conda_env, Change(add=(Spec("beta-python", source="pypi"),)), both)
        with pytest.raises(Conflict, match=r"overwrite files of beta, which conda installed \(lib/python.*/beta/__init__\.py") as caught:
            apply(made)
        assert (caught.value.code, caught.value.fields["packages"]) == ("conda_owned", ["beta"])
        assert differences(before, contents(conda_env)) == []
        made = plan(conda_env, Change(add=(Spec("alpha", "1.0"), Spec("beta-python", source="pypi")), remove=("beta",)), both)
        apply(made)
        change(conda_env, both, update=["honest"])


def test_read_only_environments_can_be_copied(conda_env: Path, sources: Sources) -> None:
    (conda_env / "conda-meta" / "frozen").touch()
    with pytest.raises(Forbidden) as caught:
        plan(conda_env, Change(add=(Spec("alpha"),)), sources)
    assert (caught.value.code, caught.value.fields["remedy"]) == ("read_only_environment", "clone")
