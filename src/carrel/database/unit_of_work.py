"""One request, one transaction.

A unit of work owns a connection in a transaction. Repositories take its connection; work that must follow the commit
(index updates in memory, notifications, job wake-ups) is queued on it and dropped when the transaction rolls back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import Connection

_log = logging.getLogger(__name__)


class UnitOfWork:
    """An open transaction.

    Attributes
    ----------
    connection : sqlalchemy.Connection
        For repositories only.
    writable : bool
        False in units made by :meth:`carrel.database.engine.Database.read`.
    """

    def __init__(self, connection: Connection, *, writable: bool) -> None:
        self.connection = connection
        self.writable = writable
        self._after_commit: list[Callable[[], None]] = []

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run *action* once the transaction is durable; never if it rolls back.

        Actions run in order in the committing thread; one that raises is logged and does not stop the others.
        """
        self._after_commit.append(action)

    def run_after_commit(self) -> None:
        """Run and forget the queued actions. Called by the database after the commit."""
        actions, self._after_commit = self._after_commit, []
        for action in actions:
            try:
                action()
            except Exception:
                _log.exception("work after a commit failed")
