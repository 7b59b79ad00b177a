"""Documents beside repodata, made of rows when somebody asks for them after a change.

They are read rarely, so nothing of them is kept in step with uploads. What is made is written to a file that is named by
the digest of its contents, once for all who wait; a large channel is read in a child process, in pieces.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby, islice
from pathlib import Path
from typing import IO, Any

import zstandard
from sqlalchemy import Connection

from carrel.core.clock import to_milliseconds
from carrel.core.errors import Unavailable
from carrel.database.engine import Database
from carrel.formats.conda import documents, index
from carrel.formats.conda.hotfixes import Hotfixes, empty_instructions
from carrel.formats.conda.selection import CurrentSelection
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.conda.document_repository import ChannelContents, ListedPackage
from carrel.hub.channels.conda.repository import CondaChannelRepository
from carrel.hub.channels.conda.rows import ChannelFile

_log = logging.getLogger(__name__)

# Below, a thread is done before a process would have started.
PROCESS_THRESHOLD_FILES = 3_000
_PACKAGES_AT_ONCE = 200
_PIECE = 1024 * 1024
_LEVEL = 3


class Document(StrEnum):
    """The documents that are made on demand."""

    CURRENT = "current_repodata"
    FROM_PACKAGES = "repodata_from_packages"
    RUN_EXPORTS = "run_exports"
    INSTRUCTIONS = "patch_instructions"
    CHANNELDATA = "channeldata"
    PAGE = "index"
    FEED = "rss"


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """What to make.

    Attributes
    ----------
    document : Document
    namespace_id : int
    label : str
    subdir : str
        Empty for documents of a whole channel.
    audience : Audience
        Who looks.
    title, link : str
        Of the channel, for the page and the feed.
    """

    document: Document
    namespace_id: int
    label: str
    subdir: str
    audience: Audience
    title: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class WrittenDocument:
    """A document in a file: one zstd frame named by the digest of what it holds."""

    digest: str
    path: str


def make(database: Database, folder: Path, request: DocumentRequest) -> WrittenDocument:
    """Write the document of the present moment, here or in a child process."""
    with database.read() as unit:
        label_id = CondaChannelRepository(unit.connection).label_id(request.namespace_id, request.label)
        large = label_id is not None and ChannelContents(unit.connection).file_count(label_id) > PROCESS_THRESHOLD_FILES
        if not large:
            return _make(unit.connection, label_id, folder, request)
    return _make_in_process(database, folder, request)


def _make(connection: Connection, label_id: int | None, folder: Path, request: DocumentRequest) -> WrittenDocument:
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        source = _Source(connection, label_id, request, _Members(folder, stack))
        return _write(folder, _MAKERS[request.document](source))


def _make_in_process(database: Database, folder: Path, request: DocumentRequest) -> WrittenDocument:
    document = {
        "database_url": database.url.render_as_string(hide_password=False),
        "folder": str(folder),
        "request": {**asdict(request), "audience": request.audience.to_json()},
    }
    done = subprocess.run(
        [sys.executable, "-m", "carrel.hub.channels.conda.documents"],
        input=json.dumps(document).encode(),  # not an argument: the address may hold a password
        capture_output=True,
        check=False,
    )
    if done.returncode:
        _log.error("a document could not be made: %s", done.stderr.decode(errors="replace")[-5000:])
        raise Unavailable("The document could not be made. It has been logged; try again later.")
    return WrittenDocument(**json.loads(done.stdout))


def _write(folder: Path, pieces: Iterator[bytes]) -> WrittenDocument:
    hasher = hashlib.sha256()
    # On disk first: the frame states the size of what it holds, the file's name its digest.
    with tempfile.TemporaryFile(dir=folder) as plain:
        for piece in pieces:
            hasher.update(piece)
            plain.write(piece)
        size = plain.tell()
        plain.seek(0)
        digest = hasher.hexdigest()
        path = folder / f"{digest}.document.zst"
        if not path.exists():
            temporary = folder / f".{digest}.{secrets.token_hex(8)}"
            try:
                with temporary.open("wb") as target:
                    zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True).copy_stream(plain, target, size=size)
                    target.flush()
                    os.fdatasync(target.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        else:
            path.touch()
    return WrittenDocument(digest, str(path))


class _Members:
    """Members of several JSON objects, gathered in one pass and written one object after the other."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._files: dict[str, IO[bytes]] = {}

    def add(self, section: str, key: str, value: Any) -> None:
        """Add a member to the object *section*."""
        self.add_text(section, f"{index.to_json(key)}:{index.to_json(value)}".encode())

    def add_text(self, section: str, text: bytes) -> None:
        """Add a member as it is to be written."""
        target = self._files.get(section)
        if target is None:
            # In memory as long as it is small.
            spool = tempfile.SpooledTemporaryFile(_PIECE, dir=str(self._folder))  # noqa: SIM115 - the stack closes it
            target = self._files[section] = self._stack.enter_context(spool)
        else:
            target.write(b",")
        target.write(text)

    def pieces(self, section: str) -> Iterator[bytes]:
        """Yield the members of *section*, with commas between them."""
        source = self._files.get(section)
        if source is not None:
            source.seek(0)
            while piece := source.read(_PIECE):
                yield piece


class _Source:
    """What documents are made of, for one request."""

    def __init__(self, connection: Connection, label_id: int | None, request: DocumentRequest, members: _Members) -> None:
        self.repository = CondaChannelRepository(connection)
        self.contents = ChannelContents(connection)
        self.label_id = label_id
        self.request = request
        self.members = members
        self._hotfixes: dict[str, Hotfixes] = {}

    def hotfixes(self, subdir: str) -> Hotfixes:
        """Return the patch instructions of a subdir."""
        found = self._hotfixes.get(subdir)
        if found is None:
            instructions = self.repository.instructions(self.request.namespace_id, subdir)
            found = self._hotfixes[subdir] = Hotfixes.of(instructions) if instructions is not None else Hotfixes()
        return found

    def packages(self) -> Iterator[tuple[str, list[ListedPackage], list[ChannelFile]]]:
        """Yield name, places and files (not the yanked ones) of each package, by name."""
        if self.label_id is None:
            return
        subdir = self.request.subdir or None
        listed = self.contents.listed_packages(self.label_id, subdir, self.request.audience)
        grouped = ((key, list(places)) for key, places in groupby(listed, key=lambda place: (place.name, place.package_id)))
        while batch := list(islice(grouped, _PACKAGES_AT_ONCE)):
            files: dict[int, list[ChannelFile]] = {}
            for package_id, found in self.contents.labelled_files(self.label_id, subdir, [key[1] for key, _ in batch]):
                if not found.yanked:
                    files.setdefault(package_id, []).append(found)
            for (name, package_id), places in batch:
                yield name, places, sorted(files.get(package_id, []), key=lambda item: (item.filename, item.key.subdir))

    def current(self) -> Iterator[bytes]:
        """``current_repodata.json``."""
        request = self.request
        relations = None
        if self.label_id is not None:
            label_id = self.label_id
            relations = self.repository.relations(label_id)
            selection = CurrentSelection()
            for name, older, newer in self.contents.records(label_id, request.subdir, request.audience):
                selection.add(name, _parsed(older, newer))

            def lookup(name: str) -> dict[str, Mapping[str, Any]]:
                found = self.contents.records(label_id, request.subdir, request.audience, name)
                return {key: record for _, older, newer in found for key, record in _parsed(older, newer).items()}

            selection.complete(lookup)
            for section, records in selection.records().items():
                for filename, record in records.items():
                    self.members.add(_SECTIONS[section], filename, record)
        yield from self._repodata(index.repodata_layout(request.subdir, relations=relations))

    def from_packages(self) -> Iterator[bytes]:
        """``repodata_from_packages.json``: what packages say, without their owner's changes."""
        relations = self.repository.relations(self.label_id) if self.label_id is not None else None
        revisions = []
        for _, places, files in self.packages():
            records = {
                file.filename: index.repodata_record(
                    file.attributes,
                    sha256=file.sha256,
                    md5=file.md5,
                    size=file.size,
                    indexed_timestamp=to_milliseconds(file.uploaded_at),
                    attestations_sha256=file.attestations_sha256,
                )
                for file in files
            }
            gone = {name for place in places for name in json.loads(b"[%b]" % place.removed)} - records.keys()
            parts = index.fragments(records, gone)
            for section in ("tar_bz2", "conda", "v3_tar_bz2", "v3_conda", "removed"):
                if text := getattr(parts, section):
                    self.members.add_text(section, text)
            if parts.revision is not None:
                revisions.append(parts.revision)
        layout = index.repodata_layout(self.request.subdir, relations=relations, revision=index.Revision.total(revisions))
        yield from self._repodata(layout)

    def _repodata(self, layout: list[tuple[bytes, str | None]]) -> Iterator[bytes]:
        for literal, section in layout:
            yield literal
            if section is not None:
                yield from self.members.pieces(section)

    def run_exports(self) -> Iterator[bytes]:
        """``run_exports.json``: of every file, empty when it has none; with the changes that version 2 of instructions allows."""
        hotfixes = self.hotfixes(self.request.subdir)
        for _, _, files in self.packages():
            for file in files:
                exports = file.attributes.get("run_exports", {})
                if hotfixes.version >= 2:
                    patched = hotfixes.apply(file.filename, {"run_exports": exports, "depends": []})
                    exports = (patched or {}).get("run_exports", {})
                self.members.add("conda" if file.filename.endswith(".conda") else "tar_bz2", file.filename, {"run_exports": exports})
        yield b'{"info":%b,"packages":{' % index.to_json(documents.run_exports_info(self.request.subdir)).encode()
        yield from self.members.pieces("tar_bz2")
        yield b'},"packages.conda":{'
        yield from self.members.pieces("conda")
        yield b"}}"

    def instructions(self) -> Iterator[bytes]:
        """``patch_instructions.json``: of the files that the caller may know."""
        request = self.request
        instructions = self.repository.instructions(request.namespace_id, request.subdir) or empty_instructions()
        if not request.audience.sees_all and self.label_id is not None:
            named = {name for key in ("packages", "packages.conda", "remove", "revoke") for name in instructions[key]}
            twins = {name.removesuffix(".tar.bz2") + ".conda" for name in named if name.endswith(".tar.bz2")}
            seen = self.contents.visible_names(self.label_id, request.subdir, request.audience, named | twins)
            known = {name for name in named if name in seen or name.removesuffix(".tar.bz2") + ".conda" in seen}
            instructions = {
                **instructions,
                **{key: {name: fix for name, fix in instructions[key].items() if name in known} for key in ("packages", "packages.conda")},
                **{key: [name for name in instructions[key] if name in known] for key in ("remove", "revoke")},
            }
        yield index.to_json(instructions).encode()

    def channeldata(self) -> Iterator[bytes]:
        """``channeldata.json``."""
        yield index.to_json(self._channeldata()).encode()

    def page(self) -> Iterator[bytes]:
        """``index.html``."""
        yield documents.page(self.request.title, self._channeldata()).encode()

    def feed(self) -> Iterator[bytes]:
        """``rss.xml``."""
        yield documents.rss(self.request.title, self.request.link, self._channeldata()).encode()

    def _channeldata(self) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        subdirs: set[str] = set()
        for name, places, files in self.packages():
            subdirs.update(place.subdir for place in places)
            described = [
                documents.DescribedFile(file.filename, file.key.subdir, file.attributes)
                for file in files
                if not self.hotfixes(file.key.subdir).removes(file.filename)
            ]
            if described:
                entries[name] = documents.channeldata_entry(described)
        return documents.channeldata(subdirs, entries)


_SECTIONS = {"packages": "tar_bz2", "packages.conda": "conda"}
_MAKERS = {
    Document.CURRENT: _Source.current,
    Document.FROM_PACKAGES: _Source.from_packages,
    Document.RUN_EXPORTS: _Source.run_exports,
    Document.INSTRUCTIONS: _Source.instructions,
    Document.CHANNELDATA: _Source.channeldata,
    Document.PAGE: _Source.page,
    Document.FEED: _Source.feed,
}


def _parsed(older: bytes, newer: bytes) -> dict[str, Mapping[str, Any]]:
    return {**json.loads(b"{%b}" % older), **json.loads(b"{%b}" % newer)}


def main() -> None:
    """Make what standard input asks for and tell the result on standard output."""
    given = json.load(sys.stdin)
    database = Database(given["database_url"], pool_size=1)
    audience = Audience.from_json(given["request"].pop("audience"))
    request = DocumentRequest(**{**given["request"], "document": Document(given["request"]["document"]), "audience": audience})
    with database.read() as unit:
        label_id = CondaChannelRepository(unit.connection).label_id(request.namespace_id, request.label)
        result = _make(unit.connection, label_id, Path(given["folder"]), request)
    database.dispose()
    sys.stdout.write(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
