"""Addresses of R repositories.

``contrib.url()`` makes ``src/contrib``, ``bin/windows/contrib/4.2``, ``bin/macosx/big-sur-arm64/contrib/4.2`` of a repository's
address. R knows no binaries for Linux; its repositories are ``bin/linux/<name>/4.2``, which R takes for one with sources.
"""

from __future__ import annotations

from collections.abc import Iterator

from carrel.hub.channels.cran.handlers import ArchiveHandler, BinaryUploadHandler, PackagesHandler, RPackageHandler, SourceUploadHandler
from carrel.hub.web.routing import Route

_PACKAGES = "/PACKAGES{extension:(?:|\\.gz|\\.rds)}"


TREES = (
    "/src/contrib",
    "/bin/{place:(?:windows|macosx|macosx/[^/]+|linux/[^/]+)}/contrib/{rversion}",
    "/bin/{place:linux/[^/]+}/{rversion}/src/contrib",
)


def _repository(root: str) -> Iterator[Route]:
    yield Route(root + "/src", SourceUploadHandler)
    yield Route(root + "/bin", BinaryUploadHandler)
    yield Route(root + "/src/contrib/Meta/archive.rds", ArchiveHandler)
    yield Route(root + "/src/contrib/Archive/{package}/{filename}", RPackageHandler)
    for tree in TREES:
        yield Route(root + tree + _PACKAGES, PackagesHandler)
        yield Route(root + tree + "/{filename}", RPackageHandler)


ROUTES: tuple[Route, ...] = (*_repository("/cran/{namespace}"), *_repository("/cran/{namespace}/label/{label:.+}"))
