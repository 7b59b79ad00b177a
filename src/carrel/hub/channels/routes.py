"""Addresses of the channels.

A label may hold slashes, so it is what stands between ``label/`` and the subdir, which is read from the right. The forms
with the subdir at the end are what released conda makes of shard addresses when it puts a stored token into them.
"""

from __future__ import annotations

from collections.abc import Iterator

from carrel.hub.channels.collections import routes as collections
from carrel.hub.channels.conda.handlers import (
    AbsentHandler,
    NoticesHandler,
    PackageHandler,
    RepodataHandler,
    ShardHandler,
    ShardIndexHandler,
)
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
_SHARD = "{digest:[0-9a-f]+}.msgpack.zst"


def _conda() -> Iterator[Route]:
    for label in ("", _LABEL):
        root = "/conda/{namespace}" + label
        # The swapped forms first: their last component is a subdir, never a file.
        yield Route(root + "/repodata_shards.msgpack.zst/{subdir}", ShardIndexHandler)
        yield Route(root + "/shards/" + _SHARD + "/{subdir}", ShardHandler)
        yield Route(root + "/" + _SHARD + "/{subdir}", ShardHandler)
    for label in ("", _LABEL):
        root = "/conda/{namespace}" + label
        yield Route(root + "/{subdir}/repodata_shards.msgpack.zst", ShardIndexHandler)
        yield Route(root + "/{subdir}/shards/" + _SHARD, ShardHandler)
        yield Route(root + "/{subdir}/repodata.json{extension:(?:|\\.zst)}", RepodataHandler)
        yield Route(root + "/notices.json", NoticesHandler)
        yield Route(root + "/{subdir}/current_repodata.json{extension:.*}", AbsentHandler)
        yield Route(root + "/{subdir}/{filename}", PackageHandler)


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


ROUTES: tuple[Route, ...] = (*collections.CONDA, *_conda(), *collections.PYPI, *_pypi())
