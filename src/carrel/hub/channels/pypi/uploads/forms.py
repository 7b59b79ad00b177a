"""The form that twine, uv, poetry and flit post."""

from __future__ import annotations

from collections.abc import Callable

from packaging.version import InvalidVersion, Version

from carrel.core.errors import BadRequest
from carrel.hub.web.forms import FileForm

_CONTENT = "content"


class DistributionForm(FileForm):
    """A form whose part ``content`` is a distribution.

    Parameters
    ----------
    boundary : bytes
    consume : callable
        Takes the bytes of the distribution.
    """

    def __init__(self, boundary: bytes, consume: Callable[[bytes], None]) -> None:
        super().__init__(boundary, consume, _CONTENT)

    @property
    def filename(self) -> str:
        """Name of the distribution; some clients send a path."""
        told = self.file.filename if self.file is not None else None
        return (told or "").replace("\\", "/").rpartition("/")[2]

    @property
    def version(self) -> str | None:
        """The version in its normal form, None when there is none; what is no version is left as it is."""
        text = self.fields.get("version", "").strip()
        if not text:
            return None
        try:
            return str(Version(text))
        except InvalidVersion:
            return text

    def check(self) -> None:
        """Refuse what is no upload of a distribution."""
        if self.fields.get(":action") != "file_upload":
            raise BadRequest("The field ':action' must be 'file_upload'.", code="invalid_action", field=":action")
        if not self.filename:
            raise BadRequest("The field 'content' with the distribution is missing.", code="invalid_body", field=_CONTENT)
