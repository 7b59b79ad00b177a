"""Packages, their releases and files: looking, describing, removing, yanking, copying."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from carrel.client.decoding import decode
from carrel.client.endpoints import Endpoints, given, path
from carrel.client.models import File, Package, Release


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """A file that a copy concerns; ``outcome`` says what becomes of it."""

    version: str
    filename: str
    subdir: str = ""
    kind: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Copy:
    """What a copy to another namespace did, or on trial would do; ``made_package``: there was no such package before."""

    namespace: str
    package: str
    visibility: str = ""
    made_package: bool = False
    labels: tuple[str, ...] = ()
    files: tuple[CopiedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Collaborator:
    """A user who was given one package; ``permission`` is read, write or admin."""

    name: str
    permission: str = ""
    display_name: str = ""


def file_path(namespace: str, package: str, version: str, filename: str, subdir: str = "") -> str:
    """Return the address of a file's description."""
    name = f"{subdir}/{filename}" if subdir else filename
    return path("packages", namespace, package, "releases", version, "files", name)


class PackageMethods(Endpoints):
    """The part of :class:`carrel.client.hub.HubClient` about packages, releases and files."""

    def packages(self, namespace: str, *, kind: str | None = None, label: str | None = None) -> Iterator[Package]:
        """Yield the packages of a namespace, page by page."""
        asked = given({"kind": kind, "label": label, "limit": "100"})
        return self._pages(Package, path("namespaces", namespace, "packages"), list(asked.items()))

    def package(self, namespace: str, name: str, timeout: float = 30.0) -> Package:
        """Return a package."""
        return self._get(Package, path("packages", namespace, name), timeout=timeout)

    def update_package(self, namespace: str, name: str, **changes: Any) -> Package:
        """Change what is said of a package, who sees it, its status; None and what is absent stay."""
        return self._send(Package, "PATCH", path("packages", namespace, name), given(changes))

    def delete_package(self, namespace: str, name: str) -> None:
        """Remove a package with its releases. Names of published files stay taken by their bytes."""
        self._do("DELETE", path("packages", namespace, name))

    def releases(self, namespace: str, name: str, timeout: float = 30.0) -> tuple[Release, ...]:
        """Return the releases of a package, newest first."""
        return self._items(Release, path("packages", namespace, name, "releases"), timeout=timeout)

    def release(self, namespace: str, name: str, version: str = "latest") -> Release:
        """Return one release with its files."""
        return self._get(Release, path("packages", namespace, name, "releases", version))

    def delete_release(self, namespace: str, name: str, version: str) -> None:
        """Remove a release, draft or published."""
        self._do("DELETE", path("packages", namespace, name, "releases", version))

    def file(self, namespace: str, package: str, version: str, filename: str, subdir: str = "") -> File:
        """Return the description of a file."""
        return self._get(File, file_path(namespace, package, version, filename, subdir))

    def delete_file(self, namespace: str, package: str, version: str, filename: str, subdir: str = "") -> None:
        """Remove a file."""
        self._do("DELETE", file_path(namespace, package, version, filename, subdir))

    def yank(self, namespace: str, package: str, version: str, filename: str | None = None, subdir: str = "", *, reason: str = "") -> None:
        """Advise against a release or one of its files: whoever pins it still gets it, nobody else does."""
        self._do("PUT", _yank_path(namespace, package, version, filename, subdir), {"reason": reason})

    def unyank(self, namespace: str, package: str, version: str, filename: str | None = None, subdir: str = "") -> None:
        """Take a yank back."""
        self._do("DELETE", _yank_path(namespace, package, version, filename, subdir))

    def copy_package(
        self,
        namespace: str,
        package: str,
        to_namespace: str,
        *,
        version: str | None = None,
        filename: str | None = None,
        from_label: str | None = None,
        to_label: str | None = None,
        existing: str = "error",
        visibility: str | None = None,
        dry_run: bool = False,
    ) -> Copy:
        """Copy files of a package to another namespace; the bytes are shared, nothing is sent.

        Parameters
        ----------
        existing : str
            What is done about files that are there already: ``error``, ``replace`` (they get the labels) or ``skip``.
        visibility : str, optional
            Who sees the package, where the copy makes it.
        """
        options = {"version": version, "filename": filename, "from_label": from_label, "to_label": to_label, "visibility": visibility}
        body = {"to_namespace": to_namespace, "existing": existing, "dry_run": dry_run, **given(options)}
        return self._send(Copy, "POST", path("packages", namespace, package, "copy"), body)

    def collaborators(self, namespace: str, package: str) -> tuple[Collaborator, ...]:
        """Return who was given the package."""
        return self._items(Collaborator, path("packages", namespace, package, "collaborators"))

    def set_collaborator(self, namespace: str, package: str, user: str, permission: str) -> Collaborator:
        """Give *user* a permission on the package: ``read``, ``write`` or ``admin``."""
        address = path("packages", namespace, package, "collaborators", user)
        return decode(Collaborator, self._http.json("PUT", address, json={"permission": permission}) or {"name": user})

    def remove_collaborator(self, namespace: str, package: str, user: str) -> None:
        """Take the package from *user*."""
        self._do("DELETE", path("packages", namespace, package, "collaborators", user))


def _yank_path(namespace: str, package: str, version: str, filename: str | None, subdir: str) -> str:
    release = path("packages", namespace, package, "releases", version)
    return f"{release if filename is None else file_path(namespace, package, version, filename, subdir)}/yank"
