"""Words and numbers as the pages show them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from carrel.core.clock import to_rfc3339
from carrel.core.kinds import Kind
from carrel.core.scopes import ALL_SCOPES, parse
from carrel.hub.packages.views import FileView, ReleaseView
from carrel.hub.urls import Urls

_KIND_NAMES = {
    Kind.NOTEBOOK: ("Notebook", "Notebooks"),
    Kind.ENVIRONMENT: ("Environment", "Environments"),
    Kind.CONDA: ("conda package", "conda packages"),
    Kind.PYPI: ("Python package", "Python packages"),
    Kind.R: ("R package", "R packages"),
    Kind.FILE: ("Data file", "Data files"),
}
#: Kinds in the order in which the pages list them.
KINDS_SHOWN: tuple[Kind, ...] = (Kind.NOTEBOOK, Kind.ENVIRONMENT, Kind.CONDA, Kind.PYPI, Kind.R, Kind.FILE)

#: What something that holds several kinds is first of all.
PRECEDENCE: tuple[Kind, ...] = (Kind.NOTEBOOK, Kind.CONDA, Kind.PYPI, Kind.R, Kind.ENVIRONMENT, Kind.FILE)

_AUDIENCES = {
    "private": "owners of the namespace",
    "organization": "members of the organization",
    "unlisted": "everyone who has the link",
    "public": "everyone",
}


def kind_name(kind: str) -> str:
    """Return what one thing of *kind* is called."""
    return _KIND_NAMES[Kind(kind)][0]


def kind_plural(kind: str) -> str:
    """Return what things of *kind* are called."""
    return _KIND_NAMES[Kind(kind)][1]


def by_weight(kinds: Iterable[str]) -> list[str]:
    """Return *kinds*, the most telling one first."""
    return sorted(kinds, key=lambda kind: PRECEDENCE.index(Kind(kind)))


def files_by_weight(files: Iterable[FileView]) -> list[FileView]:
    """Return *files*, those of the most telling kind first."""
    return sorted(files, key=lambda file: PRECEDENCE.index(Kind(file.kind)))


def version(text: str) -> str:
    """Return how a version is shown beside other facts."""
    return f"version {text}"


def audience(visibility: str) -> str:
    """Return who sees a package of this visibility."""
    return _AUDIENCES.get(visibility, visibility)


def day(moment: datetime) -> str:
    """Return the date of *moment* (UTC) as ``4 March 2026``."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y}"


def minute(moment: datetime) -> str:
    """Return date and time of *moment* (UTC) as ``2026-03-04 12:30``."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def capitalize_first(text: str) -> str:
    """Return *text* with a capital letter at the beginning, the rest as it is."""
    return text[:1].upper() + text[1:]


def rfc3339(moment: datetime) -> str:
    """Return *moment* for a ``datetime`` attribute."""
    return to_rfc3339(moment)


def is_web_link(url: str) -> bool:
    """Whether *url* may be the target of a link: http and https only."""
    return url.startswith(("https://", "http://"))


def short_url(url: str) -> str:
    """Return *url* without scheme and closing slash."""
    return url.partition("://")[2].rstrip("/") or url


def content_path(file: FileView) -> str:
    """Return the path of a file's bytes, so that links stay on the host the reader came by."""
    return Urls("").file_content(file.namespace, file.package, file.version, file.filename, file.subdir)


def scope_summary(scopes: Iterable[str]) -> str:
    """Return what a token with these scopes may do, in short."""
    given = {str(scope) for scope in scopes}
    if parse(given) >= ALL_SCOPES:
        return "Everything you may do"
    return ", ".join(sorted(given)) or "Nothing"


def yank_reason(release: ReleaseView) -> str:
    """Return why the files of *release* were yanked, empty when nobody said."""
    return next((reason for file in release.files if (reason := file.yanked_reason)), "")
