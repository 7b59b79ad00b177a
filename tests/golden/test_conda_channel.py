"""The bytes of every index of a conda channel, made of rows that never change."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from sqlalchemy import insert, update

from carrel.core.kinds import Kind
from carrel.database.engine import Database
from carrel.formats.conda.hotfixes import validate_instructions
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.conda.assembly import AssemblyRequest, assemble, pieces
from carrel.hub.channels.conda.documents import Document, DocumentRequest, make
from carrel.hub.channels.conda.indexes import ChannelRef, CondaIndexes
from carrel.hub.channels.conda.maintenance import refresh
from carrel.hub.channels.conda.repository import CondaChannelRepository
from carrel.hub.channels.models import hotfix, notice
from carrel.hub.labels.models import label
from carrel.hub.notices.service import NoticeService
from carrel.hub.packages.models import file
from carrel.testing.rows import Rows, conda_record, create_schema

GOLDEN = Path(__file__).parent / "channel"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
LATER = datetime(9999, 1, 1, tzinfo=UTC)
DESCRIBED = {
    "about": {"summary": "Räder & <Reifen>", "home": "https://wheels.example", "license": "MIT"},
    "run_exports": {"weak": ["wheels >=1.0"], "strong": ["rubber"]},
    "install": ["activate.d", "text_prefix"],
}
INSTRUCTIONS = {
    "patch_instructions_version": 2,
    "packages": {"wheels-1.0-0.tar.bz2": {"depends": ["rubber >=1,<2"], "license": None}},
    "packages.conda": {"wheels-2.0-0.conda": {"run_exports": {"strong": None}}, "secret-1.0-0.conda": {"depends": []}},
    "revoke": ["wheels-1.5-0.conda"],
    "remove": ["rubber-0.1-0.tar.bz2"],
}


class Channel:
    """A channel with all that an index can say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(f"sqlite:///{folder / 'hub.db'}")
        create_schema(self.database)
        with self.database.write() as unit:
            rows = Rows(unit.connection)
            self.namespace_id = rows.namespace("alice")
            wheels, rubber, secret = (
                rows.package(self.namespace_id, name, visibility=visibility)
                for name, visibility in (("wheels", "public"), ("rubber", "public"), ("secret", "private"))
            )
            for filename, package, version, more in (
                ("wheels-1.0-0.tar.bz2", wheels, "1.0", {"depends": ["rubber >=1"]}),
                ("wheels-1.0-0.conda", wheels, "1.0", {"depends": ["rubber >=1"]}),
                ("wheels-1.5-0.conda", wheels, "1.5", {"depends": ["rubber >=1"]}),
                ("wheels-2.0-0.conda", wheels, "2.0", {"depends": ["rubber <1"], "timestamp": 1_767_225_600_000, "license": "MIT"}),
                ("wheels-3.0-0.conda", wheels, "3.0", {"depends": ["rubber >=1"], "schema_version": 3}),
                ("wheels-4.0-0.conda", wheels, "4.0", {}),
                ("rubber-0.1-0.tar.bz2", rubber, "0.1", {}),
                ("rubber-0.9-0.conda", rubber, "0.9", {}),
                ("rubber-1.0-0.conda", rubber, "1.0", {"noarch": "generic"}),
                ("secret-1.0-0.conda", secret, "1.0", {}),
            ):
                record = conda_record(filename.split("-")[0], version, **more)
                attributes: dict[str, Any] = {"index": record, **(DESCRIBED if package == wheels else {"run_exports": {}})}
                options = {"version": version, "subdir": "noarch", "labels": ("main", "rc"), "uploaded_at": MOMENT}
                rows.file(self.namespace_id, package, Kind.CONDA, filename, attributes=attributes, **options)
            unit.connection.execute(update(file).where(file.c.filename == "wheels-4.0-0.conda").values(yanked_at=MOMENT))
            unit.connection.execute(update(label).where(label.c.name == "rc").values(relations={"overrides": "../.."}))
            values = {"namespace_id": self.namespace_id, "subdir": "noarch", "updated_at": MOMENT}
            unit.connection.execute(insert(hotfix).values(**values, instructions=validate_instructions(INSTRUCTIONS)))
            values = {"namespace_id": self.namespace_id, "status": "published", "level": "warning", "message": "Mind the gap"}
            moments = {"created_at": MOMENT, "updated_at": MOMENT, "expires_at": LATER}
            unit.connection.execute(insert(notice).values(id="6f6e6f74-6963-6500-0000-000000000000", **values, **moments))
            refresh(unit, self.namespace_id, dict.fromkeys((wheels, rubber, secret), True), MOMENT)

    def document(self, kind: Document, *, audience: Audience = Audience.EVERYONE, title: str = "alice") -> bytes:
        subdir = "noarch" if kind in (Document.CURRENT, Document.FROM_PACKAGES, Document.RUN_EXPORTS, Document.INSTRUCTIONS) else ""
        request = DocumentRequest(kind, self.namespace_id, "main", subdir, audience, title, "https://hub.example/conda/alice")
        written = make(self.database, self.folder / "documents", request)
        return b"".join(pieces(Path(written.path), decompressed=True)[1])

    def repodata(self, label_name: str, audience: Audience) -> bytes:
        with self.database.read() as unit:
            label_id = CondaChannelRepository(unit.connection).label_id(self.namespace_id, label_name)
        written = assemble(self.database, AssemblyRequest(label_id, "noarch", audience, str(self.folder / "whole")))
        return b"".join(pieces(Path(written.path), decompressed=True)[1])

    def shard_index(self, label_name: str) -> bytes:
        index = CondaIndexes(self.database).index(ChannelRef(self.namespace_id, label_name, "noarch"), Audience.EVERYONE)
        assert index is not None
        return zstandard.decompress(index.data)

    def notices(self) -> bytes:
        with self.database.read() as unit:
            return json.dumps({"notices": NoticeService().shown(unit, self.namespace_id)}).encode()


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    """The channel."""
    return Channel(tmp_path_factory.mktemp("channel"))


PRODUCTS = {
    "repodata.json": lambda channel: channel.repodata("main", Audience.EVERYONE),
    "repodata-owner.json": lambda channel: channel.repodata("main", Audience.OWNER),
    "repodata-rc.json": lambda channel: channel.repodata("rc", Audience.EVERYONE),
    "repodata_shards-rc.msgpack": lambda channel: channel.shard_index("rc"),
    "current_repodata.json": lambda channel: channel.document(Document.CURRENT),
    "repodata_from_packages.json": lambda channel: channel.document(Document.FROM_PACKAGES),
    "run_exports.json": lambda channel: channel.document(Document.RUN_EXPORTS),
    "patch_instructions.json": lambda channel: channel.document(Document.INSTRUCTIONS),
    "patch_instructions-owner.json": lambda channel: channel.document(Document.INSTRUCTIONS, audience=Audience.OWNER),
    "channeldata.json": lambda channel: channel.document(Document.CHANNELDATA),
    "index.html": lambda channel: channel.document(Document.PAGE),
    "rss.xml": lambda channel: channel.document(Document.FEED),
    "notices.json": lambda channel: channel.notices(),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_promised_bytes(channel: Channel, name: str) -> None:
    made = PRODUCTS[name](channel)
    assert made == (GOLDEN / name).read_bytes()
