"""Addresses of collections as channels; they stand before those of namespaces, which would take them for labels and files."""

from __future__ import annotations

from collections.abc import Iterator

from carrel.hub.channels.collections.handlers import (
    CollectionDistributionHandler,
    CollectionMetadataHandler,
    CollectionNoticesHandler,
    CollectionPackageHandler,
    CollectionProjectHandler,
    CollectionRepodataHandler,
    CollectionRIndexHandler,
    CollectionRootHandler,
    CollectionRPackageHandler,
    CollectionShardHandler,
    CollectionShardIndexHandler,
    CollectionSlashHandler,
)
from carrel.hub.channels.cran.routes import TREES
from carrel.hub.web.routing import Route

_COLLECTION = "{namespace}/collection/{collection}"
_SHARD = "{digest:[0-9a-f]+}.msgpack.zst"
_CONDA = f"/conda/{_COLLECTION}"
_PYPI = f"/pypi/{_COLLECTION}"

CONDA: tuple[Route, ...] = (
    # What released conda makes of shard addresses when it puts a stored token into them: the subdir at the end.
    Route(f"{_CONDA}/repodata_shards.msgpack.zst/{{subdir}}", CollectionShardIndexHandler),
    Route(f"{_CONDA}/shards/{_SHARD}/{{subdir}}", CollectionShardHandler),
    Route(f"{_CONDA}/{_SHARD}/{{subdir}}", CollectionShardHandler),
    Route(f"{_CONDA}/{{subdir}}/repodata_shards.msgpack.zst", CollectionShardIndexHandler),
    Route(f"{_CONDA}/{{subdir}}/shards/{_SHARD}", CollectionShardHandler),
    Route(f"{_CONDA}/{{subdir}}/repodata.json{{extension:(?:|\\.zst)}}", CollectionRepodataHandler),
    Route(f"{_CONDA}/notices.json", CollectionNoticesHandler),
    Route(f"{_CONDA}/{{subdir}}/{{filename}}", CollectionPackageHandler),
)
PYPI: tuple[Route, ...] = (
    Route(f"{_PYPI}/simple/", CollectionRootHandler),
    Route(f"{_PYPI}/{{last:simple}}", CollectionSlashHandler),
    Route(f"{_PYPI}/simple/{{project}}/", CollectionProjectHandler),
    Route(f"{_PYPI}/simple/{{last}}", CollectionSlashHandler),
    Route(f"{_PYPI}/files/{{sha256:[0-9a-f]+}}/{{filename}}.metadata", CollectionMetadataHandler),
    Route(f"{_PYPI}/files/{{sha256:[0-9a-f]+}}/{{filename}}", CollectionDistributionHandler),
)


def _r() -> Iterator[Route]:
    root = f"/cran/{_COLLECTION}"
    yield Route(root + "/src/contrib/{name:Meta/archive\\.rds}", CollectionRIndexHandler)
    yield Route(root + "/src/contrib/Archive/{package}/{filename}", CollectionRPackageHandler)
    for tree in TREES:
        yield Route(root + tree + "/{name:PACKAGES(?:|\\.gz|\\.rds)}", CollectionRIndexHandler)
        yield Route(root + tree + "/{filename}", CollectionRPackageHandler)


CRAN: tuple[Route, ...] = tuple(_r())
