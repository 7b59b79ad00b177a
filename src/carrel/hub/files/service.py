"""Rules of files: what may be uploaded where, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_version
from sqlalchemy import Row

from carrel.core.access import Permission, Role
from carrel.core.clock import now
from carrel.core.errors import (
    BadRequest,
    FileExists,
    Forbidden,
    InsufficientStorage,
    MetadataMismatch,
    TooLarge,
    Unavailable,
)
from carrel.core.kinds import Kind
from carrel.core.names import canonical_package, validate_label, validate_package, validate_version
from carrel.core.units import format_bytes
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats import FileMetadata, detect, get
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.files import repository
from carrel.hub.files.blobs import enter_blobs
from carrel.hub.files.finding import find_file, only_one, require_labels_of
from carrel.hub.files.ingest import StoredFile
from carrel.hub.files.lookup import FileLookup, Located
from carrel.hub.labels.repository import by_names as labels_by_names
from carrel.hub.labels.service import LabelService
from carrel.hub.namespaces.service import find_namespace
from carrel.hub.packages import repository as packages
from carrel.hub.packages.access import (
    require_labels,
    require_permission,
    require_uploader,
    require_whole_package,
    role_on_labels,
)
from carrel.hub.packages.changes import Reason
from carrel.hub.packages.service import PackageService, check_visibility, find_package
from carrel.hub.packages.upkeep import PackageUpkeep
from carrel.hub.packages.views import FileView
from carrel.hub.releases import repository as releases
from carrel.hub.releases.service import find_release
from carrel.hub.settings import HubSettings
from carrel.storage import BlobStore

# These cannot say which package and version they belong to.
NEED_HINTS = (Kind.NOTEBOOK, Kind.ENVIRONMENT, Kind.FILE)


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """What an uploader says beside the bytes."""

    namespace: str
    filename: str
    subdir: str | None = None
    package: str | None = None
    version: str | None = None
    kind: str | None = None
    labels: tuple[str, ...] = ("main",)
    visibility: str | None = None
    summary: str | None = None
    size: int | None = None
    sha256: str | None = None


class FileService:
    """Files of releases.

    Parameters
    ----------
    settings : HubSettings
    blobs : BlobStore
    packages : PackageService
    labels : LabelService
    upkeep : PackageUpkeep
    lookup : FileLookup
    """

    def __init__(
        self,
        settings: HubSettings,
        blobs: BlobStore,
        packages: PackageService,
        labels: LabelService,
        upkeep: PackageUpkeep,
        lookup: FileLookup,
    ) -> None:
        self._settings = settings
        self._blobs = blobs
        self._packages = packages
        self._labels = labels
        self._upkeep = upkeep
        self._lookup = lookup

    def check_size(self, size: int | None) -> None:
        """Refuse what is too large or does not fit on the disk; *size* None when it was not announced.

        Raises
        ------
        TooLarge, InsufficientStorage
        """
        limit = self._settings.max_upload_bytes
        if size is not None and size > limit:
            raise TooLarge(f"Files may have at most {format_bytes(limit)} here; this one has {format_bytes(size)}.", limit=limit)
        free = self._blobs.free_bytes()
        needed = (size or 0) + self._settings.min_free_bytes
        if free is not None and free < needed:
            raise InsufficientStorage("The hub's disk is nearly full. Tell its administrator.", needed=needed, free=free)

    def check_upload(self, uow: UnitOfWork, principal: Principal, request: UploadRequest) -> None:
        """Refuse what can be refused before the bytes are there.

        Raises
        ------
        NotFound, Forbidden, BadRequest, FileExists
        """
        namespace = find_namespace(uow, request.namespace)
        require_uploader(principal, namespace, request.labels)
        kind = Kind(request.kind) if request.kind is not None else detect(request.filename).kind
        get(kind)
        for label in request.labels:
            validate_label(label)
        # The name of an archive leaves open whether it is a source distribution; its bytes will tell.
        certain = request.kind is not None or not request.filename.endswith((".tar.gz", ".zip"))
        if kind in NEED_HINTS and certain:
            for field in ("package", "version"):
                if getattr(request, field) is None:
                    raise BadRequest(f"A file of kind {kind} needs the query parameter {field!r}.", code=f"{field}_needed", field=field)
        if request.version is not None:
            validate_version(request.version)
        locked = [row.name for row in labels_by_names(uow, namespace.id, request.labels) if row.locked]
        if locked and not principal.is_owner(namespace.id):
            raise Forbidden(f"The label {locked[0]!r} is locked: only owners of the namespace use it.", code="label_locked")
        if request.package is not None:
            validate_package(request.package)
            self._packages.find_for_upload(uow, principal, namespace, request.package, kind)
        if request.sha256 is not None and (key := _known_key(kind, request)) is not None:
            self._check_name(uow, namespace.id, key, request.filename, request.sha256)

    def register(self, uow: UnitOfWork, principal: Principal, request: UploadRequest, stored: StoredFile) -> tuple[FileView, bool]:
        """Enter a stored file; return it and whether it is new (False: the same bytes were there already).

        Raises
        ------
        MetadataMismatch
            The uploader said something else than the file.
        FileExists
            The name is taken by other bytes.
        """
        metadata = stored.metadata
        check_against(request, metadata)
        namespace = find_namespace(uow, request.namespace)
        require_uploader(principal, namespace, request.labels)
        role = role_on_labels(principal, namespace.id)
        version = validate_version(metadata.version)
        package = self._packages.ensure(uow, principal, namespace, metadata.package, metadata.kind, request.visibility)
        found = releases.find(uow, package.id, version, drafts=True)
        if request.visibility is not None:
            self._set_visibility(uow, principal, namespace, package, found, request.visibility)
        key = unique_key(metadata.kind, package.name_key, version, metadata.subdir, metadata.filename)
        existing = self._check_name(uow, namespace.id, key, metadata.filename, stored.digests.sha256)
        if existing is not None:
            if self._labels.add(uow, role, namespace.id, existing.id, request.labels):
                self._upkeep.notify(uow, namespace.id, existing.package_id, (existing.kind,), Reason.LABELS)
            return repository.view(uow, existing.id), False
        texts = _texts(metadata, request.summary)
        release = found if found is not None else self._start_release(uow, principal, package, version, texts)
        enter_blobs(uow, self._blobs, stored.blobs().values())
        file_id = repository.insert_file(
            uow,
            {
                "release_id": release.id,
                "package_id": package.id,
                "namespace_id": namespace.id,
                "kind": metadata.kind.value,
                "filename": metadata.filename,
                "subdir": metadata.subdir,
                "unique_key": key,
                "sha256": stored.digests.sha256,
                "attributes": dict(metadata.attributes),
                "import_names": sorted(metadata.import_names),
                "search_text": metadata.search_text,
                "uploaded_at": now(),
                "uploaded_by": principal.user_id,
            },
        )
        if file_id is None:
            raise FileExists(f"{metadata.filename} was uploaded by somebody else at the same moment.", filename=metadata.filename)
        repository.insert_companions(uow, file_id, {suffix: item.sha256 for suffix, item in stored.companions.items()})
        repository.insert_properties(uow, file_id, metadata.properties)
        self._labels.add(uow, role, namespace.id, file_id, request.labels, new=True)
        release = self._describe(uow, release, metadata.kind, texts, given=bool(request.summary))
        record(uow, principal, "file.upload", namespace.id, f"{namespace.name}/{package.name}/{version}/{metadata.filename}")
        if release.state == "published":
            self._upkeep.file_added(uow, package, release, metadata.kind.value, metadata.import_names)
            self._upkeep.notify(uow, namespace.id, package.id, (metadata.kind,), Reason.FILES)
        return repository.view(uow, file_id), True

    def get(
        self, uow: UnitOfWork, principal: Principal, namespace: str, package: str, version: str, filename: str, subdir: str | None
    ) -> FileView:
        """Return a file."""
        found = find_package(uow, principal, namespace, package)
        release = find_release(uow, principal, found, version)
        row = find_file(uow, principal, release, filename, subdir)
        return repository.to_view(row, repository.labels_of(uow, [row.id]))

    def delete(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        package: str,
        version: str,
        filename: str,
        subdir: str | None,
        *,
        keep_package: bool = False,
    ) -> None:
        """Remove a file: any with the permission ``admin``, with ``write`` those of releases that one started.

        The release goes with its last file, and the package with its last release unless *keep_package* says that another
        file is to come.
        """
        found = find_package(uow, principal, namespace, package)
        owner = find_namespace(uow, namespace)
        permission = require_permission(principal, found, Permission.WRITE)
        packages.lock(uow, found.id)
        release = find_release(uow, principal, found, version)
        if permission < Permission.ADMIN and release.created_by != principal.user_id:
            raise Forbidden(
                "With the permission 'write' one removes only files of the releases that one made; others need 'admin'.",
                code="not_an_owner",
                permission=Permission.ADMIN.value,
            )
        row = find_file(uow, principal, release, filename, subdir)
        require_labels_of(uow, principal, row)
        published = release.state == "published"
        if published:
            packages.retire_files(uow, owner.id, {row.unique_key: row.sha256}, now())
        repository.delete_file(uow, row.id)
        record(uow, principal, "file.delete", owner.id, f"{namespace}/{found.name}/{release.version}/{filename}")
        if published:
            if not repository.kinds_of_release(uow, release.id):
                releases.delete_release(uow, release.id)
            if not keep_package and not releases.versions(uow, found.id, drafts=True):
                packages.delete_package(uow, found.id)
            self._upkeep.recompute(uow, found.id)
            self._upkeep.notify(uow, owner.id, found.id, (row.kind,), Reason.FILES)

    def set_labels(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        package: str,
        version: str,
        filename: str,
        subdir: str | None,
        labels: Sequence[str],
    ) -> FileView:
        """Give a file exactly these labels."""
        found = find_package(uow, principal, namespace, package)
        owner = find_namespace(uow, namespace)
        require_permission(principal, found, Permission.WRITE)
        role = role_on_labels(principal, owner.id)
        packages.lock(uow, found.id)
        release = find_release(uow, principal, found, version)
        row = find_file(uow, principal, release, filename, subdir)
        if principal.limits.labels is not None and (changed := set(labels) ^ set(repository.labels_of(uow, [row.id]).get(row.id, ()))):
            require_labels(principal, changed)
        if self._labels.assign(uow, role, owner.id, row.id, labels):
            subject = f"{namespace}/{found.name}/{release.version}/{filename}"
            record(uow, principal, "file.label", owner.id, subject, {"labels": sorted(labels)})
            if release.state == "published":
                self._upkeep.notify(uow, owner.id, found.id, (row.kind,), Reason.LABELS)
        return repository.view(uow, row.id)

    def allowed(self, principal: Principal, found: Sequence[Located], filename: str) -> Located:
        """Return the one of *found* that the caller may download; needs no database.

        Raises
        ------
        NotFound, Conflict
        """
        return only_one([item for item in found if item.is_open_to(principal)], filename)

    def _set_visibility(
        self, uow: UnitOfWork, principal: Principal, namespace: Row[Any], package: Row[Any], release: Row[Any] | None, visibility: str
    ) -> None:
        if release is None or release.state != "draft":
            self._packages.set_visibility(uow, principal, namespace, package, visibility)
            return
        if visibility != package.visibility:
            require_permission(principal, package, Permission.ADMIN)
            require_whole_package(principal)
            check_visibility(namespace, visibility, Role.OWNER)
        releases.update_release(uow, release.id, {"visibility": visibility})  # until it is published

    def _check_name(self, uow: UnitOfWork, namespace_id: int, key: str, filename: str, sha256: str) -> Row[Any] | None:
        existing = repository.by_key(uow, namespace_id, key)
        if existing is not None and existing.sha256 != sha256:
            raise FileExists(f"{filename} exists with other bytes. Give the new file another version or build.", filename=filename)
        if existing is None and (retired := packages.retired_digest(uow, namespace_id, key)) is not None and retired != sha256:
            raise FileExists(
                f"{filename} existed with other bytes and was removed; its name stays taken. Use another version or build.",
                filename=filename,
            )
        return existing

    def _start_release(self, uow: UnitOfWork, principal: Principal, package: Row[Any], version: str, texts: dict[str, str]) -> Row[Any]:
        moment = now()
        made = releases.insert_release(
            uow,
            {
                "package_id": package.id,
                "version": version,
                "state": "published",
                "created_at": moment,
                "created_by": principal.user_id,
                "published_at": moment,
                **texts,
            },
        )
        if made is None:
            raise Unavailable("The release is being created by another upload. Send the file again.", retry_after=1)
        return made

    def _describe(self, uow: UnitOfWork, release: Row[Any], kind: Kind, texts: dict[str, str], *, given: bool) -> Row[Any]:
        # The lock beside a notebook has nothing to say about it that should hide what the notebook says.
        speaks = {name for name in texts if kind not in (Kind.ENVIRONMENT, Kind.FILE)}
        if given:
            speaks.add("summary")
        elif release.state == "draft":
            speaks.discard("summary")  # what its author said when the draft was started stands
        values = {
            name: text
            for name, text in texts.items()
            if text and text != getattr(release, name) and (name in speaks or not getattr(release, name))
        }
        if not values:
            return release
        releases.update_release(uow, release.id, values)
        return releases.by_id(uow, release.id)


def _texts(metadata: FileMetadata, summary: str | None) -> dict[str, str]:
    """Return what a file says of its release."""
    return {
        "summary": (summary or metadata.summary)[:2000],
        "description": metadata.description,
        "license": metadata.license[:500],
        "home_page": metadata.home_page[:2000],
    }


def unique_key(kind: Kind, package_key: str, version: str, subdir: str, filename: str) -> str:
    """Return the scope in which a file name is taken within a namespace."""
    if kind in (Kind.CONDA, Kind.R):
        return f"{kind}/{subdir}/{filename}"
    if kind is Kind.PYPI:
        return f"{kind}/{filename}"
    return f"{kind}/{package_key}/{version}/{filename}"


def check_against(request: UploadRequest, metadata: FileMetadata) -> None:
    """Refuse a file that says something else than its uploader.

    Raises
    ------
    MetadataMismatch
        The first field that differs.
    """

    def canonical(name: str) -> str:
        return canonical_package(name) if metadata.kind is Kind.PYPI else name.lower()

    checks = (
        (
            "package",
            request.package,
            metadata.package,
            request.package is None or canonical(request.package) == canonical(metadata.package),
        ),
        ("version", request.version, metadata.version, request.version is None or _same_version(metadata, request.version)),
        ("subdir", request.subdir, metadata.subdir, request.subdir is None or request.subdir == metadata.subdir),
        ("kind", request.kind, metadata.kind, request.kind is None or request.kind == metadata.kind),
    )
    for field, expected, found, agrees in checks:
        if not agrees:
            raise MetadataMismatch(
                f"The {field} was given as {expected!r}, but {metadata.filename} says {str(found)!r}.",
                field=field,
                expected=expected,
                found=str(found),
            )


def _same_version(metadata: FileMetadata, version: str) -> bool:
    if metadata.kind is Kind.PYPI:
        return canonicalize_version(version) == canonicalize_version(metadata.version)
    return version == metadata.version


def _known_key(kind: Kind, request: UploadRequest) -> str | None:
    if kind is Kind.PYPI:
        return unique_key(kind, "", "", "", request.filename)
    if kind in (Kind.CONDA, Kind.R):
        return unique_key(kind, "", "", request.subdir, request.filename) if request.subdir else None
    if request.package is None or request.version is None:
        return None
    return unique_key(kind, request.package.lower(), request.version, "", request.filename)
