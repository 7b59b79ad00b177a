"""Attestations of distributions (PEP 740): who says of a file that they built or published it.

What is checked here needs no trust: the form, and that each statement speaks of this very file. Whether a signature is
that of whom it names is for :class:`carrel.hub.attestations.trust.TrustRoot` to say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
_GITHUB = "https://token.actions.githubusercontent.com"


def publisher_object(issuer: str, claims: Mapping[str, str]) -> dict[str, Any]:
    """Return the publisher object of whom a certificate names.

    Parameters
    ----------
    issuer : str
        Of the identity; empty when the certificate does not say.
    claims : mapping of str to str
        What it says of the identity, by the names that identity tokens have for it.
    """
    repository = claims.get("repository", "")
    workflow = claims.get("workflow_ref", "").rpartition("@")[0].removeprefix(repository).strip("/")
    if issuer == _GITHUB:
        name = workflow.rpartition("/")[2]
        return {"kind": "GitHub", "claims": None, "repository": repository, "workflow": name, "environment": claims.get("environment")}
    if repository and _host(issuer).startswith("gitlab."):
        environment = claims.get("environment")
        return {"kind": "GitLab", "claims": None, "repository": repository, "workflow_filepath": workflow, "environment": environment}
    if issuer == "https://accounts.google.com":
        return {"kind": "Google", "claims": None, "email": claims.get("email", "")}
    return {"kind": "OpenID", "claims": None, "issuer": issuer, "repository": repository or None, "subject": claims.get("sub", "")}


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # certificates that nobody checked say anything
        return ""


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


def provenance(attestations: Sequence[Attestation], publishers: Sequence[Mapping[str, Any]], *, verified: bool) -> bytes:
    """Return the provenance object of a file.

    Parameters
    ----------
    attestations : sequence of Attestation
    publishers : sequence of mapping
        The publisher object of each.
    verified : bool
        Whether the signatures were checked against a root of trust. Who relies on one checks it in any case.
    """
    bundles: list[dict[str, Any]] = []
    for attestation, publisher in zip(attestations, publishers, strict=True):
        told = {**publisher, "verified": verified}
        bundle = next((item for item in bundles if item["publisher"] == told), None)
        if bundle is None:
            bundle = {"publisher": told, "attestations": []}
            bundles.append(bundle)
        bundle["attestations"].append(json.loads(attestation.model_dump_json()))
    return json.dumps({"version": 1, "attestation_bundles": bundles}, separators=(",", ":")).encode()


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
