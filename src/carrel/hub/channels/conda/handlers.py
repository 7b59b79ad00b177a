"""conda channels over HTTP (CEP 16, CEP 36)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from carrel.core.digests import is_sha256
from carrel.core.errors import NotFound
from carrel.core.names import is_subdir
from carrel.core.scopes import Scope
from carrel.hub.channels.audience import Audience
from carrel.hub.channels.conda.assembly import WholeIndex, pieces
from carrel.hub.channels.conda.documents import Document, DocumentRequest, WrittenDocument
from carrel.hub.channels.conda.indexes import ChannelRef, ShardIndex
from carrel.hub.channels.conda.maintenance import PROTOCOL
from carrel.hub.channels.conda.repository import ATTESTATIONS
from carrel.hub.channels.files import conda_address, find_conda
from carrel.hub.channels.flights import SingleFlight
from carrel.hub.channels.handlers import ChannelHandler
from carrel.hub.web.endpoint import endpoint

ZSTD = "application/zstd"
JSON = "application/json"
MSGPACK_ZSTD = "application/x-msgpack-zst"
OCTETS = "application/octet-stream"
SHARD_SECONDS = 365 * 86400
_NOTICES_SECONDS = 60

_indexes: SingleFlight[ShardIndex | None] = SingleFlight()
_wholes: SingleFlight[WholeIndex] = SingleFlight()
_documents: SingleFlight[WrittenDocument] = SingleFlight()
_MEDIA_TYPES = {Document.PAGE: "text/html; charset=utf-8", Document.FEED: "application/rss+xml; charset=utf-8"}


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


class DocumentHandler(CondaHandler):
    """``current_repodata.json`` and other documents of one subdir, plain or compressed."""

    @endpoint(summary="A document beside repodata", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=JSON)
    async def get(self, namespace: str, subdir: str, document: str, extension: str = "", label: str = "main") -> None:
        """Return a subset of the index, the records without patches, run exports (CEP 12), or the patch instructions."""
        channel = await self.channel(namespace, label, subdir)
        await self.shard_index(channel)  # absent where the index is absent
        await self.send_document(
            DocumentRequest(Document(document), channel.namespace_id, label, subdir, self._audience(channel)), extension
        )

    def _audience(self, channel: ChannelRef) -> Audience:
        return self.audience(channel.namespace_id)

    async def send_document(self, request: DocumentRequest, extension: str, media_type: str = JSON) -> None:
        """Answer with a document, which is made first unless it was since the last change."""
        conda = self.channels.conda
        version = await self.current_version(request.namespace_id, PROTOCOL)
        written = conda.peek_document(request, version) or await self._make(request, version)
        if self.fresh(f'"{written.digest}{extension}"'):
            return
        compressed = extension == ".zst"
        try:
            size, parts = await self.hub.pool.compute(lambda: pieces(Path(written.path), decompressed=not compressed))
        except FileNotFoundError:  # swept since
            again = await self._make(request, version)
            if self.fresh(f'"{again.digest}{extension}"'):
                return
            size, parts = await self.hub.pool.compute(lambda: pieces(Path(again.path), decompressed=not compressed))
        await self.send_pieces(size, parts, ZSTD if compressed else media_type)

    async def _make(self, request: DocumentRequest, version: int) -> WrittenDocument:
        conda = self.channels.conda
        return await _documents.run((id(conda), request, version), lambda: self.hub.pool.compute(lambda: conda.document(request, version)))


class RootDocumentHandler(DocumentHandler):
    """``channeldata.json``, ``index.html`` and ``rss.xml`` of a channel."""

    @endpoint(summary="A document of a whole channel", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=JSON)
    async def get(self, namespace: str, document: str, extension: str = "", label: str = "main") -> None:
        """Return what is known of packages on all platforms (CEP 38), a page for people, or a feed."""
        channel = await self.channel(namespace, label, "noarch")
        await self.shard_index(channel)
        title = namespace if label == "main" else f"{namespace}/label/{label}"
        request = DocumentRequest(
            Document(document),
            channel.namespace_id,
            label,
            "",
            self._audience(channel),
            title,
            f"{self.urls.base}/conda/{title}" if document == Document.FEED else "",
        )
        if document == Document.PAGE:
            self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'")
        await self.send_document(request, extension, _MEDIA_TYPES.get(Document(document), JSON))


class NoticesHandler(CondaHandler):
    """``notices.json``: messages to the users of a channel (CEP 6)."""

    @endpoint(summary="Notices of a channel", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=JSON)
    async def get(self, namespace: str, label: str = "main") -> None:
        """Return what owners published and is not over: an empty list rather than nothing, clients wait for it."""
        namespace_id = await self.namespace_id(namespace)
        shown = await self.hub.pool.read(lambda uow: self.hub.notices.shown(uow, namespace_id))
        body = json.dumps({"notices": shown}, ensure_ascii=False).encode()
        if not self.fresh(f'"{hashlib.sha256(body).hexdigest()}"', seconds=_NOTICES_SECONDS):
            self.send(body, JSON)


class AttestationsHandler(CondaHandler):
    """``<file>.sigs.<digest>`` (CEP 50) and ``<file>.v0.sigs``: who published a file, as a JSON array of Sigstore bundles."""

    @endpoint(summary="Attestations of a conda package", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=JSON)
    async def get(self, namespace: str, subdir: str, filename: str, digest: str = "", label: str = "main") -> None:
        """Return the attestations that the index names by their digest, or those of the moment; absent when there are none."""
        if not is_subdir(subdir):
            raise NotFound(f"{subdir[:80]!r} is no platform of a conda channel.")
        item = await self.locate(
            conda_address(namespace, subdir, f"{filename}{ATTESTATIONS}"),
            lambda uow: find_conda(uow, namespace, subdir, filename, ATTESTATIONS),
            filename,
        )
        if digest and digest != item.sha256:
            raise NotFound("This file has other attestations by now. Fetch the index again.")
        await self.send_file(item, JSON, count=False, lasting=bool(digest))


def _whole_etag(content_key: str, extension: str) -> str:
    # The two forms of one content are different bytes.
    return f'"{content_key}{extension}"'
