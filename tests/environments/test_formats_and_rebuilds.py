"""capture → file → rebuild → capture is a fixed point, through every format that says exactly what is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from environment_fixtures import PackageIndex, change, freeze, package_index

from carrel.core.errors import BadRequest, InvalidFile
from carrel.environments import Sources, Spec, capture, read_environment_file, rebuild
from carrel.environments.locking import lock
from carrel.formats.environment import writing
from carrel.formats.environment.lock import Lock, LockSet
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.testing.artifacts import build_wheel


@pytest.fixture
def both(sources: Sources, pypi: Sources) -> Sources:
    return Sources(sources.channels, pypi.indexes)


def test_a_conda_environment_through_its_locks(conda_env: Path, both: Sources, tmp_path: Path) -> None:
    change(conda_env, both, Spec("beta", "2.0"), Spec("alpha", "2.0", source="pypi"))
    before = capture(conda_env, both)
    for form in ("conda-lock", "pixi.lock", "explicit"):
        filename, data = writing.write(before, form)
        (tmp_path / filename).write_bytes(data)
        read = read_environment_file(tmp_path / filename)
        assert isinstance(read, LockSet)
        found = read.for_platform(before.platform)
        assert found is not None
        assert found.digest == before.digest
        prefix = tmp_path / f"of-{form}"
        rebuild(found, prefix)
        after = capture(prefix, both)
        assert after.digest == before.digest
        assert freeze(prefix) == freeze(conda_env)
        assert says(after) == says(before)
        if form == "conda-lock":  # which has a place for everything
            assert after.conda == before.conda


def says(lock: Lock) -> set[tuple[object, ...]]:
    return {(item.name, item.version, item.build, item.url, item.sha256, item.channel, item.depends) for item in lock.conda}


@pytest.fixture
def tagged() -> Iterator[PackageIndex]:
    """An index whose newest versions are not what is installed."""
    with package_index([build_wheel("tide", "1.0", requires=["wave"]), build_wheel("wave", "1.0"), build_wheel("wave", "2.0")]) as running:
        yield running


@pytest.mark.parametrize("form", ["pylock.toml", "requirements.txt"])
def test_a_venv_through_its_locks(venv: Path, tagged: PackageIndex, tmp_path: Path, form: str) -> None:
    sources = Sources(indexes=(tagged.url,))
    change(venv, sources, Spec("tide", "1.0", source="pypi"), Spec("wave", "1.0", source="pypi"))
    before = capture(venv, sources)
    filename, data = writing.write(before, form)
    (tmp_path / filename).write_bytes(data)
    read = read_environment_file(tmp_path / filename, platform=before.platform)
    if isinstance(read, EnvironmentSpec):  # requirements name no addresses: the index is asked, and the digests hold
        read = lock(read, (), Sources())
    assert read.platforms == (before.platform,)
    assert read.locks[0].digest == before.digest
    rebuild(read.locks[0], tmp_path / "again")
    after = capture(tmp_path / "again", sources)
    assert (after.digest, after.python_version) == (before.digest, before.python_version)
    assert freeze(tmp_path / "again") == ["tide==1.0", "wave==1.0"]
    if form == "requirements.txt":
        assert writing.write(after, form)[1] == data


def test_digests_and_limits_hold_when_requirements_are_locked(tagged: PackageIndex, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    (tmp_path / "limits.txt").write_text("wave<2\n")
    file.write_text(f"-i {tagged.url}\n-c limits.txt\ntide\n")
    spec = read_environment_file(file)
    assert isinstance(spec, EnvironmentSpec)
    found = lock(spec, ("linux-64",), Sources()).locks[0]
    assert [(item.name, item.version) for item in found.pypi] == [("tide", "1.0"), ("wave", "1.0")]
    tide, wave = (item.sha256 for item in found.pypi)

    def locked(text: str) -> Lock:
        file.write_text(f"-i {tagged.url}\n{text}")
        read = read_environment_file(file)
        assert isinstance(read, EnvironmentSpec)
        return lock(read, ("linux-64",), Sources()).locks[0]

    exact = f"tide==1.0 --hash=sha256:{tide}\nwave==1.0 --hash=sha256:{wave}\n"
    assert locked(exact).digest == found.digest
    with pytest.raises(InvalidFile) as caught:
        locked(exact.replace(wave, "0" * 64))
    assert caught.value.code == "not_from_index"
    with pytest.raises(InvalidFile) as caught:
        locked(f"tide==1.0 --hash=sha256:{tide}\n")
    assert caught.value.code == "digest_missing"


def test_files_beside_are_followed_and_no_others(tmp_path: Path) -> None:
    inner = tmp_path / "project"
    (inner / "deps").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("hidden\n")
    (inner / "deps" / "base.txt").write_text("numpy\n-r more.txt\n")
    (inner / "deps" / "more.txt").write_text("scipy\n")
    (inner / "requirements.txt").write_text("-r deps/base.txt\n")
    spec = read_environment_file(inner / "requirements.txt")
    assert isinstance(spec, EnvironmentSpec)
    assert spec.pip == ("numpy", "scipy")
    (inner / "link.txt").symlink_to(tmp_path / "secret.txt")
    for line in ("-r ../secret.txt", f"-r {tmp_path}/secret.txt", "-r link.txt", "-c deps/../../secret.txt"):
        (inner / "requirements.txt").write_text(f"six\n{line}\n")
        with pytest.raises(BadRequest) as caught:
            read_environment_file(inner / "requirements.txt")
        assert caught.value.code == "outside_of_folder"
        assert caught.value.fields["line"] == 2
        assert "hidden" not in caught.value.detail
