"""JSON of labels."""

from __future__ import annotations

from pydantic import BaseModel


class Label(BaseModel):
    """A label; ``files`` counts the published files that the caller sees."""

    name: str
    locked: bool
    files: int


class LabelList(BaseModel):
    """Labels of a namespace, by name."""

    items: list[Label]
