"""Rules of notices (CEP 6): owners write drafts, publish, archive and delete them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row

from carrel.core.clock import now, to_rfc3339
from carrel.core.errors import BadRequest, Conflict, NotFound
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.audit.repository import record
from carrel.hub.namespaces.service import find_namespace, require_owner
from carrel.hub.notices import repository

MAX_MESSAGE = 600
MAX_NOTICES = 1_000  # of one namespace that are not deleted


class NoticeStatus(StrEnum):
    """Where a notice is in its life. Clients see the published ones; deleted ones are listed when they are asked for."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"
    DELETED = "deleted"


class NoticeLevel(StrEnum):
    """How urgent a notice is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


PRESENT = frozenset(NoticeStatus) - {NoticeStatus.DELETED}


@dataclass(frozen=True, slots=True)
class NoticeView:
    """A notice as its owners see it; *expires_at* None: it stays until it is archived."""

    id: str
    status: str
    level: str
    message: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None


class NoticeService:
    """Notices of namespaces. All but :meth:`shown` is for owners."""

    def list(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        *,
        statuses: Collection[NoticeStatus] = PRESENT,
        offset: int = 0,
        limit: int = MAX_NOTICES,
    ) -> tuple[list[NoticeView], int]:
        """Return notices, newest first, and how many there are in all."""
        row = self._namespace(uow, principal, namespace)
        found, total = repository.page(uow, row.id, statuses, offset, limit)
        return [_view(item) for item in found], total

    def get(self, uow: UnitOfWork, principal: Principal, namespace: str, notice_id: str) -> NoticeView:
        """Return one notice."""
        return _view(self._find(uow, self._namespace(uow, principal, namespace), notice_id))

    def create(
        self,
        uow: UnitOfWork,
        principal: Principal,
        namespace: str,
        *,
        message: str,
        level: str = NoticeLevel.INFO.value,
        expires_at: datetime | None = None,
    ) -> NoticeView:
        """Write a draft.

        Raises
        ------
        BadRequest, Conflict, Forbidden
        """
        row = self._namespace(uow, principal, namespace)
        _, total = repository.page(uow, row.id, PRESENT, 0, 1)
        if total >= MAX_NOTICES:
            raise Conflict(f"A channel has at most {MAX_NOTICES} notices. Delete old ones first.", code="too_many_notices")
        moment = now()
        notice_id = str(uuid.uuid4())
        values = {
            "id": notice_id,
            "namespace_id": row.id,
            "status": NoticeStatus.DRAFT.value,
            "created_at": moment,
            "updated_at": moment,
            **_checked({"message": message, "level": level, "expires_at": expires_at}),
        }
        repository.add(uow, values)
        record(uow, principal, "notice.create", row.id, f"{row.name}/{notice_id}")
        return self.get(uow, principal, namespace, notice_id)

    def update(self, uow: UnitOfWork, principal: Principal, namespace: str, notice_id: str, changes: dict[str, Any]) -> NoticeView:
        """Change ``message``, ``level`` or ``expires_at``; published ones change for those who read them next."""
        row = self._namespace(uow, principal, namespace)
        self._find(uow, row, notice_id)
        if changes:
            repository.change(uow, notice_id, {**_checked(changes), "updated_at": now()})
            record(uow, principal, "notice.update", row.id, f"{row.name}/{notice_id}", {"fields": sorted(changes)})
        return self.get(uow, principal, namespace, notice_id)

    def publish(self, uow: UnitOfWork, principal: Principal, namespace: str, notice_id: str) -> NoticeView:
        """Show a draft, or an archived notice again.

        Raises
        ------
        Conflict
            It has expired.
        """
        row = self._namespace(uow, principal, namespace)
        found = self._find(uow, row, notice_id)
        if found.expires_at is not None and found.expires_at <= now():
            raise Conflict("This notice has expired. Give it another end first.", code="notice_expired")
        return self._become(uow, principal, row, notice_id, NoticeStatus.PUBLISHED)

    def archive(self, uow: UnitOfWork, principal: Principal, namespace: str, notice_id: str) -> NoticeView:
        """Show a notice no more."""
        row = self._namespace(uow, principal, namespace)
        self._find(uow, row, notice_id)
        return self._become(uow, principal, row, notice_id, NoticeStatus.ARCHIVED)

    def delete(self, uow: UnitOfWork, principal: Principal, namespace: str, notice_id: str) -> None:
        """Remove a notice; it can still be listed as deleted."""
        row = self._namespace(uow, principal, namespace)
        self._find(uow, row, notice_id)
        repository.change(uow, notice_id, {"status": NoticeStatus.DELETED.value, "updated_at": now()})
        record(uow, principal, "notice.delete", row.id, f"{row.name}/{notice_id}")

    def shown(self, uow: UnitOfWork, namespace_id: int) -> Sequence[dict[str, str]]:
        """Return what ``notices.json`` of a channel lists: for whoever may read the channel."""
        moment = now()
        # Clients ask again when a notice is over. One without an end is good until the end of the next day.
        tomorrow = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
        return [
            {
                "id": row.id,
                "message": row.message,
                "level": row.level,
                "created_at": to_rfc3339(row.created_at).replace("Z", "+00:00"),
                "expires_at": to_rfc3339(row.expires_at or tomorrow).replace("Z", "+00:00"),
            }
            for row in repository.shown(uow, namespace_id, moment)
        ]

    def _namespace(self, uow: UnitOfWork, principal: Principal, namespace: str) -> Row[Any]:
        row = find_namespace(uow, namespace)
        require_owner(principal, row)
        return row

    def _find(self, uow: UnitOfWork, namespace: Row[Any], notice_id: str) -> Row[Any]:
        row = repository.find(uow, namespace.id, notice_id)
        if row is None or row.status == NoticeStatus.DELETED.value:
            raise NotFound("There is no such notice in this channel.")
        return row

    def _become(self, uow: UnitOfWork, principal: Principal, namespace: Row[Any], notice_id: str, status: NoticeStatus) -> NoticeView:
        repository.change(uow, notice_id, {"status": status.value, "updated_at": now()})
        record(uow, principal, f"notice.{status.value}", namespace.id, f"{namespace.name}/{notice_id}")
        return self.get(uow, principal, namespace.name, notice_id)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    if "message" in values:
        message = values["message"]
        if not isinstance(message, str) or not message.strip() or len(message) > MAX_MESSAGE or "\0" in message:
            raise BadRequest(f"A notice has 1 to {MAX_MESSAGE} characters.", code="invalid_notice", field="message")
    if "level" in values and values["level"] not in set(NoticeLevel):
        raise BadRequest("The level of a notice is info, warning or critical.", code="invalid_notice", field="level")
    expires_at = values.get("expires_at")
    if expires_at is not None:
        if expires_at.tzinfo is None:
            raise BadRequest("The end of a notice needs a time zone, such as Z.", code="invalid_notice", field="expires_at")
        try:
            expires_at = expires_at.astimezone(UTC)
        except OverflowError as error:
            raise BadRequest("The end of a notice lies beyond the year 9999.", code="invalid_notice", field="expires_at") from error
        if expires_at <= now():
            raise BadRequest("The end of a notice lies in the past.", code="invalid_notice", field="expires_at")
    return {key: str(value) if key == "level" else value for key, value in values.items()}


def _view(row: Row[Any]) -> NoticeView:
    return NoticeView(row.id, row.status, row.level, row.message, row.created_at, row.updated_at, row.expires_at)
