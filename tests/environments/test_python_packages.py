"""Python packages through uv, in venvs and over conda."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from environment_fixtures import CancelWhen, PackageIndex, change, contents, differences, freeze, package_index, python_says

from carrel.core.errors import BadRequest, Cancelled, DigestMismatch, Unsolvable
from carrel.environments import Change, Sources, Spec, apply, capture, history, installed, plan, restore
from carrel.testing.artifacts import build_wheel


def wheel(name: str, version: str | None = None) -> Spec:
    return Spec(name, version, source="pypi")


def test_install_update_remove_undo(venv: Path, pypi: Sources) -> None:
    empty = contents(venv)
    made = plan(venv, Change(add=(wheel("alpha", "1.0"), wheel("beta", "1.0"))), pypi)
    assert {(line.name, line.to_version, line.size > 0, len(line.sha256)) for line in made.added} == {
        ("alpha", "1.0", True, 64),
        ("beta", "1.0", True, 64),
    }
    assert made.download_bytes > 0
    apply(made)
    first = contents(venv)
    made = plan(venv, Change(update=("alpha",)), pypi)
    assert {(line.name, line.from_version, line.to_version) for line in made.changed} == {("alpha", "1.0", "2.0"), ("beta", "1.0", "2.0")}
    applied = apply(made)
    assert applied.changed_import_names == ("alpha", "beta")
    assert freeze(venv) == ["alpha==2.0", "beta==2.0"]
    change(venv, pypi, remove=["alpha"])
    assert freeze(venv) == ["beta==2.0"]
    assert not (python := venv / "lib") or not list(python.rglob("site-packages/alpha*"))
    revisions = history(venv)
    restore(venv, revisions[2].number)
    assert differences(first, contents(venv)) == []
    restore(venv, revisions[3].number)
    assert differences(empty, contents(venv)) == []


def test_only_what_was_asked_for_is_marked_requested(venv: Path, pypi: Sources) -> None:
    change(venv, pypi, wheel("alpha"))
    assert {package.name: package.requested for package in installed(venv)} == {"alpha": True, "beta": False}
    before = contents(venv)
    change(venv, pypi, wheel("beta", "2.0"))
    assert {package.name: package.requested for package in installed(venv)} == {"alpha": True, "beta": True}
    assert history(venv)[0].summary == "beta wanted for itself"
    change(venv, pypi, wheel("beta", "2.0"))
    assert len(history(venv)) == 3
    restore(venv, 1)
    assert differences(before, contents(venv)) == []


def test_removing_what_others_need_is_said(venv: Path, pypi: Sources) -> None:
    change(venv, pypi, wheel("alpha"))
    made = plan(venv, Change(remove=("beta",)), pypi)
    assert [(notice.code, notice.message) for notice in made.warnings] == [("still_needed", "alpha will not work without beta.")]


def test_unsolvable_is_told_in_words(venv: Path, pypi: Sources) -> None:
    with pytest.raises(Unsolvable) as caught:
        plan(venv, Change(add=(wheel("gamma"), wheel("alpha", "2.0"))), pypi)
    assert "all versions of gamma depend on beta<2" in caught.value.detail
    with pytest.raises(Unsolvable, match=r"There is no package “nonesuch” on http://127\.0\.0\.1"):
        plan(venv, Change(add=(wheel("nonesuch"),)), pypi)
    with pytest.raises(Unsolvable, match="no index"):
        plan(venv, Change(add=(wheel("pip"),)), Sources())  # which the index has that uv knows by itself
    with pytest.raises(BadRequest, match="not a requirement"):
        plan(venv, Change(add=(wheel("--index-url"),)), pypi)
    with pytest.raises(BadRequest, match="not a conda environment"):
        plan(venv, Change(add=(Spec("alpha"),)), pypi)


def test_a_tampered_wheel_is_named(venv: Path) -> None:
    with package_index([build_wheel("delta", "1.0")]) as index:
        made = plan(venv, Change(add=(wheel("delta"),)), Sources(indexes=(index.url,)))
        index.served["delta-1.0-py3-none-any.whl"] = build_wheel("delta", "1.0", summary="evil").data
        with pytest.raises(DigestMismatch) as caught:
            apply(made)
    assert caught.value.fields["filename"] == "delta-1.0-py3-none-any.whl"
    assert caught.value.fields["expected"] == made.added[0].sha256
    assert freeze(venv) == []


def test_cancel_in_the_middle_of_a_download(venv: Path) -> None:
    with package_index([build_wheel("epsilon", "1.0")]) as index:
        made = plan(venv, Change(add=(wheel("epsilon"),)), Sources(indexes=(index.url,)))
        before = contents(venv)
        index.delay = 20
        seen = len(index.requests)

        class Signal:
            def is_set(self) -> bool:
                return any(path.endswith(".whl") for path in index.requests[seen:])

        with pytest.raises(Cancelled):
            apply(made, cancel=Signal())
    assert differences(before, contents(venv)) == []


def test_a_failure_while_linking_is_undone(venv: Path, pypi: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    change(venv, pypi, wheel("alpha", "1.0"), wheel("beta", "1.0"))
    before = contents(venv)
    made = plan(venv, Change(update=("alpha",)), pypi)
    cancel = CancelWhen("verify")
    with pytest.raises(Cancelled):
        apply(made, on_event=cancel, cancel=cancel)
    assert differences(before, contents(venv)) == []
    assert freeze(venv) == ["alpha==1.0", "beta==1.0"]


def test_credentials_go_into_headers(venv: Path) -> None:
    token = "ca-abcdefghijklmnop"
    with package_index([build_wheel("zeta", "1.0")], password=token) as index:
        sources = Sources(indexes=(index.url,), headers={index.root: {"Authorization": f"Bearer {token}"}})
        made = plan(venv, Change(add=(wheel("zeta"),)), sources)
        apply(made)
        assert token not in repr(made)
    assert freeze(venv) == ["zeta==1.0"]
    assert not [path for path in venv.rglob("*") if path.is_file() and path.suffix in (".json", "") and token.encode() in path.read_bytes()]


def test_what_conda_installed_is_guarded(conda_env: Path, sources: Sources, pypi: Sources) -> None:
    change(conda_env, sources, Spec("beta", "1.0"))
    both = Sources(sources.channels, pypi.indexes)
    with pytest.raises(Unsolvable, match=r"conda installed beta 1\.0"):
        plan(conda_env, Change(add=(wheel("alpha", "2.0"),)), both)
    made = plan(conda_env, Change(add=(wheel("alpha", "1.0"),)), both)
    assert [(line.name, line.source) for line in made.steps] == [("alpha", "pypi")]
    apply(made)
    listed = {package.name: (package.version, package.source) for package in installed(conda_env)}
    assert listed["beta"] == ("1.0", "conda")
    assert listed["alpha"] == ("1.0", "pypi")
    made = plan(conda_env, Change(update=("beta",)), both)
    assert "may_break_pip_package" not in [notice.code for notice in made.warnings]  # alpha 1.0 takes any beta
    made = plan(conda_env, Change(remove=("beta",)), both)
    assert "may_break_pip_package" in [notice.code for notice in made.warnings]


def test_conda_replaces_pip_and_gives_back(conda_env: Path, sources: Sources, pypi: Sources) -> None:
    both = Sources(sources.channels, pypi.indexes)
    change(conda_env, both, wheel("beta", "1.0"))
    before = contents(conda_env)
    made = plan(conda_env, Change(add=(Spec("beta", "2.0"),)), both)
    assert "replaces_pip_package" in [notice.code for notice in made.warnings]
    apply(made)
    assert [(package.version, package.source) for package in installed(conda_env) if package.name == "beta"] == [("2.0", "conda")]
    restore(conda_env, history(conda_env)[1].number)
    assert differences(before, contents(conda_env)) == []


def test_both_installers_in_one_plan(conda_env: Path, sources: Sources, pypi: Sources) -> None:
    both = Sources(sources.channels, pypi.indexes)
    change(conda_env, both, Spec("beta", "2.0"), wheel("alpha", "2.0"))
    assert python_says(conda_env, "import alpha, beta; print('both')") == "both"
    assert {(p.name, p.source) for p in installed(conda_env)} >= {("beta", "conda"), ("alpha", "pypi")}


def test_an_editable_installation_shows_its_folder(venv: Path, tmp_path: Path) -> None:
    project = tmp_path / "my project"
    (project / "mine").mkdir(parents=True)
    (project / "mine" / "__init__.py").touch()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n[project]\nname = "mine"\nversion = "1"\n'
    )
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "pip", "install", "--python", venv / "bin" / "python", "--no-build-isolation", "--offline", "-e", project]
    prepared = subprocess.run(
        [*command[:3], "--python", venv / "bin" / "python", "hatchling", "editables"], capture_output=True, check=False
    )
    if prepared.returncode:
        pytest.skip("hatchling cannot be fetched here")
    subprocess.run(command, check=True, capture_output=True)
    mine = next(package for package in installed(venv) if package.name == "mine")
    assert mine.location == str(project)


def test_planning_downloads_no_archive(venv: Path) -> None:
    with package_index([build_wheel("theta", "1.0", requires=["iota"]), build_wheel("iota", "1.0")]) as index:
        made = plan(venv, Change(add=(wheel("theta"),)), Sources(indexes=(index.url,)))
        assert [line.name for line in made.added] == ["iota", "theta"]
        assert not [path for path in index.requests if path.endswith(".whl")]


@pytest.fixture
def repository(tmp_path: Path) -> str:
    """The address of a repository with a project that needs nothing to be built."""
    folder = tmp_path / "repository"
    made = build_wheel("sea", "3.1", files={"sea.py": "DEPTH = 1\n"})
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        "[project]\nname = 'sea'\nversion = '3.1'\n[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    )
    (folder / made.filename).write_bytes(made.data)
    (folder / "backend.py").write_text(
        f"import shutil\ndef build_wheel(to, *_):\n    shutil.copy({made.filename!r}, to)\n    return {made.filename!r}\n"
    )
    person = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), (*person, "commit", "-q", "-m", "first")):
        subprocess.run(["git", "-C", folder, *words], check=True)
    return f"git+{folder.as_uri()}@main"


def test_what_a_repository_holds(venv: Path, repository: str) -> None:
    before = contents(venv)
    change_ = Change((Spec("sea", source="pypi", url=repository),))
    made = plan(venv, change_, Sources())
    assert [(line.name, line.to_version) for line in made.added] == [("sea", "3.1")]
    apply(made)
    assert python_says(venv, "import sea; print(sea.DEPTH)") == "1"
    again = apply(plan(venv, change_, Sources()))
    assert again.revision is None
    assert capture(venv, Sources()).requested == (f"sea @ {repository}",)
    restore(venv, 0)
    assert differences(before, contents(venv)) == []


def test_an_address_with_credentials_is_wanted_once(venv: Path, wheels: PackageIndex, pypi: Sources) -> None:
    (url,) = (line.url for line in plan(venv, Change((wheel("beta", "1.0"),)), pypi).added)
    change_ = Change((Spec("beta", source="pypi", url=url.replace("://", "://ada:secret@")),))
    apply(plan(venv, change_, pypi))
    assert apply(plan(venv, change_, pypi)).revision is None
    assert [one.kind for one in history(venv)] == ["change", "found"]
