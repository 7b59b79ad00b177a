"""What the handlers of all channels share: versions, audiences, conditional answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tornado.iostream import StreamClosedError

from carrel.core.errors import NotFound
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.channels.audience import Audience, audience_for
from carrel.hub.channels.service import Channels
from carrel.hub.files.lookup import Address, Located
from carrel.hub.packages.visibility import is_shared
from carrel.hub.web.handler import ApiHandler
from carrel.hub.web.streaming import etag_matches, send_blob

INDEX_SECONDS = 30
_END = b""


class ChannelHandler(ApiHandler):
    """Answers with indexes: strong ETags, 304, short lives in caches, nothing shared that not everyone may see."""

    @property
    def channels(self) -> Channels:
        """The channels of this process."""
        return self.hub.channels

    def compute_etag(self) -> None:
        """Leave Tornado's own digest of every body alone: validators are set with the content."""

    async def namespace_id(self, name: str) -> int:
        """Return the id of a namespace.

        Raises
        ------
        NotFound
        """
        found = self.channels.namespaces.peek(name)
        if found is None:
            found = await self.hub.pool.compute(lambda: self.channels.namespaces.find(name))
        if found is None:
            raise NotFound(f"There is no namespace {name[:80]!r}.")
        return found

    async def current_version(self, namespace_id: int, protocol: str) -> int:
        """Return the committed version of a namespace's channels."""
        versions = self.channels.versions
        if versions.cheap:
            return versions.current(namespace_id, protocol)
        return await self.hub.pool.compute(lambda: versions.current(namespace_id, protocol))

    async def recent_version(self, namespace_id: int, protocol: str) -> int:
        """Return a version at most a second old: enough to decide who may see what never changes."""
        found = self.channels.versions.recent(namespace_id, protocol)
        return await self.current_version(namespace_id, protocol) if found is None else found

    def audience(self, namespace_id: int) -> Audience:
        """Return which view of the namespace the caller has."""
        return audience_for(self.principal, namespace_id)

    def fresh(self, etag: str, *, seconds: int = INDEX_SECONDS, immutable: bool = False) -> bool:
        """Set validators and lifetime, and whether the caller has this very content: then 304 is all that is sent.

        Only the ETag counts: some clients fail for good on a 304 that does not carry the validators of the 200, so there
        is one validator, on both.
        """
        self.set_header("Etag", etag)
        scope = "public" if self.principal.is_anonymous else "private"
        self.set_header("Cache-Control", f"{scope}, max-age={seconds}" + (", immutable" if immutable else ""))
        self.add_vary("Authorization", "Cookie")
        given = self.request.headers.get("If-None-Match")
        if given is None or not etag_matches(given, etag):
            return False
        self.set_status(304)
        return True

    def add_vary(self, *names: str) -> None:
        """Add header names that the answer depends on."""
        present = [name for name in self._headers.get("Vary", "").split(", ") if name]
        self.set_header("Vary", ", ".join([*present, *(name for name in names if name not in present)]))

    def send(self, data: bytes, content_type: str) -> None:
        """Write a body that is in memory."""
        self.set_header("Content-Type", content_type)
        self.set_header("Content-Length", str(len(data)))
        if self.request.method != "HEAD":
            self.write(data)

    async def locate(self, address: Address, find: Callable[[UnitOfWork], tuple[Located, ...]], filename: str) -> Located:
        """Return the file behind *address*, which is looked up with *find* unless it is remembered.

        Raises
        ------
        NotFound
        """
        lookup = self.hub.lookup
        found = lookup.cached(address)
        if found is None:
            generation = lookup.generation
            found = await self.hub.pool.read(find)
            lookup.remember(address, found, generation)
        return self.hub.files.allowed(self.principal, found, filename)

    async def send_file(self, item: Located, content_type: str, *, count: bool = True, lasting: bool = True) -> None:
        """Answer with the bytes of a file; *lasting* means that the address will never mean others."""
        told = {"filename": item.filename, "content_type": content_type}
        sent = await send_blob(self, item.sha256, item.size, **told, shared=self.is_for_all(item), lasting=lasting)
        if sent and count:
            self.hub.usage.downloaded(item.id)

    def is_for_all(self, item: Located) -> bool:
        """Whether everybody may have the answer with a file, so that shared caches may keep it."""
        return is_shared(item.visibility) and item.published and self.hub.settings.allow_anonymous

    async def send_pieces(self, size: int, pieces: Iterator[bytes], content_type: str) -> None:
        """Write a body of *size* bytes that is read piece by piece in a thread."""
        self.set_header("Content-Type", content_type)
        self.set_header("Content-Length", str(size))
        if self.request.method == "HEAD":
            return
        try:
            while piece := await self.hub.pool.compute(lambda: next(pieces, _END)):
                self.write(piece)
                await self.flush()
        except StreamClosedError:
            return  # the client went away
