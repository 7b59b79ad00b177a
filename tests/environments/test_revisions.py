"""The history of an environment: what is in it, and going back to any of it, exactly and without a network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from environment_fixtures import PackageIndex, change, contents, differences, freeze, package_index
from killing import records

from carrel.core.errors import Cancelled, InvalidFile, NotFound
from carrel.core.progress import Progress
from carrel.environments import Change, Sources, Spec, apply, history, installed, note_changes, plan, restore, revisions
from carrel.environments import differences as compared
from carrel.environments.locations import conda_cache_folder
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi
from carrel.testing.artifacts import build_wheel
from carrel.testing.conda_channel import serve


def wheel(name: str, version: str | None = None) -> Spec:
    return Spec(name, version, "pypi")


def test_every_change_is_written_down(conda_env: Path, sources: Sources) -> None:
    change(conda_env, sources, Spec("alpha", ">=1,<2"))
    apply(plan(conda_env, Change(remove=("alpha",)), sources), program="jupyter")
    removed, added, created, found = history(conda_env)
    assert [revision.number for revision in (removed, added, created, found)] == [3, 2, 1, 0]
    assert (found.kind, found.package_count, found.user) == ("found", 0, "")
    assert (created.kind, created.request) == ("change", ("install python",))
    assert (added.summary, added.request) == ("installed alpha", ("install alpha >=1,<2",))
    assert "alpha" in added.command
    assert added.user
    assert (removed.request, removed.program) == (("remove alpha",), "jupyter")
    assert removed.package_count == added.package_count - 1 == created.package_count
    went = compared.compare(compared.of_revision(conda_env, 2), compared.of_revision(conda_env, 3))
    assert [(package.name, package.version) for package in went.removed] == [("alpha", "1.0")]
    assert went.added == went.changed == ()


def test_what_other_programs_change_is_a_revision_of_its_own(venv: Path, pypi: Sources) -> None:
    change(venv, pypi, wheel("alpha", "1.0"), wheel("beta", "1.0"))
    before = records(venv)
    shutil.rmtree(next(venv.glob("lib/python3*/site-packages/beta-1.0.dist-info")))
    next(venv.glob("lib/python3*/site-packages/beta.py")).unlink()
    change(venv, pypi, wheel("gamma"))
    assert [(revision.number, revision.kind) for revision in history(venv)] == [(3, "change"), (2, "outside"), (1, "change"), (0, "found")]
    assert history(venv)[1].summary == "changed outside of Carrel: removed beta"
    restore(venv, 1, sources=pypi)
    assert records(venv) == before
    assert freeze(venv) == ["alpha==1.0", "beta==1.0"]
    assert (history(venv)[0].kind, history(venv)[0].request) == ("restore", ("restore 1",))


def test_looking_writes_nothing(venv: Path, pypi: Sources) -> None:
    assert history(venv) == []
    assert note_changes(venv) is None
    assert not (venv / ".carrel").exists()
    with pytest.raises(NotFound, match="never changed"):
        restore(venv, 0)
    change(venv, pypi, wheel("beta"))
    with pytest.raises(NotFound, match="0 to 1"):
        restore(venv, 7)


def test_from_the_package_caches_without_a_network(conda_env: Path, channel: Path, tmp_path: Path) -> None:
    """Neither kept files nor servers: what was there comes out of the caches, its records to the byte."""
    wheels = [
        build_wheel("moving", "1.0", requires=["still"]),
        build_wheel("moving", "2.0", requires=["still"]),
        build_wheel("still", "1.0"),
    ]
    with serve(channel) as server, package_index(wheels) as index:
        both = Sources((server.url,), (index.url,))
        change(conda_env, both, Spec("alpha", "1.0"), wheel("moving", "1.0"))
        # as pip writes it: other rows, compiled files among them
        record = next(conda_env.glob("lib/python3*/site-packages/moving-1.0.dist-info/RECORD"))
        record.write_text(record.read_text() + "__pycache__/moving.cpython-311.pyc,,\n")
        wanted, were = records(conda_env), contents(conda_env)
        number = note_changes(conda_env)
        change(conda_env, both, Spec("beta", "2.0"), update=["alpha", "moving"])
        change(conda_env, both, remove=["alpha", "moving", "still"])
    shutil.rmtree(conda_env / ".carrel" / "kept")
    assert number == 3
    restore(conda_env, number)
    assert differences(were, contents(conda_env)) == []
    assert records(conda_env) == wanted
    assert {p.name: p.requested for p in installed(conda_env) if p.source == "pypi"} == {"moving": True, "still": False}
    restore(conda_env, 0)
    assert records(conda_env) == {}
    assert list(conda_env.glob("lib/python3*/site-packages/*")) == []
    shutil.rmtree(conda_env / ".carrel" / "kept")
    restore(conda_env, number)
    assert records(conda_env) == wanted


def test_going_back_tells_packages_and_can_be_cancelled(venv: Path, pypi: Sources) -> None:
    change(venv, pypi, wheel("alpha", "1.0"), wheel("beta", "1.0"))
    change(venv, pypi, wheel("alpha", "2.0"))
    before = records(venv)
    seen: list[Progress] = []

    class Signal:
        def is_set(self) -> bool:
            return [event.done for event in seen if event.stage == "link"][-1:] == [3]

    with pytest.raises(Cancelled, match="as it was before"):
        restore(venv, 1, on_event=seen.append, cancel=Signal())
    assert records(venv) == before
    assert [(event.done, event.total, event.unit) for event in seen if event.stage == "link"] == [(n, 4, "packages") for n in range(4)]


def test_what_is_in_no_cache_is_fetched_again(conda_env: Path, sources: Sources, fresh_cache: Path) -> None:
    change(conda_env, sources, Spec("alpha", "1.0"))
    wanted = records(conda_env)
    change(conda_env, sources, remove=["alpha"])
    shutil.rmtree(conda_env / ".carrel" / "kept")
    shutil.rmtree(conda_cache_folder())
    seen: list[Progress] = []
    restore(conda_env, 2, sources=sources, on_event=seen.append)
    assert records(conda_env) == wanted
    assert {"download", "link", "verify"} <= {event.stage for event in seen}


def test_files_are_kept_within_limits(venv: Path, pypi: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = venv / ".carrel" / "kept"
    change(venv, pypi, wheel("alpha", "1.0"), wheel("beta", "1.0"))
    change(venv, pypi, wheel("alpha", "2.0"))
    assert [path.name.rsplit("-", 1)[0] for path in sorted(kept.iterdir())] == ["pypi-alpha-1.0", "pypi-beta-1.0"]
    monkeypatch.setattr(revisions, "KEPT_REVISIONS", 1)
    change(venv, pypi, remove=["alpha"])
    assert list(kept.iterdir()) == []
    monkeypatch.setattr(revisions, "KEPT_REVISIONS", 20)
    monkeypatch.setattr(revisions, "KEPT_BYTES", 10)
    change(venv, pypi, remove=["beta"])
    assert list(kept.iterdir()) == []
    assert len(history(venv)) == 5
    restore(venv, 1, sources=pypi)
    assert freeze(venv) == ["alpha==1.0", "beta==1.0"]


def test_a_damaged_revision_is_named(venv: Path, pypi: Sources) -> None:
    change(venv, pypi, wheel("beta", "1.0"))
    change(venv, pypi, update=["beta"])
    (venv / ".carrel" / "revisions" / "1.zip").write_bytes(b"")
    with pytest.raises(InvalidFile, match="Revision 1 cannot be read"):
        restore(venv, 1)
    assert freeze(venv) == ["beta==2.0"]


def test_compiling_tells_packages_and_can_be_cancelled(conda_env: Path, sources: Sources) -> None:
    seen: list[Progress] = []
    made = plan(conda_env, Change(add=(Spec("alpha", "1.0"), Spec("beta", "1.0"))), sources)

    class Signal:
        stop = False

        def is_set(self) -> bool:
            return self.stop and any(event.stage == "compile" for event in seen)

    signal = Signal()
    signal.stop = True
    with pytest.raises(Cancelled):
        apply(made, compile_files=True, on_event=seen.append, cancel=signal)
    assert not list(conda_env.rglob("alpha/__pycache__"))
    signal.stop = False
    apply(made, compile_files=True, on_event=seen.append, cancel=signal)
    told = [event for event in seen if event.stage == "compile"][-1]
    assert (told.done, told.total, told.unit) == (2, 2, "packages")
    assert list(conda_env.rglob("alpha/__pycache__/__init__.*.pyc"))
    restore(conda_env, 1)
    assert not list(conda_env.glob("lib/python3*/site-packages/alpha"))


def test_bytes_and_packages_of_wheels_are_counted(venv: Path, wheels: PackageIndex, pypi: Sources) -> None:
    seen: list[Progress] = []
    apply(plan(venv, Change(add=(wheel("alpha", "1.0"),)), pypi), on_event=seen.append)
    downloaded = [event for event in seen if event.stage == "download"][-1]
    size = sum(len(data) for name, data in wheels.artifacts.items() if name in ("alpha-1.0-py3-none-any.whl", "beta-2.0-py3-none-any.whl"))
    assert (downloaded.done, downloaded.total, downloaded.unit) == (size, size, "bytes")
    linked = [event for event in seen if event.stage == "link"][-1]
    assert (linked.done, linked.total, linked.unit) == (2, 2, "packages")


def test_differences_of_locks_and_environments() -> None:
    def lock(*conda: LockedConda, pypi: tuple[LockedPypi, ...] = ()) -> Lock:
        return Lock("linux-64", conda=conda, pypi=pypi)

    def package(name: str, version: str, build: str = "0", sha256: str = "") -> LockedConda:
        return LockedConda(name, version, build, f"https://channel.example/noarch/{name}-{version}-{build}.conda", sha256)

    one = lock(package("numpy", "1.0"), package("six", "1", sha256="a" * 64), package("gone", "1"))
    other = lock(
        package("numpy", "1.0", "1"), package("six", "1", sha256="b" * 64), pypi=(LockedPypi("Gone", "2", ""), LockedPypi("new", "1", ""))
    )
    found = compared.compare(compared.of_lock(one), compared.of_lock(other))
    assert [(pair.name, pair.before.source, pair.after.source) for pair in found.changed] == [
        ("gone", "conda", "pypi"),
        ("numpy", "conda", "conda"),
        ("six", "conda", "conda"),
    ]
    assert [package.name for package in found.added] == ["new"]
    assert not compared.compare(compared.of_lock(one), compared.of_lock(one))
    assert json.dumps(compared.to_json(found))


def test_the_program_is_named(venv: Path, pypi: Sources) -> None:
    code = (
        "import sys; from carrel.environments import *; sys.argv[0] = '/usr/bin/jupyter-lab';"
        "apply(plan(sys.argv[1], Change(add=(Spec('beta', source='pypi'),)), Sources(indexes=(sys.argv[2],))))"
    )
    subprocess.run([sys.executable, "-c", code, venv, pypi.indexes[0]], check=True)
    assert history(venv)[0].program == "jupyter"
