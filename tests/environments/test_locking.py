"""Locks are solved for any platform: from specifications, and from what was captured, with the same versions where they exist."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from environment_fixtures import CancelWhen, PackageIndex, change, package_index, python_says

from carrel.core.errors import BadRequest, Cancelled, Forbidden, InvalidFile, Unsolvable
from carrel.environments import Policy, Sources, Spec, capture, environment_folder, rebuild
from carrel.environments import virtual_packages as virtual
from carrel.environments.locations import current_platform
from carrel.environments.locking import for_platforms, lock
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockKind
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.testing.artifacts import build_conda, build_wheel
from carrel.testing.conda_channel import ChannelServer, index, serve

EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
MIDDLE = datetime(2026, 3, 1, tzinfo=UTC)


def published(moment: datetime) -> dict[str, int]:
    return {"timestamp": int(moment.timestamp() * 1000)}


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChannelServer]:
    """A channel for three platforms, whose packages are there to be solved and hold nothing."""
    folder = tmp_path_factory.mktemp("wide")
    (folder / "noarch").mkdir()
    made = [
        build_conda("pure", "1.0", noarch="python", depends=["python"], index=published(EARLY)),
        build_conda("pure", "2.0", noarch="python", depends=["python"], index=published(LATE)),
        build_conda("needs-new-glibc", "1.0", noarch="generic", depends=["__glibc >=2.40"], index=published(EARLY)),
        build_conda("needs-mac-12", "1.0", noarch="generic", depends=["__osx >=12"], index=published(EARLY)),
    ]
    targets = {artifact.filename: (artifact, "noarch") for artifact in made}
    for subdir, numeric in (("linux-64", ["1.4", "1.5", "2.0"]), ("osx-arm64", ["1.4", "1.6", "2.1"]), ("win-64", ["1.5", "2.0"])):
        packages = [build_conda("python", version, subdir=subdir, index=published(EARLY)) for version in ("3.11.4", "3.12.1")]
        # the C library of Linux alone
        depends = ["python", *(["libunix"] if subdir == "linux-64" else [])]
        packages += [build_conda("numeric", version, depends=depends, subdir=subdir, index=published(EARLY)) for version in numeric]
        if subdir == "linux-64":
            packages += [build_conda(name, "1.0", subdir=subdir, index=published(EARLY)) for name in ("libunix", "linux-only")]
        if subdir == "win-64":
            packages.append(build_conda("win-only", "1.0", subdir=subdir, index=published(EARLY)))
        (folder / subdir).mkdir()
        for artifact in packages:
            targets[f"{subdir}/{artifact.filename}"] = (artifact, subdir)
    for artifact, subdir in targets.values():
        (folder / subdir / artifact.filename).write_bytes(artifact.data)
    index(folder)
    _publish_when_made(folder)
    with serve(folder) as server:
        yield server


def _publish_when_made(folder: Path) -> None:
    """Let the channel say that packages appeared in it when they were made, not just now."""
    for file in [*folder.rglob("*.zst"), *folder.rglob("*.msgpack")]:
        file.unlink()
    for file in folder.glob("*/repodata.json"):
        document = json.loads(file.read_bytes())
        for records in (document["packages"], document["packages.conda"]):
            for record in records.values():
                record["indexed_timestamp"] = record["timestamp"]
        file.write_text(json.dumps(document))


@pytest.fixture(scope="module")
def native() -> Iterator[PackageIndex]:
    """Wheels for three platforms, and some that not all have."""
    tags = ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-macosx_11_0_arm64", "cp311-cp311-win_amd64")
    artifacts = [build_wheel("fast", "1.0", tag=tag, requires=["helper"]) for tag in tags]
    artifacts += [build_wheel("fast", "2.0", tag=tag, requires=["helper>=2"]) for tag in tags[:2]]
    artifacts += [build_wheel("helper", "1.0"), build_wheel("helper", "2.0")]
    artifacts += [build_wheel("picky", "1.0", requires=["pure<2"]), build_wheel("loop", "1.0", tag=tags[0])]
    artifacts += [build_wheel("server", "1.0", requires=["loop; sys_platform != 'win32'"]), build_wheel("pure", "9.0")]
    with package_index(artifacts) as running:
        yield running


@pytest.fixture
def places(wide: ChannelServer, native: PackageIndex) -> Sources:
    return Sources((wide.url,), (native.url,))


def versions(made: Lock | None) -> dict[str, str]:
    assert made is not None
    return {item.name: item.version for item in (*made.conda, *made.pypi)}


def test_a_specification_is_locked_for_each_platform(places: Sources) -> None:
    spec = EnvironmentSpec(
        dependencies=("python=3.11", "numeric >=1.5", "pure"),
        selected=(("linux", "linux-only"), ("win and not osx", "win-only")),
        pip=("fast", f"--index-url {places.indexes[0]}"),
    )
    made = lock(spec, ("linux-64", "osx-arm64", "win-64"), replace(places, indexes=()))
    assert made.platforms == ("linux-64", "osx-arm64", "win-64")
    linux, mac, windows = made.locks
    assert versions(linux) == {
        "python": "3.11.4", "numeric": "2.0", "libunix": "1.0", "pure": "2.0", "linux-only": "1.0", "fast": "2.0", "helper": "2.0"
    }  # fmt: skip
    assert versions(mac) == {"python": "3.11.4", "numeric": "2.1", "pure": "2.0", "fast": "2.0", "helper": "2.0"}
    assert versions(windows) == {
        "python": "3.11.4", "numeric": "2.0", "pure": "2.0", "win-only": "1.0", "fast": "1.0", "helper": "2.0"
    }  # fmt: skip
    for one in made.locks:
        assert one.kind is LockKind.CONDA
        assert one.python_version == "3.11.4"
        assert one.channels == places.channels
        assert one.problems == ()
        assert all(len(item.sha256) == 64 and item.size and item.url.startswith(places.channels[0]) for item in one.conda)
        assert all(len(item.sha256) == 64 and item.size and item.index == places.indexes[0] for item in one.pypi)
        assert {item.name: item.requires_dist for item in one.pypi}["fast"]
        assert {item.subdir for item in one.conda} == {one.platform, "noarch"}
    assert {item.filename for item in windows.pypi} >= {"fast-1.0-cp311-cp311-win_amd64.whl"}
    assert set(linux.requested) == {"python 3.11.*", "numeric >=1.5", "pure", "linux-only", "fast"}
    assert any(text.startswith("__osx=") for text in mac.virtual_packages)


def test_python_packages_leave_alone_what_conda_provides(places: Sources) -> None:
    spec = EnvironmentSpec(dependencies=("python=3.11", "pure=1"), pip=("picky", "pure"))
    made = lock(spec, ("linux-64",), places).locks[0]
    assert [item.name for item in made.pypi] == ["picky"]
    assert versions(made)["pure"] == "1.0"
    with pytest.raises(Unsolvable, match=r"For win-64: .*conda provides pure 2\.0"):
        lock(replace(spec, dependencies=("python=3.11", "pure=2")), ("win-64",), places)


def test_solving_can_be_cancelled(places: Sources) -> None:
    cancel = CancelWhen("solve")
    with pytest.raises(Cancelled):
        lock(EnvironmentSpec(dependencies=("pure",)), ("win-64",), places, on_event=cancel, cancel=cancel)


def test_what_cannot_be_solved_names_platform_and_requirement(places: Sources) -> None:
    with pytest.raises(Unsolvable, match=r"For osx-arm64: .*win-only") as caught:
        lock(EnvironmentSpec(dependencies=("win-only",)), ("win-64", "osx-arm64"), places)
    assert caught.value.fields["platform"] == "osx-arm64"
    with pytest.raises(Unsolvable, match=r"For win-64: .*loop"):
        lock(EnvironmentSpec(dependencies=("python=3.11",), pip=("loop",)), ("win-64",), places)
    with pytest.raises(BadRequest) as bad:
        lock(EnvironmentSpec(dependencies=("pure",)), ("amiga-68k",), places)
    assert bad.value.code == "unknown_platform"


def test_virtual_packages_are_those_of_the_other_platform(places: Sources) -> None:
    assert versions(lock(EnvironmentSpec(dependencies=("needs-mac-12",)), ("osx-arm64",), places).locks[0]) == {"needs-mac-12": "1.0"}
    with pytest.raises(Unsolvable):
        lock(EnvironmentSpec(dependencies=("needs-mac-12",)), ("linux-aarch64",), places)
    old = EnvironmentSpec(dependencies=("needs-mac-12",), system_requirements=(("macos", "11.0"),))
    with pytest.raises(Unsolvable, match="__osx"):
        lock(old, ("osx-arm64",), places)
    new = EnvironmentSpec(dependencies=("needs-new-glibc",), system_requirements=(("glibc", "2.41"),))
    for platform in ("linux-64", "linux-aarch64"):  # this machine's own gives way too
        assert "__glibc=2.41=0" in lock(new, (platform,), places).locks[0].virtual_packages


def test_virtual_packages_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import os, sys; from rattler import VirtualPackage as V; print(*(v.into_generic() for v in V.detect()), sep='\\n');"
        "sys.stdout.flush(); os._exit(0)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {text for text in virtual.detect() if "archspec" not in text} == {text for text in told if "archspec" not in text}
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.4")
    monkeypatch.setenv("CONDA_OVERRIDE_GLIBC", "2.17")
    assert {"__cuda=12.4=0", "__glibc=2.17=0"} <= set(virtual.detect())
    monkeypatch.setenv("CONDA_OVERRIDE_GLIBC", "")
    assert not any("glibc" in text for text in virtual.detect())


def test_nothing_newer_than_a_date(places: Sources) -> None:
    spec = EnvironmentSpec(dependencies=("pure",))
    made = lock(spec, ("osx-arm64",), places, policy=Policy(exclude_newer=MIDDLE)).locks[0]
    assert versions(made)["pure"] == "1.0"
    assert made.exclude_newer == MIDDLE
    earlier = replace(spec, exclude_newer=MIDDLE)
    assert versions(lock(earlier, ("osx-arm64",), places, policy=Policy(exclude_newer=LATE)).locks[0])["pure"] == "1.0"


def test_policies_hold(places: Sources) -> None:
    spec = EnvironmentSpec(dependencies=("python", "numeric"), pip=("helper",))
    pinned = Policy(pins={"numeric": "<2", "helper": "1.0", "win-only": "1.0"})
    assert {"numeric": "1.5", "helper": "1.0"}.items() <= versions(lock(spec, ("win-64",), places, policy=pinned).locks[0]).items()
    with pytest.raises(Forbidden):
        lock(spec, ("win-64",), places, policy=Policy(allowed=(places.channels[0],)))
    lock(spec, ("win-64",), places, policy=Policy(allowed=(places.channels[0], places.indexes[0])))


def test_python_packages_alone_make_a_virtual_environment(places: Sources, tmp_path: Path) -> None:
    here = ".".join(map(str, sys.version_info[:2]))
    spec = EnvironmentSpec(pip=("server", "helper<2", "-e .", "./local.whl"), requires_python=f"=={here}.*")
    made = lock(spec, (current_platform(), "win-64"), places)
    mine, windows = made.locks
    assert mine.kind is windows.kind is LockKind.VENV
    assert mine.conda == ()
    assert [(problem.code, problem.remedy) for problem in mine.problems] == [("editable", "build_wheel"), ("local_wheel", "upload_wheel")]
    assert versions(windows) == {"server": "1.0", "helper": "1.0"}
    if here == "3.11":
        assert versions(mine) == {"server": "1.0", "helper": "1.0", "loop": "1.0"}
    rebuild(mine, tmp_path / "venv")
    assert python_says(tmp_path / "venv", "import server, helper; print(1)") == "1"


def test_digests_of_a_requirement_are_kept(places: Sources, native: PackageIndex) -> None:
    mine = hashlib.sha256(native.artifacts["helper-1.0-py3-none-any.whl"]).hexdigest()
    here = ".".join(map(str, sys.version_info[:2]))
    spec = EnvironmentSpec(pip=(f"helper==1.0 --hash=sha256:{mine}",), requires_python=f"=={here}.*")
    assert lock(spec, ("win-64",), places).locks[0].pypi[0].sha256 == mine
    with pytest.raises(InvalidFile, match="helper"):
        lock(replace(spec, pip=(f"helper==1.0 --hash=sha256:{'0' * 64}",)), ("win-64",), places)


def captured_on_linux(places: Sources) -> Lock:
    url = places.channels[0]

    def conda(name: str, version: str, *depends: str) -> LockedConda:
        subdir = "noarch" if name == "pure" else "linux-64"
        return LockedConda(name, version, "0", f"{url}/{subdir}/{name}-{version}-0.conda", "0" * 64, "", 1, subdir, url, depends)

    def wheel(name: str, version: str, *requires: str) -> LockedPypi:
        return LockedPypi(name, version, f"{places.indexes[0]}{name}.whl", "0" * 64, 1, places.indexes[0], requires_dist=requires)

    return Lock(
        platform="linux-64",
        python_version="3.11.4",
        requested=("python", "numeric ==1.5", "pure", "libunix", "fast==1.0"),
        channels=(url,),
        conda=(
            conda("libunix", "1.0"), conda("numeric", "1.5", "python", "libunix"), conda("pure", "1.0", "python"), conda("python", "3.11.4")
        ),
        pypi=(
            wheel("fast", "1.0", "helper"), wheel("helper", "1.0"),
            wheel("server", "1.0", "loop; sys_platform != 'win32'"), wheel("loop", "1.0"),
        ),
        captured_at=MIDDLE,
        virtual_packages=("__glibc=2.36=0",),
    )  # fmt: skip


def test_other_platforms_get_what_was_captured(places: Sources) -> None:
    captured = captured_on_linux(places)
    # the index does not say when its files were published, so they would all count as later
    made = for_platforms(replace(captured, pypi=(), requested=captured.requested[:-1]), ("linux-64", "win-64", "osx-arm64"), places)
    assert made.locks[0] == replace(captured, pypi=(), requested=captured.requested[:-1])
    assert made.platforms == ("linux-64", "win-64", "osx-arm64")
    _, windows, mac = made.locks
    assert versions(windows) == {"python": "3.11.4", "numeric": "1.5", "pure": "1.0"}
    # the nearest below, not the newest; what was asked for and is not there is told
    assert versions(mac) == {"python": "3.11.4", "numeric": "1.4", "pure": "1.0"}
    assert [(problem.code, problem.name) for problem in windows.problems] == [("not_on_platform", "libunix")]
    assert {(problem.code, problem.name) for problem in mac.problems} == {("not_on_platform", "libunix"), ("other_version", "numeric")}
    for one in (windows, mac):
        assert one.exclude_newer == captured.captured_at == one.captured_at
        assert one.requested == made.locks[0].requested


def test_python_packages_of_a_capture_are_kept_too(places: Sources) -> None:
    captured = replace(captured_on_linux(places), captured_at=datetime.now(UTC))
    windows = for_platforms(captured, ("win-64",), places).for_platform("win-64")
    assert versions(windows).items() >= {"fast": "1.0", "helper": "1.0", "server": "1.0"}.items()
    assert "loop" not in versions(windows)


def test_what_was_asked_for_is_not_left_out(places: Sources) -> None:
    captured = captured_on_linux(places)
    only = LockedConda("linux-only", "1.0", "0", f"{places.channels[0]}/linux-64/linux-only-1.0-0.conda", "0" * 64)
    asked = replace(captured, requested=("linux-only",), conda=(only,), pypi=())
    with pytest.raises(Unsolvable, match=r"For win-64: .*linux-only"):
        for_platforms(asked, ("win-64",), places)
    # nobody noted down who asked: it may have come along with something
    unknown = for_platforms(replace(asked, requested=()), ("win-64",), places).locks[1]
    assert [(problem.code, problem.name) for problem in unknown.problems] == [("not_on_platform", "linux-only")]


def test_a_solved_lock_can_be_rebuilt(sources: Sources, pypi: Sources, tmp_path: Path) -> None:
    both = Sources(sources.channels, pypi.indexes)
    spec = EnvironmentSpec(dependencies=("python", "beta=2"), pip=("Alpha[all]>=1,<3",))
    made = lock(spec, (), both).locks[0]
    prefix = environment_folder(made, tmp_path)
    rebuild(made, prefix)
    assert python_says(prefix, "import alpha, beta; print(beta.__version__)") == "2.0"
    again = capture(prefix, both)
    assert again.digest == made.digest
    assert set(again.requested) == {"python", "beta 2.*", "Alpha[all]<3,>=1"}


def test_a_capture_says_what_the_machine_has(conda_env: Path, sources: Sources) -> None:
    change(conda_env, sources, Spec("beta", "1.0"))
    made = capture(conda_env, sources)
    assert made.virtual_packages == virtual.detect()
    assert all(item.size and item.sha256 for item in made.conda)


def test_an_index_with_other_versions_hides_nothing(venv: Path, pypi: Sources) -> None:
    change(venv, pypi, Spec("beta", "1.0", source="pypi"))
    with package_index([build_wheel("beta", "9.0")]) as first:
        made = capture(venv, Sources(indexes=(first.url, *pypi.indexes)))
    assert [(item.version, item.index) for item in made.pypi] == [("1.0", pypi.indexes[0])]
    assert made.problems == ()
