"""JSON of the hub's self-description."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class ServerInfo(BaseModel):
    """What a client needs to know before it signs in."""

    name: str
    version: str
    features: list[str]
    max_upload_bytes: int
    registration: Literal["open", "closed"]


class Health(BaseModel):
    """State of the parts that the hub needs."""

    status: Literal["ok"]
    database: Literal["ok"]
    blobs: Literal["ok"]
