"""Logs without secrets."""

from __future__ import annotations

import logging

from tornado.web import RequestHandler

from carrel.core.tokens import redact

_requests = logging.getLogger("carrel.hub.requests")


class RedactingFormatter(logging.Formatter):
    """Replaces tokens in everything that is logged, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished line."""
        return redact(super().format(record))


def log_request(handler: RequestHandler) -> None:
    """Log one answered request: verb, path without token, status, time, user."""
    status = handler.get_status()
    level = logging.INFO if status < 500 else logging.ERROR
    if not _requests.isEnabledFor(level):
        return
    request = handler.request
    principal = getattr(handler, "principal", None)
    who = getattr(principal, "user_name", "") or "-"
    milliseconds = 1000 * request.request_time()
    _requests.log(level, "%s %s %d %.1f ms %s %s", request.method, request.uri, status, milliseconds, who, request.remote_ip)


def configure_logging(level: int | str) -> None:
    """Send all logs to standard error through the redacting formatter."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(int(level) if str(level).isdigit() else level)
    for noisy in ("alembic", "asyncio", "urllib3", "botocore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
