"""JSON of trusted publishers."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from carrel.hub.publishers.service import PublisherView


class PublisherRequest(BaseModel):
    """An identity that may upload."""

    model_config = ConfigDict(extra="forbid")

    package: str | None = Field(None, description="Name of a package, which need not exist yet; absent: every package of the namespace")
    issuer: str = Field(min_length=1, max_length=500, description="As the claim iss spells it; one of those that the hub trusts")
    claims: dict[str, str] = Field(
        description="Claims that the identity must bear, word for word; in ref, ref_path and ..._ref a * stands for any characters",
        min_length=1,
    )


class PublisherInfo(BaseModel):
    """A registered publisher."""

    id: int
    namespace: str
    package: str | None
    issuer: str
    claims: dict[str, str]
    created_at: datetime
    created_by: str
    last_used_at: datetime | None

    @classmethod
    def of(cls, view: PublisherView) -> PublisherInfo:
        """Return the JSON of *view*."""
        return cls(
            id=view.id,
            namespace=view.namespace,
            package=view.package,
            issuer=view.issuer,
            claims=dict(view.claims),
            created_at=view.created_at,
            created_by=view.created_by,
            last_used_at=view.last_used_at,
        )


class PublisherList(BaseModel):
    """Publishers of a namespace, oldest first, and the issuers whose identities can be registered."""

    items: list[PublisherInfo]
    issuers: list[str]


class AudienceInfo(BaseModel):
    """What an identity token must be made for."""

    audience: str


class MintRequest(BaseModel):
    """An identity token to exchange."""

    token: str = Field(min_length=1)
    namespace: str | None = Field(None, description="For identities that several namespaces registered")


class MintedUploadToken(BaseModel):
    """An upload token; the secret is in this answer and nowhere else."""

    success: bool = True
    token: str
    expires: int = Field(description="Seconds since 1970")
    namespace: str
    packages: list[str] | None


class BurnRequest(BaseModel):
    """A minted token that is no longer needed."""

    token: str = Field(min_length=1, max_length=4096)
