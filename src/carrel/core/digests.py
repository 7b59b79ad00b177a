"""Digests of byte streams."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def is_sha256(text: str) -> bool:
    """Whether *text* is a SHA-256 digest in lowercase hexadecimal."""
    return _SHA256.match(text) is not None


@dataclass(frozen=True, slots=True)
class Digests:
    """Digests (lowercase hexadecimal) and size (bytes) of one blob."""

    sha256: str
    md5: str
    size: int


class Hasher:
    """Computes all digests of a stream in one pass."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)  # conda and R indexes list MD5 beside SHA-256
        self._size = 0

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Add *chunk* to the digests."""
        self._sha256.update(chunk)
        self._md5.update(chunk)
        self._size += len(chunk)

    @property
    def size(self) -> int:
        """Bytes seen so far."""
        return self._size

    def digests(self) -> Digests:
        """Return the digests of everything seen so far."""
        return Digests(self._sha256.hexdigest(), self._md5.hexdigest(), self._size)


def digest(chunks: Iterable[bytes] | bytes) -> Digests:
    """Return the digests of *chunks*."""
    hasher = Hasher()
    for chunk in [chunks] if isinstance(chunks, bytes) else chunks:
        hasher.update(chunk)
    return hasher.digests()
