"""Addresses of the channels of all protocols. A label may hold slashes: it is what stands between ``label/`` and what follows."""

from __future__ import annotations

from collections.abc import Iterator

from carrel.hub.channels.collections import routes as collections
from carrel.hub.channels.conda.routes import ROUTES as CONDA
from carrel.hub.channels.pypi.handlers import (
    DistributionHandler,
    MetadataHandler,
    ProjectApiHandler,
    ProjectHandler,
    ProvenanceHandler,
    SlashHandler,
)
from carrel.hub.channels.pypi.uploads.handlers import LegacyUploadHandler, RootOrUploadHandler
from carrel.hub.web.routing import Route

_LABEL = "/label/{label:.+}"


def _pypi() -> Iterator[Route]:
    for label in ("", _LABEL):
        root = "/pypi/{namespace}" + label
        yield Route(root + "/simple/", RootOrUploadHandler)
        yield Route(root + "/{last:simple}", SlashHandler)
        yield Route(root + "/simple/{project}/", ProjectHandler)
        yield Route(root + "/simple/{last}", SlashHandler)
        yield Route(root + "/files/{sha256:[0-9a-f]+}/{filename}.metadata", MetadataHandler)
        yield Route(root + "/files/{sha256:[0-9a-f]+}/{filename}", DistributionHandler)
        yield Route(root + "/legacy/", LegacyUploadHandler)
        yield Route(root + "/legacy", LegacyUploadHandler)
        yield Route(root + "/", LegacyUploadHandler)
    yield Route("/pypi/{namespace}/integrity/{project}/{version}/{filename}/provenance", ProvenanceHandler)
    # With "pypi" between, as the addresses of the public index have it. Under a label there is only this form: the label may
    # hold slashes, so what follows it must begin with something that tells.
    for label in ("", _LABEL):
        yield Route(f"/pypi/{{namespace}}{label}/pypi/{{project}}/json", ProjectApiHandler)
        yield Route(f"/pypi/{{namespace}}{label}/pypi/{{project}}/{{version}}/json", ProjectApiHandler)
    yield Route("/pypi/{namespace}/{project}/json", ProjectApiHandler)
    yield Route("/pypi/{namespace}/{project}/{version}/json", ProjectApiHandler)


ROUTES: tuple[Route, ...] = (*collections.CONDA, *CONDA, *collections.PYPI, *_pypi(), *collections.CRAN)
