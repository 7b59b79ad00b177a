"""Distributions that come with attestations (PEP 740)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from carrel.core.digests import digest
from carrel.core.errors import InvalidFile
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats.pypi import provenance
from carrel.hub.attestations.identity import claims_of
from carrel.hub.attestations.signers import Signer, require_publisher
from carrel.hub.context import Hub
from carrel.hub.files.ingest import StoredFile, store_bytes


def attested(hub: Hub, stored: StoredFile, text: str) -> tuple[StoredFile, tuple[Signer, ...]]:
    """Return *stored* with the provenance object that its attestations, the upload field *text*, make, and who signed them.

    Raises
    ------
    InvalidFile
        They speak of another file, or are not signed by whom they name.
    """
    from cryptography import x509

    found = provenance.parse_attestations(text, stored.metadata.filename, stored.digests.sha256)
    signers: list[Signer] = []
    for attestation in found:
        try:
            certificate = x509.load_der_x509_certificate(attestation.verification_material.certificate)
            signers.append(Signer(*claims_of(certificate)))
        except Exception as error:  # the readers of certificates have no common error
            raise InvalidFile("The certificate of an attestation cannot be read.", code="invalid_attestation") from error
        if hub.trust.is_configured:
            try:
                bundle = attestation.to_bundle()
            except ValueError as error:
                raise InvalidFile("An attestation is no complete bundle of a signature.", code="invalid_attestation") from error
            hub.trust.verify(bundle)
    names = [provenance.publisher_object(signer.issuer, signer.claims) for signer in signers]
    data = provenance.provenance(found, names, verified=hub.trust.is_configured)
    digests = digest(data)
    store_bytes(hub.blobs, data, digests.sha256)
    return replace(stored, companions={**stored.companions, provenance.SUFFIX: digests}), tuple(signers)


def require_publishers(uow: UnitOfWork, namespace: str, project: str, signers: Sequence[Signer]) -> None:
    """Refuse attestations by others than trusted publishers of the project.

    Raises
    ------
    InvalidFile
    """
    for signer in signers:
        require_publisher(uow, namespace, project, signer, field=provenance.FIELD)
