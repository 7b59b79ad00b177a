"""Who may sign for a package: its trusted publishers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carrel.core.errors import InvalidFile
from carrel.core.names import canonical_package
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.attestations.identity import OPTIONAL
from carrel.hub.publishers import repository as publishers
from carrel.hub.publishers.claims import matches


@dataclass(frozen=True, slots=True)
class Signer:
    """Whom the certificate of an attestation names; see :func:`carrel.hub.attestations.identity.claims_of`."""

    issuer: str
    claims: Mapping[str, str]


def require_publisher(uow: UnitOfWork, namespace: str, package: str, signer: Signer, **fields: Any) -> None:
    """Refuse an attestation by others than trusted publishers of the package; *fields* go into the problem.

    Raises
    ------
    InvalidFile
        With the code ``untrusted_publisher``.
    """
    for publisher in publishers.of_issuer(uow, signer.issuer):
        wanted = {name: value for name, value in publisher.claims.items() if name in signer.claims or name not in OPTIONAL}
        named = publisher.package is None or canonical_package(publisher.package) == canonical_package(package)
        if publisher.namespace == namespace.lower() and named and matches(wanted, signer.claims):
            return
    told = (signer.claims.get(name) for name in ("workflow_ref", "job_workflow_ref", "sub"))
    who = next(filter(None, told), "")
    raise InvalidFile(
        f"An attestation was made by {who[:255]!r} ({signer.issuer[:255]}), which is no trusted publisher of {package}. "
        "An owner registers it under 'publishers'.",
        code="untrusted_publisher",
        **fields,
    )
