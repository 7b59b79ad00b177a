"""Labels, and changes of many files' labels at once, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from carrel.hub.packages.views import FileView

MAIN = "main"
# Stands for "without any label" (CEP 26): a name that no label can have.
NOLABEL = "nolabel"


class Action(StrEnum):
    """What a change of labels does."""

    COPY = "copy"  # what is under one label is put under another, too
    MOVE = "move"  # … instead
    ADD = "add"  # files, whatever labels they have, get one
    REMOVE = "remove"  # files lose one
    RENAME = "rename"  # of a label: its files stay under it
    DELETE = "delete"  # of a label: its files lose it
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class LabelView:
    """A label and how many published files the caller sees under it.

    Attributes
    ----------
    relations : dict of str to str
        ``base`` and ``overrides`` (CEP 42), empty when the owner gave none.
    created_at : datetime or None
        None for the pseudo label ``nolabel``.
    """

    name: str
    locked: bool
    files: int
    relations: dict[str, str] = field(default_factory=dict)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FileSelection:
    """Which published files a change concerns; what is None or empty does not narrow it.

    Attributes
    ----------
    packages : tuple of str
        Names or patterns (``*`` any text, ``?`` one character), of which one has to match.
    version : str, optional
        A version or a pattern.
    filename : str, optional
        A name or a pattern; ``linux-64/name`` also names the subdir.
    kind : str, optional
        See :class:`carrel.core.kinds.Kind`.
    """

    packages: tuple[str, ...] = ()
    version: str | None = None
    filename: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A change to make.

    Attributes
    ----------
    action : Action
        ``UNDO`` is not asked for in this way.
    source : str, optional
        The label that files are under; ``nolabel`` for files without one. COPY, MOVE, REMOVE, RENAME and DELETE need it.
    target : str, optional
        The label that files get, made when it does not exist. COPY, MOVE, ADD and RENAME need it. ``nolabel`` as the
        target of MOVE takes *source* off.
    selection : FileSelection
        Not for RENAME and DELETE, which concern the label itself.
    if_plan : str, optional
        The ``plan`` that a dry run answered: the change is refused when it would not be that one any more.
    """

    action: Action
    source: str | None = None
    target: str | None = None
    selection: FileSelection = field(default_factory=FileSelection)
    if_plan: str | None = None


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file and its labels before and after a change, sorted."""

    package: str
    version: str
    filename: str
    subdir: str
    kind: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A file that an undo did not touch, because its labels were changed again."""

    package: str
    version: str
    filename: str
    subdir: str


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change that was made, or would be.

    Attributes
    ----------
    id : int or None
        None for a dry run, and when nothing had to change.
    actor : str
        User name.
    summary : str
        One line for people.
    count : int
        Files that it changed and that the caller sees.
    unchanged : int
        Selected files that were as asked for before.
    created_labels : tuple of str
        Labels that did not exist before.
    undone_at : datetime or None
        When it was undone.
    plan : str
        Digest of the files and labels changed.
    files : tuple of ChangedFile
        By package, version, subdir and name; empty in lists of changes.
    left_alone : tuple of LeftAlone
        Of an undo.
    gone : int
        Of an undo: files that do not exist any more.
    """

    id: int | None
    action: Action
    source: str | None
    target: str | None
    at: datetime
    actor: str
    summary: str
    count: int
    unchanged: int = 0
    created_labels: tuple[str, ...] = ()
    undone_at: datetime | None = None
    plan: str = ""
    files: tuple[ChangedFile, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()
    gone: int = 0


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Some changes, newest first, and where the rest begins."""

    items: tuple[ChangeView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class LabelledFiles:
    """Some files of a label, by package, and where the rest begins."""

    items: tuple[FileView, ...]
    next_cursor: str | None
