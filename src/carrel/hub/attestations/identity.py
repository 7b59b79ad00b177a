"""Whom the certificate of an attestation names, in the words of the identity tokens that publishers are registered by.

Sigstore writes the claims of a job's token into extensions of the certificate; their numbers are those of its public list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_BASE = "1.3.6.1.4.1.57264.1."
_ISSUER = "8"
# Claims whose value is an address in the certificate, and the path of that address in the token.
_ADDRESSES = {
    "9": ("job_workflow_ref",),
    "12": ("repository", "project_path"),
    "16": ("repository_owner", "namespace_path"),
    "18": ("workflow_ref",),
}
_TEXTS = {
    "11": ("runner_environment",),
    "13": ("sha",),
    "14": ("ref",),
    "15": ("repository_id", "project_id"),
    "17": ("repository_owner_id", "namespace_id"),
    "19": ("workflow_sha", "ci_config_sha"),
    "20": ("event_name", "pipeline_source"),
    "22": ("repository_visibility", "project_visibility"),
    "23": ("environment",),
}
# Not written into every certificate; one that lacks it does not fail for it.
OPTIONAL = frozenset({"environment"})


def claims_of(certificate: Certificate) -> tuple[str, Mapping[str, str]]:
    """Return the issuer that vouched for the bearer of *certificate*, and the claims it bears.

    Parameters
    ----------
    certificate : cryptography.x509.Certificate
        One that was checked against a root of trust.
    """
    from cryptography import x509

    values: dict[str, str] = {}
    for extension in certificate.extensions:
        number = extension.oid.dotted_string
        if number.startswith(_BASE) and isinstance(extension.value, x509.UnrecognizedExtension):
            values[number.removeprefix(_BASE)] = _text(extension.value.value)
    claims: dict[str, str] = {}
    for number, names in _TEXTS.items():
        claims.update(dict.fromkeys(names, values[number]) if values.get(number) else {})
    for number, names in _ADDRESSES.items():
        if path := urlsplit(values.get(number, "")).path.strip("/"):
            claims.update(dict.fromkeys(names, path))
    if config := values.get("18"):
        claims["ci_config_ref_uri"] = config.partition("://")[2]
    try:
        names_of = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names_of = x509.SubjectAlternativeName([])
    for address in names_of.get_values_for_type(x509.UniformResourceIdentifier):
        claims.setdefault("sub", address)
        if path := urlsplit(address).path.strip("/"):
            claims.setdefault("job_workflow_ref", path)
    for address in names_of.get_values_for_type(x509.RFC822Name):
        claims["email"] = address
        claims.setdefault("sub", address)
    return values.get(_ISSUER, ""), claims


def _text(value: bytes) -> str:
    """Return the text of a DER ``UTF8String``, empty for anything else."""
    if len(value) < 2 or value[0] != 0x0C:
        return ""
    start = 2
    length = value[1]
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(value[2 : 2 + count], "big"), 2 + count
    return value[start : start + length].decode(errors="replace") if start + length == len(value) else ""
