"""SQL of the audit trail."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, insert, select

from carrel.core.clock import now
from carrel.core.tokens import redact
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.models import audit_event

_INSERT = insert(audit_event)


def record(uow: UnitOfWork, principal: Principal | None, action: str, namespace_id: int | None, subject: str, detail: Any = None) -> None:
    """Note who did what, in the same transaction; None for the administrator's command.

    Parameters
    ----------
    action : str
        ``<thing>.<verb>``: ``file.upload``, ``release.publish``, ``token.create`` …
    subject : str
        What it was done to, as a path of names.
    detail : JSON value
        Further facts; never secrets.
    """
    uow.connection.execute(
        _INSERT,
        {
            "at": now(),
            "actor": principal.user_name if principal is not None else "",
            "token_prefix": principal.token_prefix if principal is not None else "",
            "namespace_id": namespace_id,
            "action": action,
            "subject": redact(subject)[:700],
            "detail": {} if detail is None else detail,
        },
    )


def page(uow: UnitOfWork, namespace_id: int, *, before: int | None, limit: int) -> list[Row[Any]]:
    """Return the newest events of a namespace, older than the one with id *before*."""
    query = select(audit_event).where(audit_event.c.namespace_id == namespace_id)
    if before is not None:
        query = query.where(audit_event.c.id < before)
    return list(uow.connection.execute(query.order_by(audit_event.c.id.desc()).limit(limit)))
