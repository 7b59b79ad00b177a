"""Keeping and putting back, on folders alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.core.errors import Locked
from carrel.environments import locks
from carrel.environments.conda.engine import _unsolvable
from carrel.environments.files import remove_files
from carrel.environments.keeping import Store
from carrel.environments.transactions import new_files


def test_kept_files_survive_replacement_and_removal(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "a.py").write_text("old")
    (tmp_path / "lib" / "record.json").write_text("old")
    (tmp_path / "lib" / "link").symlink_to("a.py")
    store = Store(tmp_path, tmp_path / ".carrel")
    store.keep("a-1", ["lib/a.py", "lib/link", "lib/missing"], ["lib/record.json"])
    (tmp_path / "lib" / "a.py").unlink()
    (tmp_path / "lib" / "a.py").write_text("new")
    (tmp_path / "lib" / "record.json").write_text("rewritten in place")
    (tmp_path / "lib" / "link").unlink()
    store.put_back("a-1")
    assert (tmp_path / "lib" / "a.py").read_text() == "old"
    assert (tmp_path / "lib" / "record.json").read_text() == "old"
    assert (tmp_path / "lib" / "link").is_symlink()
    store.retain([], 0)
    assert not store.has("a-1")


def test_removing_leaves_no_empty_folder_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "x" / "y" / "__pycache__").mkdir(parents=True)
    for name in ("x/y/m.py", "x/y/__pycache__/m.cpython-311.pyc", "x/mine.txt"):
        (tmp_path / name).touch()
    remove_files([tmp_path / "x/y/m.py", tmp_path / "x/y/gone.py"], tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["x", "x/mine.txt"]


def test_pure_python_packages_move() -> None:
    contents = [
        {"paths": ["site-packages/a/b.py", "python-scripts/run", "share/x"], "scripts": ["tool"]},
        {"paths": ["site-packages/literal"], "scripts": []},
    ]
    found = new_files(contents, [{"noarch": "python"}, {}], "3.12.4")
    assert found == ["lib/python3.12/site-packages/a/b.py", "bin/run", "share/x", "bin/tool", "site-packages/literal"]


def test_a_second_holder_hears_who_is_first(tmp_path: Path) -> None:
    with locks.locked(tmp_path / "lock", "it"):
        assert locks.is_held(tmp_path / "lock")
        with pytest.raises(Locked, match=r"Another process is working on it \(process \d+ of "), locks.locked(tmp_path / "lock", "it"):
            pass
    assert not locks.is_held(tmp_path / "lock")


def test_the_solvers_tree_becomes_a_sentence() -> None:
    tree = (
        "Cannot solve the request because of: The following packages are incompatible\n"
        "├─ alpha >=2 can be installed with any of the following options:\n"
        "│  └─ alpha 2.0\n"
        "└─ gamma * cannot be installed because there are no viable options:\n"
        "   └─ gamma 1.0 would require\n"
        "      └─ alpha <2, which conflicts with any installable versions previously reported\n"
    )
    error = _unsolvable(tree)
    assert error.detail == "No set of packages satisfies this: gamma 1.0 needs alpha <2, and you ask for alpha >=2."
    assert error.fields["explanation"].startswith("The following packages")
