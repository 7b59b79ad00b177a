"""JSON as anaconda.org writes it. Clients stop at members that are missing, so all are always there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from carrel.core.access import Visibility
from carrel.core.kinds import Kind
from carrel.hub.anaconda.kinds import type_of, types_of
from carrel.hub.namespaces.service import NamespaceView
from carrel.hub.packages.views import FileView, PackageView, ReleaseView
from carrel.hub.search.repository import FoundPackage
from carrel.hub.urls import Urls

_ACCESS = {Visibility.PUBLIC: "public", Visibility.UNLISTED: "public", Visibility.ORGANIZATION: "authenticated"}


def is_public(visibility: str) -> bool:
    """Whether anybody may download: what this API calls public."""
    return access_of(visibility) == "public"


def access_of(visibility: str) -> str:
    """Return ``public``, ``authenticated`` or ``private``."""
    return _ACCESS.get(Visibility(visibility), "private")


def account(view: NamespaceView, urls: Urls) -> dict[str, Any]:
    """Return a user or an organization."""
    return {
        "login": view.name,
        "name": view.display_name or view.name,
        "user_type": "org" if view.kind == "organization" else "user",
        "description": view.description,
        "company": "",
        "location": "",
        "created_at": view.created_at,
        "url": urls.page("api", "user", view.name),
        "html_url": urls.page(view.name),
    }


def package(view: PackageView, subdirs: Sequence[str], urls: Urls, *, versions: Sequence[str] = ()) -> dict[str, Any]:
    """Return a package as lists show it."""
    return {
        **_listed(view.namespace, view.name, view.kinds, view.summary, view.latest_version, view.visibility, subdirs, urls),
        "versions": list(versions),
        "description": view.description,
        "license": view.license,
        "home": view.home_page,
        "created_at": view.created_at,
        "modified_at": view.updated_at,
    }


def found(item: FoundPackage, subdirs: Sequence[str], urls: Urls) -> dict[str, Any]:
    """Return a package that a search found."""
    return {
        **_listed(item.namespace, item.name, item.kinds, item.summary, item.latest_version, item.visibility, subdirs, urls),
        "modified_at": item.updated_at,
    }


def _listed(
    namespace: str,
    name: str,
    kinds: Iterable[str],
    summary: str,
    latest_version: str | None,
    visibility: str,
    subdirs: Sequence[str],
    urls: Urls,
) -> dict[str, Any]:
    return {
        "id": f"{namespace}/{name}",
        "name": name,
        "full_name": f"{namespace}/{name}",
        "owner": {"login": namespace},
        "summary": summary,
        "public": is_public(visibility),
        "published": False,  # what a front page shows; there is none
        "access": access_of(visibility),
        "latest_version": latest_version or "",
        "package_types": types_of(kinds),
        "conda_platforms": list(subdirs),
        "builds": [],
        "revision": 1,
        "url": urls.page("api", "package", namespace, name),
        "html_url": urls.page(namespace, name),
    }


def whole_package(view: PackageView, releases: Sequence[ReleaseView], urls: Urls) -> dict[str, Any]:
    """Return a package with its releases, as given, and all files."""
    files = [item for release in releases for item in release.files]
    subdirs = sorted({item.subdir for item in files if item.kind == Kind.CONDA})
    return {
        **package(view, subdirs, urls, versions=[item.version for item in releases]),
        "releases": [{"version": item.version, "is_draft": item.state == "draft", "files": len(item.files)} for item in releases],
        "files": [distribution(item, urls) for item in files],
        "ndownloads": sum(item.downloads for item in files),
        "public_attrs": {"summary": view.summary, "description": view.description, "home": view.home_page, "license": view.license},
    }


def release(view: ReleaseView, urls: Urls) -> dict[str, Any]:
    """Return a release."""
    return {
        "version": view.version,
        "package": view.package,
        "full_name": f"{view.namespace}/{view.package}/{view.version}",
        "is_draft": view.state == "draft",
        "created_at": view.created_at,
        "announce": None,
        "requirements": [],
        "distributions": [distribution(item, urls) for item in view.files],
        "public_attrs": {"summary": view.summary, "description": view.description},
        "description": view.description,
        "html_url": urls.page(view.namespace, view.package, view.version),
    }


def basename_of(view: FileView) -> str:
    """Return the name of a file in this API: conda files with their subdir."""
    return f"{view.subdir}/{view.filename}" if view.kind == Kind.CONDA else view.filename


def distribution(view: FileView, urls: Urls) -> dict[str, Any]:
    """Return a file."""
    basename = basename_of(view)
    index = view.attributes.get("index")
    attributes: Mapping[str, Any] = index if isinstance(index, Mapping) else view.attributes
    return {
        "basename": basename,
        "description": None,
        "_id": str(view.id),
        "full_name": f"{view.namespace}/{view.package}/{view.version}/{basename}",
        "owner": view.namespace,
        "name": view.package,
        "version": view.version,
        "type": type_of(view.kind),
        "distribution_type": type_of(view.kind),
        "size": view.size,
        "md5": view.md5,
        "sha256": view.sha256,
        "labels": list(view.labels),
        "upload_time": view.uploaded_at,
        "uploaded_by": view.uploaded_by,
        "ndownloads": view.downloads,
        "download_url": urls.page("api", "download", view.namespace, view.package, view.version, *basename.split("/")),
        "attrs": dict(attributes),
    }


def timestamp(value: datetime | None) -> str | None:
    """Return a time that clients parse, None for none."""
    return None if value is None else value.isoformat()
