"""Addresses of conda channels.

A label may hold slashes, so it is what stands between ``label/`` and the subdir, which is read from the right. The forms
with the subdir at the end are what released conda makes of index addresses when it puts a stored token into them.
"""

from __future__ import annotations

from collections.abc import Iterator

from carrel.hub.channels.conda.handlers import (
    AttestationsHandler,
    DocumentHandler,
    NoticesHandler,
    PackageHandler,
    RepodataHandler,
    RootDocumentHandler,
    ShardHandler,
    ShardIndexHandler,
)
from carrel.hub.web.routing import Route

_LABEL = "/label/{label:.+}"
_SHARD = "{digest:[0-9a-f]+}.msgpack.zst"
_ZST = "{extension:(?:|\\.zst)}"
_WHOLE = f"repodata.json{_ZST}"
_DOCUMENTS = (
    f"{{document:current_repodata|repodata_from_packages|run_exports}}.json{_ZST}",
    "{document:patch_instructions}.json",
)
_ROOT_DOCUMENTS = (f"{{document:channeldata}}.json{_ZST}", "{document:index}.html", "{document:rss}.xml")


def _routes() -> Iterator[Route]:
    for label in ("", _LABEL):
        root = "/conda/{namespace}" + label
        # The swapped forms first: their last component is a subdir, never a file.
        yield Route(root + "/repodata_shards.msgpack.zst/{subdir}", ShardIndexHandler)
        yield Route(root + "/shards/" + _SHARD + "/{subdir}", ShardHandler)
        yield Route(root + "/" + _SHARD + "/{subdir}", ShardHandler)
        yield Route(root + f"/{_WHOLE}/{{subdir}}", RepodataHandler)
        for document in _DOCUMENTS:
            yield Route(root + f"/{document}/{{subdir}}", DocumentHandler)
    for label in ("", _LABEL):
        root = "/conda/{namespace}" + label
        yield Route(root + "/{subdir}/repodata_shards.msgpack.zst", ShardIndexHandler)
        yield Route(root + "/{subdir}/shards/" + _SHARD, ShardHandler)
        yield Route(root + f"/{{subdir}}/{_WHOLE}", RepodataHandler)
        for document in _DOCUMENTS:
            yield Route(root + f"/{{subdir}}/{document}", DocumentHandler)
        for document in _ROOT_DOCUMENTS:
            yield Route(root + f"/{document}", RootDocumentHandler)
        yield Route(root + "/notices.json", NoticesHandler)
        yield Route(root + "/{subdir}/{filename}.sigs.{digest:[0-9a-f]+}", AttestationsHandler)
        yield Route(root + "/{subdir}/{filename}.v0.sigs", AttestationsHandler)
        yield Route(root + "/{subdir}/{filename}", PackageHandler)


ROUTES: tuple[Route, ...] = tuple(_routes())
