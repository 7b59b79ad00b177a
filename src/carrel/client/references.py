"""How people name a publication: ``acme/analysis``, ``acme/analysis@7`` or the address of its page."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from carrel.core.errors import BadRequest, InvalidName
from carrel.core.names import validate_namespace, validate_package, validate_version


@dataclass(frozen=True, slots=True)
class Reference:
    """A package on a hub, or one release of it.

    Attributes
    ----------
    namespace, name : str
    version : str or None
        None stands for the latest published release.
    hub_url : str or None
        The hub, when the reference was an address; None for the configured one.
    """

    namespace: str
    name: str
    version: str | None = None
    hub_url: str | None = None

    @classmethod
    def parse(cls, text: str, hub_url: str | None = None) -> Reference:
        """Read a reference.

        Parameters
        ----------
        text : str
            ``NAMESPACE/NAME``, ``NAMESPACE/NAME@VERSION`` or the address of a page of the hub.
        hub_url : str, optional
            The configured hub. An address below it may contain a path prefix.

        Raises
        ------
        carrel.core.errors.BadRequest
        """
        text = text.strip()
        if "://" in text:
            return cls._parse_url(text, hub_url)
        path, at, version = text.partition("@")
        parts = path.split("/")
        if len(parts) != 2 or (at and not version):
            raise BadRequest(f"{text[:200]!r} is not a reference: write NAMESPACE/NAME, NAMESPACE/NAME@VERSION or the address of the page.")
        return cls._checked(parts[0], parts[1], version or None, None, text)

    @classmethod
    def _parse_url(cls, text: str, hub_url: str | None) -> Reference:
        url = urlsplit(text)
        if url.scheme not in ("http", "https") or not url.hostname or url.username or url.password:
            raise BadRequest(
                f"{url.scheme}://{url.hostname or ''}… cannot be used: give the http or https address of a page, without credentials."
            )
        origin = f"{url.scheme}://{url.netloc}"
        path = url.path
        if hub_url is not None:
            base = urlsplit(hub_url.rstrip("/"))
            if f"{base.scheme}://{base.netloc}" == origin and (path + "/").startswith(base.path + "/"):
                path = path[len(base.path) :]
                origin += base.path
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if len(parts) not in (2, 3):
            raise BadRequest(f"{origin}{path} is not the page of a package: its path must be NAMESPACE/NAME or NAMESPACE/NAME/VERSION.")
        return cls._checked(parts[0], parts[1], parts[2] if len(parts) == 3 else None, origin, text)

    @classmethod
    def _checked(cls, namespace: str, name: str, version: str | None, hub_url: str | None, text: str) -> Reference:
        try:
            validate_namespace(namespace)
            validate_package(name)
            if version == "latest":
                version = None
            if version is not None:
                validate_version(version)
        except InvalidName as error:
            raise BadRequest(f"{text[:200]!r} is not a reference: {error.detail}") from error
        return cls(namespace, name, version, hub_url)

    def with_version(self, version: str) -> Reference:
        """Return this reference for exactly *version*."""
        return Reference(self.namespace, self.name, version, self.hub_url)

    def page(self, hub_url: str) -> str:
        """Return the address of the page on *hub_url*."""
        parts = [self.namespace, self.name] + ([self.version] if self.version else [])
        return hub_url.rstrip("/") + "/" + "/".join(quote(part, safe="") for part in parts)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" + (f"@{self.version}" if self.version else "")
