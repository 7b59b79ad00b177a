"""How people name a namespace, a package, a release or a file on the hub."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.client.references import Reference
from carrel.core.errors import BadRequest, InvalidName
from carrel.core.names import validate_namespace, validate_package, validate_version

_DEEPEST = 4  # macosx/big-sur-arm64/4.4/FILE of R


@dataclass(frozen=True, slots=True)
class Target:
    """Something on a hub: a namespace, or within it a package, a release or a file.

    ``NAMESPACE/PACKAGE@VERSION/FILE`` and ``NAMESPACE/PACKAGE/VERSION/FILE``, as anaconda-client writes it, are the same; a
    file for one platform has its name before it: ``…/linux-64/FILE``.
    """

    namespace: str
    package: str | None = None
    version: str | None = None
    filename: str | None = None
    subdir: str = ""
    hub_url: str | None = None

    @classmethod
    def parse(cls, text: str, hub_url: str | None = None) -> Target:
        """Read *text*; an address of a page is read as :meth:`carrel.client.references.Reference.parse` does.

        Raises
        ------
        carrel.core.errors.BadRequest
        """
        text = text.strip()
        if "://" in text:
            found = Reference.parse(text, hub_url)
            return cls(found.namespace, found.name, found.version, hub_url=found.hub_url)
        parts = text.rstrip("/").split("/")
        if len(parts) > 1 and "@" in parts[1]:
            parts[1:2] = parts[1].split("@", 1)
        try:
            validate_namespace(parts[0])
            if len(parts) > 1:
                validate_package(parts[1])
            if len(parts) > 2 and parts[2] != "latest":
                validate_version(parts[2])
        except InvalidName as error:
            raise BadRequest(f"{text[:200]!r} is not understood: {error.detail}") from error
        rest = parts[3:]
        if len(rest) > _DEEPEST or {"", ".", ".."} & set(parts):
            raise BadRequest(
                f"{text[:200]!r} is not understood: write NAMESPACE, NAMESPACE/PACKAGE, NAMESPACE/PACKAGE@VERSION or "
                "NAMESPACE/PACKAGE@VERSION/FILE (a file for one platform as linux-64/FILE)."
            )
        release = parts[2] if len(parts) > 2 and parts[2] != "latest" else None
        return cls(parts[0], parts[1] if len(parts) > 1 else None, release, rest[-1] if rest else None, "/".join(rest[:-1]))

    @property
    def reference(self) -> Reference:
        """The package, or the release, as a reference."""
        if self.package is None:
            raise BadRequest(f"{self} is a namespace: name a package in it, {self}/PACKAGE.")
        return Reference(self.namespace, self.package, self.version, self.hub_url)

    def __str__(self) -> str:
        if self.package is None:
            return self.namespace
        text = str(Reference(self.namespace, self.package, self.version))
        file = f"{self.subdir}/{self.filename}" if self.subdir else self.filename
        return f"{text}/{file}" if file else text
