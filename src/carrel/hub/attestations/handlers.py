"""Endpoints of attestations."""

from __future__ import annotations

from carrel.core.errors import Conflict, Forbidden, InvalidFile, NotFound
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.attestations.schemas import AttestationInfo, Bundles
from carrel.hub.files.handlers import split_filename
from carrel.hub.files.schemas import SubdirQuery
from carrel.hub.web.endpoint import endpoint
from carrel.hub.web.handler import ApiHandler
from carrel.hub.web.streaming import send_blob


class FileAttestationsHandler(ApiHandler):
    """``/packages/{namespace}/{package}/releases/{version}/files/{filename}/attestations``."""

    @endpoint(
        summary="Get the attestations of a conda package",
        scope=Scope.PACKAGE_READ,
        anonymous=True,
        query=SubdirQuery,
        media_type="application/json",
        errors=(NotFound,),
    )
    async def get(self, namespace: str, package: str, version: str, filename: str, query: SubdirQuery) -> None:
        """The JSON array of Sigstore bundles as the channel serves it."""
        name, subdir = split_filename(filename)
        service, platform = self.hub.attestations, query.subdir or subdir
        sha256, size = await self.hub.pool.read(lambda uow: service.get(uow, self.principal, namespace, package, version, name, platform))
        await send_blob(self, sha256, size, filename=f"{name}.sigs.json", content_type="application/json", shared=False, lasting=False)

    @endpoint(
        summary="Attest a conda package",
        scope=Scope.CONDA_UPLOAD,
        request=Bundles,
        query=SubdirQuery,
        response=AttestationInfo,
        errors=(NotFound, Forbidden, InvalidFile, Conflict),
    )
    async def put(self, namespace: str, package: str, version: str, filename: str, body: Bundles, query: SubdirQuery) -> AttestationInfo:
        """Replace the attestations of a file (CEP 27): signatures, file, channel and publisher are checked."""
        name, subdir = split_filename(filename)
        service, platform = self.hub.attestations, query.subdir or subdir
        await self.hub.pool.read(lambda uow: service.check_upload(uow, self.principal, namespace, package, version, name, platform))
        prepared = await self.hub.pool.compute(lambda: service.prepare(body.root))
        sha256 = await self.hub.pool.write(
            lambda uow: service.put(uow, self.principal, namespace, package, version, name, platform, prepared, (self.urls.base,))
        )
        return AttestationInfo(attestations_sha256=sha256, count=len(prepared.statements))

    @endpoint(
        summary="Forget the attestations of a conda package",
        scope=Scope.CONDA_UPLOAD,
        query=SubdirQuery,
        status=204,
        writes=True,
        errors=(NotFound, Forbidden),
    )
    def delete(self, uow: UnitOfWork, namespace: str, package: str, version: str, filename: str, query: SubdirQuery) -> None:
        """The index names them no more."""
        name, subdir = split_filename(filename)
        self.hub.attestations.delete(uow, self.principal, namespace, package, version, name, query.subdir or subdir)
