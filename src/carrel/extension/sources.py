"""The places packages come from, by id, in the order in which they are preferred."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from pypi_simple import PYPI_SIMPLE_ENDPOINT

from carrel.core.errors import BadRequest, CarrelError
from carrel.core.names import slugify, validate_namespace, validate_package
from carrel.environments import Environment, Installed, Sources, Spec
from carrel.environments.credentials import strip_url
from carrel.extension.hub import HubAccess

SourceType = Literal["hub", "conda", "pypi"]
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.!+~*-]{0,100}\Z")

ALL_OF_HUB = "hub"


@dataclass(frozen=True, slots=True)
class Source:
    """One place. ``name`` is for people; ``url`` is its address or the name that conda knows it by."""

    id: str
    type: SourceType
    name: str
    url: str

    def to_json(self) -> dict[str, str]:
        """Return the source as the API shows it."""
        return {"id": self.id, "type": self.type, "name": self.name, "url": strip_url(self.url) if "://" in self.url else self.url}


def channel_source(channel: str) -> Source:
    """Return the source of a conda channel, given by name or address."""
    if "://" not in channel:
        return Source(f"conda:{slugify(channel)}", "conda", channel, channel)
    parts = urlsplit(strip_url(channel))
    name = parts.path.strip("/") or parts.netloc
    return Source(f"conda:{slugify(parts.netloc + '-' + parts.path)}", "conda", name, channel.rstrip("/"))


def index_name(index: str) -> str:
    """Return the name of a PyPI index for people."""
    return "PyPI" if index.rstrip("/") == PYPI_SIMPLE_ENDPOINT.rstrip("/") else urlsplit(index).netloc


class SourceBook:
    """The configured sources.

    Parameters
    ----------
    channels, indexes : sequence of str
        conda channels and PyPI indexes, best first.
    """

    def __init__(self, access: HubAccess, channels: Sequence[str], indexes: Sequence[str]) -> None:
        self._access = access
        self._channels = tuple(channel_source(channel) for channel in channels)
        self._indexes = tuple(
            Source("pypi" if number == 0 else f"pypi:{number + 1}", "pypi", index_name(index), index)
            for number, index in enumerate(indexes)
        )

    @property
    def channels(self) -> tuple[Source, ...]:
        """The configured conda channels."""
        return self._channels

    @property
    def indexes(self) -> tuple[Source, ...]:
        """The configured PyPI indexes."""
        return self._indexes

    def all(self) -> list[Source]:
        """Return every source, best first: own namespaces, the rest of the hub, channels, indexes."""
        own: list[Source] = []
        with contextlib.suppress(CarrelError):
            user = self._access.user()
            own = [self.of_namespace(namespace.name) for namespace in user.namespaces] if user else []
        return [*own, *self.unsigned()]

    def unsigned(self) -> list[Source]:
        """Return the sources without the person's own namespaces; asks no server."""
        url = self._access.url
        hub = [Source(ALL_OF_HUB, "hub", urlsplit(url).netloc, url)] if url else []
        return [*hub, *self._channels, *self._indexes]

    def of_namespace(self, namespace: str) -> Source:
        """Return the source of a namespace of the hub."""
        return Source(f"hub:{namespace}", "hub", namespace, f"{self._access.url}/{namespace}")

    def get(self, source_id: str) -> Source:
        """Return the source with an id.

        Raises
        ------
        carrel.core.errors.BadRequest
        """
        kind, _, name = source_id.partition(":")
        if kind == "hub" and name and self._access.url:
            return self.of_namespace(validate_namespace(name))
        for source in self.unsigned():
            if source.id == source_id:
                return source
        raise BadRequest(f"There is no source {source_id[:100]!r}.", code="unknown_source")

    def conda_channel_of(self, namespace: str) -> str:
        """Return the conda channel of a namespace of the hub."""
        return f"{self._access.url}/conda/{namespace}"

    def index_of(self, namespace: str) -> str:
        """Return the PyPI index of a namespace of the hub."""
        return f"{self._access.url}/pypi/{namespace}/simple/"

    def for_capture(self) -> Sources:
        """Return what the engine may ask for the origin of installed packages: own namespaces with packages first."""
        channels: list[str] = []
        indexes: list[str] = []
        if self._access.url:
            with contextlib.suppress(CarrelError):
                user = self._access.user()
                client = self._access.client()
                for namespace in user.namespaces if user else ():
                    if next(client.packages(namespace.name, kind="pypi"), None) is not None:
                        indexes.append(self.index_of(namespace.name))
                    if next(client.packages(namespace.name, kind="conda"), None) is not None:
                        channels.append(self.conda_channel_of(namespace.name))
        channels += [source.url for source in self._channels]
        indexes += [source.url for source in self._indexes]
        return Sources(tuple(channels), tuple(indexes), self._access.headers())

    def for_rebuild(self) -> Sources:
        """Return where archives of a lock are looked for when they are gone from their own places."""
        return Sources(tuple(s.url for s in self._channels), tuple(s.url for s in self._indexes), self._access.headers())

    def known_addresses(self) -> list[str]:
        """Return the addresses of the configured indexes and of the configured hub, no other one that a link may name."""
        return [*(source.url for source in self._indexes), *([self._access.url] if self._access.url else [])]

    def spec(self, name: str, version: str | None, source_id: str, environment: Environment, kind: str | None = None) -> Spec:
        """Return the engine's wish for a package of a source.

        A namespace of the hub holds conda and Python packages; the kind that suits the environment is taken.

        Raises
        ------
        carrel.core.errors.BadRequest
        """
        validate_package(name)
        if version is not None and not _VERSION.match(version):
            raise BadRequest(f"{version[:100]!r} is not a version.", code="invalid_version")
        source = self.get(source_id)
        if source.type == "pypi":
            return Spec(name, version, "pypi", index=source.url)
        if source.type == "conda":
            self._require_conda(environment)
            return Spec(name, version, "conda", channel=source.url)
        if source.id == ALL_OF_HUB:
            raise BadRequest("Choose the namespace that the package comes from.", code="unknown_source")
        namespace = source.id.partition(":")[2]
        kinds = {kind} if kind else set(self._access.client().package(namespace, name).kinds)
        if "conda" in kinds and environment.kind == "conda":
            return Spec(name, version, "conda", channel=self.conda_channel_of(namespace))
        if "pypi" in kinds:
            return Spec(name, version, "pypi", index=self.index_of(namespace))
        self._require_conda(environment)
        raise BadRequest(f"{namespace}/{name} holds no package that can be installed.", code="not_installable")

    @staticmethod
    def _require_conda(environment: Environment) -> None:
        if environment.kind != "conda":
            raise BadRequest("conda packages need a conda environment; this one is managed by pip.", code="not_a_conda_environment")

    def for_change(self, specs: Iterable[Spec], packages: Iterable[Installed]) -> Sources:
        """Return the engine's sources for a change: those of *specs*, those that *packages* came from, the configured ones.

        Only namespaces of the hub that take part are added: each further channel would cost a request.
        """
        channels: dict[str, None] = {}
        indexes: dict[str, None] = {}
        for spec in specs:
            if spec.channel:
                channels.setdefault(spec.channel)
            if spec.index:
                indexes.setdefault(spec.index)
        hub = self._access.url
        for package in packages:
            address = package.channel.rstrip("/")
            if hub and address.startswith(f"{hub}/conda/"):
                channels.setdefault(address)
            elif hub and address.startswith(f"{hub}/pypi/"):
                indexes.setdefault(address + "/")
        channels.update(dict.fromkeys(source.url for source in self._channels))
        indexes.update(dict.fromkeys(source.url for source in self._indexes))
        return Sources(tuple(channels), tuple(indexes), self._access.headers())

    def again(self, sources: Sources) -> Sources:
        """Return *sources* with the credentials of now."""
        return replace(sources, headers=self._access.headers())


def installed_versions(packages: Iterable[Installed]) -> Mapping[str, Installed]:
    """Return packages by canonical name."""
    return {re.sub(r"[-_.]+", "-", package.name).lower(): package for package in packages}
