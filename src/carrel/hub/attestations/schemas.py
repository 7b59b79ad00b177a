"""JSON of attestations."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, RootModel


class Bundles(RootModel[list[dict[str, Any]]]):
    """A JSON array of Sigstore bundles."""


class AttestationInfo(BaseModel):
    """What the index says of the attestations: they are served beside the file as ``<file>.sigs.<attestations_sha256>``."""

    attestations_sha256: str
    count: int
