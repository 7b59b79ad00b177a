"""Endpoints of trusted publishing: registration, and the exchange of identities for upload tokens."""

from __future__ import annotations

from pydantic import ValidationError

from carrel.core.errors import Conflict, Forbidden, NotFound, Unprocessable, UpstreamError
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.publishers.identity import refused
from carrel.hub.publishers.schemas import (
    AudienceInfo,
    BurnRequest,
    MintedUploadToken,
    MintRequest,
    PublisherInfo,
    PublisherList,
    PublisherRequest,
)
from carrel.hub.publishers.service import UploadToken
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.handler import ApiHandler


class PublishersHandler(ApiHandler):
    """``/namespaces/{namespace}/publishers``."""

    @endpoint(summary="List trusted publishers", scope=Scope.NAMESPACE_READ, response=PublisherList, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, namespace: str) -> PublisherList:
        """To owners of the namespace."""
        publishers = self.hub.publishers
        items = [PublisherInfo.of(view) for view in publishers.list(uow, self.principal, namespace)]
        return PublisherList(items=items, issuers=list(publishers.verifier.issuers))

    @endpoint(
        summary="Register a trusted publisher",
        scope=Scope.NAMESPACE_WRITE,
        request=PublisherRequest,
        response=PublisherInfo,
        status=201,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def post(self, uow: UnitOfWork, namespace: str, body: PublisherRequest) -> PublisherInfo:
        """Let an identity upload without a stored token. Its tokens act as the owner who registers it."""
        view = self.hub.publishers.register(uow, self.principal, namespace, package=body.package, issuer=body.issuer, claims=body.claims)
        return PublisherInfo.of(view)


class PublisherHandler(ApiHandler):
    """``/namespaces/{namespace}/publishers/{publisher}``."""

    @endpoint(summary="Remove a trusted publisher", scope=Scope.NAMESPACE_WRITE, status=204, writes=True, errors=(NotFound, Forbidden))
    def delete(self, uow: UnitOfWork, namespace: str, publisher: str) -> None:
        """``publisher`` is an id."""
        # Beyond what a database takes for a number there is none.
        self.hub.publishers.remove(uow, self.principal, namespace, int(publisher) if len(publisher) < 19 else 0)


class AudienceHandler(ApiHandler):
    """``/_/oidc/audience``."""

    @endpoint(summary="Audience of identity tokens", anonymous=True, response=AudienceInfo, errors=(NotFound,))
    async def get(self) -> AudienceInfo:
        """What twine, uv and the publish action ask for before they ask the issuer for a token."""
        verifier = self.hub.publishers.verifier
        if not verifier.issuers:
            raise NotFound("Trusted publishing is not set up here: the hub trusts no issuer of identities.", code="not-enabled")
        return AudienceInfo(audience=verifier.audiences[0])


class MintHandler(ApiHandler):
    """``/_/oidc/mint-token``: JSON in, JSON out."""

    @endpoint(
        summary="Exchange an identity token for an upload token",
        anonymous=True,
        response=MintedUploadToken,
        errors=(Unprocessable, UpstreamError),
    )
    async def post(self) -> MintedUploadToken:
        """The body is ``{"token": "<identity token>"}``. A refusal has ``errors``, a list of ``{"code", "description"}``."""
        minted = await self.mint()
        return MintedUploadToken(
            token=minted.secret,
            expires=int(minted.expires_at.timestamp()),
            namespace=minted.namespace,
            packages=None if minted.packages is None else list(minted.packages),
        )

    async def mint(self) -> UploadToken:
        """Return a token for the identity that was sent.

        Raises
        ------
        Unprocessable, UpstreamError
        """
        try:
            body = MintRequest.model_validate_json(self.request.body or b"{}")
        except ValidationError as error:
            raise refused("invalid-payload", 'The body must be JSON: {"token": "<identity token>"}.') from error
        publishers = self.hub.publishers
        identity = await self.hub.pool.compute(lambda: publishers.verifier.verify(body.token))
        address = self.request.remote_ip or ""
        return await self.hub.pool.write(lambda uow: publishers.mint(uow, identity, body.namespace, address))


class BareMintHandler(MintHandler):
    """``/api/oidc/mint_token``: as rattler-build and pixi read it, the answer is the token and nothing else."""

    @endpoint(
        summary="Exchange an identity token for an upload token (bare)",
        anonymous=True,
        media_type="text/plain",
        errors=(Unprocessable, UpstreamError),
    )
    async def post(self) -> Reply:
        """The body is ``{"token": "<identity token>"}``, the answer the upload token as plain text."""
        minted = await self.mint()
        return Reply(minted.secret.encode(), 200, {"Content-Type": "text/plain; charset=utf-8"})


class BurnHandler(ApiHandler):
    """``/_/oidc/burn-token``."""

    @endpoint(summary="Revoke a minted upload token", anonymous=True, request=BurnRequest, status=202, writes=True)
    def post(self, uow: UnitOfWork, body: BurnRequest) -> None:
        """What uv calls when it has uploaded. The answer is the same whether there was such a token or not."""
        self.hub.publishers.burn(uow, body.token)
