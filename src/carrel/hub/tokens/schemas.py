"""JSON of tokens and scopes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from carrel.core.scopes import Scope
from carrel.hub.tokens.service import NewToken, TokenView

_Name = Annotated[str, Field(min_length=1, max_length=128)]


class TokenRequest(BaseModel):
    """A token to create."""

    name: str = Field(min_length=1, max_length=200)
    scopes: list[Scope] | None = Field(None, min_length=1, description="Absent: everything its maker may do")
    namespace: str | None = Field(None, description="Limit the token to this namespace")
    packages: list[_Name] | None = Field(None, min_length=1, max_length=1000, description="Limit it to packages of these names")
    labels: list[_Name] | None = Field(None, min_length=1, max_length=100, description="Limit it to files under these labels")
    collection: str | None = Field(
        None, max_length=200, description="Limit it to reading a collection: `namespace/name`, or the name beside `namespace`"
    )
    expires_in: int | None = Field(None, gt=0, le=20 * 365 * 86400, description="Seconds; absent: does not expire")
    hostname: str = Field("", max_length=255, description="The machine it is for, as its owner knows it")


class Rotation(BaseModel):
    """How to replace a token."""

    overlap: int = Field(86400, ge=0, le=90 * 86400, description="Seconds for which the old token works beside the new one")


class TokenInfo(BaseModel):
    """A token without its secret; ``flagged_at``: it was found in an upload and should be replaced."""

    id: int
    name: str
    prefix: str
    scopes: list[str]
    namespace: str | None
    packages: list[str] | None
    labels: list[str] | None
    collection: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    hostname: str
    remote_addr: str
    rotated_at: datetime | None
    flagged_at: datetime | None
    flag_reason: str

    @classmethod
    def of(cls, view: TokenView) -> TokenInfo:
        """Return the JSON of *view*."""
        return cls.model_validate(view, from_attributes=True)


class CreatedToken(TokenInfo):
    """A new token; the secret is shown only here."""

    token: str

    @classmethod
    def of_new(cls, new: NewToken) -> CreatedToken:
        """Return the JSON of *new*."""
        return cls(token=new.secret, **TokenInfo.of(new.view).model_dump())


class TokenList(BaseModel):
    """Tokens of the caller, newest first."""

    items: list[TokenInfo]


class ScopeItem(BaseModel):
    """A scope; ``implies``: all scopes that it contains."""

    name: str
    summary: str
    implies: list[str]


class ScopeList(BaseModel):
    """All scopes that tokens may have."""

    items: list[ScopeItem]
