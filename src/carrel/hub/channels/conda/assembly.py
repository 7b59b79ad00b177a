"""Whole indexes (``repodata.json.zst``), written to a file from the fragments in the database.

Memory stays flat: fragments go from the database through the compressor to the disk. A file is named by the digest of
what it lists, so it is written once for all who wait and all processes, and never changes.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import zstandard

from carrel.core.errors import Unavailable
from carrel.database.engine import Database
from carrel.formats.conda.index import Revision, repodata_layout
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.conda.indexes import content_key
from carrel.hub.channels.conda.repository import CondaChannelRepository

_log = logging.getLogger(__name__)

# Above this size a process of its own does the work. Below, a thread is done before a process would have started, and it
# holds the interpreter's lock for no longer than one piece takes to be joined.
PROCESS_THRESHOLD_BYTES = 64 * 1024 * 1024
_LEVEL = 1
_PIECE = 1024 * 1024
Layout = list[tuple[bytes, str | None]]


@dataclass(frozen=True, slots=True)
class WholeIndex:
    """A written index.

    Attributes
    ----------
    content_key : str
        What it lists (see :func:`carrel.hub.channels.conda.indexes.content_key`).
    path : str
        The ``.json.zst`` file: one zstd frame that states its content size.
    """

    content_key: str
    path: str


@dataclass(frozen=True, slots=True)
class AssemblyRequest:
    """What to assemble.

    Attributes
    ----------
    label_id : int or None
        None for a channel without anything.
    subdir : str
    audience : Audience
        Who looks.
    folder : str
        Where written indexes are kept.
    """

    label_id: int | None
    subdir: str
    audience: Audience
    folder: str


def path_of(folder: Path, key: str) -> Path:
    """Return where the index *key* is kept."""
    return folder / f"{key}.json.zst"


def size_of(database: Database, request: AssemblyRequest) -> int:
    """Return the bytes of all fragments of *request*."""
    if request.label_id is None:
        return 0
    with database.read() as unit:
        sizes = CondaChannelRepository(unit.connection).fragment_sizes(request.label_id, request.subdir, request.audience)
    return sum(size for _, size in sizes.values())


def assemble(database: Database, request: AssemblyRequest) -> WholeIndex:
    """Write the index of the present moment, unless it is there already."""
    folder = Path(request.folder)
    with database.read() as unit:
        repository = CondaChannelRepository(unit.connection)
        listed, relations = [], None
        if request.label_id is not None:
            listed = repository.listed_shards(request.label_id, request.subdir, request.audience)
            relations = repository.relations(request.label_id)
        # The key is read in the same snapshot as the fragments, so a name never stands for other contents.
        key = content_key(request.subdir, ((name, digest) for name, digest, _ in listed), relations)
        path = path_of(folder, key)
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f".{key}.{secrets.token_hex(8)}"
            try:
                revision = Revision.total(revision for _, _, revision in listed if revision is not None)
                _write(repository, request, repodata_layout(request.subdir, relations=relations, revision=revision), temporary)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
    return WholeIndex(key, str(path))


def assemble_in_process(database: Database, request: AssemblyRequest) -> WholeIndex:
    """Do the same in a child process; blocks the calling thread, not the interpreter.

    Raises
    ------
    Unavailable
    """
    document = {
        "database_url": database.url.render_as_string(hide_password=False),
        **asdict(request),
        "audience": request.audience.to_json(),
    }
    done = subprocess.run(
        [sys.executable, "-m", "carrel.hub.channels.conda.assembly"],
        input=json.dumps(document).encode(),  # not an argument: the address may hold a password
        capture_output=True,
        check=False,
    )
    if done.returncode:
        _log.error("an index could not be assembled: %s", done.stderr.decode(errors="replace")[-5000:])
        raise Unavailable("The index could not be assembled. It has been logged; try again later.")
    return WholeIndex(**json.loads(done.stdout))


def pieces(path: Path, *, decompressed: bool) -> tuple[int, Iterator[bytes]]:
    """Return size and pieces of a written index, as it is or as plain JSON."""
    source = path.open("rb")
    size = os.fstat(source.fileno()).st_size
    if decompressed:
        size = zstandard.get_frame_parameters(source.read(18)).content_size
        source.seek(0)

    def read() -> Iterator[bytes]:
        with source:
            reader: Any = zstandard.ZstdDecompressor().stream_reader(source) if decompressed else source
            while piece := reader.read(_PIECE):
                yield piece

    return size, read()


def _write(repository: CondaChannelRepository, request: AssemblyRequest, layout: Layout, path: Path) -> None:
    total = sum(len(literal) for literal, _ in layout)
    sections = {section for _, section in layout}
    if request.label_id is not None:
        sizes = repository.fragment_sizes(request.label_id, request.subdir, request.audience)
        total += sum(size + max(count - 1, 0) for name, (count, size) in sizes.items() if name in sections)  # and the commas
    with path.open("wb") as target:
        # One frame with its size: some clients stop after the first of several, others need the size to reserve memory.
        with zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True).stream_writer(target, size=total, closefd=False) as writer:
            for literal, section in layout:
                writer.write(literal)
                if section is not None and request.label_id is not None:
                    _write_members(writer, repository.fragments(request.label_id, request.subdir, request.audience, section))
        # Without it a power cut may leave the name with nothing behind it.
        target.flush()
        os.fdatasync(target.fileno())


def _write_members(writer: Any, fragments: Iterator[bytes]) -> None:
    pending: list[bytes] = []
    size = 0
    first = True
    for fragment in fragments:
        pending.append(fragment)
        size += len(fragment)
        if size >= _PIECE:
            writer.write(_joined(pending, first))
            pending, size, first = [], 0, False
    if pending:
        writer.write(_joined(pending, first))


def _joined(fragments: Collection[bytes], first: bool) -> bytes:
    joined = b",".join(fragments)
    return joined if first else b"," + joined


def main() -> None:
    """Assemble what standard input asks for and tell the result on standard output."""
    document = json.load(sys.stdin)
    database = Database(document.pop("database_url"), pool_size=1)
    result = assemble(database, AssemblyRequest(**{**document, "audience": Audience.from_json(document["audience"])}))
    database.dispose()
    sys.stdout.write(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
