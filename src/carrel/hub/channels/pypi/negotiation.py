"""Which form of a page a client wants (PEP 691)."""

from __future__ import annotations

from enum import Enum

from carrel.formats.pypi.index import HTML_TYPE, JSON_TYPE

TEXT_HTML = "text/html"


class Form(Enum):
    """A form of a page, and the media type that it is sent under."""

    JSON = JSON_TYPE
    HTML = HTML_TYPE
    TEXT = TEXT_HTML


_OFFERED = {
    JSON_TYPE: Form.JSON,
    "application/vnd.pypi.simple.latest+json": Form.JSON,
    HTML_TYPE: Form.HTML,
    "application/vnd.pypi.simple.latest+html": Form.HTML,
    TEXT_HTML: Form.TEXT,
    "text/*": Form.TEXT,
    "application/*": Form.JSON,
    "*/*": Form.TEXT,
}


def negotiate(accept: str) -> Form | None:
    """Return the form that an ``Accept`` header prefers, None when it takes none of ours.

    Of equal preferences the one named first wins; an empty header takes what browsers take.
    """
    if not accept.strip():
        return Form.TEXT
    best: tuple[float, Form] | None = None
    for item in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        form = _OFFERED.get(media_type)
        quality = _quality(parameters)
        if form is not None and quality > 0 and (best is None or quality > best[0]):
            best = (quality, form)
    return best[1] if best else None


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return max(0.0, min(float(value), 1.0))
            except ValueError:
                return 0.0
    return 1.0
