"""Every operation on every kind of environment; after each, conda's records and the distributions are compared one by one.

What each operation does in detail has tests of its own beside this one. Here the same life is led by all kinds: looked at,
added to, updated, reduced, gone back, copied, locked and rebuilt; and damaged ones are repaired to what they were.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from environment_fixtures import change, contents, differences, freeze, python_says

from carrel.core.errors import CarrelError, Forbidden
from carrel.environments import (
    Change,
    Sources,
    Spec,
    capture,
    clone,
    environment_folder,
    history,
    inspect,
    installed,
    plan,
    problems,
    rebuild,
    repair,
    restore,
)
from carrel.environments.differences import compare, of_lock, of_prefix
from carrel.environments.pypi import uv

KINDS = ("conda", "venv", "uv venv", "mixed")
OURS = ("alpha", "beta", "gamma")


@pytest.fixture
def both(sources: Sources, pypi: Sources) -> Sources:
    return Sources(sources.channels, pypi.indexes)


@pytest.fixture(params=KINDS)
def subject(request: pytest.FixtureRequest, tmp_path: Path, both: Sources) -> Subject:
    prefix = tmp_path / "subject"
    kind = str(request.param)
    base = getattr(sys, "_base_executable", sys.executable)
    if kind in ("conda", "mixed"):
        (prefix / "conda-meta").mkdir(parents=True)
        # ipykernel brings compiled packages, and makes the verification import it
        change(prefix, both, Spec("ipykernel"))
    elif kind == "venv":
        subprocess.run([base, "-m", "venv", "--without-pip", prefix], check=True)
    else:
        subprocess.run([uv.executable(), "venv", "--quiet", "--python", base, prefix], check=True)
    return Subject(kind, prefix, both)


@dataclass
class Subject:
    """An environment and where it takes ``alpha``, ``beta`` and ``gamma`` from."""

    kind: str
    prefix: Path
    sources: Sources

    @property
    def source(self) -> Any:
        return "conda" if self.kind == "conda" else "pypi"

    def change(self, *add: str, **what: Any) -> None:
        specs = [Spec(name, version or None, self.source) for name, _, version in (text.partition("==") for text in add)]
        change(self.prefix, self.sources, *specs, **what)

    def versions(self) -> dict[str, str]:
        """What is installed of the packages that come and go; what Python itself sees must be the same."""
        found = {package.name: package.version for package in installed(self.prefix) if package.name in OURS}
        seen = dict(line.split("==") for line in freeze(self.prefix))
        assert {name: version for name, version in seen.items() if name in OURS} == found
        assert all(package.source == self.source for package in installed(self.prefix) if package.name in OURS)
        return found


def same(before: Path, after: Path) -> bool:
    """Whether two environments hold the same packages, and who asked for them."""
    left, right = ({(p.name, p.version, p.build, p.source, p.requested) for p in installed(prefix)} for prefix in (before, after))
    return not compare(of_prefix(before), of_prefix(after)) and left == right and freeze(before) == freeze(after)


def test_a_life(subject: Subject, tmp_path: Path) -> None:
    prefix, sources = subject.prefix, subject.sources
    looked = inspect(prefix)
    assert (looked.kind, looked.writable) == ("conda" if subject.kind in ("conda", "mixed") else "venv", True)
    assert problems(prefix) == ()
    states = [contents(prefix)]

    subject.change("alpha==1.0", "beta==1.0")
    assert subject.versions() == {"alpha": "1.0", "beta": "1.0"}
    states.append(contents(prefix))
    subject.change(update=["alpha"])
    assert subject.versions() == {"alpha": "2.0", "beta": "2.0"}
    assert python_says(prefix, "import alpha; print(alpha.__version__)") == "2.0"
    states.append(contents(prefix))
    subject.change(remove=["alpha"])
    assert "alpha" not in subject.versions()
    states.append(contents(prefix))
    assert problems(prefix) == ()

    first = history(prefix)[0].number - 3  # the creation of a conda environment here is a change as well
    for back in (2, 1, 0, 3, 2):
        restore(prefix, first + back)
        assert differences(states[back], contents(prefix)) == []
    assert subject.versions() == {"alpha": "2.0", "beta": "2.0"}

    copy = clone(prefix, tmp_path / "copy").prefix
    assert same(prefix, copy)
    assert problems(copy) == ()
    change(copy, sources, remove=["alpha"])
    assert differences(states[2], contents(prefix)) == []  # a change of the copy reaches nothing here

    lock = capture(prefix, sources)
    assert lock.problems == ()
    assert not compare(of_lock(lock), of_prefix(prefix))
    again = rebuild(lock, environment_folder(lock, tmp_path / "envs"), sources=sources).prefix
    assert same(prefix, again)
    assert capture(again, sources).digest == lock.digest


def test_a_frozen_environment_is_left_alone_and_copied(conda_env: Path, sources: Sources, tmp_path: Path) -> None:
    (conda_env / "conda-meta" / "frozen").write_text("{}")
    before = contents(conda_env)
    with pytest.raises(Forbidden) as caught:
        plan(conda_env, Change((Spec("alpha"),)), sources)
    assert (caught.value.code, caught.value.fields["remedy"]) == ("read_only_environment", "clone")
    copy = clone(conda_env, tmp_path / "own")
    assert copy.writable
    assert same(conda_env, copy.prefix)
    change(copy.prefix, sources, Spec("alpha", "1.0"))
    assert differences(before, contents(conda_env)) == []


def _truncate(name: str) -> Callable[[Path], None]:
    def damage(prefix: Path) -> None:
        record = next((prefix / "conda-meta").glob(f"{name}-*.json"))
        record.write_bytes(record.read_bytes()[:40])

    return damage


def _lose_files(prefix: Path) -> None:
    shutil.rmtree(next(prefix.glob("lib/python3*/site-packages/beta")))


def _lose_interpreter(prefix: Path) -> None:
    for program in (prefix / "bin").glob("python*"):
        program.unlink()


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a record cut off": (_truncate("alpha"), "damaged_record"),
    "files deleted": (_lose_files, "missing_files"),
    "no interpreter": (_lose_interpreter, "missing_files"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_environment_is_repaired_to_what_it_was(conda_env: Path, sources: Sources, damage: str) -> None:
    change(conda_env, sources, Spec("alpha", "1.0"), Spec("beta", "1.0"))
    before = contents(conda_env)
    spoil, code = DAMAGES[damage]
    spoil(conda_env)
    assert code in {problem.code for problem in problems(conda_env)}
    assert installed(conda_env)  # what is whole can still be looked at
    if code == "damaged_record":
        with pytest.raises(CarrelError, match="carrel env doctor"):
            plan(conda_env, Change((Spec("gamma"),)), sources)
    repair(conda_env, sources=sources)
    assert problems(conda_env) == ()
    assert differences(before, contents(conda_env)) == []
    assert python_says(conda_env, "import alpha, beta; print(alpha.__version__, beta.__version__)") == "1.0 1.0"


def test_compiled_packages_and_what_pip_adds_to_them(conda_env: Path, both: Sources, tmp_path: Path) -> None:
    change(conda_env, both, Spec("numpy"))
    change(conda_env, both, Spec("alpha", "2.0", "pypi"))
    code = "import numpy, alpha; print(numpy.arange(4).sum(), alpha.__version__)"
    assert python_says(conda_env, code) == "6 2.0"
    lock = capture(conda_env, both)
    again = rebuild(lock, tmp_path / "again").prefix
    assert python_says(again, code) == "6 2.0"
    assert same(conda_env, again)
    copy = clone(again, tmp_path / "copy").prefix
    assert python_says(copy, code) == "6 2.0"
    assert same(conda_env, copy)
