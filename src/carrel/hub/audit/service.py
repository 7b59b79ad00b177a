"""Who may read the audit trail of a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from carrel.core.errors import BadRequest
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit import repository
from carrel.hub.namespaces.service import find_namespace, require_owner
from carrel.hub.packages.service import decode_cursor, encode_cursor


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What somebody did; *actor* is empty for the administrator's command, *token_prefix* when no token was used."""

    at: datetime
    actor: str
    token_prefix: str
    action: str
    subject: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some events, newest first, and where the rest begins."""

    items: tuple[AuditEvent, ...]
    next_cursor: str | None


class AuditService:
    """The trail of a namespace."""

    def page(self, uow: UnitOfWork, principal: Principal, namespace: str, *, limit: int = 50, cursor: str | None = None) -> AuditPage:
        """Return events, newest first, to owners.

        Raises
        ------
        NotFound, Forbidden, BadRequest
        """
        owner = find_namespace(uow, namespace)
        require_owner(principal, owner)
        key = decode_cursor(cursor)
        if key and not (key.isascii() and key.isdigit() and len(key) <= 18):
            raise BadRequest("The cursor is not one that this hub gave.", code="invalid_cursor")
        rows = repository.page(uow, owner.id, before=int(key) if key else None, limit=limit + 1)
        more = encode_cursor(str(rows[limit - 1].id)) if len(rows) > limit else None
        events = [
            AuditEvent(
                row.at,
                row.actor,
                row.token_prefix,
                row.action,
                row.subject,
                row.detail if isinstance(row.detail, dict) else {"value": row.detail},
            )
            for row in rows[:limit]
        ]
        return AuditPage(tuple(events), more)
