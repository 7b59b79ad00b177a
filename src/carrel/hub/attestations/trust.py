"""The root of trust that an administrator configures: whose certificates and logs are believed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from carrel.core.errors import InvalidFile

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import Bundle
    from sigstore.verify import Verifier


class _AnyIdentity:
    """A policy that leaves it to others what they make of the identity that a good certificate names."""

    def verify(self, cert: Certificate) -> None:
        """Take any."""


class TrustRoot:
    """Checks Sigstore bundles against one trusted root. Methods may be called from any thread.

    Parameters
    ----------
    path : Path, optional
        A ``trusted_root.json``. None: nothing is trusted, and nothing is checked.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._verifier: Verifier | None = None
        self._lock = threading.Lock()

    @property
    def is_configured(self) -> bool:
        """Whether signatures are checked at all."""
        return self._path is not None

    def verify(self, bundle: Bundle) -> bytes:
        """Return the statement of *bundle*, whose certificate, log entry and signature are good.

        Raises
        ------
        InvalidFile
        """
        from sigstore.errors import Error

        try:
            kind, payload = self._loaded().verify_dsse(bundle, _AnyIdentity())
        except Error as error:
            raise InvalidFile(f"The signature of an attestation is not valid: {str(error)[:300]}.", code="invalid_attestation") from error
        if kind != "application/vnd.in-toto+json":
            raise InvalidFile("An attestation holds something else than an in-toto statement.", code="invalid_attestation")
        return payload

    def _loaded(self) -> Verifier:
        # Loaded when it is needed first: the libraries take half a second and tens of megabytes.
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier

        with self._lock:
            if self._verifier is None:
                if self._path is None:
                    raise InvalidFile("This hub has no root of trust to check signatures against.", code="invalid_attestation")
                self._verifier = Verifier(trusted_root=TrustedRoot.from_file(str(self._path)))
            return self._verifier
