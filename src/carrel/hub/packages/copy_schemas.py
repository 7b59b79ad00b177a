"""JSON of copies between namespaces."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from carrel.core.access import Visibility
from carrel.core.kinds import Kind
from carrel.hub.packages.copying import CopyRequest, CopyView, Existing, Outcome


class NewCopy(BaseModel):
    """What to copy where; ``version`` and ``filename`` may be patterns (``*``, ``?``).

    Without ``to_label`` the copies have ``from_label``, or the labels of the files copied. ``existing`` says what becomes of
    file names that are taken there: refuse the whole copy, give files with the same bytes the labels as well, or leave them.
    """

    model_config = ConfigDict(extra="forbid")

    to_namespace: str = Field(max_length=64)
    version: str | None = Field(None, max_length=128)
    filename: str | None = Field(None, max_length=300)
    from_label: str | None = Field(None, max_length=128)
    to_label: str | None = Field(None, max_length=128)
    existing: Existing = Existing.ERROR
    visibility: Visibility | None = Field(None, description="Of the package when it is made; by default that of the one copied")
    dry_run: bool = False

    def to_request(self, namespace: str, package: str) -> CopyRequest:
        """Return what the service takes."""
        return CopyRequest(
            namespace,
            package,
            self.to_namespace,
            self.version,
            self.filename,
            self.from_label,
            self.to_label,
            self.existing,
            self.visibility.value if self.visibility is not None else None,
        )


class CopiedFile(BaseModel):
    """One file of a copy."""

    version: str
    filename: str
    subdir: str
    kind: Kind
    outcome: Outcome


class Copy(BaseModel):
    """A copy that was made, or that a dry run shows: where it is, and what became of each file."""

    namespace: str
    package: str
    visibility: Visibility
    made_package: bool
    labels: list[str]
    files: list[CopiedFile]

    @classmethod
    def of(cls, view: CopyView) -> Copy:
        """Return the JSON of *view*."""
        return cls(
            namespace=view.namespace,
            package=view.package,
            visibility=Visibility(view.visibility),
            made_package=view.made_package,
            labels=list(view.labels),
            files=[
                CopiedFile(version=item.version, filename=item.filename, subdir=item.subdir, kind=Kind(item.kind), outcome=item.outcome)
                for item in view.files
            ],
        )
