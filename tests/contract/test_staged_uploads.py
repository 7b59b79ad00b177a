"""Uploads in three steps, each taken by another process; on both databases, and with bytes that lie in no file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from service_world import World

from carrel.core.clock import now
from carrel.core.errors import BadRequest, FileExists, NotFound
from carrel.core.kinds import Kind
from carrel.database.engine import Database
from carrel.hub.accounts.principal import ANONYMOUS
from carrel.hub.anaconda import repository, service
from carrel.hub.anaconda.service import Announced, Place
from carrel.hub.app import build_hub
from carrel.hub.context import Hub
from carrel.hub.files.ingest import IncomingFile
from carrel.hub.settings import HubSettings
from carrel.storage import open_store
from carrel.testing.artifacts import Artifact, build_conda, build_notebook


@pytest.fixture
def hubs(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Hub]:
    """Three processes of one hub, of which the last one reads its store over a network."""

    def hub() -> Hub:
        return build_hub(HubSettings(data_dir=tmp_path), database, open_store(tmp_path / "files", tmp_path / "spool"))

    found = [hub(), hub(), hub()]
    monkeypatch.setattr(found[2].blobs, "local_path", lambda _sha256: None)
    return found


def place(name: str, artifact: Artifact, version: str = "1.0") -> Place:
    return Place("acme", name, version, f"linux-64/{artifact.filename}" if artifact.filename.endswith(".conda") else artifact.filename)


class Upload:
    """One upload of Bob's, a member."""

    def __init__(self, hubs: list[Hub], where: Place, data: bytes, kind: Kind) -> None:
        self.hubs, self.where, self.data = hubs, where, data
        self.world = World.__new__(World)
        self.world.hub = hubs[0]
        self.bob = self.world.principal("bob")
        announced = Announced(kind, ("main",), None)
        self.staged, self.secret = self.write(0, lambda uow: hubs[0].anaconda.stage(uow, self.bob, where, announced))

    def write(self, process: int, work: Any) -> Any:
        with self.hubs[process].database.write() as uow:
            return work(uow)

    def send(self) -> None:
        hub = self.hubs[1]
        incoming = IncomingFile(hub.blobs, 10_000_000, hub.leaks)
        incoming.feed(self.data)
        digests = incoming.keep(self.where.filename, size=len(self.data), sha256=None)
        self.write(1, lambda uow: hub.anaconda.received(uow, self.staged.id, digests))

    def commit(self) -> Any:
        hub = self.hubs[2]
        with hub.database.read() as uow:
            claimed = hub.anaconda.claim(uow, self.bob, self.where, self.staged.id)
        stored = hub.anaconda.read(claimed)
        return self.write(2, lambda uow: hub.anaconda.commit(uow, self.bob, claimed, stored))


def begin(hubs: list[Hub], name: str, version: str = "1.0") -> None:
    world = World(hubs[0])
    bob = world.principal("bob")
    anaconda = hubs[0].anaconda
    world.write(lambda uow: anaconda.create_package(uow, bob, "acme", name, public=False, texts={"summary": "Said first"}))
    world.write(lambda uow: anaconda.create_release(uow, bob, "acme", name, version, {"summary": "Of this release"}))


@pytest.mark.parametrize("artifact", [build_conda("tool"), build_notebook(filename="analysis.ipynb")], ids=["conda", "notebook"])
def test_every_step_may_be_taken_by_another_process(hubs: list[Hub], artifact: Artifact) -> None:
    begin(hubs, "tool")
    upload = Upload(hubs, place("tool", artifact), artifact.data, Kind.CONDA if artifact.filename.endswith(".conda") else Kind.FILE)
    assert upload.staged.accepts(upload.secret)
    assert not upload.staged.accepts(upload.secret[:-1])
    with pytest.raises(BadRequest, match="did not arrive"):
        upload.commit()
    upload.send()
    with pytest.raises(NotFound, match="there already"):
        upload.send()
    view = upload.commit()
    assert (view.kind, view.sha256) == ("conda" if "conda" in artifact.filename else "notebook", artifact.sha256)
    with hubs[0].database.read() as uow:
        release = hubs[0].releases.get(uow, upload.bob, "acme", "tool", "1.0")
        package = hubs[0].packages.get(uow, upload.bob, "acme", "tool")
    assert (release.state, release.summary, package.visibility) == ("published", "Of this release", "organization")
    with pytest.raises(NotFound):
        upload.commit()
    with pytest.raises(FileExists):
        Upload(hubs, upload.where, artifact.data, Kind.CONDA)


def test_an_upload_is_over_after_an_hour(hubs: list[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    begin(hubs, "tool")
    artifact = build_conda("tool")
    upload = Upload(hubs, place("tool", artifact), artifact.data, Kind.CONDA)
    upload.send()
    monkeypatch.setattr(service, "now", lambda: now() + timedelta(seconds=service.STAGED_SECONDS + 1))
    with pytest.raises(NotFound, match="Begin again"):
        upload.commit()
    Upload(hubs, upload.where, artifact.data, Kind.CONDA)
    with hubs[0].database.read() as uow:
        assert uow.connection.exec_driver_sql("SELECT count(*) FROM staged_upload").scalar() == 1, "the old one is gone"


def test_a_publication_under_way_is_not_published_by_an_upload(hubs: list[Hub]) -> None:
    """Somebody else's draft gets the file, and stays a draft until they publish it."""
    begin(hubs, "tool")
    notebook, table = build_notebook(filename="analysis.ipynb"), Artifact("data.csv", b"a\n1\n")
    world = World.__new__(World)
    world.hub = hubs[0]
    world.upload("bob", "acme", notebook.filename, notebook.data, package="tool", version="1.0")
    upload = Upload(hubs, place("tool", table), table.data, Kind.FILE)
    upload.send()
    upload.commit()
    with hubs[0].database.read() as uow:
        release = hubs[0].releases.get(uow, upload.bob, "acme", "tool", "1.0")
    assert (release.state, len(release.files)) == ("draft", 2)


def test_platforms_of_however_many_packages(database: Database) -> None:
    with database.read() as uow:
        assert repository.subdirs_of(uow, ANONYMOUS, range(1, 70_000)) == {}
        assert repository.subdirs_of(uow, ANONYMOUS, ()) == {}
