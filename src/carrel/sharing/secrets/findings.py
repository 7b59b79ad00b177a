"""What a scan reports and what a person decides about it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Where(StrEnum):
    """The part of a publication in which a secret was found."""

    SOURCE = "source"
    OUTPUT = "output"
    METADATA = "metadata"
    ATTACHMENT = "attachment"
    ENVIRONMENT = "environment"


class Decision(StrEnum):
    """What to do about a finding. ``redact`` replaces the value in the whole published copy."""

    REDACT = "redact"
    REMOVE_OUTPUT = "remove_output"
    NOT_SECRET = "not_secret"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Match:
    """A secret in one piece of text. ``start`` counts characters."""

    kind: str
    secret: str = field(repr=False)
    start: int
    strong: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret in a publication.

    Attributes
    ----------
    id : str
        Stable for the same secret at the same place, so that a decision made on a check holds when publishing.
    cell : int or None
        Index of the cell.
    where : Where
    kind : str
        What it looks like, for people: ``GitHub token``.
    masked : str
        The first characters and dots; never enough to use.
    strong : bool
        A known form, or a value that stands next to a name such as ``password``; others are guesses.
    line : int or None
        Line within the text, from 1.
    file : str
        Path of the attached file; empty for the notebook itself.
    secret : str
        The value. It never leaves this process.
    """

    id: str
    cell: int | None
    where: Where
    kind: str
    masked: str
    strong: bool
    line: int | None
    file: str = ""
    secret: str = field(default="", repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the members that may be shown, without the secret."""
        document: dict[str, Any] = {
            "id": self.id,
            "cell": self.cell,
            "where": self.where.value,
            "kind": self.kind,
            "masked": self.masked,
            "strong": self.strong,
            "line": self.line,
        }
        if self.file:
            document["file"] = self.file
        return document


def mask(secret: str) -> str:
    """Return a form of *secret* that a person recognises and nobody can use."""
    first = secret.split("\n", 1)[0].strip()
    shown = min(4, len(first) // 4)
    return first[:shown] + "•" * 8


def make_finding(match: Match, where: Where, text: str, *, cell: int | None = None, cell_key: str = "", file: str = "") -> Finding:
    """Return the finding of *match* in *text*."""
    value = hashlib.sha256(match.secret.encode("utf-8", "surrogatepass")).hexdigest()
    identity = "\0".join([where.value, cell_key, file, value])
    return Finding(
        id=hashlib.sha256(identity.encode()).hexdigest()[:20],
        cell=cell,
        where=where,
        kind=match.kind,
        masked=mask(match.secret),
        strong=match.strong,
        line=text.count("\n", 0, match.start) + 1,
        file=file,
        secret=match.secret,
    )
