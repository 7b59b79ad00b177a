"""JSON of tokens."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from carrel.core.scopes import Scope
from carrel.hub.tokens.service import NewToken, TokenView


class TokenRequest(BaseModel):
    """A token to create."""

    name: str = Field(min_length=1, max_length=200)
    scopes: list[Scope] | None = Field(None, min_length=1, description="Absent: everything its maker may do")
    namespace: str | None = Field(None, description="Limit the token to this namespace")
    expires_in: int | None = Field(None, gt=0, le=20 * 365 * 86400, description="Seconds; absent: does not expire")


class TokenInfo(BaseModel):
    """A token without its secret."""

    id: int
    name: str
    prefix: str
    scopes: list[str]
    namespace: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, view: TokenView) -> TokenInfo:
        """Return the JSON of *view*."""
        return cls(
            id=view.id,
            name=view.name,
            prefix=view.prefix,
            scopes=list(view.scopes),
            namespace=view.namespace,
            created_at=view.created_at,
            expires_at=view.expires_at,
            last_used_at=view.last_used_at,
        )


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
