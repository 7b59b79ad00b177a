"""Attestations of distributions (PEP 740): who says of a file that they built or published it.

What is checked here needs no trust: the form, and that each statement speaks of this very file. Whether a signature is
that of whom it names is for :class:`carrel.hub.attestations.trust.TrustRoot` to say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion

from carrel.core.errors import InvalidFile
from carrel.formats.archives import shown

if TYPE_CHECKING:
    from pypi_attestations import Attestation

SUFFIX = ".provenance"
FIELD = "attestations"
_MOST = 10
_STATEMENT = "https://in-toto.io/Statement/v1"
# Extensions of the certificates that Sigstore gives out, each a text.
_OID = "1.3.6.1.4.1.57264.1."
_ISSUER, _REPOSITORY, _CONFIGURATION = _OID + "8", _OID + "12", _OID + "18"
_GITHUB = "https://token.actions.githubusercontent.com"


@dataclass(frozen=True, slots=True)
class Signer:
    """Whom a certificate names.

    Attributes
    ----------
    issuer : str
        Of the identity; empty when the certificate does not say.
    repository : str
        Its path on its host.
    workflow : str
        File that defines what was run.
    subject : str
        The certificate's own name for it: an address or an e-mail.
    """

    issuer: str
    repository: str
    workflow: str
    subject: str

    def publisher(self) -> dict[str, Any]:
        """Return the publisher object of a provenance object."""
        if self.issuer == _GITHUB:
            name = self.workflow.rpartition("/")[2]
            return {"kind": "GitHub", "claims": None, "repository": self.repository, "workflow": name, "environment": None}
        if self.repository and (urlsplit(self.issuer).hostname or "").startswith("gitlab."):
            return {
                "kind": "GitLab",
                "claims": None,
                "repository": self.repository,
                "workflow_filepath": self.workflow,
                "environment": None,
            }
        if self.issuer == "https://accounts.google.com":
            return {"kind": "Google", "claims": None, "email": self.subject}
        return {"kind": "OpenID", "claims": None, "issuer": self.issuer, "repository": self.repository or None, "subject": self.subject}


def parse_attestations(text: str, filename: str, sha256: str) -> list[Attestation]:
    """Return the attestations of the upload field *text*, each of which speaks of this very file.

    Parameters
    ----------
    text : str
        A JSON array of attestation objects.
    filename, sha256 : str
        Of the distribution.

    Raises
    ------
    InvalidFile
    """
    # Half a second and tens of megabytes that most hubs never need.
    from pydantic import ValidationError
    from pypi_attestations import Attestation, AttestationType

    try:
        documents = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid("The field 'attestations' is not JSON.") from error
    if not isinstance(documents, list) or not 0 < len(documents) <= _MOST:
        raise _invalid(f"The field 'attestations' must be an array of 1 to {_MOST} attestation objects.")
    found: list[Attestation] = []
    types: set[str] = set()
    for number, document in enumerate(documents, start=1):
        try:
            attestation = Attestation.model_validate(document)
            statement = json.loads(attestation.envelope.statement)
        except (ValidationError, ValueError, RecursionError) as error:
            raise _invalid(f"Attestation {number} is no attestation object of version 1.") from error
        kind = _check_statement(statement, number, filename, sha256)
        if kind not in {known.value for known in AttestationType}:
            raise _invalid(f"Attestation {number} has the predicate type {shown(kind)}, which no index takes.")
        if kind in types:
            raise _invalid(f"Attestation {number} has the same predicate type as another one.")
        types.add(kind)
        found.append(attestation)
    return found


def signer_of(attestation: Attestation) -> Signer:
    """Return whom the certificate of *attestation* names.

    Raises
    ------
    InvalidFile
    """
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(attestation.verification_material.certificate)
        claims: Mapping[str, str] = attestation.certificate_claims
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            names = x509.SubjectAlternativeName([])
        subjects = [*names.get_values_for_type(x509.UniformResourceIdentifier), *names.get_values_for_type(x509.RFC822Name)]
    except Exception as error:  # the readers of certificates have no common error
        raise _invalid("The certificate of an attestation cannot be read.") from error
    configuration = urlsplit(claims.get(_CONFIGURATION, "")).path.rpartition("@")[0].strip("/")
    repository = urlsplit(claims.get(_REPOSITORY, "")).path.strip("/")
    workflow = configuration.removeprefix(repository).strip("/")
    return Signer(claims.get(_ISSUER, ""), repository, workflow, subjects[0] if subjects else "")


def provenance(attestations: Sequence[tuple[Attestation, Signer]], *, verified: bool) -> bytes:
    """Return the provenance object of a file.

    Parameters
    ----------
    attestations : sequence of (Attestation, Signer)
    verified : bool
        Whether the signatures were checked against a trust root. Who relies on one checks it in any case.
    """
    bundles: dict[Signer, list[Any]] = {}
    for attestation, signer in attestations:
        bundles.setdefault(signer, []).append(json.loads(attestation.model_dump_json()))
    document = {
        "version": 1,
        "attestation_bundles": [
            {"publisher": {**signer.publisher(), "verified": verified}, "attestations": items} for signer, items in bundles.items()
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def file_project(filename: str) -> tuple[str, str] | None:
    """Return the normalised project name and the version that a distribution's file name tells, None when it tells none."""
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
        else:
            name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    return name, str(version)


def _check_statement(statement: Any, number: int, filename: str, sha256: str) -> str:
    subjects = statement.get("subject") if isinstance(statement, dict) else None
    if not isinstance(subjects, list) or statement.get("_type") != _STATEMENT:
        raise _invalid(f"Attestation {number} holds no in-toto statement.")
    if len(subjects) != 1 or not isinstance(subjects[0], dict):
        raise _invalid(f"Attestation {number} must speak of exactly one file.")
    name, digest = subjects[0].get("name"), subjects[0].get("digest")
    if not isinstance(name, str) or not _same_distribution(name, filename):
        raise _invalid(f"Attestation {number} speaks of {shown(str(name))}, not of {shown(filename)}.", "subject")
    if not isinstance(digest, dict) or digest.get("sha256") != sha256:
        raise _invalid(f"Attestation {number} speaks of a {shown(name)} with other bytes.", "digest")
    return str(statement.get("predicateType"))


def _same_distribution(name: str, filename: str) -> bool:
    """Whether two names are spellings of one: the subject is written by the publisher, the file's name by a build backend."""
    if name == filename:
        return True
    if name.endswith(".whl") and filename.endswith(".whl"):
        try:
            return parse_wheel_filename(name) == parse_wheel_filename(filename)
        except (InvalidWheelFilename, InvalidVersion):
            return False
    return not name.endswith(".whl") and not filename.endswith(".whl") and file_project(name) == file_project(filename) is not None


def _invalid(message: str, part: str = "") -> InvalidFile:
    return InvalidFile(message, code="invalid_attestation", field=f"{FIELD}.{part}" if part else FIELD)
