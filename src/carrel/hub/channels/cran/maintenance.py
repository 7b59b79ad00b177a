"""The version of a namespace's R repository follows its files, in the same transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from carrel.core.clock import now
from carrel.core.kinds import Kind
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.channels.repository import ChannelVersionRepository
from carrel.hub.packages.changes import PackageChange

PROTOCOL = "cran"


class CranChannelListener:
    """Notes which packages changed. The entry of a file is made when it is uploaded and lies with its row.

    A :class:`carrel.hub.packages.changes.ChangeListener`.
    """

    def files_changed(self, uow: UnitOfWork, changes: Sequence[PackageChange]) -> None:
        """Advance the version of every namespace concerned."""
        touched: dict[int, set[int]] = defaultdict(set)
        for change in changes:
            if Kind.R in change.kinds:
                touched[change.namespace_id].add(change.package_id)
        versions = ChannelVersionRepository(uow.connection, PROTOCOL)
        for namespace_id in sorted(touched):
            version = versions.advance(namespace_id)
            versions.record(namespace_id, version, touched[namespace_id], now())
