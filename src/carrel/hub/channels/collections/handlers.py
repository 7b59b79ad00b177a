"""Collections over the protocols of conda, PyPI and R.

Indexes are made here; files and project pages are those of the namespace that holds them, for this caller.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from carrel.core.digests import is_sha256
from carrel.core.errors import NotFound
from carrel.core.kinds import Kind
from carrel.core.names import canonical_package, is_subdir
from carrel.core.scopes import Scope
from carrel.formats.pypi import index
from carrel.formats.pypi.index import HTML_TYPE
from carrel.hub.channels.collections.conda import content_key, shard_index
from carrel.hub.channels.collections.repository import ListedShard
from carrel.hub.channels.collections.service import CollectionChannels
from carrel.hub.channels.conda.assembly import pieces
from carrel.hub.channels.conda.handlers import JSON, MSGPACK_ZSTD, OCTETS, SHARD_SECONDS, ZSTD, NoticesHandler, PackageHandler
from carrel.hub.channels.cran.handlers import TYPES, RPackageHandler, subdir_of
from carrel.hub.channels.cran.indexes import Form as RForm
from carrel.hub.channels.handlers import ChannelHandler
from carrel.hub.channels.pypi.handlers import DistributionHandler, MetadataHandler, SimpleHandler, SlashHandler
from carrel.hub.channels.pypi.negotiation import Form, negotiate
from carrel.hub.files.lookup import Located
from carrel.hub.web.endpoint import Reply, endpoint


class _CollectionHandler(ChannelHandler):
    @property
    def views(self) -> CollectionChannels:
        """The channel views of collections."""
        return self.channels.collections

    def is_for_all(self, item: Located) -> bool:
        """Whether everybody sees the collection, too: what somebody without a name was given."""
        return self.principal.is_anonymous and super().is_for_all(item)

    async def holder_of_file(self, namespace: str, collection: str, unique_key: str) -> str:
        """Return the namespace that a file belongs to."""
        return await self.hub.pool.read(lambda uow: self.views.holder_of_file(uow, self.principal, namespace, collection, unique_key))

    async def shards(self, namespace: str, collection: str, subdir: str) -> list[ListedShard]:
        """Return the conda shards that the caller sees."""
        if not is_subdir(subdir):
            raise NotFound(f"{subdir[:80]!r} is no platform of a conda channel.")
        return await self.hub.pool.read(lambda uow: self.views.shards(uow, self.principal, namespace, collection, subdir))


class CollectionShardIndexHandler(_CollectionHandler):
    """``repodata_shards.msgpack.zst`` of a collection."""

    @endpoint(summary="Index of the shards of a collection", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=MSGPACK_ZSTD)
    async def get(self, namespace: str, collection: str, subdir: str) -> None:
        """Return the sharded index (CEP 16) of what the collection holds under the label main."""
        data = shard_index(subdir, await self.shards(namespace, collection, subdir))
        if not self.fresh(f'"{hashlib.sha256(data).hexdigest()}"'):
            self.send(data, MSGPACK_ZSTD)


class CollectionShardHandler(_CollectionHandler):
    """``shards/<digest>.msgpack.zst`` of a collection."""

    @endpoint(summary="A shard of a collection", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=MSGPACK_ZSTD)
    async def get(self, namespace: str, collection: str, digest: str, subdir: str = "noarch") -> None:
        """Return the records of one package name."""
        if not is_sha256(digest):
            raise NotFound("There is no such shard. Fetch the index again.")
        data = await self.hub.pool.read(lambda uow: self.views.shard(uow, self.principal, namespace, collection, digest))
        if not self.fresh(f'"{digest}"', seconds=SHARD_SECONDS, immutable=True):
            self.send(data, MSGPACK_ZSTD)


class CollectionRepodataHandler(_CollectionHandler):
    """``repodata.json`` and ``repodata.json.zst`` of a collection."""

    @endpoint(summary="Whole index of a collection", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=JSON)
    async def get(self, namespace: str, collection: str, subdir: str, extension: str) -> None:
        """Return the whole index (CEP 36) of what the collection holds under the label main."""
        shards = await self.shards(namespace, collection, subdir)
        if self.fresh(f'"{content_key(subdir, shards)}{extension}"'):
            return
        compressed = extension == ".zst"
        size, parts = await self.hub.pool.compute(lambda: pieces(self.views.wholes.path(subdir, shards), decompressed=not compressed))
        await self.send_pieces(size, parts, ZSTD if compressed else JSON)


class CollectionPackageHandler(_CollectionHandler, PackageHandler):
    """``<subdir>/<file>`` of a collection."""

    @endpoint(summary="Download a conda package of a collection", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=OCTETS)
    async def get(self, namespace: str, collection: str, subdir: str, filename: str) -> None:
        """Return the package from the namespace that holds it."""
        holder = await self.holder_of_file(namespace, collection, f"{Kind.CONDA}/{subdir}/{filename}")
        await super().get(namespace=holder, subdir=subdir, filename=filename)


class CollectionNoticesHandler(NoticesHandler):
    """``notices.json`` of a collection."""

    @endpoint(summary="Notices of a collection", scope=Scope.CONDA_DOWNLOAD, anonymous=True, media_type=JSON)
    async def get(self, namespace: str, collection: str) -> None:
        """Return those of its namespace."""
        await super().get(namespace=namespace)


class CollectionRootHandler(_CollectionHandler):
    """``simple/`` of a collection."""

    @endpoint(summary="All projects of a collection", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type=HTML_TYPE)
    async def get(self, namespace: str, collection: str) -> Reply | None:
        """Return the list of projects as HTML or JSON, by the ``Accept`` header."""
        self.add_vary("Accept")
        form = negotiate(self.request.headers.get("Accept", ""))
        if form is None:
            return Reply(f"This index speaks {', '.join(form.value for form in Form)}.\n".encode(), 406, {"Content-Type": "text/plain"})
        projects = await self.hub.pool.read(lambda uow: self.views.projects(uow, self.principal, namespace, collection))
        data = index.root_json(projects) if form is Form.JSON else index.root_html(projects)
        if not self.fresh(f'"{hashlib.sha256(data).hexdigest()}"'):
            self.send(data, "text/html; charset=utf-8" if form is Form.TEXT else form.value)
        return None


class CollectionProjectHandler(_CollectionHandler, SimpleHandler):
    """``simple/<project>/`` of a collection."""

    @endpoint(summary="Files of a project of a collection", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type=HTML_TYPE)
    async def get(self, namespace: str, collection: str, project: str) -> Reply | None:
        """Return the page of the namespace that holds the project; its relative addresses lead back here."""
        normalised = canonical_package(project)
        if normalised != project:
            location = f"../{quote(normalised, safe='')}/"
            return Reply(None, 301, {"Location": location, "Cache-Control": "public, max-age=86400"})
        holder = await self.hub.pool.read(lambda uow: self.views.holder_of_project(uow, self.principal, namespace, collection, project))
        return await self.answer(holder, "main", project)


class CollectionSlashHandler(SlashHandler):
    """Addresses of pages of a collection without the slash at the end."""

    @endpoint(summary="Redirect to the address with a slash", scope=Scope.PYPI_DOWNLOAD, anonymous=True, status=301)
    async def get(self, namespace: str, collection: str, last: str) -> None:
        """Redirect."""
        await super().get(namespace=namespace, last=last)


class CollectionDistributionHandler(_CollectionHandler, DistributionHandler):
    """``files/<sha256>/<filename>`` of a collection."""

    @endpoint(summary="Download a Python distribution of a collection", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type=OCTETS)
    async def get(self, namespace: str, collection: str, sha256: str, filename: str) -> None:
        """Return the bytes from the namespace that holds them."""
        holder = await self.holder_of_file(namespace, collection, f"{Kind.PYPI}/{filename}")
        await super().get(namespace=holder, sha256=sha256, filename=filename)


class CollectionMetadataHandler(_CollectionHandler, MetadataHandler):
    """``files/<sha256>/<filename>.metadata`` of a collection."""

    @endpoint(summary="Metadata of a wheel of a collection", scope=Scope.PYPI_DOWNLOAD, anonymous=True, media_type="text/plain")
    async def get(self, namespace: str, collection: str, sha256: str, filename: str) -> None:
        """Return the ``METADATA`` file from the namespace that holds the wheel."""
        holder = await self.holder_of_file(namespace, collection, f"{Kind.PYPI}/{filename}")
        await super().get(namespace=holder, sha256=sha256, filename=filename)


class CollectionRIndexHandler(_CollectionHandler):
    """``PACKAGES`` in its forms and ``Meta/archive.rds`` of a collection."""

    @endpoint(summary="R packages of a collection", scope=Scope.CRAN_DOWNLOAD, anonymous=True, media_type="text/plain")
    async def get(self, namespace: str, collection: str, name: str, place: str = "", rversion: str = "") -> None:
        """Of each package the highest version under the label main, or the list of its older ones."""
        subdir, form = subdir_of(place, rversion), RForm(name)
        made = await self.hub.pool.read(lambda uow: self.views.r_index(uow, self.principal, namespace, collection, subdir, form))
        if not self.fresh(made.etag):
            self.send(made.data, TYPES[form])


class CollectionRPackageHandler(_CollectionHandler, RPackageHandler):
    """An R package of a collection."""

    @endpoint(summary="Download an R package of a collection", scope=Scope.CRAN_DOWNLOAD, anonymous=True, media_type="application/gzip")
    async def get(
        self, namespace: str, collection: str, filename: str, place: str = "", rversion: str = "", package: str | None = None
    ) -> None:
        """Return the package from the namespace that holds it."""
        holder = await self.holder_of_file(namespace, collection, f"{Kind.R}/{subdir_of(place, rversion)}/{filename}")
        await super().get(namespace=holder, filename=filename, place=place, rversion=rversion, package=package)
