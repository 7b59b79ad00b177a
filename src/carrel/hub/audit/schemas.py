"""JSON of the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class AuditItem(BaseModel):
    """What somebody did; ``token_prefix`` is empty when no token was used."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    actor: str
    token_prefix: str
    action: str
    subject: str
    detail: dict[str, Any]


class AuditList(BaseModel):
    """Events, newest first; give ``next_cursor`` as ``cursor`` to get the rest."""

    model_config = ConfigDict(from_attributes=True)

    items: list[AuditItem]
    next_cursor: str | None


class AuditQuery(BaseModel):
    """Which events to list."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=400)
