"""JSON of notices."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from carrel.hub.notices.service import MAX_MESSAGE, NoticeView

Level = Literal["info", "warning", "critical"]
Status = Literal["draft", "published", "archived", "deleted"]
Message = Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE)]


class NoticeQuery(BaseModel):
    """Which notices to list."""

    status: list[Status] = Field(default=[], description="Only these; by default all that are not deleted.")
    limit: int = Field(default=100, ge=1, le=1000)
    cursor: int = Field(default=0, ge=0, le=1_000_000)


class NoticeDraft(BaseModel):
    """A new notice."""

    message: Message
    level: Level = "info"
    expires_at: AwareDatetime | None = Field(default=None, description="When clients stop showing it; null: when it is archived.")


class NoticeChanges(BaseModel):
    """What to change."""

    message: Message | None = None
    level: Level | None = None
    expires_at: AwareDatetime | None = None


class Notice(BaseModel):
    """A notice."""

    id: str
    status: Status
    level: Level
    message: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, view: NoticeView) -> Notice:
        """Return the JSON form of *view*."""
        return cls.model_validate({name: getattr(view, name) for name in cls.model_fields})


class NoticeList(BaseModel):
    """Notices, newest first."""

    items: list[Notice]
    total: int
    next_cursor: str | None = None
