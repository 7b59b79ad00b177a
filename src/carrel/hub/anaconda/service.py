"""What this API does that no other interface needs: packages and releases before their files, and uploads in three steps."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from carrel.core.access import Permission, Role, Visibility
from carrel.core.clock import now
from carrel.core.digests import Digests
from carrel.core.errors import BadRequest, Conflict, FileExists, NotFound, Unauthenticated
from carrel.core.kinds import Kind
from carrel.core.names import validate_package, validate_version
from carrel.core.tokens import hash_token
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats import Hints
from carrel.hub.accounts.principal import Principal
from carrel.hub.anaconda import repository
from carrel.hub.anaconda.kinds import promoted
from carrel.hub.audit.repository import record
from carrel.hub.files.ingest import StoredFile, open_kept, read_kept
from carrel.hub.files.service import FileService, UploadRequest
from carrel.hub.namespaces.service import find_namespace, require_member
from carrel.hub.packages import repository as packages
from carrel.hub.packages.access import require_permission, require_whole_package
from carrel.hub.packages.changes import Reason
from carrel.hub.packages.service import PackageService, find_package
from carrel.hub.packages.upkeep import PackageUpkeep
from carrel.hub.packages.views import FileView, PackageView, ReleaseView
from carrel.hub.releases import repository as releases
from carrel.hub.releases.service import NewRelease, ReleaseService, find_release
from carrel.storage import BlobStore

STAGED_SECONDS = 3600
"""How long an announced upload may take; much less than the blob store's grace for bytes that nothing refers to."""
_TEXTS = {
    "summary": ("summary",),
    "description": ("description",),
    "license": ("license",),
    "home_page": ("home_page", "home", "home_url"),
}
_LENGTHS = {"summary": 2000, "description": 100_000, "license": 500, "home_page": 2000}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file belongs, as an address of this API says it."""

    namespace: str
    package: str
    version: str
    basename: str

    @property
    def filename(self) -> str:
        """Last part of the base name."""
        return self.basename.rpartition("/")[2]

    @property
    def subdir(self) -> str | None:
        """What stands before it, None when nothing does."""
        subdir, slash, _ = self.basename.rpartition("/")
        return subdir if slash else None


@dataclass(frozen=True, slots=True)
class Announced:
    """What a client says of a file before it sends it."""

    kind: Kind
    labels: tuple[str, ...]
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Staged:
    """An upload under way."""

    id: str
    user_id: int
    secret_sha256: str
    place: Place
    announced: Announced
    digests: Digests | None

    def accepts(self, secret: str) -> bool:
        """Whether *secret* is the one that was handed out for this upload."""
        return hmac.compare_digest(hash_token(secret), self.secret_sha256)

    def request(self, kind: Kind) -> UploadRequest:
        """Return what the file service is asked."""
        place, announced = self.place, self.announced
        size = None if self.digests is None else self.digests.size
        return UploadRequest(
            namespace=place.namespace,
            filename=place.filename,
            subdir=place.subdir,
            package=place.package,
            version=place.version,
            kind=kind.value,
            labels=announced.labels,
            size=size,
            sha256=announced.sha256,
        )


def texts_of(attributes: dict[str, Any]) -> dict[str, str]:
    """Return what a package or a release says of itself, among the attributes that a client sends."""
    given = dict(attributes)
    license_ = given.get("license")
    if isinstance(license_, dict):
        given["license"] = license_.get("name")
    found: dict[str, str] = {}
    for name, keys in _TEXTS.items():
        text = next((value for key in keys if isinstance(value := given.get(key), str)), None)
        if text is not None:
            found[name] = text.replace("\0", "")[: _LENGTHS[name]]
    return found


class AnacondaService:
    """Packages and releases before their files, uploads in three steps.

    Parameters
    ----------
    packages : PackageService
    releases : ReleaseService
    files : FileService
    blobs : BlobStore
    upkeep : PackageUpkeep
    """

    def __init__(
        self, packages: PackageService, releases: ReleaseService, files: FileService, blobs: BlobStore, upkeep: PackageUpkeep
    ) -> None:
        self._packages = packages
        self._releases = releases
        self._files = files
        self._blobs = blobs
        self._upkeep = upkeep

    def create_package(
        self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, *, public: bool, texts: dict[str, str]
    ) -> PackageView:
        """Make a package without files; members of its namespace see it.

        Private packages of an organization that a member makes are for all its members: only owners keep some from them.

        Raises
        ------
        Conflict
            It exists.
        """
        owner = find_namespace(uow, namespace)
        role = require_member(principal, owner)
        validate_package(name)
        known = packages.find_any(uow, owner.id, name)
        if known is not None and principal.limits.labels is None:
            self._packages.get(uow, principal, namespace, name)
            raise Conflict(f"The package {namespace}/{name} exists.", code="package_exists")
        hidden = Visibility.PRIVATE if role is Role.OWNER else Visibility.ORGANIZATION
        # For a token that does not see it, because it is narrowed to other labels, it may exist: of that nothing is told.
        row = self._packages.ensure(uow, principal, owner, name, visibility=(Visibility.PUBLIC if public else hidden).value)
        if texts and known is None:
            packages.update_package(uow, row.id, texts)
        view = packages.to_view(row)
        if known is None:
            return view
        return replace(view, summary="", description="", license="", home_page="", kinds=(), latest_version=None)

    def update_package(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, texts: dict[str, str]) -> PackageView:
        """Change what a package says of itself."""
        return self._packages.update(uow, principal, namespace, name, dict(texts))

    def delete_package(self, uow: UnitOfWork, principal: Principal, namespace: str, name: str) -> None:
        """Remove a package; one that nothing was uploaded to needs only the permission to upload."""
        row = find_package(uow, principal, namespace, name)
        packages.lock(uow, row.id)
        if releases.versions(uow, row.id, drafts=True):
            self._packages.delete(uow, principal, namespace, name)
            return
        require_permission(principal, row, Permission.WRITE)
        packages.delete_package(uow, row.id)
        record(uow, principal, "package.delete", row.namespace_id, f"{namespace}/{row.name}")
        self._upkeep.notify(uow, row.namespace_id, row.id, row.kinds, Reason.PACKAGE)

    def create_release(
        self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, version: str, texts: dict[str, str]
    ) -> ReleaseView:
        """Open a release, a draft until its first file arrives.

        Raises
        ------
        NotFound
            There is no such package.
        Conflict
            It is published already.
        """
        row = packages.find_any(uow, find_namespace(uow, namespace).id, name)
        if row is None or principal.limits.labels is None:
            self._packages.get(uow, principal, namespace, name)
        known = None if row is None else releases.find(uow, row.id, version, drafts=True)
        if row is not None and known is not None and principal.limits.labels is not None:
            require_permission(principal, row, Permission.WRITE)
            return replace(releases.to_view(known, packages.to_view(row), ()), summary="", description="", message="")
        view, _made = self._releases.start(uow, principal, namespace, name, NewRelease(version=version))
        if texts:
            releases.update_release(uow, view.id, texts)
        return replace(view, summary=texts.get("summary", view.summary), description=texts.get("description", view.description))

    def update_release(
        self, uow: UnitOfWork, principal: Principal, namespace: str, name: str, version: str, texts: dict[str, str]
    ) -> ReleaseView:
        """Change what a release says of itself."""
        package = find_package(uow, principal, namespace, name)
        require_permission(principal, package, Permission.WRITE)
        packages.lock(uow, package.id)
        row = find_release(uow, principal, package, version)
        if row.state == "published":
            require_whole_package(principal)
        if texts:
            releases.update_release(uow, row.id, texts)
            record(uow, principal, "release.update", package.namespace_id, f"{namespace}/{package.name}/{row.version}", sorted(texts))
            if row.version == package.latest_version:
                self._upkeep.recompute(uow, package.id)
                self._upkeep.notify(uow, package.namespace_id, package.id, package.kinds, Reason.PACKAGE)
        return self._releases.get(uow, principal, namespace, name, row.version)

    def stage(self, uow: UnitOfWork, principal: Principal, place: Place, announced: Announced) -> tuple[Staged, str]:
        """Announce a file; return it and the secret that the form with its bytes must hold.

        Raises
        ------
        FileExists
            Even when the bytes are the same: clients ask whether to replace it.
        NotFound, Forbidden, BadRequest
        """
        if principal.user_id is None:
            raise Unauthenticated("Sign in or send a token to do this.")
        validate_version(place.version)
        if len(place.basename) > 300:
            raise BadRequest("The file's name is too long.", code="invalid_filename")
        if self._exists(uow, principal, place):
            raise FileExists(f"{place.basename} exists already.", filename=place.filename)
        upload_id, secret = secrets.token_hex(16), secrets.token_hex(20)
        staged = Staged(upload_id, principal.user_id, hash_token(secret), place, announced, None)
        self._files.check_upload(uow, principal, staged.request(announced.kind))
        moment = now()
        repository.delete_expired(uow, moment)
        repository.insert_staged(
            uow,
            {
                "id": upload_id,
                "secret_sha256": staged.secret_sha256,
                "user_id": principal.user_id,
                "namespace_id": find_namespace(uow, place.namespace).id,
                "package": place.package,
                "version": place.version,
                "basename": place.basename,
                "kind": announced.kind.value,
                "labels": list(announced.labels),
                "announced_sha256": announced.sha256,
                "expires_at": moment + timedelta(seconds=STAGED_SECONDS),
            },
        )
        return staged, secret

    def awaited(self, uow: UnitOfWork, upload_id: str) -> Staged:
        """Return an upload whose bytes may come.

        Raises
        ------
        NotFound
            It is unknown, over, or has its bytes.
        """
        staged = self._find(uow, upload_id)
        if staged.digests is not None:
            raise NotFound("The bytes of this upload are there already.")
        return staged

    def received(self, uow: UnitOfWork, upload_id: str, digests: Digests) -> None:
        """Note that the bytes of an upload are in the blob store."""
        if not repository.set_received(uow, upload_id, sha256=digests.sha256, md5=digests.md5, size=digests.size):
            raise NotFound("The bytes of this upload are there already.")

    def claim(self, uow: UnitOfWork, principal: Principal, place: Place, upload_id: str) -> Staged:
        """Return an upload of the caller that has its bytes.

        Raises
        ------
        NotFound
            There is none for this place.
        BadRequest
            Its bytes did not arrive, or there are none.
        """
        staged = self._find(uow, upload_id)
        if staged.user_id != principal.user_id or staged.place != place:
            raise NotFound("There is no such upload under way. Begin again.")
        if staged.digests is None:
            raise BadRequest("The bytes of this upload did not arrive. Begin again.", code="incomplete_upload")
        if not staged.digests.size:
            raise BadRequest("The file is empty: send the bytes of the file.", code="empty_file")
        return staged

    def read(self, staged: Staged) -> StoredFile:
        """Read what the bytes of an upload say; needs no transaction.

        Raises
        ------
        InvalidFile, MetadataMismatch, BadRequest, TooLarge
        """
        if staged.digests is None:
            raise BadRequest("The bytes of this upload did not arrive. Begin again.", code="incomplete_upload")
        place = staged.place
        with open_kept(self._blobs, staged.digests.sha256) as source:
            kind = promoted(staged.announced.kind, place.filename, source)
        return read_kept(self._blobs, staged.digests, place.filename, kind, Hints(place.package, place.version, place.subdir))

    def commit(self, uow: UnitOfWork, principal: Principal, staged: Staged, stored: StoredFile) -> FileView:
        """Enter the file, and publish the release that was opened for it.

        Raises
        ------
        FileExists, MetadataMismatch, NotFound, Forbidden
        """
        if not repository.delete_staged(uow, staged.id):
            raise NotFound("This upload was finished by another request.")
        view, _made = self._files.register(uow, principal, staged.request(stored.metadata.kind), stored)
        return self._publish(uow, principal, view)

    def _publish(self, uow: UnitOfWork, principal: Principal, view: FileView) -> FileView:
        release = self._releases.get(uow, principal, view.namespace, view.package, view.version)
        # A draft with other files is somebody's publication under way; it is for them to say when it is complete.
        if release.state == "draft" and all(item.id == view.id for item in release.files):
            self._releases.publish(uow, principal, view.namespace, view.package, view.version)
        return view

    def _exists(self, uow: UnitOfWork, principal: Principal, place: Place) -> bool:
        try:
            self._files.get(uow, principal, place.namespace, place.package, place.version, place.filename, place.subdir)
        except NotFound:
            return False
        except Conflict:
            return True  # on several platforms
        return True

    def _find(self, uow: UnitOfWork, upload_id: str) -> Staged:
        row = repository.staged(uow, upload_id, now())
        if row is None:
            raise NotFound("There is no such upload under way. Begin again.")
        return _staged(row)


def _staged(row: Row[Any]) -> Staged:
    digests = None if row.size is None else Digests(row.sha256, row.md5, row.size)
    place = Place(row.namespace, row.package, row.version, row.basename)
    announced = Announced(Kind(row.kind), tuple(row.labels), row.announced_sha256)
    return Staged(row.id, row.user_id, row.secret_sha256, place, announced, digests)
