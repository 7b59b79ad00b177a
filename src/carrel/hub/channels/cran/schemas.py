"""Queries of the R repositories."""

from __future__ import annotations

from pydantic import BaseModel, Field


class SourceQuery(BaseModel):
    """What an uploader says beside the bytes of a source package."""

    label: list[str] = Field(default=["main"], max_length=20)


class BinaryQuery(SourceQuery):
    """What an uploader says beside the bytes of a binary: for which system and which R it is."""

    platform: str = Field(max_length=32)
    rversion: str = Field(max_length=16, pattern=r"^\d{1,2}\.\d{1,2}(?:\.\d{1,2})?$")

    @property
    def subdir(self) -> str:
        """Where the binary belongs; R's patch versions share their binaries."""
        return f"{self.platform}/{'.'.join(self.rversion.split('.')[:2])}"
