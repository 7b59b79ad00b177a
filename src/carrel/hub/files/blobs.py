"""Entering stored bytes into the database, from where on no sweep takes them."""

from __future__ import annotations

from collections.abc import Collection

from carrel.core.clock import now
from carrel.core.digests import Digests
from carrel.core.errors import Unavailable
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.files.repository import upsert_blobs
from carrel.storage import BlobStore


def enter_blobs(uow: UnitOfWork, blobs: BlobStore, stored: Collection[Digests], what: str = "file") -> None:
    """Enter bytes that were stored before.

    Parameters
    ----------
    what : str
        What the client is to send again, for the message.

    Raises
    ------
    Unavailable
        A sweep that was under way has taken some of them.
    """
    moment = now()
    upsert_blobs(uow, [{"sha256": item.sha256, "md5": item.md5, "size": item.size, "created_at": moment} for item in stored])
    if not all(blobs.exists(item.sha256) for item in stored):
        raise Unavailable(f"The bytes were being cleaned up meanwhile. Send the {what} again.", retry_after=1)
