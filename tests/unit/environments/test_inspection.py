from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from carrel.core.errors import NotFound
from carrel.environments import find_prefix, inspect, installed
from carrel.environments.conda_meta import requested_specs


def make_venv(prefix: Path, base: Path) -> Path:
    (prefix / "bin").mkdir(parents=True)
    (prefix / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    (prefix / "pyvenv.cfg").write_text("home = /x\nversion_info = 3.12.4.final.0\n")
    (prefix / "bin" / "python").symlink_to(base)
    return prefix


def make_conda(prefix: Path) -> Path:
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").touch()
    (prefix / "lib" / "python3.12" / "site-packages" / "six-1.0.dist-info").mkdir(parents=True)
    (prefix / "lib" / "python3.12" / "site-packages" / "six-1.0.dist-info" / "METADATA").write_text("Name: six\nVersion: 1.0\nSummary: S\n")
    meta = prefix / "conda-meta"
    meta.mkdir()
    (meta / "python-3.12.4-h_0.json").write_text(json.dumps({"name": "python", "version": "3.12.4", "build": "h_0", "subdir": "linux-64"}))
    six = {
        "name": "six",
        "version": "1.0",
        "build": "py_0",
        "subdir": "noarch",
        "url": "https://h/t/ca-secret1/acme/noarch/six-1.0-py_0.conda",
        "files": ["lib/python3.12/site-packages/six.py", "lib/python3.12/site-packages/six-1.0.dist-info/METADATA"],
        "requested_spec": "None",
    }
    (meta / "six-1.0-py_0.json").write_text(json.dumps(six))
    return prefix


def test_a_venvs_link_is_not_followed(tmp_path: Path) -> None:
    conda = make_conda(tmp_path / "base")
    venv = make_venv(tmp_path / "project" / ".venv", conda / "bin" / "python")
    assert find_prefix(venv / "bin" / "python") == venv
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "python").symlink_to(venv / "bin" / "python")
    assert find_prefix(tmp_path / "tools" / "python") == venv
    assert find_prefix(conda / "bin" / "python") == conda
    with pytest.raises(NotFound):
        find_prefix(tmp_path / "nothing")


def test_what_an_environment_is(tmp_path: Path) -> None:
    conda = make_conda(tmp_path / "analysis")
    environment = inspect(conda)
    assert (environment.kind, environment.name, environment.python_version) == ("conda", "analysis", "3.12.4")
    assert len(environment.id) == 16
    venv = inspect(make_venv(tmp_path / "project" / ".venv", conda / "bin" / "python"))
    assert (venv.kind, venv.name, venv.python_version) == ("venv", "project", "3.12.4")
    with pytest.raises(NotFound) as caught:
        inspect(tmp_path / "nothing")
    assert caught.value.code == "environment_not_found"


def test_conda_owns_its_distributions(tmp_path: Path) -> None:
    found = {package.name: package for package in installed(make_conda(tmp_path / "analysis"))}
    assert set(found) == {"python", "six"}
    assert (found["six"].source, found["six"].summary, found["six"].import_names) == ("conda", "S", ("six",))
    assert found["six"].channel == "https://h/acme"
    assert not found["six"].requested


def test_wishes_are_read_from_condas_history(tmp_path: Path) -> None:
    prefix = make_conda(tmp_path / "analysis")
    (prefix / "conda-meta" / "history").write_text(
        "==> 1 <==\n# update specs: ['python=3.12', 'six >=1']\n==> 2 <==\n# remove specs: ['six']\n==> 3 <==\n# update specs: ['six']\n"
    )
    assert requested_specs(prefix) == {"python": ("python=3.12",), "six": ("six",)}


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write anywhere")
def test_a_folder_without_rights_is_read_only(tmp_path: Path) -> None:
    prefix = make_conda(tmp_path / "analysis")
    (prefix / "conda-meta").chmod(0o555)
    assert "conda-meta" in inspect(prefix).reason_read_only


def test_the_systems_python_is_left_to_the_system(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").touch()
    (tmp_path / "lib" / "python3.11").mkdir(parents=True)
    (tmp_path / "lib" / "python3.11" / "EXTERNALLY-MANAGED").touch()
    environment = inspect(tmp_path)
    assert (environment.kind, environment.writable) == ("system", False)
    assert "operating system" in environment.reason_read_only
