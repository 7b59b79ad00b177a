"""A private Sigstore: a certificate authority and logs of its own, made in memory, that sign attestations without a network.

What it signs is checked by the real library against the root of trust that it writes, and by nobody else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ISSUER = "https://token.actions.githubusercontent.com"
PREDICATE = "https://schemas.conda.org/attestations-publish-1.schema.json"
_OID = "1.3.6.1.4.1.57264.1."
_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_ORIGIN = "log.example - 1"


class PrivateSigstore:
    """Issues certificates, logs entries and signs statements."""

    def __init__(self) -> None:
        self._started = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
        self._authority = ec.generate_private_key(ec.SECP256R1())
        self._certificate_log = ec.generate_private_key(ec.SECP256R1())
        self._entry_log = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "example"), x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        public = self._authority.public_key()
        self._root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._started)
            .not_valid_after(self._started + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
            .sign(self._authority, hashes.SHA256())
        )

    def write_trust_root(self, path: Path) -> Path:
        """Write ``trusted_root.json`` to *path* and return it."""
        valid = {"start": self._started.isoformat().replace("+00:00", "Z")}

        def log(key: ec.EllipticCurvePrivateKey, url: str) -> dict[str, Any]:
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": _b64(_spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid},
                "logId": {"keyId": _b64(_key_id(key))},
            }

        document = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self._entry_log, "https://log.example")],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "example", "commonName": "authority"},
                    "uri": "https://authority.example",
                    "certChain": {"certificates": [{"rawBytes": _b64(self._root.public_bytes(serialization.Encoding.DER))}]},
                    "validFor": valid,
                }
            ],
            "ctlogs": [log(self._certificate_log, "https://certificates.example")],
            "timestampAuthorities": [],
        }
        path.write_text(json.dumps(document))
        return path

    def attest(self, filename: str, sha256: str, target_channel: str | None = None, **options: Any) -> dict[str, Any]:
        """Return a bundle that says who published a conda package (CEP 27); *options* are those of :meth:`sign`."""
        statement: dict[str, Any] = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": filename, "digest": {"sha256": sha256}}],
            "predicateType": PREDICATE,
        }
        if target_channel is not None:
            statement["predicate"] = {"targetChannel": target_channel}
        return self.sign(statement, **options)

    def sign(
        self,
        statement: Mapping[str, Any],
        *,
        repository: str = "acme/charts",
        workflow: str = ".github/workflows/publish.yml",
        ref: str = "refs/heads/main",
        issuer: str = ISSUER,
    ) -> dict[str, Any]:
        """Return a Sigstore bundle of *statement*, signed by a job of *repository*."""
        key = ec.generate_private_key(ec.SECP256R1())
        moment = datetime.now(UTC).replace(microsecond=0)
        identity = f"https://github.com/{repository}/{workflow}@{ref}"
        certificate = self._certify(key, moment, identity, repository, ref, issuer)
        payload = json.dumps(statement).encode()
        encoded = b"DSSEv1 %d %b %d %b" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE.encode(), len(payload), payload)
        signature = key.sign(encoded, ec.ECDSA(hashes.SHA256()))
        envelope = {"payload": _b64(payload), "payloadType": _PAYLOAD_TYPE, "signatures": [{"sig": _b64(signature)}]}
        body = {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(json.dumps(envelope).encode()).hexdigest()},
                "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
                "signatures": [
                    {"signature": _b64(signature), "verifier": _b64(certificate.public_bytes(serialization.Encoding.PEM))},
                ],
            },
        }
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": _b64(certificate.public_bytes(serialization.Encoding.DER))},
                "tlogEntries": [self._log(json.dumps(body, sort_keys=True, separators=(",", ":")).encode(), int(moment.timestamp()))],
            },
            "dsseEnvelope": envelope,
        }

    def _certify(
        self, key: ec.EllipticCurvePrivateKey, moment: datetime, identity: str, repository: str, ref: str, issuer: str
    ) -> x509.Certificate:
        claims = {
            "8": issuer,
            "9": identity,
            "12": f"https://github.com/{repository}",
            "14": ref,
            "16": f"https://github.com/{repository.partition('/')[0]}",
            "18": identity,
            "20": "push",
        }
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - timedelta(minutes=5))
            .not_valid_after(moment + timedelta(minutes=5))
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), critical=True)
        )
        for number, text in claims.items():
            value = x509.UnrecognizedExtension(x509.ObjectIdentifier(_OID + number), _der(0x0C, text.encode()))
            builder = builder.add_extension(value, critical=False)
        # What the log of certificates signs is the certificate without the log's own signature.
        bare = builder.sign(self._authority, hashes.SHA256()).tbs_certificate_bytes
        timestamp = int(moment.timestamp() * 1000)
        length = struct.pack("!I", len(bare))[1:]
        entry = hashlib.sha256(_spki(self._authority)).digest() + length + bare
        signed = struct.pack("!BBQH", 0, 0, timestamp, 1) + entry + struct.pack("!H", 0)
        signature = self._certificate_log.sign(signed, ec.ECDSA(hashes.SHA256()))
        sct = b"\0" + _key_id(self._certificate_log) + struct.pack("!QHBBH", timestamp, 0, 4, 3, len(signature)) + signature
        listed = struct.pack("!HH", len(sct) + 2, len(sct)) + sct
        builder = builder.add_extension(x509.UnrecognizedExtension(_SCT_LIST, _der(0x04, listed)), critical=False)
        return builder.sign(self._authority, hashes.SHA256())

    def _log(self, body: bytes, moment: int) -> dict[str, Any]:
        root = hashlib.sha256(b"\0" + body).digest()  # a tree of one leaf
        note = f"{_ORIGIN}\n1\n{_b64(root)}\n"
        key_id = _key_id(self._entry_log)
        signed = key_id[:4] + self._entry_log.sign(note.encode(), ec.ECDSA(hashes.SHA256()))
        promised = {"body": _b64(body), "integratedTime": moment, "logID": key_id.hex(), "logIndex": 0}
        promise = self._entry_log.sign(json.dumps(promised, sort_keys=True, separators=(",", ":")).encode(), ec.ECDSA(hashes.SHA256()))
        return {
            "logIndex": "0",
            "logId": {"keyId": _b64(key_id)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(moment),
            "inclusionPromise": {"signedEntryTimestamp": _b64(promise)},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _b64(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n\u2014 {_ORIGIN.split()[0]} {_b64(signed)}\n"},
            },
            "canonicalizedBody": _b64(body),
        }


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_spki(key)).digest()


def _der(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
