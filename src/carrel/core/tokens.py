"""The form of Carrel's tokens.

``ca-`` and 32 characters of lowercase base32. conda reads a token in a URL as ``/t/([a-zA-Z0-9-]*)``, so no other
character may occur. Tokens carry 160 bits, so one plain SHA-256 is enough to store them: no dictionary reaches them.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass

PREFIX = "ca-"
PATTERN = re.compile(r"\bca-[a-z2-7]{32}\b")
# In bytes of any kind, whatever stands around it.
LEAK_PATTERN = re.compile(rb"ca-[a-z2-7]{32}")
_URL_TOKEN = re.compile(r"/t/[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A new token: the secret that is shown once, and what may be stored."""

    secret: str
    prefix: str
    sha256: str


def mint() -> MintedToken:
    """Return a new random token."""
    secret = PREFIX + base64.b32encode(secrets.token_bytes(20)).decode().lower()
    return MintedToken(secret, secret[: len(PREFIX) + 6], hash_token(secret))


def hash_token(secret: str) -> str:
    """Return the SHA-256 (hexadecimal) under which *secret* is stored and looked up."""
    return hashlib.sha256(secret.encode()).hexdigest()


def redact(text: str) -> str:
    """Return *text* with tokens replaced, for logs and records."""
    return PATTERN.sub("ca-<TOKEN>", _URL_TOKEN.sub("/t/<TOKEN>", text))
