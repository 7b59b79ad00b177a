"""What an administrator can set, as the running hub sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HubSettings:
    """Settings of one hub process (see ``python -m carrel.hub serve --help-all``).

    Sizes are bytes, times seconds.
    """

    data_dir: Path
    name: str = "Carrel"
    public_url: str = ""
    registration: str = "closed"  # or "open"
    registrations_per_hour: int = 300  # per client address
    allow_anonymous: bool = True
    max_upload_bytes: int = 5_000_000_000
    min_free_bytes: int = 200_000_000
    idle_seconds: float = 120.0
    session_seconds: int = 14 * 86400
    device_seconds: int = 900
    device_interval: int = 5
    credential_cache_seconds: float = 5.0
    token_warning_seconds: float = 14 * 86400
    sweep_grace_seconds: int = 86400
    temp_grace_seconds: int = 3600
    presigned_downloads: bool = False
    accel_prefix: str = ""
    oidc_issuers: tuple[str, ...] = ()
    oidc_audiences: tuple[str, ...] = ()
    attestation_trust_root: Path | None = None
