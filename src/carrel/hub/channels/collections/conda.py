"""conda indexes of collections, made from the shards that the namespaces keep.

Nothing is maintained: the listing of one viewer is a query of at most a thousand rows, and what is made of it is named by
what it lists.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgpack
import zstandard

from carrel.core.errors import Unavailable
from carrel.database.engine import Database
from carrel.formats.conda import index
from carrel.hub.channels.collections import repository
from carrel.hub.channels.collections.repository import ListedShard

# Part of every ETag of a whole index: bump it when the same shards are written as other JSON.
_FORMAT = "1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH = 50
_KEPT_SECONDS = 3600.0
_LEVEL = 3


def content_key(subdir: str, shards: Sequence[ListedShard]) -> str:
    """Return the digest that names the indexes made of *shards*."""
    text = "\n".join([_FORMAT, subdir, *(f"{shard.name} {shard.sha256}" for shard in shards)])
    return hashlib.sha256(text.encode()).hexdigest()


def shard_index(subdir: str, shards: Sequence[ListedShard]) -> bytes:
    """Return ``repodata_shards.msgpack.zst``."""
    return index.shard_index(
        subdir,
        {shard.name: bytes.fromhex(shard.sha256) for shard in shards},
        created_at=max((shard.updated_at for shard in shards), default=_EPOCH),
    )


class WholeIndexes:
    """``repodata.json.zst`` files of collections. Methods may be called from any thread.

    Parameters
    ----------
    database : Database
    folder : Path
        Where they are kept; everything in it can be made again.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def path(self, subdir: str, shards: Sequence[ListedShard]) -> Path:
        """Return the index of *shards*, which is written if it is missing.

        Raises
        ------
        Unavailable
            A shard was swept meanwhile: the listing is a week old.
        """
        path = self._folder / f"{content_key(subdir, shards)}.json.zst"
        if path.exists():
            path.touch()  # in use: the sweep leaves it
            return path
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            self._write(subdir, shards, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return path

    def _write(self, subdir: str, shards: Sequence[ListedShard], path: Path) -> None:
        # On disk first: the frame has to state the size of what it holds, and the records need not fit into memory.
        with tempfile.TemporaryFile(dir=self._folder) as plain, tempfile.TemporaryFile(dir=self._folder) as newer:
            plain.write(b'{"info":{"subdir":%b},"packages":{' % json.dumps(subdir).encode())
            removed = self._write_records(shards, plain, newer)
            newer.seek(0)
            plain.write(b'},"packages.conda":{')
            while piece := newer.read(1 << 20):
                plain.write(piece)
            plain.write(b'},"removed":%b,"repodata_version":1}' % json.dumps(sorted(removed)).encode())
            size = plain.tell()
            plain.seek(0)
            with path.open("wb") as target:
                zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True).copy_stream(plain, target, size=size)
                target.flush()
                os.fdatasync(target.fileno())

    def _write_records(self, shards: Sequence[ListedShard], older: IO[bytes], newer: IO[bytes]) -> set[str]:
        """Write the members of ``packages`` and ``packages.conda``; return the names that were listed once."""
        removed: set[str] = set()
        first = {older: True, newer: True}
        for start in range(0, len(shards), _BATCH):
            batch = [shard.sha256 for shard in shards[start : start + _BATCH]]
            with self._database.read() as uow:
                contents = repository.shard_contents(uow, batch)
            for digest in batch:
                if digest not in contents:
                    raise Unavailable("The index changed meanwhile. Try again.", retry_after=1)
                document = msgpack.unpackb(zstandard.decompress(contents[digest]))
                removed.update(document.get("removed", ()))
                for target, key in ((older, "packages"), (newer, "packages.conda")):
                    for filename, record in sorted(document.get(key, {}).items()):
                        target.write((b"" if first[target] else b",") + _member(filename, record))
                        first[target] = False
        return removed

    def _sweep(self) -> None:
        limit = time.time() - _KEPT_SECONDS
        for found in self._folder.iterdir():
            try:
                if found.stat().st_mtime < limit:
                    found.unlink()
            except FileNotFoundError:
                continue


def _member(filename: str, record: dict[str, Any]) -> bytes:
    plain = {key: value.hex() if isinstance(value, bytes) else value for key, value in record.items()}
    return f"{json.dumps(filename)}:{json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(',', ':'))}".encode()
