"""conda channels over HTTP (CEP 16, CEP 36)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from carrel.core.digests import is_sha256
from carrel.core.errors import NotFound
from carrel.core.names import is_subdir
from carrel.core.scopes import Scope
from carrel.hub.channels.conda.assembly import WholeIndex, pieces
from carrel.hub.channels.conda.indexes import ChannelRef, ShardIndex
from carrel.hub.channels.conda.maintenance import PROTOCOL
from carrel.hub.channels.files import conda_address, find_conda
from carrel.hub.channels.flights import SingleFlight
from carrel.hub.channels.handlers import ChannelHandler
from carrel.hub.web.endpoint import endpoint

ZSTD = "application/zstd"
JSON = "application/json"
MSGPACK_ZSTD = "application/x-msgpack-zst"
OCTETS = "application/octet-stream"
SHARD_SECONDS = 365 * 86400
_NOTICES_SECONDS = 600

_indexes: SingleFlight[ShardIndex | None] = SingleFlight()
_wholes: SingleFlight[WholeIndex] = SingleFlight()


class CondaHandler(ChannelHandler):
    """Finds the channel that an address names."""

    async def channel(self, namespace: str, label: str, subdir: str) -> ChannelRef:
        """Return the channel.

        Raises
        ------
        NotFound
            The namespace does not exist or the subdir cannot.
        """
        if not is_subdir(subdir):
            raise NotFound(f"{subdir[:80]!r} is no platform of a conda channel.")
        return ChannelRef(await self.namespace_id(namespace), label, subdir)

    async def shard_index(self, channel: ChannelRef) -> ShardIndex:
        """Return the index at the version of this moment.

        Raises
        ------
        NotFound
            Nothing the caller may see is there. ``noarch`` of an existing channel is always there.
        """
        audience = self.audience(channel.namespace_id)
        version = await self.current_version(channel.namespace_id, PROTOCOL)
        indexes = self.channels.conda.indexes
        index = indexes.peek_index(channel, audience, version)
        if index is None:
            # The version is part of the key: who comes after a newer upload does not wait for an older answer.
            index = await _indexes.run(
                (id(indexes), channel, audience, version), lambda: self.hub.pool.compute(lambda: indexes.index(channel, audience))
            )
        if index is None:
            raise NotFound(f"This channel has nothing for {channel.subdir}.")
        return index


class ShardIndexHandler(CondaHandler):
    """``repodata_shards.msgpack.zst``: names and digests of shards."""

    @endpoint(summary="Index of the shards of a channel", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=MSGPACK_ZSTD)
    async def get(self, namespace: str, subdir: str, label: str = "main") -> None:
        """Return the sharded index (CEP 16), current when the upload that changed it was answered."""
        index = await self.shard_index(await self.channel(namespace, label, subdir))
        if not self.fresh(index.etag):
            self.send(index.data, MSGPACK_ZSTD)


class ShardHandler(CondaHandler):
    """``shards/<digest>.msgpack.zst``: the records of one package name, for ever."""

    @endpoint(summary="A shard of a channel", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=MSGPACK_ZSTD)
    async def get(self, namespace: str, digest: str, subdir: str = "noarch", label: str = "main") -> None:
        """Return a shard (CEP 16). Shards that no index names any more are kept for a week."""
        namespace_id = await self.namespace_id(namespace)
        audience = self.audience(namespace_id)
        version = await self.recent_version(namespace_id, PROTOCOL)
        indexes = self.channels.conda.indexes
        data = indexes.peek_shard(namespace_id, digest, audience, version)
        if data is None and is_sha256(digest):
            data = await self.hub.pool.compute(lambda: indexes.shard(namespace_id, digest, audience))
        if data is None:
            raise NotFound("There is no such shard. Fetch the index again.")
        if not self.fresh(f'"{digest}"', seconds=SHARD_SECONDS, immutable=True):
            self.send(data, MSGPACK_ZSTD)


class RepodataHandler(CondaHandler):
    """``repodata.json`` and ``repodata.json.zst``: the whole index of a channel."""

    @endpoint(summary="Whole index of a channel", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=JSON)
    async def get(self, namespace: str, subdir: str, extension: str, label: str = "main") -> None:
        """Return the whole index (CEP 36), written once after a change however many ask for it."""
        channel = await self.channel(namespace, label, subdir)
        index = await self.shard_index(channel)
        compressed = extension == ".zst"
        if self.fresh(_whole_etag(index.content_key, extension)):
            return
        whole = await self._whole(channel, index)
        try:
            size, parts = await self._open(whole, compressed)
        except FileNotFoundError:  # swept since
            whole = await self._whole(channel, index)
            size, parts = await self._open(whole, compressed)
        if whole.content_key != index.content_key and self.fresh(_whole_etag(whole.content_key, extension)):
            return
        await self.send_pieces(size, parts, ZSTD if compressed else JSON)

    async def _whole(self, channel: ChannelRef, index: ShardIndex) -> WholeIndex:
        conda = self.channels.conda
        audience = self.audience(channel.namespace_id)
        written = conda.peek_whole(index)
        if written is not None:
            return written
        key = (id(conda), channel, audience, index.content_key)
        return await _wholes.run(key, lambda: self.hub.pool.compute(lambda: conda.whole(channel, audience)))

    async def _open(self, whole: WholeIndex, compressed: bool) -> tuple[int, Iterator[bytes]]:
        return await self.hub.pool.compute(lambda: pieces(Path(whole.path), decompressed=not compressed))


class PackageHandler(CondaHandler):
    """``<subdir>/<file>``: a package, under any label: a lock file outlives the label that it was made with."""

    @endpoint(summary="Download a conda package", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=OCTETS)
    async def get(self, namespace: str, subdir: str, filename: str, label: str = "main") -> None:
        """Return the package; ``Range`` and ``If-None-Match`` are answered."""
        if not is_subdir(subdir):
            raise NotFound(f"{subdir[:80]!r} is no platform of a conda channel.")
        item = await self.locate(
            conda_address(namespace, subdir, filename), lambda uow: find_conda(uow, namespace, subdir, filename), filename
        )
        await self.send_file(item, OCTETS)


class AbsentHandler(CondaHandler):
    """Files that clients ask for and that this hub does not make: they go on without."""

    @endpoint(summary="A file that is not made", scope=Scope.CONDA_DOWNLOAD, anonymous=True)
    async def get(self, namespace: str, **_path: str) -> None:
        """Answer 404."""
        raise NotFound("This channel has no such file.")


class NoticesHandler(CondaHandler):
    """``notices.json``: messages to the users of a channel (CEP 6)."""

    @endpoint(summary="Notices of a channel", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=JSON)
    async def get(self, namespace: str, label: str = "main") -> None:
        """Return an empty list, at once: clients wait for it before they do anything."""
        await self.namespace_id(namespace)
        if not self.fresh('"none"', seconds=_NOTICES_SECONDS):
            self.send(json.dumps({"notices": []}).encode(), JSON)


def _whole_etag(content_key: str, extension: str) -> str:
    # The two forms of one content are different bytes.
    return f'"{content_key}{extension}"'
