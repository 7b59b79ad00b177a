from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from carrel.client.models import File, Package, Release
from carrel.client.references import Reference
from carrel.core.errors import BadRequest, Forbidden, NotFound, Unprocessable
from carrel.core.progress import ignore_progress
from carrel.environments import Sources, building
from carrel.environments.locations import current_platform
from carrel.formats.environment import dump_lock, writing
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockKind, LockSet
from carrel.sharing import reproduce as reproducing
from carrel.sharing.publish import require_decisions
from carrel.sharing.reproduce import Publication, kernel_name, reproduce
from carrel.sharing.secrets import Where, scan_text
from carrel.sharing.secrets.findings import make_finding
from carrel.sharing.trust import TrustStore, new_sources

LOCK = Lock(
    platform=current_platform(),
    python_version="3.12.1",
    channels=("https://conda.invalid/acme",),
    conda=(LockedConda("a", "1", "0", "https://conda.invalid/acme/noarch/a-1-0.conda", "0" * 64, channel="https://conda.invalid/acme"),),
    pypi=(LockedPypi("b", "1", "https://files.invalid/b.whl", "1" * 64, index="https://index.invalid/simple"),),
    captured_at=datetime(2026, 1, 1, tzinfo=UTC),
    kind=LockKind.CONDA,
)


class Hub:
    """What reproducing asks of a client."""

    base_url = "https://hub.invalid"

    def __init__(self, lock=LOCK, files=None, paths=None):
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"carrel": {"files": paths or {}}}, "cells": []}
        self.attributes = {}
        self.contents = {"work.ipynb": ("notebook", json.dumps(notebook).encode())}
        if lock is not None:
            filename, content = dump_lock(lock)
            self.contents[filename] = ("environment", content)
        self.contents |= {name: ("file", content) for name, content in (files or {}).items()}

    def package(self, namespace, name):
        return Package(namespace, name, visibility="public")

    def release(self, namespace, name, version):
        files = tuple(
            File(name, kind, hashlib.sha256(content).hexdigest(), len(content), name, attributes=self.attributes.get(name, {}))
            for name, (kind, content) in self.contents.items()
        )
        return Release(namespace, name, "7" if version == "latest" else version, files=files)

    def read(self, file, **options):
        return self.contents[file.filename][1]

    def download(self, file, target, **options):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.contents[file.filename][1])


@pytest.mark.parametrize("name", ["pixi.lock", "explicit.txt", "work.explicit"])
def test_locks_of_other_tools_are_found(name):
    hub = Hub(lock=None)
    form = "pixi.lock" if name == "pixi.lock" else "explicit"
    written = writing.write(LOCK if form == "pixi.lock" else replace(LOCK, pypi=()), form)[1]
    hub.contents |= {"requirements.txt": ("environment", b"a\n"), name: ("environment", written)}
    told = "pixi-lock" if name == "pixi.lock" else "explicit"
    hub.attributes = {name: {"format": told}, "requirements.txt": {"format": "requirements"}}
    found = reproducing.fetch(hub, Reference("acme", "analysis"))
    assert found.lock_file.filename == name
    assert [item.name for item in found.locks.locks[0].conda] == ["a"]


@pytest.fixture
def run(tmp_path):
    def run(hub, *, known=(), trust=False, directory=None):
        return reproduce(
            hub,
            Reference("acme", "analysis"),
            directory or tmp_path / "here",
            known_sources=known,
            trust_sources=trust,
            sources=Sources(),
            on_progress=ignore_progress,
            cancel=threading.Event(),
            envs_folder=tmp_path / "envs",
            trust=TrustStore(tmp_path / "trusted.json"),
        )

    return run


def test_new_places_need_consent(run):
    with pytest.raises(Forbidden) as raised:
        run(Hub())
    assert raised.value.code == "sources_untrusted"
    assert raised.value.fields["sources"] == ["https://conda.invalid/acme", "https://index.invalid/simple", "https://files.invalid"]


def test_consent_is_remembered_and_a_known_prefix_is_enough(tmp_path):
    publication = Publication(Package("acme", "a"), Release("acme", "a", "7"), None, None, None, LockSet((LOCK,)))
    trust = TrustStore(tmp_path / "trusted.json")
    files = "https://files.invalid"
    assert new_sources(publication, ["https://conda.invalid/", files], trust) == ("https://index.invalid/simple",)
    assert new_sources(publication, ["https://conda.invalid/ac"], trust) == publication.sources
    trust.add(["https://index.invalid/simple"])
    assert new_sources(publication, ["https://conda.invalid"], trust) == (files,)
    trust.add([files])
    assert new_sources(publication, ["https://conda.invalid"], trust) == ()
    assert trust.path.stat().st_mode & 0o077 == 0


def test_what_a_lock_claims_does_not_hide_where_files_are(tmp_path):
    lying = replace(
        LOCK,
        conda=(replace(LOCK.conda[0], url="https://evil.invalid/acme/noarch/a-1-0.conda"),),
        pypi=(replace(LOCK.pypi[0], url="https://worse.invalid/b.whl"),),
    )
    publication = Publication(Package("acme", "a"), Release("acme", "a", "7"), None, None, None, LockSet((lying,)))
    known = ["https://conda.invalid", "https://index.invalid", "https://files.invalid"]
    found = new_sources(publication, known, TrustStore(tmp_path / "trusted.json"))
    assert found == ("https://evil.invalid/acme", "https://worse.invalid")


def test_another_platform_is_refused_before_anything_is_made(run, tmp_path):
    with pytest.raises(Unprocessable) as raised:
        run(Hub(replace(LOCK, platform="win-arm64")), trust=True)
    assert raised.value.code == "platform_mismatch"
    assert (raised.value.fields["solvable"], raised.value.fields["platforms"]) == (True, ["win-arm64"])
    assert not (tmp_path / "here").exists()


def test_a_notebook_without_environment_is_only_copied(run, tmp_path):
    done = run(Hub(None))
    assert (done.kernel_name, done.prefix) == (None, None)
    assert done.path == tmp_path / "here" / "work.ipynb"
    assert run(Hub(None)).path == tmp_path / "here" / "work-1.ipynb"


def test_data_files_go_to_their_places_and_never_over_others(run, tmp_path):
    hub = Hub(None, {"a.csv": b"1"}, {"a.csv": "data/a.csv"})
    run(hub)
    assert (tmp_path / "here" / "data" / "a.csv").read_bytes() == b"1"
    (tmp_path / "here" / "data" / "a.csv").write_bytes(b"mine")
    done = run(hub)
    assert done.path == tmp_path / "here" / "analysis-v7" / "work.ipynb"
    assert (tmp_path / "here" / "analysis-v7" / "data" / "a.csv").read_bytes() == b"1"
    assert (tmp_path / "here" / "data" / "a.csv").read_bytes() == b"mine"


@pytest.mark.parametrize("path", ["../evil.csv", "/etc/evil", ".ssh/config", "a/../../b", "C:\\x", ""])
def test_data_files_cannot_leave_the_folder(run, tmp_path, path):
    with pytest.raises(BadRequest):
        run(Hub(None, {"a.csv": b"1"}, {"a.csv": path}))


def test_data_files_do_not_follow_links_out_of_the_folder(run, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "data").symlink_to(tmp_path / "outside")
    with pytest.raises(BadRequest):
        run(Hub(None, {"a.csv": b"1"}, {"a.csv": "data/a.csv"}))
    assert list((tmp_path / "outside").iterdir()) == []


def test_nothing_to_reproduce(run):
    hub = Hub(None)
    del hub.contents["work.ipynb"]
    with pytest.raises(NotFound):
        run(hub)


def test_a_changed_environment_is_left_alone(tmp_path, monkeypatch):
    base = tmp_path / LOCK.digest[:16]
    assert reproducing.target_prefix(LOCK, tmp_path) == (base, False)
    (base / "conda-meta").mkdir(parents=True)
    (base / "conda-meta" / "history").write_text("")
    assert reproducing.target_prefix(LOCK, tmp_path) == (base.with_name(base.name + "-2"), False)
    monkeypatch.setattr(reproducing, "already_built", lambda lock, prefix: True)
    assert reproducing.target_prefix(LOCK, tmp_path) == (base, True)


def test_an_environment_is_built_beside_what_is_somebody_elses_and_not_beside_its_own_beginning(tmp_path):
    base = tmp_path / LOCK.digest[:16]
    base.mkdir()
    assert reproducing.target_prefix(LOCK, tmp_path) == (base, False)
    (base / "thesis.txt").touch()
    assert reproducing.target_prefix(LOCK, tmp_path) == (base.with_name(base.name + "-2"), False)
    (base / "pyvenv.cfg").touch()
    with contextlib.suppress(KeyError), building.in_place(base, {}):
        assert reproducing.target_prefix(LOCK, tmp_path) == (base, False)
        raise KeyError


def test_kernel_names():
    assert kernel_name(Reference("acme", "My_Analysis", "1.0+x")) == "carrel-acme-my_analysis-1.0-x"


def test_sure_findings_need_decisions():
    text = "password = 'hunter2-abc'\napi: AC" + "0123456789abcdef" * 2
    findings = [make_finding(match, Where.SOURCE, text, cell=0) for match in scan_text(text)]
    strong = [finding for finding in findings if finding.strong]
    assert strong
    assert len(strong) < len(findings)
    with pytest.raises(Unprocessable) as raised:
        require_decisions(findings, {})
    assert raised.value.code == "secrets_undecided"
    assert "hunter2" not in json.dumps(raised.value.to_problem())
    require_decisions(findings, {finding.id: "not_secret" for finding in strong})
    with pytest.raises(Unprocessable):
        require_decisions([], {"x": "whatever"})
