"""JSON of labels and of their changes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from carrel.core.kinds import Kind
from carrel.hub.files.schemas import File
from carrel.hub.labels.views import Action, ChangedFile, ChangeRequest, ChangeView, FileSelection, LabelView
from carrel.hub.packages.views import FileView
from carrel.hub.urls import Urls


class Relations(BaseModel):
    """How the conda channel of a label relates to others (CEP 42), as paths from it: ``../..`` is the bare channel."""

    model_config = ConfigDict(extra="forbid")

    base: str | None = Field(None, max_length=300, description="The channel that packages here build on")
    overrides: str | None = Field(None, max_length=300, description="The channel whose packages those here take the place of")


class Label(BaseModel):
    """A label; ``files`` counts the published files that the caller sees. ``nolabel`` stands for files without a label."""

    name: str
    locked: bool
    files: int
    relations: Relations
    created_at: datetime | None

    @classmethod
    def of(cls, view: LabelView) -> Label:
        """Return the JSON of *view*."""
        return cls(name=view.name, locked=view.locked, files=view.files, relations=Relations(**view.relations), created_at=view.created_at)


class LabelList(BaseModel):
    """Labels of a namespace, by name."""

    items: list[Label]


class NewLabel(BaseModel):
    """What a label is to be; of one that exists, what is absent stays."""

    locked: bool | None = None
    relations: Relations | None = None


class LabelChanges(BaseModel):
    """What to change of a label; what is absent stays."""

    name: str | None = Field(None, max_length=128, description="The new name")
    locked: bool | None = None
    relations: Relations | None = Field(None, description="All of them; an empty object takes them off")


class ChannelLabel(BaseModel):
    """A label of a channel."""

    name: str
    locked: bool
    files: int


class ChannelLabels(BaseModel):
    """``labels.json`` of a channel: the labels under which the caller finds a file there."""

    labels: list[ChannelLabel]


class LabelledFile(File):
    """A file and where it belongs."""

    package: str
    version: str

    @classmethod
    def of(cls, view: FileView, urls: Urls) -> LabelledFile:
        """Return the JSON of *view*."""
        return cls(package=view.package, version=view.version, **File.of(view, urls).model_dump())


class LabelledFileList(BaseModel):
    """Files of a label, by package; give ``next_cursor`` as ``cursor`` to get the rest."""

    items: list[LabelledFile]
    next_cursor: str | None


class LabelledFileQuery(BaseModel):
    """Which files to list."""

    package: list[str] = Field(default=[], max_length=100, description="Names or patterns (*, ?)")
    kind: Kind | None = None
    limit: int = Field(100, ge=1, le=1000)
    cursor: str | None = Field(None, max_length=400)


class NewLabelChange(BaseModel):
    """A change of the labels of published files, all or none of them.

    ``copy`` and ``move`` put what is under ``from`` under ``to``; ``add`` gives files ``to``, whatever labels they have;
    ``remove`` takes ``from`` off; ``rename`` is about the label itself. ``packages``, ``version``, ``filename`` and ``kind``
    narrow what is changed; the first three may be patterns (``*``, ``?``).
    """

    model_config = ConfigDict(extra="forbid")

    action: Literal["copy", "move", "add", "remove", "rename"]
    source: str | None = Field(None, alias="from", max_length=128)
    target: str | None = Field(None, alias="to", max_length=128)
    packages: list[str] = Field(default=[], max_length=1000)
    version: str | None = Field(None, max_length=128)
    filename: str | None = Field(None, max_length=300)
    kind: Kind | None = None
    dry_run: bool = False
    if_plan: str | None = Field(None, max_length=64, description="The plan of a dry run: refuse to do anything else")

    def to_request(self) -> ChangeRequest:
        """Return what the service takes."""
        selection = FileSelection(tuple(self.packages), self.version, self.filename, self.kind.value if self.kind else None)
        return ChangeRequest(Action(self.action), self.source, self.target, selection, self.if_plan)


class ChangedLabels(BaseModel):
    """A file and its labels before and after."""

    package: str
    version: str
    filename: str
    subdir: str
    kind: Kind
    before: list[str]
    after: list[str]

    @classmethod
    def of(cls, item: ChangedFile) -> ChangedLabels:
        """Return the JSON of *item*."""
        return cls(
            package=item.package,
            version=item.version,
            filename=item.filename,
            subdir=item.subdir,
            kind=Kind(item.kind),
            before=list(item.before),
            after=list(item.after),
        )


class UntouchedFile(BaseModel):
    """A file that an undo left alone."""

    package: str
    version: str
    filename: str
    subdir: str


class LabelChange(BaseModel):
    """A change that was made, or that a dry run shows.

    ``id`` is null for a dry run, and when nothing had to change. ``count`` is the number of files changed, ``unchanged`` that
    of selected files that were so before, ``gone`` that of files that an undo did not find any more.
    """

    id: int | None
    action: str
    source: str | None = Field(serialization_alias="from")
    target: str | None = Field(serialization_alias="to")
    at: datetime
    actor: str
    summary: str
    count: int
    unchanged: int
    created_labels: list[str]
    undone_at: datetime | None
    plan: str
    files: list[ChangedLabels]
    left_alone: list[UntouchedFile]
    gone: int

    @classmethod
    def of(cls, view: ChangeView) -> LabelChange:
        """Return the JSON of *view*."""
        return cls(
            id=view.id,
            action=view.action.value,
            source=view.source,
            target=view.target,
            at=view.at,
            actor=view.actor,
            summary=view.summary,
            count=view.count,
            unchanged=view.unchanged,
            created_labels=list(view.created_labels),
            undone_at=view.undone_at,
            plan=view.plan,
            files=[ChangedLabels.of(item) for item in view.files],
            left_alone=[
                UntouchedFile(package=item.package, version=item.version, filename=item.filename, subdir=item.subdir)
                for item in view.left_alone
            ],
            gone=view.gone,
        )


class LabelChangeList(BaseModel):
    """Changes, newest first, without their files; give ``next_cursor`` as ``cursor`` to get the rest."""

    items: list[LabelChange]
    next_cursor: str | None


class LabelChangeQuery(BaseModel):
    """Which changes to list."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=100)
