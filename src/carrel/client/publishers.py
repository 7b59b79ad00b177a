"""Trusted publishers: build services that may upload without a kept token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from carrel.client.endpoints import Endpoints, given, path


@dataclass(frozen=True, slots=True)
class Publisher:
    """An identity that may upload: an OpenID issuer and the claims that its tokens must bear."""

    id: str
    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    package: str | None = None
    created_at: str = ""
    created_by: str = ""
    last_used_at: str | None = None


class Publishers(Endpoints):
    """``/namespaces/{namespace}/publishers``."""

    def list(self, namespace: str) -> tuple[Publisher, ...]:
        """Return the publishers of a namespace."""
        return self._items(Publisher, path("namespaces", namespace, "publishers"))

    def add(self, namespace: str, issuer: str, claims: Mapping[str, str], package: str | None = None) -> Publisher:
        """Trust an identity with a package, or without one with the whole namespace."""
        body = {"issuer": issuer, "claims": dict(claims), **given({"package": package})}
        return self._send(Publisher, "POST", path("namespaces", namespace, "publishers"), body)

    def remove(self, namespace: str, publisher: str) -> None:
        """Trust an identity no more."""
        self._do("DELETE", path("namespaces", namespace, "publishers", publisher))
