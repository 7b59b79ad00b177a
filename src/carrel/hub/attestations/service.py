"""Attestations of conda packages (CEP 27): checked when they come, kept beside the file, named by the index (CEP 50).

An attestation is taken when its signature is good by the administrator's root of trust, it speaks of this very file, and it
was made by a trusted publisher of the package.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from carrel.core.access import Permission
from carrel.core.digests import Digests, digest
from carrel.core.errors import Conflict, InvalidFile, NotFound
from carrel.core.kinds import Kind
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.attestations import repository
from carrel.hub.attestations.identity import claims_of
from carrel.hub.attestations.signers import Signer, require_publisher
from carrel.hub.attestations.trust import TrustRoot
from carrel.hub.audit.repository import record
from carrel.hub.files.blobs import enter_blobs
from carrel.hub.files.finding import find_file, require_labels_of
from carrel.hub.files.ingest import store_bytes
from carrel.hub.packages.access import require_permission
from carrel.hub.packages.changes import Reason
from carrel.hub.packages.service import find_package
from carrel.hub.packages.upkeep import PackageUpkeep
from carrel.hub.releases.service import find_release
from carrel.storage import BlobStore

PREDICATE = "https://schemas.conda.org/attestations-publish-1.schema.json"
STATEMENT = "https://in-toto.io/Statement/v1"
MAX_BUNDLES = 10


@dataclass(frozen=True, slots=True)
class Statement:
    """What one attestation says, and who says it; its signature is good.

    Attributes
    ----------
    filename, sha256 : str
        Of the file it speaks of.
    target_channel : str or None
    signer : Signer
    """

    filename: str
    sha256: str
    target_channel: str | None
    signer: Signer


@dataclass(frozen=True, slots=True)
class Prepared:
    """Attestations whose signatures are good, and the stored bytes that will be served."""

    statements: tuple[Statement, ...]
    digests: Digests


class AttestationService:
    """Attestations of files.

    Parameters
    ----------
    trust : TrustRoot
    blobs : BlobStore
    upkeep : PackageUpkeep
    """

    def __init__(self, trust: TrustRoot, blobs: BlobStore, upkeep: PackageUpkeep) -> None:
        self._trust = trust
        self._blobs = blobs
        self._upkeep = upkeep

    def check_upload(
        self, uow: UnitOfWork, principal: Principal, namespace: str, package: str, version: str, filename: str, subdir: str | None
    ) -> None:
        """Refuse before the work who may not, or what is not there.

        Raises
        ------
        NotFound, Forbidden
        """
        self._find(uow, principal, namespace, package, version, filename, subdir, Permission.WRITE)

    def prepare(self, documents: Any) -> Prepared:
        """Check the signatures of a JSON array of Sigstore bundles and store it; takes tens of milliseconds and no unit of work.

        Raises
        ------
        InvalidFile
            With the code ``invalid_attestation``.
        Conflict
            The hub has no root of trust, so it cannot tell.
        """
        if not self._trust.is_configured:
            raise Conflict(
                "This hub has no root of trust to check attestations against. Its administrator sets attestation_trust_root.",
                code="no_trust_root",
            )
        if not isinstance(documents, list) or not 0 < len(documents) <= MAX_BUNDLES:
            raise _invalid(f"Send a JSON array of 1 to {MAX_BUNDLES} Sigstore bundles.")
        statements = tuple(self._verified(document, number) for number, document in enumerate(documents, start=1))
        data = json.dumps(documents, ensure_ascii=False, separators=(",", ":")).encode()
        digests = digest(data)
        store_bytes(self._blobs, data, digests.sha256)
        return Prepared(statements, digests)

    def put(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        package: str,
        version: str,
        filename: str,
        subdir: str | None,
        prepared: Prepared,
        bases: Sequence[str],
    ) -> str:
        """Keep attestations beside a file, in place of those it had; return their digest.

        Parameters
        ----------
        bases : sequence of str
            Addresses of this hub, without a slash at the end: a target channel must be below one of them.

        Raises
        ------
        InvalidFile
            They speak of another file or channel, or were made by somebody who is no trusted publisher of the package.
        """
        found, row = self._find(uow, principal, namespace, package, version, filename, subdir, Permission.WRITE)
        for statement in prepared.statements:
            self._check(uow, statement, namespace, found, row, bases)
        enter_blobs(uow, self._blobs, [prepared.digests], "attestations")
        repository.put(uow, row.id, prepared.digests.sha256)
        self._changed(uow, principal, "attestation.set", namespace, found, row, {"sha256": prepared.digests.sha256})
        return prepared.digests.sha256

    def get(
        self, uow: UnitOfWork, principal: Principal, namespace: str, package: str, version: str, filename: str, subdir: str | None
    ) -> tuple[str, int]:
        """Return digest and size of the attestations of a file.

        Raises
        ------
        NotFound
        """
        _, row = self._find(uow, principal, namespace, package, version, filename, subdir, Permission.READ)
        found = repository.find(uow, row.id)
        if found is None:
            raise NotFound(f"{filename[:255]} has no attestations.")
        return found

    def delete(
        self, uow: UnitOfWork, principal: Principal, namespace: str, package: str, version: str, filename: str, subdir: str | None
    ) -> None:
        """Forget the attestations of a file."""
        found, row = self._find(uow, principal, namespace, package, version, filename, subdir, Permission.WRITE)
        if not repository.remove(uow, row.id):
            raise NotFound(f"{filename[:255]} has no attestations.")
        self._changed(uow, principal, "attestation.delete", namespace, found, row, None)

    def _find(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        package: str,
        version: str,
        filename: str,
        subdir: str | None,
        needed: Permission,
    ) -> tuple[Row[Any], Row[Any]]:
        found = find_package(uow, principal, namespace, package)
        if needed is not Permission.READ:
            require_permission(principal, found, needed)
        release = find_release(uow, principal, found, version)
        row = find_file(uow, principal, release, filename, subdir, Kind.CONDA)
        if needed is not Permission.READ:
            require_labels_of(uow, principal, row)
        return found, row

    def _changed(
        self, uow: UnitOfWork, principal: Principal, action: str, namespace: str, package: Row[Any], row: Row[Any], detail: Any
    ) -> None:
        record(uow, principal, action, row.namespace_id, f"{namespace}/{package.name}/{row.version}/{row.filename}", detail)
        if row.state == "published":
            self._upkeep.notify(uow, row.namespace_id, row.package_id, (row.kind,), Reason.FILES)

    def _verified(self, document: Any, number: int) -> Statement:
        # Half a second and tens of megabytes that most hubs never need.
        from sigstore.errors import Error
        from sigstore.models import Bundle

        try:
            bundle = Bundle.from_json(json.dumps(document))
        except (Error, ValueError, TypeError, RecursionError) as error:
            raise _invalid(f"Attestation {number} is no Sigstore bundle: {str(error)[:300]}") from error
        payload = self._trust.verify(bundle)
        return _statement(payload, number, Signer(*claims_of(bundle.signing_certificate)))

    def _check(self, uow: UnitOfWork, statement: Statement, namespace: str, package: Row[Any], row: Row[Any], bases: Sequence[str]) -> None:
        for field, said, true in (("name", statement.filename, row.filename), ("sha256", statement.sha256, row.sha256)):
            if said != true:
                raise _invalid(f"An attestation speaks of the {field} {said[:255]!r}, but the file has {true!r}.", field=field)
        target = statement.target_channel
        if target is not None:
            channels = {f"{base}{area}/{namespace}" for base in bases for area in ("", "/conda")}
            if not any(target == channel or target.startswith(f"{channel}/label/") for channel in channels):
                raise _invalid(
                    f"An attestation was made for the channel {target[:255]!r}, but this is {sorted(channels)[-1]!r}.",
                    field="targetChannel",
                )
        require_publisher(uow, namespace, package.name, statement.signer)


def _statement(payload: bytes, number: int, signer: Signer) -> Statement:
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"Attestation {number} holds no statement.") from error
    if not isinstance(document, dict) or document.get("_type") != STATEMENT:
        raise _invalid(f"Attestation {number} holds no in-toto statement of version 1.", field="_type")
    if document.get("predicateType") != PREDICATE:
        found = str(document.get("predicateType"))[:255]
        raise _invalid(f"Attestation {number} has the predicate type {found!r}; it must be {PREDICATE!r}.", field="predicateType")
    subject = document.get("subject")
    first = subject[0] if isinstance(subject, list) and len(subject) == 1 and isinstance(subject[0], dict) else {}
    digests = first.get("digest")
    if not isinstance(first.get("name"), str) or not isinstance(digests, dict) or not isinstance(digests.get("sha256"), str):
        raise _invalid(f"Attestation {number} must have exactly one subject, with name and SHA-256.", field="subject")
    predicate = document.get("predicate")
    target = predicate.get("targetChannel") if isinstance(predicate, dict) else None
    if predicate is not None and (not isinstance(target, str) or not target or target.endswith("/")):
        raise _invalid(
            f"The predicate of attestation {number} must name a targetChannel, an address without a slash at the end.",
            field="targetChannel",
        )
    return Statement(first["name"], digests["sha256"], target, signer)


def _invalid(detail: str, **fields: Any) -> InvalidFile:
    return InvalidFile(detail, code="invalid_attestation", **fields)
