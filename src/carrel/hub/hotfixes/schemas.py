"""JSON of patch instructions."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class PatchInstructions(BaseModel):
    """``patch_instructions.json``, version 1 or 2; further members are ignored."""

    model_config = ConfigDict(populate_by_name=True, extra="ignore")

    patch_instructions_version: int = Field(default=1, description="2 when run exports are changed (CEP 21).")
    packages: dict[str, Any] = Field(default={}, description="``.tar.bz2`` file name to changes, which its ``.conda`` twin gets too.")
    packages_conda: dict[str, Any] = Field(default={}, alias="packages.conda", description="``.conda`` file name to changes.")
    remove: list[str] = Field(default=[], description="Files to take out of the index.")
    revoke: list[str] = Field(default=[], description="Files that no solver may choose.")
