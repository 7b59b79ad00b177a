"""Counters that are written in batches: downloads of files, last use of tokens."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import datetime

from carrel.core.clock import now
from carrel.database.engine import Database
from carrel.hub.files.repository import add_downloads
from carrel.hub.tokens.repository import set_last_used

_log = logging.getLogger(__name__)


class UsageRecorder:
    """Collects usage in memory and writes it now and then; a crash loses the last few seconds of it.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._downloads: Counter[int] = Counter()
        self._tokens: dict[int, datetime] = {}
        self._lock = threading.Lock()

    def downloaded(self, file_id: int) -> None:
        """Count a download."""
        with self._lock:
            self._downloads[file_id] += 1

    def token_used(self, token_id: int) -> None:
        """Note that a token was used now."""
        self._tokens[token_id] = now()

    def flush(self) -> None:
        """Write what was collected."""
        with self._lock:
            downloads, self._downloads = self._downloads, Counter()
            tokens, self._tokens = self._tokens, {}
        if not downloads and not tokens:
            return
        try:
            with self._database.write() as uow:
                if downloads:
                    add_downloads(uow, downloads)
                if tokens:
                    set_last_used(uow, tokens)
        except Exception:
            _log.exception("usage counters could not be written")
            with self._lock:
                self._downloads.update(downloads)
                self._tokens = tokens | self._tokens
